"""The provider's HTTP face, bare ASGI: it is called twice per order, so it must cost next to nothing."""

import asyncio
import html
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson
import uvicorn

from infra.provider import actions
from infra.provider.books import Books, Charge, Reply, fault
from infra.provider.cards import Answer, Kind
from infra.provider.webhooks import Webhooks

JSON = (b"content-type", b"application/json")
HTML = (b"content-type", b"text/html; charset=utf-8")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

KINDS = {"capture": Kind.CAPTURE, "void": Kind.VOID, "refund": Kind.REFUND}
LARGEST_BODY = 64 * 1024
LARGEST_AMOUNT = 10**15
# Callers give up long before; this only keeps forgotten connections from piling up.
SILENCE_S = 120.0


class BadRequest(Exception):
    """The request is not one that the provider understands; the text says why."""


class Provider:
    """The ASGI application over one set of books."""

    def __init__(self, books: Books, slow_s: float, webhooks: Webhooks) -> None:
        self._books = books
        self._slow_s = slow_s
        self._webhooks = webhooks
        self._sending: asyncio.Task[None] | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        try:
            reply = await self._reply(scope, receive)
        except BadRequest as reason:
            reply = fault(400, str(reason))
        if reply.told:
            self._webhooks.news()
        if reply.answer is Answer.NEVER:
            await _silence(receive)
            return
        if reply.answer is Answer.LATE:
            await asyncio.sleep(self._slow_s)
        status, body = reply.status, reply.body
        if reply.answer is Answer.ERROR:
            status, body = 500, b'{"error":"internal error"}'
        headers = [HTML if body.startswith(b"<!doctype") else JSON, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _live(self, receive: Receive, send: Send) -> None:
        """Webhooks are sent for as long as the server runs."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._sending = asyncio.create_task(self._webhooks.run())
                await send({"type": "lifespan.startup.complete"})
            else:
                if self._sending is not None:
                    self._sending.cancel()
                    await asyncio.wait([self._sending])
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _reply(self, scope: Message, receive: Receive) -> Reply:
        parts = scope["path"].split("/")[1:]
        reply = await (self._read(scope) if scope["method"] == "GET" else self._write(scope, parts, receive))
        return fault(404, "no such resource") if reply is None else reply

    async def _write(self, scope: Message, parts: list[str], receive: Receive) -> Reply | None:
        match parts:
            case _ if scope["method"] != "POST":
                return None
            case ["v1", "authorizations"]:
                body = await _body(receive)
                charge = Charge(_text(body, "token"), _amount(body), _currency(body), _text(body, "reference"))
                return self._books.authorize(_key(scope), charge)
            case ["v1", "authorizations", id, verb] if verb in KINDS:
                body = await _body(receive)
                # A void needs no amount: it gives back all that is left.
                amount = None if verb == "void" and "amount_minor" not in body else _amount(body)
                return self._books.operate(KINDS[verb], _key(scope), id, amount)
            case ["v1", "actions", id, "complete" | "fail" as decision]:
                return _shown(scope, self._books.decide(id, decision == "complete"))
            case ["v1", "authorizations", id, "disputes"]:
                body = await _body(receive)
                amount = _amount(body) if "amount_minor" in body else None
                return self._news(self._books.dispute(id, amount, _text({"reason": "fraudulent", **body}, "reason")))
            case ["v1", "disputes", id, "close"]:
                return self._news(self._books.close_dispute(id, _dispute_outcome(await _body(receive))))
            case ["v1", "books", "search"]:
                return self._books.of_references(_references(await _body(receive)))
        return None

    async def _read(self, scope: Message) -> Reply | None:
        query = parse_qs(scope["query_string"].decode())
        match scope["path"].split("/")[1:]:
            case ["v1", "operations", *rest] if rest:
                # A key may hold a slash, so it is taken from the raw path.
                return self._books.operation(unquote(scope["raw_path"].decode().removeprefix("/v1/operations/")))
            case ["v1", "authorizations"]:
                return self._books.authorizations(query.get("reference", [""])[0])
            case ["v1", "authorizations", id]:
                return self._books.authorization(id)
            case ["v1", "actions", id]:
                return self._action_page(id)
            case ["v1", "books", "authorizations"]:
                return self._books.page(_number(query, "after", 0), min(1000, _number(query, "limit", 100)))
            case ["v1", "books"]:
                return self._books.totals()
            case ["health", "live" | "ready"]:
                return Reply(200, b'{"status":"ok"}')
        return None

    def _news(self, reply: Reply) -> Reply:
        self._webhooks.news()
        return reply

    def _action_page(self, id: str) -> Reply:
        found = self._books.action(id)
        if found is None:
            return Reply(404, actions.DONE.format(title="There is nothing to confirm any more").encode())
        amount = f"{found['requested_minor'] / 100:.2f} {html.escape(found['currency'])}"
        return Reply(200, actions.PAGE.format(id=html.escape(id), amount=amount).encode())


def _shown(scope: Message, reply: Reply) -> Reply:
    """As a page for whoever comes from a form."""
    if not any(name == b"content-type" and b"form-urlencoded" in value for name, value in scope["headers"]):
        return reply
    status = orjson.loads(reply.body).get("status")
    titles = {"authorized": "Thank you, it is confirmed", "declined": "It was refused"}
    title = titles.get(status, "There is nothing to confirm any more")
    return Reply(reply.status, actions.DONE.format(title=title).encode(), told=reply.told)


def _dispute_outcome(body: dict[str, Any]) -> str:
    value = body.get("outcome")
    if value not in ("won", "lost"):
        raise BadRequest("outcome must be won or lost")
    return str(value)


def _references(body: dict[str, Any]) -> list[str]:
    value = body.get("references")
    if not isinstance(value, list) or len(value) > 1000 or not all(isinstance(one, str) for one in value):
        raise BadRequest("references must be a list of at most 1000 texts")
    return value


def _number(query: dict[str, list[str]], name: str, default: int) -> int:
    value = query.get(name, [str(default)])[0]
    if not value.isascii() or not value.isdigit() or len(value) > 15:
        raise BadRequest(f"{name} must be a whole number")
    return int(value)


async def _silence(receive: Receive) -> None:
    async def disconnected() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(disconnected(), SILENCE_S)
    except TimeoutError:
        return


async def _body(receive: Receive) -> dict[str, Any]:
    message = await receive()
    raw: bytes = message.get("body", b"")
    while message.get("more_body"):
        if len(raw) > LARGEST_BODY:
            raise BadRequest("the body is too large")
        message = await receive()
        raw += message.get("body", b"")
    try:
        body = orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError:
        raise BadRequest("the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadRequest("the body is not an object")
    return body


def _key(scope: Message) -> str:
    for name, value in scope["headers"]:
        if name == b"idempotency-key" and 0 < len(value) <= 255:
            text: str = value.decode("latin-1")
            return text
    raise BadRequest("Idempotency-Key is missing, empty or longer than 255 characters")


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise BadRequest(f"{name} must be a text of 1 to 255 characters")
    return value


def _currency(body: dict[str, Any]) -> str:
    value = _text(body, "currency")
    if len(value) != 3 or not value.isascii() or not value.isupper():
        raise BadRequest("currency must be three capital letters")
    return value


def _amount(body: dict[str, Any]) -> int:
    value = body.get("amount_minor")
    if type(value) is not int or not 0 < value <= LARGEST_AMOUNT:
        raise BadRequest("amount_minor must be a positive integer of minor units")
    return value


def main() -> None:
    """Serve until told to stop; the environment says how, see the reference of settings."""
    slow_s = float(os.environ.get("PROVIDER_SLOW_S", "1.5"))
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8090"))
    books = Books(
        Path(os.environ.get("PROVIDER_BOOKS", ".shop/provider.sqlite")),
        url=os.environ.get("PROVIDER_PUBLIC_URL") or f"http://{host}:{port}",
        action_s=float(os.environ.get("PROVIDER_ACTION_S", "900")),
        late_s=slow_s,
    )
    secret = os.environ.get("PROVIDER_WEBHOOK_SECRET", "")
    webhooks = Webhooks(books, os.environ.get("PROVIDER_WEBHOOK_URL", ""), secret)
    provider = Provider(books, slow_s, webhooks)
    try:
        uvicorn.run(
            provider,
            host=host,
            port=port,
            lifespan="on",
            access_log=False,
            log_level="warning",
            # Callers kept waiting on purpose must not keep the server from stopping.
            timeout_graceful_shutdown=1,
        )
    finally:
        books.close()
