"""An HTTP function's edges: methods, bodies, problems, pages, conditions, and what is never said."""

import asyncio
import gzip
import json
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC
from typing import Annotated, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from functions.catalog.create_product import create_product
from functions.catalog.get_product import get_product
from functions.catalog.list_products import list_products
from functions.catalog.update_product import update_product
from functions.inventory.adjust_stock import adjust_stock
from functions.inventory.expire_holds import expire_holds
from functions.inventory.release_hold import release_hold
from functions.orders.cancel_order import cancel_order
from functions.orders.list_my_orders import list_my_orders
from functions.orders.place_order import place_order
from shared.runtime import Document, Request, Work
from shared.runtime.answers import Answer, cursor_of, key_of
from shared.runtime.problems import PROBLEMS, ValidationFailed
from shared.runtime.schema import MIGRATIONS
from shared.runtime.serve import Endpoint, Runtime, serve
from tests.conftest import Ask, Books
from tests.issuer import Issuer
from tests.shared.runtime.declared import standing_in

MUG = {"title": "A mug", "variants": [{"sku": "mug", "price_minor": 100}]}


def problem(answer: Answer) -> Any:
    assert answer.headers["content-type"] == "application/problem+json"
    said = json.loads(answer.body)
    assert said["status"] == answer.status
    return said


async def test_every_path_and_method_that_is_not_served_says_so(ask: Ask) -> None:
    elsewhere = await ask(create_product, "/v1/elsewhere", MUG, roles=("admin",))
    assert (elsewhere.status, problem(elsewhere)["type"]) == (404, "urn:kn-shop:problem:route-not-found")
    for method in ("GET", "PUT", "DELETE", "PATCH", "TRACE", "NONSENSE"):
        other = await ask(create_product, "/v1/products", MUG, roles=("admin",), method=method)
        assert (other.status, other.headers["allow"]) == (405, "POST")
    for function in (release_hold, expire_holds):
        assert (await ask_event(ask, function)).status == 405


async def ask_event(ask: Ask, function: Any) -> Answer:
    return await ask(function, "/", method="GET")


async def test_a_body_that_is_not_what_it_should_be_is_told_apart(ask: Ask) -> None:
    async def send(body: bytes, content_type: str = "application/json") -> Answer:
        return await ask(create_product, "/v1/products", body, roles=("admin",), content_type=content_type)

    assert problem(await send(b"{", "application/json"))["type"].endswith("malformed-body")
    assert (await send(b"{")).status == 400
    assert (await send(b"\xff")).status == 400
    assert (await send(b"{}", "text/plain")).status == 415
    assert (await send(b"{}", "")).status == 415
    assert (await send(b"[]")).status == 422
    assert (await send(b"null")).status == 422
    assert (await send(json.dumps(MUG).encode(), "application/json; charset=utf-8")).status == 201
    assert (await send(b"[" * 100_000 + b"]" * 100_000)).status in (400, 422)
    assert (await send(json.dumps(MUG | {"title": "a\0b"}).encode())).status == 422


async def test_every_fault_is_named_at_once(ask: Ask) -> None:
    body = {"title": " ", "variants": [{"sku": "", "price_minor": -1}], "owner": "me", "status": "stolen"}
    answer = await ask(create_product, "/v1/products", body, roles=("admin",))
    assert answer.status == 422
    assert {fault["pointer"] for fault in problem(answer)["errors"]} == {
        "/variants/0/sku",
        "/title",
        "/variants/0/price_minor",
        "/owner",
        "/status",
    }
    assert b"stolen" not in answer.body, "what was sent is not echoed"


async def test_what_the_path_names_is_not_given_twice(ask: Ask) -> None:
    order = uuid4()
    answer = await ask(
        cancel_order,
        f"/v1/orders/{order}/cancel",
        {"order_id": str(UUID(int=1)), "reason": "r"},
        roles=("customer",),
        idempotency_key="k",
    )
    assert (answer.status, problem(answer)["errors"][0]["pointer"]) == (422, "/order_id")


async def test_a_query_takes_only_what_is_known(ask: Ask) -> None:
    for query in ("limit=0", "limit=101", "limit=x", "nonsense=1", "cursor=%00"):
        assert (await ask(list_products, f"/v1/products?{query}")).status == 422, query


class Filtered(Request):
    status: str = "any"
    colours: tuple[str, ...] = ()
    years: Annotated[list[int], Field(max_length=3)] | None = None


async def show(request: Request, _work: Work) -> Answer:
    return Answer(200, body=json.dumps(request.model_dump(mode="json")).encode())


@pytest.mark.parametrize(
    ("query", "filled"),
    [
        (b"", {"status": "any", "colours": [], "years": None}),
        (b"colours=red", {"status": "any", "colours": ["red"], "years": None}),
        (
            b"colours=red&status=on&colours=a%26b&colours=",
            {"status": "on", "colours": ["red", "a&b", ""], "years": None},
        ),
        (b"years=1999&years=2024", {"status": "any", "colours": [], "years": [1999, 2024]}),
    ],
)
async def test_a_repeated_parameter_fills_a_list(runtime: Runtime, query: bytes, filled: dict[str, Any]) -> None:
    answer = await standing_in(runtime, list_products, show, Filtered).handle("GET", "/v1/products", query, {}, b"")
    assert json.loads(answer.body) == filled


async def test_a_parameter_of_one_value_is_given_once(runtime: Runtime) -> None:
    endpoint = standing_in(runtime, list_products, show, Filtered)
    query = b"status=a&years=1&status=b&years=x&other=1&other=2"
    answer = await endpoint.handle("GET", "/v1/products", query, {}, b"")
    assert answer.status == 422
    faults = {fault["pointer"]: fault["detail"] for fault in problem(answer)["errors"]}
    assert faults.keys() == {"/status", "/years/1", "/other"}
    assert faults["/status"] == "This is given 2 times, and taken once."


async def test_versions_are_conditions(ask: Ask) -> None:
    made = await ask(create_product, "/v1/products", MUG, roles=("admin",))
    tag, path = made.headers["etag"], "/v1/products/mug"
    patch = {"title": "Another mug"}
    missing = await ask(update_product, path, patch, roles=("admin",))
    assert missing.status == 428
    for stale in ('"99"', "*", '"x"', 'W/"99"', '"-1"', f'"{"9" * 30}"'):
        assert (await ask(update_product, path, patch, roles=("admin",), if_match=stale)).status == 412, stale
    changed = await ask(update_product, path, patch, roles=("admin",), if_match=tag)
    assert changed.status == 200

    shown = await ask(get_product, path, if_none_match=tag)
    now = shown.headers["etag"]
    assert (shown.status, now) == (200, f'{changed.headers["etag"][:-1]}.0"')
    for condition in (now, f"W/{now}", f'"0", {now}', "*"):
        fresh = await ask(get_product, path, if_none_match=condition)
        assert (fresh.status, fresh.body, fresh.headers["etag"]) == (304, b"", now)


async def test_a_version_may_be_part_of_a_tag(ask: Ask, runtime: Runtime) -> None:
    await ask(create_product, "/v1/products", MUG, roles=("admin",))
    patch = {"title": "Another mug"}
    for stale in ('"2.1"', '"x.1"', '".1"'):
        assert (await ask(update_product, "/v1/products/mug", patch, roles=("admin",), if_match=stale)).status == 412
    changed = await ask(update_product, "/v1/products/mug", patch, roles=("admin",), if_match='"1.345"')
    assert changed.status == 200

    async def tagged(_request: Request, _work: Work) -> Document:
        return Document(b"{}", "17.345")

    endpoint = standing_in(runtime, get_product, tagged)
    answer = await endpoint.handle("GET", "/v1/products/mug", b"", {}, b"")
    assert answer.headers["etag"] == '"17.345"'
    fresh = await endpoint.handle("GET", "/v1/products/mug", b"", {"if-none-match": '"17.345"'}, b"")
    assert (fresh.status, fresh.headers["cache-control"]) == (304, "public, max-age=5")


async def test_what_is_cached_without_a_version_is_told_by_its_bytes(ask: Ask) -> None:
    empty = await ask(list_products, "/v1/products")
    await ask(create_product, "/v1/products", MUG, roles=("admin",))
    one = await ask(list_products, "/v1/products")
    assert empty.headers["etag"] != one.headers["etag"]
    assert empty.headers["etag"].strip('"').isalnum(), "a strong one"
    kept = {name: one.headers[name] for name in ("etag", "cache-control", "vary")}
    for method in ("GET", "HEAD"):
        fresh = await ask(list_products, "/v1/products", method=method, if_none_match=kept["etag"])
        assert (fresh.status, fresh.headers, fresh.body) == (304, kept, b"")
    assert (await ask(list_products, "/v1/products", if_none_match=empty.headers["etag"])).body == one.body
    assert "etag" not in (await ask(list_products, "/v1/products?limit=0")).headers, "a refusal is no answer to keep"
    assert "etag" not in (await ask(list_my_orders, "/v1/orders", roles=("customer",))).headers


async def test_a_304_says_what_its_200_varies_by(runtime: Runtime) -> None:
    async def varies(_request: Request, _work: Work) -> Answer:
        return Answer(200, {"vary": "accept-language", "content-type": "text/plain"}, b"hello")

    endpoint = standing_in(runtime, list_products, varies)
    answer = await endpoint.handle("GET", "/v1/products", b"", {"if-none-match": "*"}, b"")
    assert (answer.status, set(answer.headers)) == (304, {"etag", "cache-control", "vary"})


async def test_only_what_anybody_may_read_is_kept_by_shared_caches(runtime: Runtime, issuer: Issuer) -> None:
    endpoint = standing_in(runtime, list_products, show, roles=("admin",), cache_s=9)
    headers = {"authorization": f"Bearer {issuer.token('ann', 'admin')}"}
    answer = await endpoint.handle("GET", "/v1/products", b"", headers, b"")
    assert answer.headers["cache-control"] == "private, max-age=9"


async def test_our_own_failure_says_nothing(runtime: Runtime) -> None:
    async def fails(request: Any, work: Any) -> None:
        raise RuntimeError("secret at /etc/passwd")

    endpoint = standing_in(runtime, list_products, fails)
    answer = await endpoint.handle("GET", "/v1/products", b"", {}, b"")
    assert problem(answer) == {
        "type": "urn:kn-shop:problem:internal-error",
        "title": "Something went wrong on our side",
        "status": 500,
    }


@pytest.mark.parametrize("error", [psycopg.errors.UniqueViolation, psycopg.errors.ForeignKeyViolation])
async def test_who_came_second_may_come_again(runtime: Runtime, error: type[Exception]) -> None:
    async def overtaken(request: Any, work: Any) -> None:
        raise error("Key (slug)=(secret) already exists.")

    answer = await standing_in(runtime, list_products, overtaken).handle("GET", "/v1/products", b"", {}, b"")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert b"secret" not in answer.body


def test_problems_are_one_of_a_kind() -> None:
    for kind, problem in PROBLEMS.items():
        assert kind == kind.lower()
        assert 400 <= problem.status < 600
        assert problem.title


@settings(max_examples=50)
@given(st.datetimes(timezones=st.just(UTC)), st.uuids(), st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_cursor_carries_its_key(at: Any, id: UUID, sku: str) -> None:
    cursor = cursor_of((at, id, sku))
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert key_of(cursor, type(at).fromisoformat, UUID, str) == (at, id, sku)


@pytest.mark.parametrize("part", [2**63, 1e300, -1e300, "a\0b"])
def test_a_cursor_holds_only_what_postgres_has_values_for(part: Any) -> None:
    with pytest.raises(ValidationFailed):
        key_of(cursor_of((part,)), type(part) if isinstance(part, str) else int)


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "%", "é", urlsafe_b64encode(b"{}").decode(), cursor_of(("a",)), cursor_of((1, "no-uuid")), "A" * 1000],
)
def test_what_is_no_cursor_of_this_list_is_refused(cursor: str) -> None:
    with pytest.raises(ValidationFailed):
        key_of(cursor, str, UUID)


async def test_pages_link_to_the_next_and_end(ask: Ask) -> None:
    for number in range(5):
        await ask(
            create_product,
            "/v1/products",
            MUG | {"variants": [{"sku": f"mug-{number}", "price_minor": 100}]},
            roles=("admin",),
        )
    seen, path = [], "/v1/products?limit=2"
    while path:
        page = await ask(list_products, path)
        document = json.loads(page.body)
        seen.append([item["slug"] for item in document["items"]])
        link = page.headers.get("link")
        assert (link is None) == (document["next_cursor"] is None)
        path = "" if link is None else link.removeprefix("<").partition(">")[0]
        assert link is None or link.endswith('; rel="next"')
        assert link is None or "limit=2" in link
    assert sorted(slug for slugs in seen for slug in slugs) == [f"a-mug-mug-{number}" for number in range(5)]
    assert [len(page) for page in seen] == [2, 2, 1]


async def test_a_stray_cursor_is_a_fault_of_the_request(ask: Ask) -> None:
    answer = await ask(list_my_orders, f"/v1/orders?cursor={cursor_of((1, 2))}", roles=("customer",))
    assert (answer.status, problem(answer)["errors"][0]["pointer"]) == (422, "/cursor")


class Wire:
    """One ASGI exchange; counts what was read of the body."""

    def __init__(self, endpoint: Endpoint[Any], method: str = "POST", **headers: str) -> None:
        self._endpoint = endpoint
        self.read = 0
        self.sent: list[MutableMapping[str, Any]] = []
        self._scope = {
            "type": "http",
            "method": method,
            "path": endpoint.trigger.path if hasattr(endpoint.trigger, "path") else "/",
            "query_string": b"",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        }

    async def send(self, *chunks: bytes) -> int:
        waiting = list(chunks)

        async def receive() -> MutableMapping[str, Any]:
            chunk = waiting.pop(0)
            self.read += len(chunk)
            return {"type": "http.request", "body": chunk, "more_body": bool(waiting)}

        async def send(message: MutableMapping[str, Any]) -> None:
            self.sent.append(message)

        await serve(self._endpoint, self._scope, receive, send)
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}


class Upload(Request):
    sku: str
    dry_run: bool = False
    names: tuple[str, ...] = ()
    media_type: str
    body: bytes


async def measure(upload: Upload, _work: Work) -> Answer:
    return Answer(200, body=json.dumps([*upload.model_dump(exclude={"body"}).values(), len(upload.body)]).encode())


@pytest.fixture
def upload(runtime: Runtime, issuer: Issuer) -> Callable[..., Awaitable[Answer]]:
    """Sends to a throw-away function, at the path of one whose role it borrows."""
    endpoint = standing_in(
        runtime, adjust_stock, measure, Upload, path="/v1/uploads/{sku}", takes=("text/csv", "application/x-ndjson")
    )

    async def send(body: bytes, query: bytes = b"", **headers: str) -> Answer:
        named = {
            "authorization": f"Bearer {issuer.token('ann', 'admin')}",
            "idempotency-key": "k",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return await endpoint.handle("POST", "/v1/uploads/mug", query, named, body)

    return send


async def test_a_body_that_is_not_json_is_handed_over_as_it_came(upload: Callable[..., Awaitable[Answer]]) -> None:
    query = b"names=a&dry_run=true&names=b"
    answer = await upload(b'sku\n"\\u0000\0', query, content_type="Text/CSV; charset=utf-8")
    assert (answer.status, json.loads(answer.body)) == (200, ["mug", True, ["a", "b"], "text/csv", 12])
    empty = await upload(b"", content_type="application/x-ndjson", idempotency_key="2")
    assert json.loads(empty.body) == ["mug", False, [], "application/x-ndjson", 0]


async def test_other_kinds_of_bodies_are_told_which_are_taken(upload: Callable[..., Awaitable[Answer]]) -> None:
    for headers in ({"content_type": "application/json"}, {}):
        answer = await upload(b"{}", **headers)
        assert (answer.status, problem(answer)["taken"]) == (415, ["text/csv", "application/x-ndjson"])
        assert answer.headers["accept"] == "text/csv, application/x-ndjson"


async def test_a_compressed_body_is_not_taken(ask: Ask, upload: Callable[..., Awaitable[Answer]]) -> None:
    plain = await upload(b"a", content_type="text/csv", content_encoding="identity")
    assert plain.status == 200
    for answer in (
        await upload(gzip.compress(b"a"), content_type="text/csv", content_encoding="gzip"),
        await ask(create_product, "/v1/products", gzip.compress(b"{}"), roles=("admin",), content_encoding="gzip"),
    ):
        assert (answer.status, answer.headers["accept-encoding"]) == (415, "identity")
        assert problem(answer)["detail"] == "A body with a Content-Encoding is not taken."


async def test_what_the_body_is_cannot_be_said_in_the_query(upload: Callable[..., Awaitable[Answer]]) -> None:
    answer = await upload(b"a", b"body=b&media_type=c&sku=d&dry_run=1&dry_run=2", content_type="text/csv")
    assert answer.status == 422
    faults = {fault["pointer"]: fault["detail"] for fault in problem(answer)["errors"]}
    assert faults.keys() == {"/body", "/media_type", "/sku", "/dry_run"}
    assert (faults["/body"], faults["/sku"]) == (
        "This is given by the body, not here.",
        "This is given by the path, not here.",
    )


async def test_another_query_is_another_request(upload: Callable[..., Awaitable[Answer]]) -> None:
    first = await upload(b"a", b"dry_run=1", content_type="text/csv")
    again = await upload(b"a", b"dry_run=1", content_type="text/csv")
    other = await upload(b"a", content_type="text/csv")
    assert (first.status, again.body) == (200, first.body)
    assert (other.status, problem(other)["type"]) == (422, "urn:kn-shop:problem:idempotency-key-reused")


@pytest.mark.parametrize(("function", "limit"), [(place_order, 1_048_576), (release_hold, 2_097_152)])
async def test_a_body_has_a_limit(function: Any, limit: int, runtime: Runtime) -> None:
    endpoint = standing_in(runtime, function, function)
    said = Wire(endpoint, content_length=str(limit + 1))
    assert (await said.send(b"x"), said.read) == (413, 0)
    assert json.loads(said.sent[1]["body"])["limit_bytes"] == limit

    unsaid = Wire(endpoint)
    assert await unsaid.send(*[b"x" * 65_536] * 1000) == 413
    assert unsaid.read <= limit + 65_536, "the rest is not read"

    for lie in ("0", "-1", "x", ""):
        assert await Wire(endpoint, content_length=lie).send(b"x" * (limit + 1)) == 413
    assert await Wire(endpoint).send(b" " * limit) != 413


async def test_an_answer_to_head_has_the_headers_and_no_body(runtime: Runtime) -> None:
    endpoint = standing_in(runtime, list_products, list_products)
    get, head = Wire(endpoint, "GET"), Wire(endpoint, "HEAD")
    assert [await get.send(b""), await head.send(b"")] == [200, 200]
    assert head.headers == get.headers
    assert (get.sent[1]["body"] != b"", head.sent[1]["body"]) == (True, b"")


async def test_a_function_is_ready_where_its_schema_is(
    endpoint_of: Callable[[Callable[..., Any]], Endpoint[Any]], db: Books
) -> None:
    endpoint = endpoint_of(place_order)

    async def ready() -> tuple[int, bytes]:
        answer = await endpoint.handle("GET", "/health/ready", b"", {}, b"")
        return answer.status, answer.body

    assert await ready() == (200, b"ready\n")
    await db.run("insert into platform.migrations (name, checksum) values ('9999_of_the_next_release.sql', '')")
    assert (await ready())[0] == 200, "a later schema fits"
    for name in (MIGRATIONS[0], MIGRATIONS[-1]):
        await db.run("delete from platform.migrations where name = %(name)s", name=name)
        status, body = await ready()
        assert (status, name.encode() in body) == (503, True)
        await db.run("insert into platform.migrations (name, checksum) values (%(name)s, '')", name=name)
    assert (await endpoint.handle("GET", "/health/live", b"", {}, b"")).status == 200


async def test_health_and_metrics_are_at_every_function(runtime: Runtime) -> None:
    for function in (place_order, release_hold, expire_holds):
        endpoint = standing_in(runtime, function, function)
        for path, content in (("/health/live", b"live"), ("/health/ready", b"ready"), ("/metrics", b"shop_function")):
            answer = await endpoint.handle("GET", path, b"", {}, b"")
            assert (answer.status, content in answer.body) == (200, True)


async def test_a_handler_has_only_so_long(runtime: Runtime) -> None:
    async def hangs(request: Any, work: Any) -> None:
        await asyncio.Event().wait()

    endpoint = standing_in(runtime, list_products, hangs)
    object.__setattr__(runtime.settings, "handler_timeout_s", 0.01)
    answer = await endpoint.handle("GET", "/v1/products", b"", {}, b"")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
