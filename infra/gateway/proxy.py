"""Hands each request to the function that declares its method and path, and streams the answer back.

Takes no more from one address than its rate; each instance counts for itself.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from math import ceil
from pathlib import Path
from time import monotonic

from aiohttp import (
    ClientError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    StreamReader,
    TCPConnector,
)
from yarl import URL

from infra.local.routes import NoRoute, OtherMethods, Routes
from shared.runtime.address import CLIENT_ADDRESS, forwarded_address
from shared.runtime.asgi import Receive, Scope, Send, caller_gone, path_of
from shared.runtime.buckets import Bucket, Rate, Recent
from shared.runtime.log import logger
from shared.runtime.problems import (
    MethodNotAllowed,
    Problem,
    RouteNotFound,
    TooManyRequests,
    Unavailable,
)

TABLE = Path(__file__).parent / "routes.json"
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""RFC 9110, section 7.6.1: these are for one connection only."""
OWN = frozenset({b"host", b"x-forwarded-host", CLIENT_ADDRESS.encode()})
HEALTH = frozenset({"/health/live", "/health/ready"})
ADDRESSES = 10_000
"""So many addresses are told apart; the one that was silent for longest is forgotten first."""
POLICY = "address"
DEADLINE = ClientTimeout(connect=5, sock_read=60)
"""For the first byte and between two: a cold start and the longest `Prefer: wait` fit in it. A stream ends itself."""


class Unreachable(Problem, status=502, title="The function did not answer", retry_after_s=1):
    pass


class TooLate(Problem, status=504, title="The function did not answer in time"):
    pass


def table() -> Routes[str]:
    """The generated table: which Service has which method and path."""
    routes: Routes[str] = Routes()
    for route in json.loads(TABLE.read_text()):
        routes.add(route["method"], route["path"], route["service"])
    return routes


class Gateway:
    """The ASGI application of one process. `upstream` is a URL template with `{service}`.

    `rate` is what one address may ask for. `trusted_proxies` stand before the gateway and add to X-Forwarded-For.
    """

    def __init__(
        self, routes: Routes[str], upstream: str, *, rate: Rate | None = None, trusted_proxies: int = 0
    ) -> None:
        self._routes = routes
        self._upstream = upstream
        self._rate = rate
        self._trusted_proxies = trusted_proxies
        self._buckets = None if rate is None else Recent(lambda: Bucket(rate, monotonic()), ADDRESSES)
        self._session: ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] in HEALTH:
            await _answer(send, 200, [(b"content-type", b"text/plain")], b"ok\n")
            return
        address = forwarded_address(scope, self._trusted_proxies)
        if wait_s := self._wait_s(address):
            await _refuse(send, TooManyRequests(again_in_s=wait_s), **self._limit(wait_s))
            return
        try:
            service = self._routes.find(scope["method"], path_of(scope))
            await self._pass_on(service, address, scope, receive, send)
        except NoRoute:
            await _refuse(send, RouteNotFound())
        except OtherMethods as other:
            await _refuse(send, MethodNotAllowed(allowed=other.allowed))

    def _wait_s(self, address: str) -> int:
        """Whole seconds that this address has to wait; 0 for one whose request may pass.

        Where no address is known, one bucket would be the whole shop's: nobody is held back then.
        """
        return ceil(self._buckets[address].take(monotonic())) if self._buckets is not None and address else 0

    def _limit(self, wait_s: int) -> dict[str, str]:
        policy = "" if self._rate is None else self._rate.policy(POLICY)
        return {"ratelimit-policy": policy, "ratelimit": f'"{POLICY}";r=0;t={wait_s}'}

    async def _pass_on(self, service: str, address: str, scope: Scope, receive: Receive, send: Send) -> None:
        url = self._upstream.format(service=service) + scope["raw_path"].decode("ascii")
        if scope["query_string"]:
            url += "?" + scope["query_string"].decode("ascii")
        begun = False
        try:
            async with self._client().request(
                scope["method"],
                URL(url, encoded=True),  # passed on as it came: what is encoded stays encoded
                headers=_forwarded(scope, address),
                data=_body(receive) if _has_body(scope) else None,
                allow_redirects=False,
            ) as answer:
                headers = [
                    (name.lower(), value) for name, value in answer.raw_headers if name.lower() not in HOP_BY_HOP
                ]
                await send(
                    {
                        "type": "http.response.start",
                        "status": answer.status,
                        "headers": headers,
                    }
                )
                begun = True
                if answer.content_length is None:
                    await _stream(answer.content, receive, send)
                else:
                    async for chunk in answer.content.iter_any():
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        except (TimeoutError, ClientError, OSError) as error:
            logger().warning("not passed on", service=service, error=type(error).__name__)
            if begun:  # too late for another status: the connection ends short of its length
                raise
            await _refuse(send, _problem(error))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _client(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=0, keepalive_timeout=30, ttl_dns_cache=30),
                timeout=DEADLINE,
                auto_decompress=False,
                cookie_jar=DummyCookieJar(),
            )
        return self._session


def _forwarded(scope: Scope, address: str) -> list[tuple[str, str]]:
    """End-to-end headers without those that would pass for an event's or for our own, and without the outer host."""
    kept = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in scope["headers"]
        if name not in HOP_BY_HOP and name not in OWN and not name.startswith(b"ce-")
    ]
    outer = next(
        (value.decode("latin-1") for name, value in scope["headers"] if name == b"host"),
        "",
    )
    known = [(CLIENT_ADDRESS, address)] if address else []
    return [*kept, ("x-forwarded-host", outer), *known]


def _has_body(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return b"content-length" in names or b"transfer-encoding" in names


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the caller went away")
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


async def _stream(content: StreamReader, receive: Receive, send: Send) -> None:
    """Ends when the caller is gone, so that the function learns of it. It had the whole body before it began."""
    gone = asyncio.create_task(caller_gone(receive))
    try:
        async for chunk in content.iter_any():
            if gone.done():
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        gone.cancel()


def _problem(error: Exception) -> Problem:
    if isinstance(error, asyncio.TimeoutError):
        return TooLate()
    return Unreachable() if isinstance(error, ClientError) else Unavailable()


async def _refuse(send: Send, problem: Problem, **more: str) -> None:
    said = problem.headers() | more
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in said.items()]
    await _answer(send, problem.status, headers, problem.body())


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
