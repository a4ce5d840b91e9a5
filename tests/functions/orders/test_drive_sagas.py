"""A saga whose answer is overdue is driven on: the same command again, later and later, and an operator is told."""

from datetime import timedelta
from uuid import UUID

from functions.orders.drive_sagas import CALL_AN_OPERATOR_AFTER, drive_sagas
from shared.inventory.events import HoldLine, HoldStock, StockHeld
from shared.orders.events import SagaStuck
from shared.orders.saga import ASKED, FINAL, WAITS_FOR, State
from tests.conftest import NOW, Books, Run
from tests.functions.orders.sagas import happens, order_at, standing

LATER = NOW + timedelta(seconds=30)
MUCH_LATER = NOW + timedelta(seconds=930)


async def test_overdue_commands_are_sent_again_as_they_were(run: Run, db: Books) -> None:
    orders = {await order_at(run, state): state for state in WAITS_FOR}
    sent = await db.all(
        "select type, key, data from platform.outbox where type = any(%(types)s)", types=[k.type for k in ASKED]
    )
    _, emitted = await run(drive_sagas, now=MUCH_LATER)

    again = {UUID(event.key): event for event in emitted}
    assert {order: type(event) for order, event in again.items()} == {
        order: WAITS_FOR[state] for order, state in orders.items()
    }
    for row in sent:
        if type(event := again[UUID(row.key)]).type == row.type:
            assert type(event).model_validate_json(row.data) == event, "the same key, so that it has one effect"
    for order, state in orders.items():
        after = await standing(db, order)
        assert (after.state, after.asked, after.deadline) == (state, 2, MUCH_LATER + timedelta(seconds=60))


async def test_what_is_not_overdue_is_let_be(run: Run) -> None:
    await order_at(run, State.AUTHORIZING)
    assert await run(drive_sagas, now=LATER - timedelta(seconds=1)) == (None, [])


async def test_what_has_ended_is_let_be(run: Run) -> None:
    for state in FINAL:
        await order_at(run, state)
    assert await run(drive_sagas, now=NOW + timedelta(days=365)) == (None, [])


async def test_all_lines_of_an_order_are_asked_for_again(run: Run) -> None:
    order = await order_at(run, State.HOLDING)
    _, emitted = await run(drive_sagas, now=LATER)
    assert emitted == [HoldStock(order_id=order, lines=[HoldLine(sku="mug", quantity=2)], expires_in_s=900)]


async def test_it_is_asked_later_and_later_and_an_operator_is_called_once(run: Run, db: Books) -> None:
    order = await order_at(run, State.VOIDING)
    now, waits, called = LATER, [], []
    for _ in range(CALL_AN_OPERATOR_AFTER + 3):
        _, emitted = await run(drive_sagas, now=now)
        called += [event for event in emitted if isinstance(event, SagaStuck)]
        deadline = (await standing(db, order)).deadline
        waits.append((deadline - now).total_seconds())
        now = deadline

    assert waits[:5] == [60, 120, 240, 480, 600]
    assert max(waits) == 600
    assert called == [SagaStuck(order_id=order, state="voiding", reason="no answer")]


async def test_a_move_starts_the_count_anew(run: Run, db: Books) -> None:
    order = await order_at(run, State.HOLDING)
    await run(drive_sagas, now=LATER)
    await happens(run, order, StockHeld)
    assert (await standing(db, order)).asked == 1
