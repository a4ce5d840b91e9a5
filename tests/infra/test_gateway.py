"""The gateway hands over what came and gives back what was answered, to and from real sockets."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from yarl import URL

from infra.gateway.proxy import Gateway
from infra.local.routes import Routes
from shared.runtime.asgi import Receive, Scope, Send
from shared.runtime.buckets import Rate
from tests.serving import serving

NOBODY = 1  # no program listens on this port


async def mirror(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers what it was asked; the body in two pieces."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    asked = {
        "method": scope["method"],
        "path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "headers": {name.decode(): value.decode() for name, value in scope["headers"]},
        "body": body.decode(),
    }
    headers = [(b"content-type", b"application/json"), (b"etag", b'"7"'), (b"set-cookie", b"a=1")]
    status = 418 if asked["query"] == "teapot" else 200
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if scope["method"] != "HEAD":
        text = json.dumps(asked).encode()
        await send({"type": "http.response.body", "body": text[:10], "more_body": True})
        await send({"type": "http.response.body", "body": text[10:], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A gateway whose services are named by their ports."""
    async with serving(mirror) as upstream:
        routes: Routes[str] = Routes()
        routes.add("GET", "/v1/orders", str(NOBODY))
        routes.add("POST", "/v1/orders", str(upstream))
        routes.add("GET", "/v1/orders/{order_id}", str(upstream))
        gateway = Gateway(routes, "http://127.0.0.1:{service}")
        async with serving(gateway) as port:
            yield f"http://127.0.0.1:{port}"
        await gateway.close()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_method_path_query_headers_and_body_arrive(client: aiohttp.ClientSession, url: str) -> None:
    headers = {"idempotency-key": "k1", "prefer": "wait=10", "content-type": "application/json"}
    async with client.post(f"{url}/v1/orders?a=1&b=%20", data=b'{"lines":[]}', headers=headers) as answer:
        asked = await answer.json()

    assert (asked["method"], asked["path"], asked["query"]) == ("POST", "/v1/orders", "a=1&b=%20")
    assert asked["headers"].items() >= headers.items()
    assert asked["body"] == '{"lines":[]}'


async def test_status_and_headers_come_back(client: aiohttp.ClientSession, url: str) -> None:
    async with client.get(f"{url}/v1/orders/4711?teapot") as answer:
        assert answer.status == 418
        assert answer.headers["etag"] == '"7"'
        assert answer.headers["set-cookie"] == "a=1"


async def test_an_encoded_path_stays_as_it_came(client: aiohttp.ClientSession, url: str) -> None:
    async with client.get(URL(f"{url}/v1/orders/a%2Bb%20c", encoded=True)) as answer:
        assert (await answer.json())["path"] == "/v1/orders/a%2Bb%20c"


async def test_nobody_outside_passes_for_an_event(client: aiohttp.ClientSession, url: str) -> None:
    forged = {"ce-id": "1", "ce-source": "/shop/payments/x", "CE-Type": "t", "x-forwarded-host": "evil.example"}
    async with client.get(f"{url}/v1/orders/1", headers=forged) as answer:
        headers = (await answer.json())["headers"]

    assert not [name for name in headers if name.startswith("ce-")]
    assert headers["x-forwarded-host"] == url.removeprefix("http://")


async def test_what_belongs_to_one_connection_is_not_passed_on(client: aiohttp.ClientSession, url: str) -> None:
    async with client.get(f"{url}/v1/orders/1", headers={"te": "trailers", "proxy-authorization": "x"}) as answer:
        headers = (await answer.json())["headers"]

    assert not {"te", "proxy-authorization"} & headers.keys()


async def test_head_goes_where_get_goes(client: aiohttp.ClientSession, url: str) -> None:
    async with client.head(f"{url}/v1/orders/1") as answer:
        assert answer.status == 200
        assert await answer.read() == b""


async def test_there_is_nothing_at_other_paths(client: aiohttp.ClientSession, url: str) -> None:
    async with client.get(f"{url}/v1/nothing") as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"


async def test_other_methods_are_refused(client: aiohttp.ClientSession, url: str) -> None:
    async with client.delete(f"{url}/v1/orders") as answer:
        assert answer.status == 405
        assert answer.headers["allow"] == "GET, POST"


async def test_a_function_that_is_away_is_a_problem(client: aiohttp.ClientSession, url: str) -> None:
    async with client.get(f"{url}/v1/orders") as answer:
        assert answer.status == 502
        assert (await answer.json(content_type=None))["type"] == "urn:kn-shop:problem:unreachable"
        assert answer.headers["retry-after"] == "1"


@asynccontextmanager
async def limited(rate: Rate, trusted_proxies: int) -> AsyncIterator[str]:
    async with serving(mirror) as upstream:
        routes: Routes[str] = Routes()
        routes.add("GET", "/v1/orders/{order_id}", str(upstream))
        gateway = Gateway(routes, "http://127.0.0.1:{service}", rate=rate, trusted_proxies=trusted_proxies)
        async with serving(gateway) as port:
            yield f"http://127.0.0.1:{port}"
        await gateway.close()


async def test_an_address_may_ask_for_so_much(client: aiohttp.ClientSession) -> None:
    async with limited(Rate(0.1, 3), 1) as url:

        async def status(forwarded: str) -> int:
            async with client.get(f"{url}/v1/orders/1", headers={"x-forwarded-for": forwarded}) as answer:
                return answer.status

        assert [await status(f"6.6.6.{n}, 1.1.1.1") for n in range(4)] == [200, 200, 200, 429]
        assert await status("1.1.1.1, 2.2.2.2") == 200, "others are not held up"
        async with client.get(f"{url}/v1/nothing", headers={"x-forwarded-for": "1.1.1.1"}) as answer:
            assert (answer.status, answer.headers["retry-after"]) == (429, "10")
            assert answer.headers["ratelimit-policy"] == '"address";q=3;w=30'
            assert answer.headers["ratelimit"] == '"address";r=0;t=10'
            said = await answer.json(content_type="application/problem+json")
            assert said["type"] == "urn:kn-shop:problem:too-many-requests"
        for _ in range(5):
            async with client.get(f"{url}/health/live", headers={"x-forwarded-for": "1.1.1.1"}) as answer:
                assert answer.status == 200


async def test_without_proxies_nobody_can_say_to_be_another(client: aiohttp.ClientSession) -> None:
    async with limited(Rate(0.1, 3), 0) as url:
        statuses = []
        for number in range(4):
            said = {"x-forwarded-for": f"6.6.6.{number}", "x-client-address": f"7.7.7.{number}"}
            async with client.get(f"{url}/v1/orders/1", headers=said) as answer:
                statuses.append(answer.status)
    assert statuses == [200, 200, 200, 429]


async def test_where_no_address_is_known_nobody_is_held_back(client: aiohttp.ClientSession) -> None:
    async with limited(Rate(0.1, 1), 2) as url:
        for _ in range(3):
            async with client.get(f"{url}/v1/orders/1", headers={"x-forwarded-for": "10.0.0.1"}) as answer:
                assert answer.status == 200
                assert "x-client-address" not in (await answer.json())["headers"]


async def test_the_address_that_a_function_sees_is_the_gateways_finding(client: aiohttp.ClientSession) -> None:
    async with limited(Rate(100, 100), 1) as url:
        said = {"x-forwarded-for": "6.6.6.6, 1.1.1.1", "x-client-address": "7.7.7.7"}
        async with client.get(f"{url}/v1/orders/1", headers=said) as answer:
            assert (await answer.json())["headers"]["x-client-address"] == "1.1.1.1"


async def test_what_reads_and_writes_say_to_each_other_is_passed_on(client: aiohttp.ClientSession, url: str) -> None:
    headers = {"sequence-token": "shop.stock/a%2Fb@17", "prefer": "wait=3"}
    async with client.get(f"{url}/v1/orders/1", headers=headers) as answer:
        assert (await answer.json())["headers"].items() >= headers.items()


async def test_the_gateway_says_that_it_lives(client: aiohttp.ClientSession, url: str) -> None:
    for path in ("/health/live", "/health/ready"):
        async with client.get(f"{url}{path}") as answer:
            assert answer.status == 200
