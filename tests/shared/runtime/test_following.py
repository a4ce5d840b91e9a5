"""Read your writes across events: what a write names, how long a read waits for it, and what it says when it cannot."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from time import perf_counter
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from functions.catalog.get_product import get_product
from functions.inventory.list_locations import list_locations
from functions.orders.record_order import record_order
from shared.inventory.events import HoldStock
from shared.runtime import Document, Follows, Request, Stream, Work, following
from shared.runtime.answers import Answer, gathered
from shared.runtime.problems import NotAllowed, RouteNotFound, ValidationFailed
from shared.runtime.serve import Runtime
from tests.conftest import Books
from tests.issuer import Issuer
from tests.shared.runtime.declared import standing_in
from tests.shared.runtime.test_idempotency import ORDER, Client

HOLDS = [UUID(int=number) for number in range(30)]


async def last_sequences(db: Books) -> set[str]:
    rows = await db.all("select topic, key, max(sequence) as sequence from platform.outbox group by topic, key")
    return {f"{row.topic}/{row.key}@{row.sequence}" for row in rows}


def writer(runtime: Runtime, issuer: Issuer, *holds: UUID, **http: Any) -> Client:
    """Asks for these holds, each time anew."""

    async def asks(request: Any, work: Work) -> dict[str, int]:
        for order in holds:
            work.emit(HoldStock(order_id=order, lines=[], expires_in_s=60))
        return {}

    return Client(standing_in(runtime, record_order, asks, **http), issuer)


async def test_a_write_names_the_last_event_of_each_stream(runtime: Runtime, issuer: Issuer, db: Books) -> None:
    first, *others = HOLDS[:3]
    client = writer(runtime, issuer, first, *others, first, idempotent=False, key_required=False)
    once, again = [await client.post(None) for _ in range(2)]

    assert (once.status, again.status) == (201, 201)
    topic = HoldStock.topic
    assert once.headers["sequence-token"] == f"{topic}/{first}@2, {topic}/{others[0]}@1, {topic}/{others[1]}@1"
    assert again.headers["sequence-token"] == f"{topic}/{first}@4, {topic}/{others[0]}@2, {topic}/{others[1]}@2"
    assert set(again.headers["sequence-token"].split(", ")) == await last_sequences(db)


async def test_where_nothing_happened_nothing_is_named(runtime: Runtime, issuer: Issuer) -> None:
    for http in ({"idempotent": False, "key_required": False}, {}):
        answer = await writer(runtime, issuer, **http).post("k")
        assert (answer.status, "sequence-token" in answer.headers) == (201, False)


async def test_what_is_refused_names_nothing(runtime: Runtime, issuer: Issuer, db: Books) -> None:
    async def refuses(request: Any, work: Work) -> None:
        work.emit(HoldStock(order_id=HOLDS[0], lines=[], expires_in_s=60))
        raise NotAllowed(needed=[])

    answer = await Client(standing_in(runtime, record_order, refuses), issuer).post("k")
    assert (answer.status, "sequence-token" in answer.headers) == (403, False)
    assert await last_sequences(db) == set()


async def test_the_first_answer_comes_again_with_its_token(runtime: Runtime, issuer: Issuer, db: Books) -> None:
    client = Client(standing_in(runtime, record_order, record_order), issuer)
    made = await client.post("k")
    again = await client.post("k")
    waited = await client.post("k2", reference="A-2")

    assert set(made.headers["sequence-token"].split(", ")) < await last_sequences(db)
    assert (again.status, again.headers, again.body) == (made.status, made.headers, made.body)
    assert waited.headers["sequence-token"] != made.headers["sequence-token"]


async def test_waiting_for_the_end_keeps_the_token(runtime: Runtime, issuer: Issuer) -> None:
    async def at_once(view: Any, work: Any, last: bool) -> Any:
        return view

    target = standing_in(runtime, record_order, record_order, wait=at_once)
    headers = {
        "authorization": f"Bearer {issuer.token('ann', 'admin')}",
        "content-type": "application/json",
        "idempotency-key": "k",
        "prefer": "wait=1",
    }
    for _ in range(2):
        answer = await target.handle("POST", "/v1/admin/orders", b"", headers, json.dumps(ORDER).encode())
        assert (answer.status, answer.headers["preference-applied"]) == (201, "wait=1")
        assert answer.headers["sequence-token"].startswith("shop.")


async def test_twenty_streams_are_named(runtime: Runtime, issuer: Issuer) -> None:
    client = writer(runtime, issuer, *HOLDS, *HOLDS)
    made, again = [await client.post("k") for _ in range(2)]

    assert following.wanted(made.headers["sequence-token"], HoldStock.topic) == {str(key): 2 for key in HOLDS[:20]}
    assert again.headers == made.headers


@given(
    st.dictionaries(st.text(min_size=1, max_size=20).filter(lambda key: "\x00" not in key), st.integers(0, 2**59)),
    st.dictionaries(st.text(min_size=1, max_size=20).filter(lambda key: "\x00" not in key), st.integers(0, 2**59)),
)
def test_a_token_says_what_was_put_in(mine: Mapping[str, int], others: Mapping[str, int]) -> None:
    said = following.token([*((("t", key), n) for key, n in mine.items()), *((("u", k), n) for k, n in others.items())])
    assert said.isascii()
    if said and len(mine) + len(others) <= following.STREAMS_TAKEN:
        assert following.wanted(said, "t") == mine
        assert following.wanted(said, "x") == {}


def test_tokens_may_be_gathered() -> None:
    assert following.wanted("t/a@3,t/b@1 ,  t/a@2", "t") == {"a": 3, "b": 1}
    many = ",".join(f"t/{number}@1" for number in range(100))
    assert len(following.wanted(many, "t")) == 100
    with pytest.raises(ValidationFailed):
        following.wanted(f"{many},t/100@1", "t")


@pytest.mark.parametrize(
    "malformed",
    [
        *("", ",", "x", "t/a", "t/a@", "t@1", "/a@1", "t/@1", "t/a@1,", "t/a/b@1", "t/a@1@2", "t/a b@1", "t/a@1;x"),
        *("t/a@-1", "t/a@1.5", "t/a@\uff11", f"t/a@{'9' * 30}", "t/%00@1", "t/%FF@1"),
    ],
)
def test_what_is_no_token_is_refused(malformed: str) -> None:
    with pytest.raises(ValidationFailed):
        following.wanted(malformed, "other")


class Thing(Request):
    sku: str


class Reader:
    """A page that follows the catalogue; what it has reached is said by the test."""

    def __init__(self, runtime: Runtime, **reached: int) -> None:
        self.reached = reached
        self.looks = 0
        self._endpoint = standing_in(
            runtime,
            get_product,
            self._shows,
            Thing,
            path="/v1/things/{sku}",
            follows=Follows("shop.catalog", self._look),
        )

    async def _shows(self, request: Thing, work: Work) -> Document:
        assert work.clock is None, "it only reads"
        if request.sku != "mug":
            raise RouteNotFound
        return Document(b'{"sku":"mug"}', 1)

    async def _look(self, request: Thing, keys: list[str], work: Work) -> dict[str, int]:
        self.looks += 1
        assert request.sku in ("mug", "tea")
        assert await work.db.value(text("select current_user")) == "fn_get_product"
        return {key: self.reached[key] for key in keys if key in self.reached}

    async def get(self, sku: str = "mug", **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._endpoint.handle("GET", f"/v1/things/{sku}", b"", sent, b"")


@pytest.fixture
def reader(runtime: Runtime) -> Reader:
    return Reader(runtime, mug=3)


async def test_what_is_reached_is_answered_at_once(reader: Reader) -> None:
    answer = await reader.get(sequence_token="shop.catalog/mug@3")
    assert (answer.status, reader.looks) == (200, 1)
    assert answer.headers["cache-control"] == "no-store"
    assert "stale" not in answer.headers
    assert "preference-applied" not in answer.headers


async def test_without_a_token_nothing_is_looked_up(reader: Reader) -> None:
    answer = await reader.get(prefer="wait=5")
    assert (answer.status, reader.looks) == (200, 0)
    assert answer.headers["cache-control"].startswith("public, max-age=")
    assert answer.headers["vary"] == "sequence-token", "a cache keeps this from callers who wait"


async def test_others_streams_are_not_waited_for(reader: Reader) -> None:
    began = perf_counter()
    answer = await reader.get(sequence_token="shop.stock/mug@99, shop.catalog.more/mug@99")
    assert (answer.status, reader.looks, perf_counter() - began < 0.9) == (200, 0, True)
    assert answer.headers["cache-control"] == "no-store"


async def test_a_read_waits_until_it_is_there(reader: Reader) -> None:
    waiting = asyncio.create_task(reader.get(sequence_token="shop.catalog/mug@5, shop.catalog/tea@1", prefer="wait=10"))
    await asyncio.sleep(0.1)
    reader.reached["mug"] = 6
    await asyncio.sleep(0.1)
    assert not waiting.done(), "all are waited for"
    reader.reached["tea"] = 1
    began = perf_counter()
    answer = await waiting

    assert (answer.status, "stale" in answer.headers) == (200, False)
    assert answer.headers["preference-applied"] == "wait=10"
    assert perf_counter() - began < 1
    assert reader.looks < 20


async def test_when_the_time_is_over_it_says_how_far_it_is(reader: Reader) -> None:
    began = perf_counter()
    answer = await reader.get(sequence_token="shop.catalog/mug@4, shop.catalog/a%2Fb@2, shop.catalog/mug@2")
    assert 0.9 < perf_counter() - began < 3
    assert (answer.status, json.loads(answer.body)["sku"]) == (200, "mug")
    assert answer.headers["stale"] == "shop.catalog/mug@3, shop.catalog/a%2Fb@0"
    assert answer.headers["cache-control"] == "no-store"


async def test_the_caller_may_choose_not_to_wait(reader: Reader) -> None:
    answer = await reader.get(sequence_token="shop.catalog/mug@4", prefer="wait=0")
    assert (answer.headers["stale"], reader.looks) == ("shop.catalog/mug@3", 1)


async def test_a_problem_says_it_too(reader: Reader) -> None:
    answer = await reader.get("tea", sequence_token="shop.catalog/tea@1", prefer="wait=0")
    assert (answer.status, answer.headers["stale"]) == (404, "shop.catalog/tea@0")
    assert answer.headers["cache-control"] == "no-store"


async def test_nothing_changed_is_said_to_those_who_waited_too(reader: Reader) -> None:
    tag = (await reader.get()).headers["etag"]
    answer = await reader.get(sequence_token="shop.catalog/mug@3", if_none_match=tag)
    assert (answer.status, answer.headers["cache-control"], answer.headers["etag"]) == (304, "no-store", tag)


async def test_a_malformed_token_is_a_fault_of_the_request(reader: Reader) -> None:
    answer = await reader.get(sequence_token="mug@4")
    assert (answer.status, json.loads(answer.body)["errors"][0]["pointer"]) == (422, "")


async def test_no_connection_is_held_while_waiting(runtime: Runtime, reader: Reader) -> None:
    """Many more wait than there are connections, and others go on meanwhile."""
    waiting = [asyncio.create_task(reader.get(sequence_token="shop.catalog/mug@4")) for _ in range(40)]
    await asyncio.sleep(0.2)
    assert (await reader.get()).status == 200
    reader.reached["mug"] = 4
    answers = await asyncio.gather(*waiting)
    assert {(answer.status, answer.headers.get("stale")) for answer in answers} == {(200, None)}


async def test_a_route_that_follows_nothing_heeds_no_token(runtime: Runtime) -> None:
    endpoint = standing_in(runtime, list_locations, list_locations, roles=("public",))
    answer = await endpoint.handle("GET", "/v1/locations", b"", {"sequence-token": "nonsense"}, b"")
    assert (answer.status, "cache-control" in answer.headers) == (200, False)


async def test_a_streamed_answer_says_it_as_well(runtime: Runtime) -> None:
    async def piece(key: Any, work: Work) -> tuple[bytes, Any]:
        return b"x", None if key else 1

    async def pours(request: Any, work: Work) -> Stream:
        return Stream("text/plain", piece)

    async def nothing(request: Any, keys: list[str], work: Work) -> dict[str, int]:
        return {}

    follows = Follows("shop.catalog", nothing)
    endpoint = standing_in(runtime, get_product, pours, Thing, path="/v1/things/{sku}", follows=follows)
    sent: list[Answer] = []

    async def pour(answer: Answer, rest: AsyncIterator[bytes]) -> Answer:
        sent.append(answer)
        return await gathered(answer, rest)

    headers = {"sequence-token": "shop.catalog/mug@1", "prefer": "wait=0"}
    answer = await endpoint.handle("GET", "/v1/things/mug", b"", headers, b"", pour)
    assert (answer.status, answer.body) == (200, b"xx")
    assert (sent[0].headers["stale"], sent[0].headers["cache-control"]) == ("shop.catalog/mug@0", "no-store")
