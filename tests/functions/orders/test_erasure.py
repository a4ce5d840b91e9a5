"""Who somebody is can be forgotten, everywhere and for good, and the books stay whole."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from functions.orders import erase_customer as erasing
from functions.orders.change_address import change_address
from functions.orders.erase_customer import EraseCustomer, erase_customer
from functions.orders.erase_guest import EraseGuest, erase_guest
from functions.orders.export_my_data import export_my_data
from functions.orders.forget_personal_data import forget_personal_data
from functions.orders.get_customer import get_customer
from functions.orders.get_retention import get_retention
from functions.orders.list_customers import list_customers
from functions.orders.note_order import note_order
from functions.orders.set_customer import SetCustomer, set_customer
from functions.orders.set_retention import SetRetention, set_retention
from shared.orders.desk_problems import OrdersStillOpen, UnknownCustomer
from shared.orders.saga import State
from shared.platform.invariants import CHECKS
from tests.conftest import ADMIN, CUSTOMER, NOW, Ask, Books, Run
from tests.functions.orders.desk import ADMINS, OPERATOR, SECRETS, be, everything, later, made, personal
from tests.functions.orders.sagas import order_at
from tests.functions.orders.test_order_desk import elsewhere

WHY = "asked for in writing"
BOOKS = """
select md5(string_agg(t::text, '|' order by t::text)) from (
  select id, number, customer_id, placed_at, currency, total_minor, subtotal_minor, tax_minor, refunded_minor, status,
    fulfilment, country from orders.orders) t
union all select md5(string_agg(l::text, '|' order by l::text)) from orders.order_lines l
union all select md5(string_agg(m::text, '|' order by m::text)) from orders.saga_moves m
union all select md5(string_agg(o::text, '|' order by o::text)) from platform.outbox o
"""


async def ada(run: Run, ask: Ask, db: Books) -> list[UUID]:
    """A customer with three orders that have ended, one of them noted, and answers that are kept for repetitions."""
    await run(
        set_customer,
        SetCustomer(customer_id=CUSTOMER.subject, name="Ada Lovelace", email="ada@example.com", country="GB"),
        caller=ADMIN,
    )
    orders = [
        await personal(run, db, State.COMPLETED, status="completed", fulfilment="delivered"),
        await personal(run, db, State.CANCELLED),
        await personal(run, db, State.REJECTED),
    ]
    note = f"/v1/admin/orders/{orders[0]}/notes"
    assert (await ask(note_order, note, {"text": "ring for Ada"}, roles=OPERATOR, idempotency_key="k")).status == 201
    view = {
        "id": str(orders[0]),
        "status": "confirmed",
        "email": "ada@example.com",
        "shipping_address": {"lines": SECRETS},
    }
    for function, body in (
        ("fn_place_order", json.dumps(view)),
        ("fn_cancel_order", json.dumps({**view, "id": str(UUID(int=404))})),
        ("fn_import_products", "no json"),
        ("fn_tag_order", ""),
    ):
        await db.run(
            """insert into platform.idempotency values (%(function)s, %(who)s, 'POST /', 'k', '', 201,
              '{"content-type": "application/json"}', convert_to(%(body)s, 'UTF8'), now() + interval '1 day')""",
            function=function,
            who=CUSTOMER.subject,
            body=body,
        )
    return orders


def forget(**more: Any) -> EraseCustomer:
    return EraseCustomer(customer_id=CUSTOMER.subject, reason=WHY, **more)


async def test_nothing_of_a_person_is_left_in_any_table(run: Run, ask: Ask, db: Books) -> None:
    await ada(run, ask, db)
    await db.run("delete from platform.idempotency where function = 'fn_cancel_order'")
    before, books = await everything(db), await db.all(BOOKS)
    assert [secret for secret in SECRETS if secret not in before] == [], "all of it is there to be erased"
    view, emitted = await run(erase_customer, forget(), caller=ADMIN)

    assert (view.orders, view.more, emitted) == (3, False, [])
    left = [
        line for line in (await everything(db)).splitlines() for secret in SECRETS if secret.lower() in line.lower()
    ]
    assert left == []
    assert await db.all(BOOKS) == books, "the books are as they were"
    customer = await db.one("select * from orders.customers")
    assert (customer.name, customer.email, customer.country, customer.erased_at) == (None, None, None, NOW)
    kept = await db.one("select actor, reason, detail from orders.audit where action = 'customer.erased'")
    assert tuple(kept) == (ADMIN.subject, WHY, {"customer_id": CUSTOMER.subject, "orders": 3})


async def test_only_the_persons_own_answers_are_altered(run: Run, ask: Ask, db: Books) -> None:
    orders = await ada(run, ask, db)
    await run(erase_customer, forget(), caller=ADMIN)
    answers = {
        row.function: row.body
        for row in await db.all("select function, convert_from(body, 'UTF8') as body from platform.idempotency")
    }
    assert json.loads(answers["fn_place_order"]) == {
        "id": str(orders[0]), "status": "confirmed", "email": None, "shipping_address": None,
    }  # fmt: skip
    assert json.loads(answers["fn_note_order"])["text"] is None
    assert "Ada Lovelace" in answers["fn_cancel_order"], "of another order"
    assert answers["fn_import_products"] == "no json"


async def test_erased_twice_is_erased_once(run: Run, ask: Ask, db: Books) -> None:
    await ada(run, ask, db)
    await run(erase_customer, forget(), caller=ADMIN)
    after = await db.all("select * from orders.orders order by id")
    view, _ = await run(erase_customer, forget(), caller=ADMIN, now=later(1))
    assert (view.orders, view.more) == (0, False)
    assert await db.all("select * from orders.orders order by id") == after
    assert await db.value("select count(*) from orders.audit where action = 'customer.erased'") == 1
    assert (await db.one("select erased_at from orders.customers")).erased_at == NOW


async def test_many_orders_are_erased_in_several_calls(run: Run, db: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "AT_ONCE", 3)
    await made(db, 7, email="ada@example.com")
    views = [(await run(erase_customer, forget(), caller=ADMIN))[0] for _ in range(4)]
    assert [(view.orders, view.more) for view in views] == [(3, True), (3, True), (1, False), (0, False)]


@pytest.mark.parametrize("state", [State.HOLDING, State.AWAITING_CUSTOMER, State.REFUNDING, State.NEEDS_ATTENTION])
async def test_what_is_under_way_is_not_taken_apart(run: Run, db: Books, state: State) -> None:
    order, ended = await personal(run, db, state), await personal(run, db, State.REJECTED)
    with pytest.raises(OrdersStillOpen) as refused:
        await run(erase_customer, forget(sent_too=True), caller=ADMIN)
    assert (refused.value.moving, refused.value.to_be_sent) == ([order], [])
    assert await db.value("select email from orders.orders where id = %(id)s", id=ended) is not None


async def test_what_is_still_to_be_sent_is_erased_only_if_that_is_said(run: Run, db: Books) -> None:
    order = await personal(run, db)
    with pytest.raises(OrdersStillOpen) as refused:
        await run(erase_customer, forget(), caller=ADMIN)
    assert (refused.value.moving, refused.value.to_be_sent) == ([], [order])
    view, _ = await run(erase_customer, forget(sent_too=True), caller=ADMIN)
    assert view.orders == 1


async def test_a_guest_is_known_by_the_address_of_mail(run: Run, db: Books) -> None:
    guest = await personal(run, db, State.REJECTED, customer_id=None, guest=True)
    other = await personal(run, db, State.REJECTED, customer_id=None, email="eve@example.com")
    customers = await personal(run, db, State.REJECTED)
    erase = EraseGuest(email="ADA@example.com", reason=WHY)
    assert (await run(erase_guest, erase, caller=ADMIN))[0].orders == 1
    assert (await run(erase_guest, erase, caller=ADMIN))[0].orders == 0
    left = {row.id for row in await db.all("select id from orders.orders where email is not null")}
    assert left == {other, customers}
    assert (await db.one("select erased_at from orders.orders where id = %(id)s", id=guest)).erased_at == NOW
    kept = await db.one("select detail from orders.audit where action = 'guest.erased'")
    assert kept.detail == {"orders": 1}, "the address itself is forgotten"


async def test_discounts_do_not_know_a_guest_that_was_erased(run: Run, db: Books) -> None:
    """But what was used stays used. Who used it again is known, as long as that order stands."""
    guest = await personal(run, db, State.REJECTED, customer_id=None, guest=True)
    other = await personal(run, db, State.REJECTED, customer_id=None, email="eve@example.com")
    code = (
        "insert into orders.discounts (code, name, scope, percent_ppm, most_per_customer, uses, created_at, updated_at)"
    )
    await db.run(f"{code} values ('SPRING', 'Spring', 'order', 10, 5, 2, now(), now())")
    for order, who in ((guest, "guest:ada"), (other, "guest:eve")):
        await db.run(
            "insert into orders.discount_uses values ('SPRING', %(order)s, %(who)s, 5, now())", order=order, who=who
        )
        await db.run("insert into orders.discount_customers values ('SPRING', %(who)s, 1, 5)", who=who)
    await run(erase_guest, EraseGuest(email="ada@example.com", reason=WHY), caller=ADMIN)

    assert [row.customer for row in await db.all("select customer from orders.discount_customers")] == ["guest:eve"]
    uses = await db.all("select customer from orders.discount_uses order by customer")
    assert [row.customer for row in uses] == ["guest:eve", None]
    assert await db.value("select uses from orders.discounts") == 2


async def test_nobody_is_not_erased(run: Run, ask: Ask) -> None:
    with pytest.raises(UnknownCustomer):
        await run(erase_customer, forget(), caller=ADMIN)
    for roles in (("operator",), ("customer",)):
        answer = await ask(erase_customer, "/v1/admin/customers/customer-1/erase", {"reason": WHY}, roles=roles)
        assert answer.status == 403
    for body in ({}, {"reason": " "}, {"reason": WHY, "sent_too": "yes"}, {"reason": "a\x00"}):
        assert (await ask(erase_customer, "/v1/admin/customers/c/erase", body, roles=ADMINS)).status == 422


async def test_retention_forgets_nothing_until_it_is_told_to(run: Run, ask: Ask, db: Books) -> None:
    await ada(run, ask, db)
    before = await everything(db)
    await run(forget_personal_data, now=later(10_000))
    assert await everything(db) == before
    answer = await ask(get_retention, "/v1/admin/retention", roles=OPERATOR)
    assert json.loads(answer.body) == {
        "personal_data_days": None, "unsold_personal_data_days": None, "saga_moves_days": None,
    }  # fmt: skip


async def test_personal_data_goes_when_it_is_old(run: Run, ask: Ask, db: Books) -> None:
    sold, cancelled, rejected = await ada(run, ask, db)
    open_one = await personal(run, db)
    await run(set_retention, SetRetention(personal_data_days=100, unsold_personal_data_days=10), caller=ADMIN)

    async def known() -> set[UUID]:
        return {row.id for row in await db.all("select id from orders.orders where email is not null")}

    books = await db.all(BOOKS)
    for days, left in (
        (10, {sold, cancelled, rejected, open_one}),
        (11, {sold, open_one}),
        (100, {sold, open_one}),
        (101, {open_one}),
        (5000, {open_one}),
    ):
        await run(forget_personal_data, now=later(days))
        assert await known() == left, days
    assert await db.all(BOOKS) == books
    assert await db.value("select text from orders.notes") is None
    assert await db.value("select count(*) from orders.saga_moves") > 0


async def test_moves_go_when_they_are_old_and_nothing_is_broken_by_it(run: Run, ask: Ask, db: Books) -> None:
    ended, open_one = await order_at(run, State.COMPLETED), await order_at(run, State.AUTHORIZING)
    stuck = await order_at(run, State.NEEDS_ATTENTION)
    await run(set_retention, SetRetention(saga_moves_days=30), caller=ADMIN)
    await run(forget_personal_data, now=NOW + timedelta(days=30))
    assert await db.value("select count(distinct order_id) from orders.saga_moves") == 3
    # Ids of these tests are small numbers, as if given out long ago.
    await run(forget_personal_data, now=later(31))
    left = {row.order_id for row in await db.all("select order_id from orders.saga_moves")}
    assert left == {open_one, stuck}
    marked = await db.one("select order_id from orders.sagas where moves_forgotten_at is not null")
    assert marked.order_id == ended
    assert "moves_forgotten_at" in next(check.sql for check in CHECKS if check.name == "transitions_are_legal")


async def test_what_is_kept_how_long_is_said_as_a_whole(ask: Ask, db: Books) -> None:
    said = {"personal_data_days": 730, "saga_moves_days": 90}
    answer = await ask(set_retention, "/v1/admin/retention", said, roles=ADMINS)
    assert json.loads(answer.body) == {**said, "unsold_personal_data_days": None}
    assert (await ask(get_retention, "/v1/admin/retention", roles=OPERATOR)).body == answer.body
    assert (await db.one("select action, detail from orders.audit")).action == "retention.set"
    for wrong in ({"personal_data_days": 0}, {"personal_data_days": "9"}, {"days": 9}, {"saga_moves_days": 10**30}):
        assert (await ask(set_retention, "/v1/admin/retention", wrong, roles=ADMINS)).status == 422
    assert (await ask(set_retention, "/v1/admin/retention", said, roles=OPERATOR)).status == 403


async def test_customers_are_given_all_that_is_kept_of_them(run: Run, ask: Ask, db: Books) -> None:
    orders = await ada(run, ask, db)
    theirs = await personal(run, db, State.REJECTED, customer_id="eve", email="eve@example.com")
    answer = await ask(export_my_data, "/v1/me/data", roles=("customer",))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert lines[0]["customer"]["name"] == "Ada Lovelace"
    assert [line["order"]["id"] for line in lines[1:]] == [str(order) for order in sorted(orders)]
    first = next(line["order"] for line in lines[1:] if line["order"]["id"] == str(orders[0]))
    assert first["notes"][0]["text"] == "ring for Ada"
    assert first["lines"][0]["sku"] == "mug"
    assert first["shipping_address"]["city"] == "London"
    assert str(theirs) not in answer.body.decode()
    assert "tok_approve" not in answer.body.decode()
    nothing = await ask(export_my_data, "/v1/me/data", roles=("customer",), subject="bob")
    assert [json.loads(line) for line in nothing.body.splitlines()] == [{"customer": {"id": "bob"}}]


async def test_many_orders_of_ones_own_come_in_pieces(ask: Ask, db: Books) -> None:
    for count in (99, 100, 101):
        await db.run("truncate orders.orders cascade")
        await made(db, count)
        answer = await ask(export_my_data, "/v1/me/data", roles=("customer",))
        ids = [json.loads(line)["order"]["id"] for line in answer.body.splitlines()[1:]]
        assert (len(ids), ids) == (count, sorted(ids))


async def test_customers_are_found_and_shown(run: Run, ask: Ask, db: Books) -> None:
    await ada(run, ask, db)
    for n in range(3):
        customer = SetCustomer(customer_id=f"x%{n}", name=f"100%_{n}", email=f"x{n}@example.com", country="FR")
        await run(set_customer, customer, caller=ADMIN)

    async def found(query: str) -> list[str]:
        answer = await ask(list_customers, f"/v1/admin/customers?{query}", roles=OPERATOR)
        assert answer.status == 200, answer
        return [item["id"] for item in json.loads(answer.body)["items"]]

    assert await found("") == ["customer-1", "x%0", "x%1", "x%2"]
    assert await found("name=ADA") == ["customer-1"]
    assert await found("name=100%25_1") == ["x%1"]
    assert await found("name=%25") == []
    assert await found("email=X1%40example.com") == ["x%1"]
    assert await found("country=FR&limit=2") == ["x%0", "x%1"]
    first = json.loads((await ask(list_customers, "/v1/admin/customers?limit=3", roles=OPERATOR)).body)
    assert await found(f"cursor={first['next_cursor']}") == ["x%2"]

    shown = json.loads((await ask(get_customer, "/v1/admin/customers/customer-1", roles=OPERATOR)).body)
    assert (shown["name"], shown["bought"][0]["orders"], shown["bought"][0]["sold"]) == ("Ada Lovelace", 3, 1)
    assert shown["bought"][0]["total_minor"] == 2590
    await db.run("delete from orders.customers")
    known = json.loads((await ask(get_customer, "/v1/admin/customers/customer-1", roles=OPERATOR)).body)
    assert (known["name"], known["bought"][0]["orders"]) == (None, 3)
    assert (await ask(get_customer, "/v1/admin/customers/nobody", roles=OPERATOR)).status == 404


async def test_what_was_erased_is_not_brought_back_by_a_change(run: Run, ask: Ask, db: Books) -> None:
    sold, *_ = await ada(run, ask, db)
    await be(db, sold, status="confirmed", fulfilment="unfulfilled")
    await run(erase_customer, forget(sent_too=True), caller=ADMIN)
    await run(change_address, elsewhere(sold), caller=ADMIN)
    assert await db.value("select erased_at from orders.orders where id = %(id)s", id=sold) is None
    assert (await run(erase_customer, forget(sent_too=True), caller=ADMIN))[0].orders == 1, "it is personal again"
