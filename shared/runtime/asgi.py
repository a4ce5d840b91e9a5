"""The wire as ASGI has it: reading a body within its limit, sending an answer whole or as it is read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote, unquote

from shared.runtime import log
from shared.runtime.answers import Answer
from shared.runtime.problems import BodyTooLarge

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def path_of(scope: Scope) -> str:
    """The path, percent-decoded but for a slash or a percent sign inside a segment: those stay %2F and %25."""
    raw: bytes | None = scope.get("raw_path")
    path = quote(scope["path"]) if raw is None else raw.decode("latin-1")
    if "%" not in path:
        return path
    return "/".join(unquote(part).replace("%", "%25").replace("/", "%2F") for part in path.split("/"))


async def read_body(receive: Receive, headers: dict[str, str], limit_bytes: int) -> bytes:
    """Raises BodyTooLarge as soon as it is known, before the rest is read."""
    declared = headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit_bytes:
        raise BodyTooLarge(limit_bytes=limit_bytes)
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit_bytes:
            raise BodyTooLarge(limit_bytes=limit_bytes)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


async def send_answer(answer: Answer, scope: Scope, send: Send) -> None:
    headers = _raw(answer)
    if answer.status not in (204, 304):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})


class Pouring:
    """Sends a streamed answer while it is read. What has begun and not ended must be `Aborted`."""

    __slots__ = ("_receive", "_scope", "_send", "begun", "ended")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self.begun = self.ended = False

    async def __call__(self, answer: Answer, rest: AsyncIterator[bytes]) -> Answer:
        self.begun = True
        await self._send({"type": "http.response.start", "status": answer.status, "headers": _raw(answer)})
        if self._scope["method"] != "HEAD":
            await self._pour(answer.body, rest)
        await self._send({"type": "http.response.body", "body": b""})
        self.ended = True
        return answer

    async def _pour(self, first: bytes, rest: AsyncIterator[bytes]) -> None:
        gone = asyncio.create_task(caller_gone(self._receive))
        try:
            await self._send({"type": "http.response.body", "body": first, "more_body": True})
            async for piece in rest:
                if gone.done():  # servers take what is sent to nobody without a word
                    log.logger().info("the caller went away")
                    return
                if piece:
                    await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            gone.cancel()


class Aborted(Exception):
    """Makes the server cut the connection: to end in good order would say that this was all."""


async def caller_gone(receive: Receive) -> None:
    """Returns when the caller has gone away. To be used once its body is read."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _raw(answer: Answer) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
