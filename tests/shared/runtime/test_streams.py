"""A long answer goes out as it is read, holds nothing while its caller is slow, and is never taken for whole if not."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

import aiohttp
import functions_framework.aio
import pytest
from sqlalchemy import text
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response

from functions.catalog.list_products import list_products
from functions.inventory.adjust_stock import adjust_stock
from infra.gateway.proxy import Gateway
from infra.local.routes import Routes
from main import Exchange
from shared.runtime import Problem, Request, Stream, Work
from shared.runtime.asgi import Receive, Scope, Send
from shared.runtime.problems import NotAllowed
from shared.runtime.serve import Endpoint, Runtime, serve
from shared.runtime.settings import Settings
from tests.issuer import Issuer
from tests.serving import serving
from tests.shared.runtime.declared import standing_in

NUMBERS = text("select n, repeat('x', :width) as filling from generate_series(:after + 1, :until) n")
PIECE = 1000
PATH = "/v1/products"

Capture = pytest.CaptureFixture[bytes]


class Export(Request):
    last: int = 2500
    width: int = 0
    fail_after: int | None = None


class Numbers:
    """Streams lines of numbers from Postgres, and counts the pieces that were read."""

    def __init__(self) -> None:
        self.read = 0
        self.failure: Exception = RuntimeError("secret at /etc/passwd")

    async def __call__(self, request: Export, _work: Work) -> Stream:
        async def piece(after: int | None, work: Work) -> tuple[bytes, int | None]:
            after = after or 0
            if request.fail_after is not None and after >= request.fail_after:
                raise self.failure
            until = min(after + PIECE, request.last)
            rows = await work.db.all(NUMBERS, after=after, until=until, width=request.width)
            self.read += 1
            return b"".join(b"%d%s\n" % (row.n, row.filling.encode()) for row in rows), (
                until if until < request.last else None
            )

        return Stream("text/csv; charset=utf-8", piece, 'all\r\n"numbers".csv')


@pytest.fixture
async def runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Whoever held its one connection would be noticed."""
    running = Runtime.start(replace(settings, db_pool=1))
    yield running
    await running.stop()


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture
def streaming(runtime: Runtime, numbers: Numbers) -> Endpoint[Any]:
    return standing_in(runtime, list_products, numbers, Export)


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(params=["bare", "functions-framework", "gateway"])
async def url(request: pytest.FixtureRequest, streaming: Endpoint[Any]) -> AsyncIterator[str]:
    """Where the stream is served: as on one machine, as in its container, and behind the gateway."""

    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        await serve(streaming, scope, receive, send)

    async def function(_request: StarletteRequest) -> Response:
        return Exchange(streaming)

    framework = functions_framework.aio._create_asgi_app_with_function(  # type: ignore[no-untyped-call]
        function, "http", enable_id_logging=False
    )
    async with serving(framework if request.param == "functions-framework" else bare) as port:
        if request.param != "gateway":
            yield f"http://127.0.0.1:{port}{PATH}"
            return
        routes: Routes[str] = Routes()
        routes.add("GET", PATH, str(port))
        gateway = Gateway(routes, "http://127.0.0.1:{service}")
        async with serving(gateway) as outer:
            yield f"http://127.0.0.1:{outer}{PATH}"
        await gateway.close()


class Slow:
    """A caller who asks and does not read."""

    def __init__(self, url: str, query: str) -> None:
        self._port = int(url.removeprefix("http://127.0.0.1:").partition("/")[0])
        self._query = query

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1024)
        self._writer.write(f"GET {PATH}?{self._query} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        await self._writer.drain()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def whole(self) -> bytes:
        return await self._reader.read(-1)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not done():  # noqa: ASYNC110 - what the other side of a socket does has no event
            await asyncio.sleep(0.02)


class Logged:
    """The lines of this process so far."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._lines: list[dict[str, Any]] = []

    def __call__(self, message: str) -> dict[str, Any] | None:
        for line in self._capture.readouterr().out.splitlines():
            with suppress(json.JSONDecodeError):
                self._lines.append(json.loads(line))
        return next((line for line in self._lines if line.get("message") == message), None)


@pytest.fixture
def logged(capsysbinary: Capture) -> Logged:
    return Logged(capsysbinary)


def lines(count: int) -> bytes:
    return b"".join(b"%d\n" % number for number in range(1, count + 1))


async def test_all_pieces_come_in_their_order(
    client: aiohttp.ClientSession, url: str, numbers: Numbers, logged: Logged
) -> None:
    async with client.get(url) as answer:
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == 'attachment; filename="all___numbers_.csv"'
        assert answer.headers["cache-control"] == "public, max-age=5"
        assert answer.headers["transfer-encoding"] == "chunked"
        assert await answer.read() == lines(2500)
    assert numbers.read == 3
    await until(lambda: logged("answered") is not None)


async def test_what_is_one_piece_is_an_answer_like_any_other(client: aiohttp.ClientSession, url: str) -> None:
    async with client.get(f"{url}?last=7") as answer:
        assert (answer.headers["content-length"], await answer.read()) == ("14", lines(7))
        assert "etag" in answer.headers


async def test_head_is_told_what_get_would_be(client: aiohttp.ClientSession, url: str, numbers: Numbers) -> None:
    async with client.head(url) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
        assert "attachment" in answer.headers["content-disposition"]
        assert "content-length" not in answer.headers
    assert numbers.read == 1


async def test_what_is_wrong_before_the_first_piece_is_told(client: aiohttp.ClientSession, url: str) -> None:
    async with client.get(f"{url}?last=x") as answer:
        assert answer.status == 422
    async with client.get(f"{url}?fail_after=0") as answer:
        assert (answer.status, b"secret" in await answer.read()) == (500, False)


@pytest.mark.parametrize("failure", [RuntimeError("secret"), NotAllowed(needed=[]), OSError("away")])
async def test_a_failure_in_the_middle_cuts_the_connection(
    client: aiohttp.ClientSession, url: str, numbers: Numbers, failure: Exception | Problem, logged: Logged
) -> None:
    numbers.failure = failure
    async with client.get(f"{url}?fail_after=2000") as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
    await until(lambda: logged("answered") is not None)
    cut = logged("stream cut short")
    assert cut is not None
    assert (cut["error"], cut["too_long"]) == (type(failure).__name__, False)
    assert cut["function"] == "list-products"
    answered = logged("answered")
    assert answered is not None
    assert answered["status"] >= 400


async def test_a_slow_caller_holds_nothing_and_is_not_read_for_ahead(
    url: str, streaming: Endpoint[Any], numbers: Numbers, logged: Logged
) -> None:
    async with Slow(url, "last=400000&width=1000"):
        await until(lambda: numbers.read > 2)
        await asyncio.sleep(0.5)
        held_back = numbers.read
        ready = await streaming.handle("GET", "/health/ready", b"", {}, b"")
        await asyncio.sleep(0.2)
        assert (ready.status, numbers.read) == (200, held_back)
        assert held_back < 50, "of 400 pieces of a megabyte"
        assert logged("answered") is None, "it counts until its end"
    await until(lambda: logged("answered") is not None)
    assert logged("the caller went away") is not None
    assert numbers.read <= held_back + 8, "nobody reads on for one who has gone"


async def test_a_stream_has_only_so_long(url: str, runtime: Runtime, streaming: Endpoint[Any], logged: Logged) -> None:
    object.__setattr__(runtime.settings, "stream_timeout_s", 0.4)
    async with Slow(url, "last=400000&width=1000") as slow:
        await until(lambda: logged("stream cut short") is not None)
        answered = logged("answered")
        assert answered is not None
        assert (answered["status"], answered["duration_ms"] >= 400) == (503, True)
        assert not (await slow.whole()).endswith(b"0\r\n\r\n"), "it is not ended in good order"
    cut = logged("stream cut short")
    assert cut is not None
    assert cut["too_long"] is True
    assert (await streaming.handle("GET", "/health/ready", b"", {}, b"")).status == 200


async def test_inside_the_process_it_comes_whole(streaming: Endpoint[Any]) -> None:
    answer = await streaming.handle("GET", PATH, b"last=3000", {}, b"")
    assert (answer.status, answer.body, answer.rest) == (200, lines(3000), None)


async def test_a_stream_is_not_remembered_under_a_key(runtime: Runtime, issuer: Issuer, numbers: Numbers) -> None:
    endpoint = standing_in(runtime, adjust_stock, numbers, Export, path="/v1/x")
    headers = {"authorization": f"Bearer {issuer.token('ann', 'admin')}", "idempotency-key": "k"}
    assert (await endpoint.handle("POST", "/v1/x", b"", headers, b"")).status == 500
