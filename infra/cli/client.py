"""Talks to the shop's public HTTP API: with a token, with patience, and never twice for one key."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import aiohttp
import orjson

BUSY = frozenset({429, 502, 503, 504})
REQUEST_S = 60.0
LONGEST_PAUSE_S = 10.0
ATTEMPTS_AT_A_FAULT = 5
STAFF = ("admin", "operator")
PUBLIC: tuple[str, ...] = ()
STAFF_SUBJECT = "kn-shop"  # an idempotency key is its caller's: under another name every key would be a new one

T = TypeVar("T")


class Unreachable(Exception):
    """No shop answers, or not in time."""


class NoToken(Exception):
    """The shop wants a token and there is none."""


@dataclass(slots=True)
class Refused(Exception):
    """The shop's answer is no; `problem` is its problem+json as far as it sent one."""

    status: int
    problem: dict[str, Any]

    def __str__(self) -> str:
        said = self.problem.get("detail") or self.problem.get("title") or f"HTTP status {self.status}"
        members = {
            name: value
            for name, value in self.problem.items()
            if name not in ("type", "title", "status", "detail", "instance") and value not in (None, [], {})
        }
        return f"{said} {orjson.dumps(members).decode()}" if members else str(said)

    @property
    def slug(self) -> str:
        return str(self.problem.get("type", "")).rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: Any
    etag: str | None


def path(*parts: str) -> str:
    return "/" + "/".join(quote(part, safe="") for part in parts)


class Shop:
    """A connection to one shop. `patience_s` is how long an absent or busy shop is waited for."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        patience_s: float = 5.0,
        connections: int = 8,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._patience_s = patience_s
        self._connections = connections
        self._say = say
        self._issued: dict[tuple[str, tuple[str, ...]], str] = {}
        self._issuing = asyncio.Lock()
        self._answered = False
        self._silent_since: float | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(total=REQUEST_S, sock_connect=5),
            headers={"accept": "application/json, application/problem+json", "user-agent": "kn-shop"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, where: str, *, subject: str = STAFF_SUBJECT, roles: tuple[str, ...] = STAFF) -> Reply:
        return await self.call("GET", where, subject=subject, roles=roles)

    async def call(
        self,
        method: str,
        where: str,
        body: object = None,
        *,
        key: str | None = None,
        wait_s: int | None = None,
        if_match: str | None = None,
        media_type: str = "application/json",
        subject: str = STAFF_SUBJECT,
        roles: tuple[str, ...] = STAFF,
    ) -> Reply:
        """Sends `body` as JSON, or as it is where it is bytes.

        Raises Refused for a 4xx or a lasting 5xx, Unreachable when patience ends, NoToken.
        """
        headers = {"content-type": media_type} if body is not None else {}
        if key:
            headers["idempotency-key"] = key
        if wait_s:
            headers["prefer"] = f"wait={wait_s}"
        if if_match:
            headers["if-match"] = if_match
        payload = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        faults = renewals = 0
        while True:
            if roles:
                headers["authorization"] = f"Bearer {await self._bearer(subject, roles)}"
            reply, pause = await self._patiently(method, where, headers, payload)
            if reply.status < 400:
                return reply
            refused = Refused(reply.status, reply.body if isinstance(reply.body, dict) else {})
            if reply.status == 401 and roles and self._token is None and not renewals:
                self._issued.pop((subject, roles), None)
                renewals += 1
            elif reply.status == 409 and refused.slug == "still-running":
                await asyncio.sleep(pause or 0.5)
            elif reply.status >= 500 and faults < ATTEMPTS_AT_A_FAULT:
                faults += 1
                await asyncio.sleep(pause or _pause(faults))
            else:
                raise refused

    async def items(
        self, where: str, *, subject: str = STAFF_SUBJECT, roles: tuple[str, ...] = STAFF, at_most: int | None = None
    ) -> list[dict[str, Any]]:
        """A list, page after page."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            limit = min(100, at_most - len(found)) if at_most else 100
            asked = f"{where}{'&' if '?' in where else '?'}limit={limit}"
            page = (
                await self.get(f"{asked}&cursor={quote(cursor)}" if cursor else asked, subject=subject, roles=roles)
            ).body
            found += page["items"]
            cursor = page.get("next_cursor")
            if not cursor or (at_most and len(found) >= at_most):
                return found

    async def download(self, where: str) -> AsyncIterator[bytes]:
        """An answer of any length, piece by piece. Raises Unreachable also where it does not come whole."""
        headers = {"authorization": f"Bearer {await self._bearer(STAFF_SUBJECT, STAFF)}"}
        timeout = aiohttp.ClientTimeout(sock_connect=5, sock_read=REQUEST_S)
        came = 0
        try:
            async with self._session.get(self.url + where, headers=headers, timeout=timeout) as response:
                if response.status >= 400:
                    content = await response.read()
                    problem = orjson.loads(content) if content.startswith(b"{") else {}
                    raise Refused(response.status, problem)
                async for piece in response.content.iter_any():
                    came += len(piece)
                    yield piece
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as fault:
            raise Unreachable(f"{self.url} broke off after {came} bytes ({type(fault).__name__})") from fault

    async def _patiently(
        self, method: str, where: str, headers: dict[str, str], payload: bytes | None
    ) -> tuple[Reply, float | None]:
        """The first answer that is not "later". One silence is announced once, however many calls it holds up."""
        began, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            try:
                reply, pause = await self._once(method, where, headers, payload)
                if reply.status not in BUSY:
                    self._heard()
                    return reply, pause
                trouble = f"{self.url} is busy (HTTP status {reply.status})"
            except (aiohttp.ClientError, TimeoutError, OSError) as fault:
                pause, trouble = None, f"{self.url} does not answer ({type(fault).__name__})"
                if not self._answered:
                    raise Unreachable(f"no shop answers at {self.url}") from fault
            left = self._patience_s - (time.monotonic() - began)
            if left <= 0:
                raise Unreachable(trouble)
            self._unheard(trouble, attempt)
            await asyncio.sleep(min(pause or _pause(attempt), LONGEST_PAUSE_S, left))

    async def _once(
        self, method: str, where: str, headers: dict[str, str], payload: bytes | None
    ) -> tuple[Reply, float | None]:
        async with self._session.request(method, self.url + where, data=payload, headers=headers) as response:
            content = await response.read()
            self._answered = True
            try:
                body = orjson.loads(content) if content else None
            except orjson.JSONDecodeError:
                body = None
                if response.status < 400:
                    raise Unreachable(f"{self.url} answers, but is no shop") from None
            after = response.headers.get("retry-after", "")
            pause = float(after) if after.isdigit() else None
            return Reply(response.status, body, response.headers.get("etag")), pause

    def _heard(self) -> None:
        if self._silent_since is not None:
            self._say("the shop answers again")
            self._silent_since = None

    def _unheard(self, trouble: str, attempt: int) -> None:
        if self._silent_since is None and attempt > 2:
            self._silent_since = time.monotonic()
            self._say(f"{trouble}; trying again for up to {self._patience_s:.0f} s")

    async def _bearer(self, subject: str, roles: tuple[str, ...]) -> str:
        if self._token is not None:
            return self._token
        async with self._issuing:
            if (subject, roles) not in self._issued:
                self._issued[subject, roles] = await self._issue(subject, roles)
        return self._issued[subject, roles]

    async def _issue(self, subject: str, roles: tuple[str, ...]) -> str:
        wanted = orjson.dumps({"subject": subject, "roles": list(roles)})
        reply, _ = await self._patiently("POST", "/dev/tokens", {"content-type": "application/json"}, wanted)
        if reply.status >= 400:
            raise NoToken(f"{self.url} has no development issuer (HTTP status {reply.status})")
        if not self._issued:
            self._say(f"no token given: using the development issuer of {self.url}, as {subject} ({', '.join(roles)})")
        return str(reply.body["token"])


def _pause(attempt: int) -> float:
    return float(min(LONGEST_PAUSE_S, 0.1 * 2 ** min(attempt, 8)) * random.uniform(0.5, 1.0))


async def spread(things: Iterable[T], work: Callable[[T], Awaitable[None]], concurrency: int) -> None:
    """Does `work` for each thing, begun in order, at most `concurrency` at a time. The first fault ends it all."""
    waiting = iter(things)

    async def worker() -> None:
        for thing in waiting:
            await work(thing)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(worker())
    except BaseExceptionGroup as faults:
        first: BaseException = faults
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
