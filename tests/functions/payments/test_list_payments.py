"""Payments by status, age and amount, in pages; and one's own payment, which nobody else sees."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from functions.payments.authorize_payment import authorize_payment
from functions.payments.capture_payment import capture_payment
from functions.payments.get_order_payment import get_order_payment
from functions.payments.list_payments import list_payments
from tests.conftest import Ask, Books, Run
from tests.functions.payments.commands import authorize, capture

List = Callable[..., Awaitable[Any]]


@pytest.fixture
def listed(ask: Ask) -> List:
    async def listed(query: str = "") -> Any:
        answer = await ask(list_payments, f"/v1/payments?{query}", roles=("operator",))
        assert answer.status == 200, answer
        return json.loads(answer.body)

    return listed


@pytest.fixture
async def several(run: Run, db: Books) -> dict[str, UUID]:
    """One payment in each of some states, a minute apart, the first the oldest."""
    cards = {
        "authorized": "tok_approve",
        "captured": "tok_approve",
        "declined": "tok_decline",
        "unknown": "tok_error_after_charge",
        "action_required": "tok_3ds",
    }
    made = {}
    for n, (status, token) in enumerate(cards.items()):
        made[status] = uuid4()
        await run(authorize_payment, authorize(made[status], token, amount_minor=100 * (n + 1)))
        at = datetime.now(UTC) - timedelta(minutes=10 - n)
        await db.run("update payments.payments set created_at = %(at)s where order_id = %(id)s", at=at, id=made[status])
    await run(capture_payment, capture(made["captured"]))
    return made


def ids(page: Any) -> list[str]:
    return [item["order_id"] for item in page["items"]]


async def test_newest_first_in_pages(several: dict[str, UUID], listed: List) -> None:
    newest_first = [str(id) for id in reversed(several.values())]
    assert ids(await listed()) == newest_first

    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await listed(f"limit=2{cursor and f'&cursor={cursor}'}")
        seen += ids(page)
        cursor = page["next_cursor"]
    assert seen == newest_first


@pytest.mark.parametrize("status", ["authorized", "captured", "declined", "unknown", "action_required"])
async def test_by_status(several: dict[str, UUID], listed: List, status: str) -> None:
    page = await listed(f"status={status}")
    assert ids(page) == [str(several[status])]
    assert page["items"][0]["status"] == status


async def test_by_several_statuses_age_amount_and_currency(several: dict[str, UUID], listed: List) -> None:
    both = ids(await listed("status=unknown&status=action_required"))
    assert both == [str(several["action_required"]), str(several["unknown"])]
    assert ids(await listed("status=unknown&status=declined")) == [str(several["unknown"]), str(several["declined"])]
    assert ids(await listed(f"older_than_s={60 * 8 + 30}")) == [str(several["captured"]), str(several["authorized"])]
    assert ids(await listed(f"newer_than_s={60 * 6 + 30}")) == [str(several["action_required"])]
    assert ids(await listed("min_minor=200&max_minor=200")) == [str(several["captured"])]
    assert ids(await listed("currency=EUR")) == []


@pytest.mark.parametrize(
    "query", ["status=paid", "older_than_s=-1", "min_minor=x", "currency=gbp", "cursor=x", "max_minor=1e30", "nope=1"]
)
async def test_bad_queries(ask: Ask, query: str) -> None:
    assert (await ask(list_payments, f"/v1/payments?{query}", roles=("admin",))).status == 422


@pytest.fixture
async def own(db: Books) -> UUID:
    id = uuid4()
    await db.run(
        """insert into orders.orders (id, number, customer_id, recorded, placed_at, currency, total_minor,
             payment_token, status, version, created_at)
           values (%(id)s, 'S-1', 'ann', false, now(), 'GBP', 1000, 'tok', 'pending', 1, now())""",
        id=id,
    )
    return id


async def test_ones_own_payment(run: Run, ask: Ask, own: UUID) -> None:
    async def seen(subject: str = "ann", role: str = "customer") -> Any:
        answer = await ask(get_order_payment, f"/v1/orders/{own}/payment", roles=(role,), subject=subject)
        return answer.status, json.loads(answer.body)

    assert (await seen())[1]["status"] == "created"
    await run(authorize_payment, authorize(own, "tok_decline", key=f"{own}:first"))
    status, view = await seen()
    assert (status, view["status"], view["declined_code"]) == (200, "declined", "card_declined")
    _, (event,) = await run(authorize_payment, authorize(own, "tok_3ds"))
    _, view = await seen()
    assert (view["status"], view["action_url"]) == ("action_required", event.model_dump()["action_url"])
    assert "attempts" not in view

    assert (await seen("bob"))[0] == 404
    assert (await seen("olga", "operator"))[0] == 200


async def test_no_such_order(ask: Ask) -> None:
    answer = await ask(get_order_payment, f"/v1/orders/{uuid4()}/payment", roles=("customer",))

    assert (answer.status, json.loads(answer.body)["type"]) == (404, "urn:kn-shop:problem:payment-not-found")
