"""One key, one effect, one answer: byte for byte again, refused with another request, told to wait while it runs."""

import asyncio
import json
from typing import Any

import pytest

from functions.orders.record_order import RecordOrder, record_order
from shared.orders.views import OrderView
from shared.runtime.answers import Answer
from shared.runtime.serve import Endpoint, Runtime
from shared.runtime.work import Work
from tests.conftest import Books
from tests.issuer import Issuer
from tests.shared.runtime.declared import standing_in

ORDER = {
    "reference": "A-1",
    "placed_at": "2026-02-28T12:00:00Z",
    "currency": "GBP",
    "lines": [{"sku": "mug", "title": "A mug", "quantity": 1, "unit_price_minor": 5}],
    "payment_token": "tok_approve",
}


class Client:
    def __init__(self, endpoint: Endpoint[Any], issuer: Issuer) -> None:
        self._endpoint = endpoint
        self._issuer = issuer

    async def post(self, key: str | None, subject: str = "ann", **changed: Any) -> Answer:
        headers = {
            "authorization": f"Bearer {self._issuer.token(subject, 'admin')}",
            "content-type": "application/json",
        }
        if key is not None:
            headers["idempotency-key"] = key
        body = json.dumps(ORDER | changed).encode()
        return await self._endpoint.handle("POST", "/v1/admin/orders", b"", headers, body)


class Gate:
    """Makes the order, but only once it is let."""

    def __init__(self) -> None:
        self.entered, self.open = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: RecordOrder, work: Work) -> OrderView:
        self.entered.set()
        await self.open.wait()
        return await record_order(request, work)


def kind(answer: Answer) -> str:
    return str(json.loads(answer.body)["type"]).rpartition(":")[2]


async def orders(db: Books) -> int:
    return int(await db.value("select count(*) from orders.orders"))


@pytest.fixture
def client(runtime: Runtime, issuer: Issuer) -> Client:
    return Client(standing_in(runtime, record_order, record_order), issuer)


async def test_while_the_first_runs_the_others_are_told_so(runtime: Runtime, issuer: Issuer, db: Books) -> None:
    gate = Gate()
    client = Client(standing_in(runtime, record_order, gate), issuer)
    first = asyncio.create_task(client.post("k"))
    await gate.entered.wait()
    others = await asyncio.gather(*(client.post("k") for _ in range(5)))
    gate.open.set()
    made = await first
    again = await client.post("k")

    assert {(answer.status, kind(answer), answer.headers["retry-after"]) for answer in others} == {
        (409, "still-running", "1")
    }
    assert made.status == 201
    assert (again.status, again.headers, again.body) == (made.status, made.headers, made.body)
    assert await orders(db) == 1


async def test_fifty_at_once_make_one(client: Client, db: Books) -> None:
    answers = await asyncio.gather(*(client.post("k") for _ in range(50)))

    assert {answer.status for answer in answers} <= {201, 409, 503}
    assert len({answer.body for answer in answers if answer.status == 201}) == 1
    assert await orders(db) == 1


async def test_another_body_is_another_request(client: Client, db: Books) -> None:
    await client.post("k")
    other = await client.post("k", reference="A-2")
    assert (other.status, kind(other)) == (422, "idempotency-key-reused")
    assert await orders(db) == 1


async def test_another_caller_has_keys_of_its_own(client: Client, db: Books) -> None:
    first, other = [await client.post("k", subject=subject) for subject in ("ann", "ben")]
    assert first.body != other.body
    assert await orders(db) == 2


async def test_a_refusal_is_not_kept(client: Client, db: Books) -> None:
    refused = await client.post("k", currency="pounds")
    made = await client.post("k")
    assert (refused.status, made.status) == (422, 201)


async def test_a_failure_is_not_kept(runtime: Runtime, client: Client, issuer: Issuer, db: Books) -> None:
    async def fails(request: RecordOrder, work: Work) -> OrderView:
        await record_order(request, work)
        raise RuntimeError("after the effect")

    failed = await Client(standing_in(runtime, record_order, fails), issuer).post("k")
    assert (failed.status, await orders(db)) == (500, 0)
    assert (await client.post("k")).status == 201


@pytest.mark.parametrize("key", [None, "", "k" * 256])
async def test_a_key_is_needed_and_has_a_length(key: str | None, client: Client, db: Books) -> None:
    answer = await client.post(key)
    assert (answer.status, kind(answer)) == (400, "idempotency-key-missing")
    assert await orders(db) == 0


async def test_keys_may_be_of_any_characters(client: Client, db: Books) -> None:
    for key in ("k" * 255, "a b", "'; drop table", "é"):
        first, again = await client.post(key), await client.post(key)
        assert (first.status, first.body) == (201, again.body)
    assert await orders(db) == 4


async def test_an_expired_key_may_be_used_anew(client: Client, db: Books) -> None:
    await client.post("k")
    await db.run("update platform.idempotency set expires_at = now()")
    other = await client.post("k", reference="A-2")
    assert (other.status, await orders(db)) == (201, 2)
    assert (await client.post("k", reference="A-2")).body == other.body
