"""Those who look after orders note, tag, hold and release them, mend addresses and complete them: all of it is kept."""

import json
from typing import Any
from uuid import UUID

import pytest

from functions.orders.change_address import ChangeAddress, change_address
from functions.orders.complete_order import complete_order
from functions.orders.describe_order import describe_order
from functions.orders.list_audit import list_audit
from functions.orders.measure_reviews import measure_reviews
from functions.orders.note_order import note_order
from functions.orders.release_order import release_order
from functions.orders.review_order import review_order
from functions.orders.tag_order import TagOrder, tag_order
from shared.orders.desk import WithReason
from shared.orders.desk_events import OrderAddressChanged, OrderReviewEnded, OrderReviewStarted
from shared.orders.desk_metrics import REVIEW_OLDEST, UNDER_REVIEW
from shared.orders.desk_problems import (
    CannotChangeAddress,
    CannotComplete,
    CannotReview,
    NotUnderReview,
    OtherCountry,
    TooManyTags,
)
from shared.orders.events import OrderCompleted
from shared.orders.problems import UnknownOrder
from shared.orders.saga import State
from tests.conftest import ADMIN, Ask, Books, Run
from tests.functions.orders.desk import ADDRESS, OPERATOR, SECRETS, be, everything, personal
from tests.functions.orders.sagas import order_at

WHY = "asked for by phone"


async def audit(db: Books) -> list[tuple[Any, ...]]:
    rows = await db.all(
        "select action, actor, reason, detail from orders.audit where action like 'order.%%' order by id"
    )
    return [tuple(row) for row in rows if row.action != "order.recorded"]


async def row(db: Books, order: UUID) -> Any:
    return await db.one("select * from orders.orders where id = %(id)s", id=order)


async def test_a_note_is_kept_with_who_wrote_it(ask: Ask, run: Run, db: Books) -> None:
    order = await order_at(run, State.COMPLETED)
    path = f"/v1/admin/orders/{order}/notes"
    first = await ask(
        note_order, path, {"text": "Rang.\nNobody there."}, roles=OPERATOR, subject="olga", idempotency_key="1"
    )
    again = await ask(
        note_order, path, {"text": "Rang.\nNobody there."}, roles=OPERATOR, subject="olga", idempotency_key="1"
    )
    assert (first.status, again.body) == (201, first.body)
    kept = await db.one("select order_id, actor, text from orders.notes")
    assert tuple(kept) == (order, "olga", "Rang.\nNobody there.")
    assert await audit(db) == [("order.noted", "olga", None, {"note": json.loads(first.body)["id"]})]
    for text in ("", "  ", "x" * 4001, "a\x00b", 5, None):
        assert (
            await ask(note_order, path, {"text": text}, roles=OPERATOR, idempotency_key=f"k{text}"[:9])
        ).status == 422


async def test_a_note_is_never_altered_by_who_writes_notes(ask: Ask, run: Run, database: Any) -> None:
    held = await held_by(database.owner_url, "fn_note_order")
    assert held("orders.notes", "insert")
    assert not held("orders.notes", "update")
    assert not held("orders.notes", "delete")


async def held_by(url: str, role: str) -> Any:
    import psycopg

    def held(table: str, verb: str) -> bool:
        with psycopg.connect(url) as connection:
            found = connection.execute("select has_table_privilege(%s, %s, %s)", (role, table, verb)).fetchone()
            assert found is not None
            return bool(found[0])

    return held


async def test_tags_are_put_on_and_taken_off(run: Run, db: Books) -> None:
    order = await order_at(run, State.COMPLETED)
    view, _ = await run(tag_order, TagOrder(order_id=order, add=("vip", "gift")), caller=ADMIN)
    assert view.tags == ["gift", "vip"]
    view, _ = await run(tag_order, TagOrder(order_id=order, add=("late",), remove=("gift", "none")), caller=ADMIN)
    assert view.tags == (await row(db, order)).tags == ["late", "vip"]
    await run(tag_order, TagOrder(order_id=order, add=("late",)), caller=ADMIN)
    assert [one[0] for one in await audit(db)] == ["order.tagged", "order.tagged"], "what changes nothing is no act"
    assert (await audit(db))[1][3] == {"added": ["late"], "removed": ["gift"]}
    with pytest.raises(TooManyTags):
        await run(tag_order, TagOrder(order_id=order, add=tuple(f"t{n}" for n in range(19))), caller=ADMIN)


@pytest.mark.parametrize("tag", ["", "Gift", "a b", "-x", "x" * 41, "ä", "a\x00", None, 5])
async def test_a_tag_is_a_plain_word(ask: Ask, tag: Any) -> None:
    path = f"/v1/admin/orders/{UUID(int=1)}/tags"
    assert (await ask(tag_order, path, {"add": [tag]}, roles=OPERATOR)).status == 422


async def test_an_order_is_held_for_review_and_released(run: Run, db: Books) -> None:
    order = await order_at(run, State.AUTHORIZING)
    _, emitted = await run(review_order, WithReason(order_id=order, reason="odd address"), caller=ADMIN)
    assert emitted == [OrderReviewStarted(order_id=order)]
    _, emitted = await run(review_order, WithReason(order_id=order, reason="odder"), caller=ADMIN)
    assert emitted == []
    assert (await row(db, order)).review == "odder"
    await run(measure_reviews)
    assert UNDER_REVIEW._value.get() == 1
    assert REVIEW_OLDEST._value.get() != 0
    _, emitted = await run(release_order, WithReason(order_id=order, reason=WHY), caller=ADMIN)
    assert emitted == [OrderReviewEnded(order_id=order)]
    assert (await row(db, order)).review is None
    with pytest.raises(NotUnderReview):
        await run(release_order, WithReason(order_id=order, reason=WHY), caller=ADMIN)
    assert [(one[0], one[2]) for one in await audit(db)] == [
        ("order.review_started", "odd address"),
        ("order.review_started", "odder"),
        ("order.review_ended", WHY),
    ]
    await run(measure_reviews)
    assert UNDER_REVIEW._value.get() == 0


async def test_what_has_left_or_ended_is_not_held(run: Run, db: Books) -> None:
    rejected, order = await order_at(run, State.REJECTED), await order_at(run, State.COMPLETED)
    for one, fulfilment in ((rejected, "unfulfilled"), (order, "shipping"), (order, "shipped"), (order, "delivered")):
        await be(db, one, fulfilment=fulfilment)
        with pytest.raises(CannotReview):
            await run(review_order, WithReason(order_id=one, reason=WHY), caller=ADMIN)
    await be(db, order, fulfilment="partial")
    await run(review_order, WithReason(order_id=order, reason=WHY), caller=ADMIN)


def elsewhere(order: UUID, **changed: Any) -> ChangeAddress:
    said = {"order_id": order, "reason": WHY, "shipping_address": {**ADDRESS, "lines": ["1 New Street"], **changed}}
    return ChangeAddress.model_validate(said)


async def test_an_address_is_changed_before_shipment(run: Run, db: Books) -> None:
    order = await personal(run, db)
    before = await row(db, order)
    view, emitted = await run(change_address, elsewhere(order), caller=ADMIN)
    after = await row(db, order)
    assert emitted == [OrderAddressChanged(order_id=order)]
    assert after.shipping_address == view.shipping_address.model_dump() == {**ADDRESS, "lines": ["1 New Street"]}
    assert after.billing_address == ADDRESS, "what is left out stays"
    assert (after.total_minor, after.version) == (before.total_minor, before.version + 1)
    assert (await run(change_address, elsewhere(order), caller=ADMIN))[1] == [], "nothing is another"
    assert await audit(db) == [("order.address_changed", ADMIN.subject, WHY, {"changed": ["shipping_address"]})]


async def test_the_country_stays(run: Run, db: Books) -> None:
    order = await personal(run, db)
    with pytest.raises(OtherCountry):
        await run(change_address, elsewhere(order, country="FR"), caller=ADMIN)
    assert (await row(db, order)).shipping_address == ADDRESS
    none = await order_at(run, State.COMPLETED)
    await run(change_address, elsewhere(none, country="FR"), caller=ADMIN)
    assert (await row(db, none)).country == "FR", "nothing was known before"


async def test_what_is_on_its_way_is_not_sent_elsewhere(run: Run, db: Books) -> None:
    order = await personal(run, db)
    for fulfilment in ("shipping", "partial", "shipped", "delivered"):
        await be(db, order, fulfilment=fulfilment)
        with pytest.raises(CannotChangeAddress):
            await run(change_address, elsewhere(order), caller=ADMIN)
    for state in (State.REJECTED, State.CANCELLED, State.REFUNDING):
        with pytest.raises(CannotChangeAddress):
            await run(change_address, elsewhere(await order_at(run, state)), caller=ADMIN)


async def test_a_change_that_changes_nothing_is_refused(ask: Ask) -> None:
    path = f"/v1/admin/orders/{UUID(int=1)}/addresses"
    for body in (
        {"reason": WHY},
        {"reason": WHY, "email": "nobody"},
        {"email": "a@example.com"},
        {"reason": WHY, "email": 5},
    ):
        assert (await ask(change_address, path, body, roles=OPERATOR)).status == 422


async def test_an_order_of_which_nothing_is_open_is_completed(run: Run, db: Books) -> None:
    order = await order_at(run, State.COMPLETED)
    asked = WithReason(order_id=order, reason="picked up")
    with pytest.raises(CannotComplete) as refused:
        await run(complete_order, asked, caller=ADMIN)
    assert refused.value.open == {"lines": [1], "due_minor": 2590}
    await db.run("update orders.order_lines set shipped_quantity = 1, cancelled_quantity = 1")
    with pytest.raises(CannotComplete):
        await run(complete_order, asked, caller=ADMIN)
    await db.run(
        """insert into payments.payments
          (order_id, currency, amount_minor, authorized_minor, captured_minor, created_at, updated_at)
        values (%(id)s, 'GBP', 2590, 2590, 2590, now(), now())""",
        id=order,
    )
    await be(db, order, fulfilment="shipping")
    with pytest.raises(CannotComplete):
        await run(complete_order, asked, caller=ADMIN)
    await be(db, order, fulfilment="shipped")
    _, emitted = await run(complete_order, asked, caller=ADMIN)
    assert emitted == [OrderCompleted(order_id=order, currency="GBP", total_minor=2590)]
    assert (await row(db, order)).status == "completed"
    assert [(one[0], one[2]) for one in await audit(db)] == [("order.completed", "picked up")]
    with pytest.raises(CannotComplete):
        await run(complete_order, asked, caller=ADMIN)


async def test_nobody_completes_what_its_saga_has_not(run: Run) -> None:
    for state in set(State) - {State.COMPLETED}:
        with pytest.raises(CannotComplete):
            await run(complete_order, WithReason(order_id=await order_at(run, state), reason=WHY), caller=ADMIN)


async def test_nothing_is_done_to_no_order(run: Run) -> None:
    nobody = WithReason(order_id=UUID(int=404), reason=WHY)
    for function, message in (
        (review_order, nobody),
        (release_order, nobody),
        (complete_order, nobody),
        (tag_order, TagOrder(order_id=nobody.order_id, add=("gift",))),
        (change_address, elsewhere(nobody.order_id)),
    ):
        with pytest.raises(UnknownOrder):
            await run(function, message, caller=ADMIN)


async def test_the_whole_of_an_order_by_number_or_id(ask: Ask, run: Run, db: Books) -> None:
    order = await personal(run, db)
    await ask(note_order, f"/v1/admin/orders/{order}/notes", {"text": "ring"}, roles=OPERATOR, idempotency_key="1")
    await run(tag_order, TagOrder(order_id=order, add=("gift",)), caller=ADMIN)
    number = (await row(db, order)).number
    by_id = await ask(describe_order, f"/v1/admin/orders/{order}", roles=OPERATOR)
    by_number = await ask(describe_order, f"/v1/admin/orders/{number.lower()}", roles=OPERATOR)
    assert (by_id.status, by_number.body) == (200, by_id.body)
    told = json.loads(by_id.body)
    assert told["shipping_address"] == ADDRESS
    assert told["saga"] == {
        "state": "completed", "waits_for": None, "asked": 1, "deadline": None, "stuck": None, "tries": {},
    }  # fmt: skip
    assert told["lines"][0]["shipped_quantity"] == 0
    assert {item["kind"] for item in told["story"]} == {"event", "move", "note", "act"}
    assert [item["what"] for item in told["story"] if item["kind"] == "move"] == [
        "holding", "authorizing", "committing", "capturing", "completed",
    ]  # fmt: skip
    assert told["correlations"] == ["test"]
    assert "tok_approve" not in by_id.body.decode()
    for nothing in (UUID(int=404), "NONE", "%00", "x" * 37):
        answer = await ask(describe_order, f"/v1/admin/orders/{nothing}", roles=OPERATOR)
        assert answer.status in (404, 422), nothing


async def test_what_was_done_is_read_by_order_actor_action_and_time(ask: Ask, run: Run, db: Books) -> None:
    order, other = await personal(run, db), await order_at(run, State.COMPLETED)
    for one in (order, other):
        await run(tag_order, TagOrder(order_id=one, add=("gift",)), caller=ADMIN)
    await run(change_address, elsewhere(order), caller=ADMIN)

    async def read(query: str) -> list[tuple[str, str]]:
        answer = await ask(list_audit, f"/v1/admin/audit?{query}", roles=OPERATOR)
        assert answer.status == 200, answer
        return [(item["action"], item["order_id"]) for item in json.loads(answer.body)["items"]]

    changed, tagged, tagged_too = (
        ("order.address_changed", str(order)), ("order.tagged", str(order)), ("order.tagged", str(other)),
    )  # fmt: skip
    assert (await read("action=order"))[:3] == [changed, tagged_too, tagged]
    assert await read(f"order_id={order}&action=order.tagged") == [tagged]
    assert (await read(f"actor={ADMIN.subject}&limit=1")) == [changed]
    assert await read("actor=nobody") == []
    assert await read("since=2030-01-01T00:00:00Z") == []
    first = json.loads((await ask(list_audit, "/v1/admin/audit?limit=2", roles=OPERATOR)).body)
    second = json.loads((await ask(list_audit, f"/v1/admin/audit?cursor={first['next_cursor']}", roles=OPERATOR)).body)
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == len(ids) >= 3
    assert (await ask(list_audit, "/v1/admin/audit", roles=("customer",))).status == 403


async def test_the_books_of_acts_and_events_have_nothing_personal(run: Run, db: Books) -> None:
    order = await personal(run, db)
    await run(change_address, elsewhere(order, postcode="SW1Y 4JH"), caller=ADMIN)
    lines = (await everything(db)).splitlines()
    told = [line for line in lines if line.startswith(("orders.audit", "platform.outbox"))]
    assert told
    assert [line for line in told for secret in SECRETS if secret in line] == []
