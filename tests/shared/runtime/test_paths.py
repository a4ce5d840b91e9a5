"""A parameter of a path may hold any character, a slash too, as long as it is percent-encoded."""

import json
from typing import Any

import aiohttp
import pytest
from yarl import URL

from functions.catalog.get_product import get_product
from infra.gateway.proxy import Gateway
from infra.local.routes import Routes
from shared.runtime import Page, Request, Work
from shared.runtime.answers import Answer
from shared.runtime.asgi import Receive, Scope, Send, path_of
from shared.runtime.serve import Runtime, serve
from tests.serving import serving
from tests.shared.runtime.declared import standing_in


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/v1/products/MUG", "/v1/products/MUG"),
        (b"/v1/%70roducts/MUG%2DBLUE", "/v1/products/MUG-BLUE"),
        (b"/v1/products/BANK%20CHARGES", "/v1/products/BANK CHARGES"),
        (b"/v1/products/A%2FB", "/v1/products/A%2FB"),
        (b"/v1/products/A%2fB", "/v1/products/A%2FB"),
        (b"/v1/products/100%25", "/v1/products/100%25"),
        (b"/v1/products/A%252FB", "/v1/products/A%252FB"),
        (b"/v1/products/caf%C3%A9", "/v1/products/café"),
        (b"/v1/products/50%", "/v1/products/50%25"),
    ],
)
def test_only_what_would_be_mistaken_stays_encoded(raw: bytes, path: str) -> None:
    assert path_of({"raw_path": raw, "path": "not looked at"}) == path


@pytest.mark.parametrize("scope", [{"path": "/v1/products/a b%"}, {"path": "/v1/products/a b%", "raw_path": None}])
def test_a_server_without_raw_paths(scope: dict[str, Any]) -> None:
    assert path_of(scope) == "/v1/products/a b%25"


class Named(Request):
    product: str


async def name_it(named: Named, _work: Work) -> Answer:
    return Answer(200, body=json.dumps(named.product).encode())


@pytest.mark.parametrize(
    ("raw", "product"),
    [("A%2FB", "A/B"), ("BANK%20CHARGES", "BANK CHARGES"), ("A%252FB", "A%2FB"), ("100%25", "100%"), ("%2E%2E", "..")],
)
async def test_a_parameter_arrives_as_it_was_meant(runtime: Runtime, raw: str, product: str) -> None:
    endpoint = standing_in(runtime, get_product, name_it, Named)

    async def function(scope: Scope, receive: Receive, send: Send) -> None:
        await serve(endpoint, scope, receive, send)

    async with serving(function) as upstream, aiohttp.ClientSession() as client:
        routes: Routes[str] = Routes()
        routes.add("GET", endpoint.trigger.path, str(upstream))
        gateway = Gateway(routes, "http://127.0.0.1:{service}")
        async with serving(gateway) as outside:
            for port in (upstream, outside):
                async with client.get(URL(f"http://127.0.0.1:{port}/v1/products/{raw}", encoded=True)) as answer:
                    assert (answer.status, json.loads(await answer.read())) == (200, product)
        await gateway.close()


async def test_a_slash_that_is_not_encoded_parts(runtime: Runtime) -> None:
    endpoint = standing_in(runtime, get_product, name_it, Named)
    assert (await endpoint.handle("GET", "/v1/products/A/B", b"", {}, b"")).status == 404


async def test_the_next_page_is_linked_by_the_path_as_it_came(runtime: Runtime) -> None:
    async def pages(_named: Named, _work: Work) -> Page[Any]:
        return Page([], (1,))

    endpoint = standing_in(runtime, get_product, pages, Named)
    path = path_of({"raw_path": b"/v1/products/caf%C3%A9%20A%2FB%25"})
    answer = await endpoint.handle("GET", path, b"", {}, b"")
    assert answer.headers["link"].startswith("</v1/products/caf%C3%A9%20A%2FB%25?cursor=")
