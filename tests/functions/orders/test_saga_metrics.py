"""What is measured of sagas is what the tables say, and what does not stand there any more is told as 0."""

from prometheus_client import REGISTRY

from functions.orders.measure_sagas import STATES, measure_sagas
from shared.inventory.events import HoldCommitted, HoldReleased, StockHeld
from shared.orders.saga import State
from shared.payments.events import PaymentAuthorized, PaymentCaptured, PaymentVoided
from tests.conftest import Books, Run
from tests.functions.orders.sagas import happens, order_at


def measured(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"shop_{name}", labels)


def standing_at() -> dict[str, float | None]:
    return {state: count for state in STATES if (count := measured("sagas_open", state=state))}


async def test_where_sagas_stand_and_for_how_long(run: Run, db: Books) -> None:
    order = await order_at(run, State.HOLDING)
    for state in (State.AWAITING_CUSTOMER, State.NEEDS_ATTENTION, State.COMPLETED, State.REJECTED):
        await order_at(run, state)
    await db.run("update orders.sagas set deadline = now() + interval '1 minute' where deadline is not null")
    await db.run(
        "update orders.sagas set updated_at = now() - interval '1 hour', asked = 3,"
        " deadline = now() - interval '90 seconds' where order_id = %(order)s",
        order=order,
    )
    await db.run("update orders.sagas set updated_at = now() - interval '2 hours' where state = 'needs_attention'")
    await run(measure_sagas)

    assert standing_at() == {"holding": 1, "awaiting_customer": 1, "needs_attention": 1}
    assert measured("saga_oldest_seconds", state="holding") // 60 == 60  # type: ignore[operator]
    assert measured("saga_oldest_seconds", state="needs_attention") // 60 == 120  # type: ignore[operator]
    assert measured("sagas_asked_again", state="holding") == 1
    assert measured("sagas_asked_again", state="awaiting_customer") == 0
    assert measured("sagas_overdue") == 1


async def test_what_has_moved_on_is_not_told_any_more(run: Run, db: Books) -> None:
    order = await order_at(run, State.VOIDING)
    await db.run("update orders.sagas set deadline = now() - interval '2 minutes', asked = 2")
    await run(measure_sagas)
    assert (standing_at(), measured("sagas_overdue")) == ({"voiding": 1}, 1)

    for what in (PaymentVoided, HoldReleased):
        await happens(run, order, what)
    await run(measure_sagas)
    assert (standing_at(), measured("sagas_overdue")) == ({}, 0)
    assert measured("saga_oldest_seconds", state="voiding") == 0
    assert measured("sagas_asked_again", state="voiding") == 0


async def test_what_is_late_by_less_than_a_minute_is_not_overdue(run: Run, db: Books) -> None:
    await order_at(run, State.AUTHORIZING)
    await db.run("update orders.sagas set deadline = now() - interval '50 seconds'")
    await run(measure_sagas)
    assert measured("sagas_overdue") == 0


async def test_every_confirmation_tells_how_long_it_took(run: Run, db: Books) -> None:
    def told() -> tuple[float, float]:
        return measured("order_confirmed_seconds_count") or 0, measured("order_confirmed_seconds_sum") or 0

    count, total = told()
    order = await order_at(run, State.HOLDING)
    await db.run("update orders.orders set created_at = created_at - interval '7 seconds'")
    for what in (StockHeld, PaymentAuthorized):
        await happens(run, order, what)
    assert told() == (count, total), "it is not confirmed yet"
    await happens(run, order, HoldCommitted)
    await happens(run, order, PaymentCaptured)
    assert told() == (count + 1, total + 7)
