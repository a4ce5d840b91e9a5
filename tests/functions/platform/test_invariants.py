"""A shop that lived through everything breaks no invariant; whatever is broken on purpose is told by its own check."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from functions import load_all
from functions.platform.check_invariants import Invariants, check_invariants
from infra.local.postgres import Cloned
from shared.platform.checking import rules
from shared.platform.invariants import CHECKS, REPORT
from shared.runtime.db import compiled
from shared.runtime.serve import Runtime, endpoint
from shared.runtime.settings import Settings
from tests.conftest import declaration_of
from tests.issuer import Issuer
from tests.provider import ProviderServer

WORDS = {
    "<stock ledger may change>": """alter table inventory.ledger disable trigger user;
        alter table inventory.hold_parts disable trigger user""",
    "<money ledger may change>": "alter table payments.ledger disable trigger user",
    "<no constraints>": """
do $$ declare c record; begin
  for c in select conrelid::regclass as t, conname from pg_constraint where contype = 'c'
    and connamespace in ('inventory'::regnamespace, 'orders'::regnamespace, 'payments'::regnamespace)
  loop execute format('alter table %s drop constraint %I', c.t, c.conname); end loop;
end $$""",
    "<low mug>": """
with w as (
  insert into inventory.alert_watches (sku, location, about, sequence, episode, open)
  values ('mug', 'LON', 'level', 1, 1, true)
  returning id)
insert into inventory.alerts (id, watch, episode, kind, data, at, raised_at)
select gen_random_uuid(), id, 1, 'low', '{}', now(), now() from w""",
    "<target>": """
insert into inventory.alert_targets (id, channel, name, address, kinds, enabled, version, created_at, updated_at)
select gen_random_uuid(), 'mail', 'm', 'a@b.c', array['low'], true, 1, at, at
from (select now() - interval '1 h' as at) as t""",
    "<told>": """
insert into inventory.alert_deliveries (id, alert, target, status, next_at, created_at, asked_at)
select gen_random_uuid(), a.id, t.id, 'pending', now(), now(), now()
from inventory.alerts a, inventory.alert_targets t where a.kind = 'low'""",
    "<sold>": "(select order_id from orders.sagas where state = 'completed' order by order_id limit 1)",
    "<unsent>": "(select id from orders.orders where status = 'confirmed' and fulfilment = 'unfulfilled')",
    "<product>": "(select key from platform.streams where topic = 'shop.catalog' order by key limit 1)",
    "<spring>": """insert into orders.discounts (code, name, scope, percent_ppm, created_at, updated_at)
        values ('SPRING', 'Spring', 'order', 5, now(), now())""",
    "<used>": "insert into orders.discount_uses (code, order_id, amount_minor, used_at)",
    "<cancelled>": "(select order_id from orders.sagas where state = 'cancelled' order by order_id limit 1)",
}

OF_FIGURES = {"figures_equal_books", "figures_equal_facts", "net_sales_equal_payments"}
"""They follow the books, also where the books are wrong."""

BROKEN = [
    (
        "stock_equals_ledger",
        "update inventory.stock set on_hand = on_hand + 1 where sku = 'mug'",
    ),
    (
        "stock_equals_ledger",
        "<stock ledger may change>; update inventory.ledger set on_hand = on_hand + 1 where sku = 'mug'",
    ),
    (
        "promised_equals_holds",
        "update inventory.stock set held = held + 1 where sku = 'mug'",
    ),
    (
        "promised_equals_holds",
        "update inventory.stock set committed = committed - 1 where sku = 'mug'",
    ),
    (
        "nothing_is_oversold",
        "<no constraints>; update inventory.stock set shortfall = shortfall + 1 where sku = 'tea'",
    ),
    (
        "transfers_equal_ledger",
        """insert into inventory.transfers (id, origin, destination, status, actor, created_at, updated_at)
             select gen_random_uuid(), null, id, 'in_transit', 'ann', now(), now() from inventory.locations limit 1;
           insert into inventory.transfer_lines (transfer_id, sku, quantity, arrived)
             select id, 'mug', 2, 1 from inventory.transfers""",
    ),
    (
        "transfers_equal_ledger",
        """insert into inventory.transfers (id, origin, destination, status, actor, created_at, updated_at)
             select gen_random_uuid(), null, id, 'arrived', 'ann', now(), now() from inventory.locations limit 1;
           insert into inventory.transfer_lines (transfer_id, sku, quantity)
             select id, 'mug', 1 from inventory.transfers""",
    ),
    (
        "transfers_equal_ledger",
        """<stock ledger may change>; update inventory.ledger set transfer = gen_random_uuid(), reason = 'transfer_in'
           where id = (select min(id) from inventory.ledger)""",
    ),
    (
        "closed_locations_give_nothing",
        """insert into inventory.locations (id, name, created_at, closed_at) values ('OLD', 'Old', now(), now());
           insert into inventory.stock (sku, location) values ('mug', 'OLD')""",
    ),
    (
        "ended_holds_are_empty",
        """update inventory.stock s set committed = s.committed - l.quantity + l.shipped
           from inventory.hold_lines l where l.order_id = <sold> and (l.sku, l.location) = (s.sku, s.location)
             and s.sku = 'mug';
           update inventory.stock s set committed = 0, shortfall = 0 where sku = 'tea';
           update inventory.holds set status = 'SHIPPED' where order_id = <sold>""",
    ),
    (
        "parts_equal_lines",
        "<stock ledger may change>; delete from inventory.hold_parts where order_id = <sold>",
    ),
    (
        "parts_equal_lines",
        "<stock ledger may change>; update inventory.hold_parts set kind = 'released' where order_id = <sold>",
    ),
    (
        "parts_equal_lines",
        """insert into inventory.hold_parts (id, order_id, kind, lines, at)
           select gen_random_uuid(), order_id, 'released', '[{"sku": "mug", "location": "LON", "quantity": 1}]', now()
           from inventory.hold_lines where order_id = <sold> and sku = 'mug'""",
    ),
    (
        "shipped_equals_ledger",
        "<stock ledger may change>; update inventory.ledger set order_id = null where reason = 'shipped'",
    ),
    (
        "shipped_equals_ledger",
        "<stock ledger may change>; update inventory.ledger set reason = 'lost' where order_id = <sold>",
    ),
    (
        "stock_status_is_told",
        "update inventory.items set tracked = true where sku = 'gift'",
    ),
    (
        "stock_status_is_told",
        "update inventory.items set status = 'low' where sku = 'mug'",
    ),
    (
        "stock_status_is_told",
        "update inventory.items set low_at = 1000 where sku = 'mug'",
    ),
    (
        "alerts_reach_their_targets",
        "<low mug>; <target>",
    ),
    (
        "alerts_reach_their_targets",
        "<low mug>; <target>; <told>; update inventory.alert_targets set kinds = array['out']",
    ),
    (
        "alerts_reach_their_targets",
        """<low mug>; <target>; <told>;
           update inventory.alert_targets set created_at = now() + interval '1 hour', updated_at = now()""",
    ),
    (
        "alert_attempts_are_logged",
        "<low mug>; <target>; <told>; update inventory.alert_deliveries set attempts = 1",
    ),
    (
        "alert_attempts_are_logged",
        """<low mug>; <target>; <told>;
           update inventory.alert_deliveries set status = 'delivered', next_at = null, ended_at = now(), attempts = 1;
           insert into inventory.alert_attempts (delivery, number, at, ended_at, outcome)
           select id, 1, now(), now(), 'retry' from inventory.alert_deliveries""",
    ),
    (
        "sold_equals_stock_taken",
        """update inventory.hold_lines set quantity = quantity + 1 where order_id = <sold> and sku = 'tea';
           update inventory.stock set committed = committed + 1, shortfall = shortfall + 1 where sku = 'tea'""",
    ),
    (
        "sold_equals_stock_taken",
        "update orders.order_lines set sku = 'hat' where sku = 'gift'",
    ),
    (
        "payments_equal_ledger",
        """<money ledger may change>;
           delete from payments.ledger where debit_account = 'customer' and credit_account = 'authorized'""",
    ),
    (
        "payments_equal_ledger",
        "<money ledger may change>; update payments.ledger set amount_minor = amount_minor + 1 where order_id = <sold>",
    ),
    (
        "payment_status_follows",
        "update payments.payments set pending = 'unknown' where order_id = <sold>",
    ),
    (
        "payment_status_follows",
        "update payments.payments set last_said = 'voided' where last_said = 'declined'",
    ),
    (
        "payments_equal_ledger",
        "update payments.payments set disputed_minor = disputed_minor + 1 where order_id = <sold>",
    ),
    (
        "disputes_equal_ledger",
        """insert into payments.chargebacks (id, order_id, authorization_id, amount_minor, currency, reason, opened_at)
            values ('dp', <sold>, 'auth', 1, 'GBP', 'fraudulent', now())""",
    ),
    (
        "confirmed_orders_have_money",
        """<money ledger may change>;
            update orders.orders set capture = 'at_shipment' where id = <unsent>;
            update payments.payments set captured_minor = 0, voided_minor = authorized_minor, last_said = 'voided'
            where order_id = <unsent>;
            update payments.attempts set operation = 'void' where order_id = <unsent> and operation = 'capture';
            update payments.ledger set debit_account = 'customer'
            where order_id = <unsent> and debit_account = 'captured'""",
    ),
    (
        "one_capture_per_order",
        """insert into payments.attempts (key, order_id, operation, amount_minor, state, created_at, finished_at)
            values ('again', <sold>, 'capture', 1, 'succeeded', now(), now())""",
    ),
    (
        "completed_orders_are_paid",
        """<money ledger may change>;
            update payments.payments set captured_minor = captured_minor - 1 where order_id = <sold>;
            update payments.ledger set amount_minor = amount_minor - 1
            where order_id = <sold> and debit_account = 'captured'""",
    ),
    (
        "fulfilments_equal_lines",
        "update orders.fulfilment_lines set quantity = quantity + 1 where order_id = <sold> and shipped = 0",
    ),
    (
        "fulfilments_equal_lines",
        "update orders.fulfilments set status = 'pending' where order_id = <sold> and status = 'shipped'",
    ),
    (
        "shipments_equal_stock",
        "update orders.fulfilments set location = 'LEEDS' where order_id = <sold> and status = 'shipped'",
    ),
    (
        "shares_equal_lines",
        "update orders.fulfilment_lines set shipped_minor = shipped_minor + 1 where order_id = <sold> and shipped > 0",
    ),
    (
        "shares_equal_lines",
        "update orders.steps set amount_minor = amount_minor + 1 where kind = 'refund' and source = 'cancellation'",
    ),
    (
        "steps_are_settled",
        """update orders.steps set state = 'asked', deadline = now() - interval '61 seconds'
           where order_id = <sold> and kind = 'ship'""",
    ),
    (
        "steps_are_settled",
        "update orders.orders set captured_minor = 1 where id = <sold>",
    ),
    (
        "refunds_equal_orders",
        "update orders.return_lines set status = 'failed'",
    ),
    (
        "refunds_equal_orders",
        "update orders.orders set refunded_minor = refunded_minor + 1 where recorded",
    ),
    (
        "figures_equal_books",
        """update orders.sales_facts set currency = 'EUR'; update orders.sales_days set currency = 'EUR';
           update orders.product_days set currency = 'EUR'""",
    ),
    (
        "figures_equal_books",
        """delete from orders.sales_facts where kind = 'rejected' and reason = 'out_of_stock';
           delete from orders.sales_days where kind = 'rejected' and reason = 'out_of_stock'""",
    ),
    (
        "figures_equal_facts",
        "update orders.sales_days set amount_minor = amount_minor + 1 where kind = 'sale'",
    ),
    (
        "figures_equal_facts",
        "delete from orders.product_days where kind = 'refund'",
    ),
    (
        "net_sales_equal_payments",
        """insert into payments.attempts (key, order_id, operation, refund_id, amount_minor, state, created_at,
             finished_at)
           values ('refund/ghost', <sold>, 'refund', gen_random_uuid(), 1, 'succeeded', now(), now());
           insert into orders.sales_facts (id, kind, order_id, at, day, currency, country, reason, amount_minor, units)
           select id, kind, order_id, at, '2000-01-01', currency, country, reason, amount_minor, units
           from orders.sales_facts_now on conflict do nothing;
           update payments.attempts set finished_at = '2000-01-01T12:00:00Z' where key = 'refund/ghost';
           insert into orders.sales_days select day, currency, country, kind, reason, 1, amount_minor, units
           from orders.sales_facts where day = '2000-01-01'""",
    ),
    (
        "totals_equal_lines",
        "update orders.orders set total_minor = total_minor + 1 where id = <cancelled>",
    ),
    (
        "totals_equal_lines",
        "update orders.orders set shipping_minor = 5, total_minor = total_minor + 4 where id = <cancelled>",
    ),
    (
        "totals_equal_lines",
        "update orders.orders set tax_minor = tax_minor + 1 where id = <cancelled>",
    ),
    (
        "discount_uses_are_counted",
        "<spring>; update orders.discounts set uses = 1",
    ),
    (
        "discount_uses_are_counted",
        """<spring>; insert into orders.discount_customers (code, customer, uses, most)
           values ('SPRING', 'ann', 1, 1)""",
    ),
    (
        "discount_uses_are_counted",
        """<spring>; <no constraints>; <used> select 'SPRING', id, 5, now() from orders.orders where id = <sold>;
           update orders.discounts set uses = 1, most_uses = 0""",
    ),
    (
        "discount_uses_are_counted",
        """<spring>; <used> select 'SPRING', id, 5, now() from orders.orders where id = <cancelled>;
           update orders.discounts set uses = 1;
           update orders.sagas set updated_at = now() - interval '61 seconds'""",
    ),
    (
        "orders_end_in_time",
        "update orders.sagas set deadline = now() where order_id = <sold>",
    ),
    (
        "transitions_are_legal",
        "update orders.saga_moves set cause = 'StockHeld' where order_id = <sold> and to_state = 'completed'",
    ),
    (
        "transitions_are_legal",
        "update orders.saga_moves set position = position + 10 where order_id = <sold> and to_state = 'completed'",
    ),
    (
        "transitions_are_legal",
        "update orders.sagas set moves = moves + 1 where order_id = <sold>",
    ),
    (
        "transitions_are_legal",
        "update orders.sagas set moves_forgotten_at = now() where order_id = <sold>",
    ),
    (
        "erased_orders_name_nobody",
        "update orders.orders set erased_at = now() where id = <sold>",
    ),
    (
        "status_follows_saga",
        "update orders.orders set status = 'pending' where id = <cancelled>",
    ),
    (
        "nothing_is_bound_to_ended_orders",
        """insert into payments.payments (order_id, last_said, currency, amount_minor, authorized_minor, created_at,
             updated_at)
           select order_id, 'authorized', 'GBP', 5, 5, now(), now() from orders.sagas where reason = 'out_of_stock';
           insert into payments.attempts (key, order_id, operation, amount_minor, state, created_at, finished_at)
           select 'late', order_id, 'authorize', 5, 'succeeded', now(), now() from orders.sagas
           where reason = 'out_of_stock';
           insert into payments.ledger (at, order_id, attempt_key, debit_account, credit_account, amount_minor,
             currency)
           select now(), order_id, 'late', 'authorized', 'customer', 5, 'GBP' from orders.sagas
           where reason = 'out_of_stock'""",
    ),
    (
        "outbox_reaches_the_log",
        """update platform.streams set sequence = sequence + 1 where topic = 'shop.catalog' and key = <product>;
            insert into platform.outbox (id, source, type, topic, partition, key, sequence, time, data)
            select 'late', source, type, topic, partition, key, sequence + 1, now() - interval '61 seconds', data
            from platform.outbox where topic = 'shop.catalog' and key = <product> order by sequence desc limit 1""",
    ),
    (
        "the_log_has_no_gaps",
        "update platform.log_heads set next_offset = next_offset + 1 where topic = 'shop.stock'",
    ),
    (
        "streams_are_contiguous",
        "update platform.streams set sequence = sequence + 1 where topic = 'shop.stock' and key = 'mug'",
    ),
    (
        "streams_are_contiguous",
        """update platform.outbox set sequence = case sequence when 1 then 2 else 1 end
           where topic = 'shop.holds' and sequence <= 2
             and key = (select order_id::text from orders.sagas where reason = 'capture_failed')""",
    ),
    (
        "one_effect_per_event",
        """update orders.saga_moves m set event_id = (
              select event_id from orders.saga_moves f where f.order_id = m.order_id and f.position = 2)
            where m.order_id = <sold> and m.position = 3""",
    ),
    (
        "one_order_per_key",
        """insert into platform.idempotency (function, principal, route, key, fingerprint, status, headers, body,
             expires_at)
           select function, principal, route, 'again', fingerprint, status, headers, body, expires_at
           from platform.idempotency where function = 'fn_record_order'""",
    ),
    (
        "events_tell_what_is",
        """insert into platform.inbox (consumer, source, event_id)
           values ('hold-stock', '/shop/orders/place-order', 'x')""",
    ),
    (
        "no_event_vanishes",
        """delete from platform.inbox where consumer = 'hold-stock' and event_id = (
             select id from platform.outbox where type = 'shop.inventory.hold.v1' order by position limit 1)""",
    ),
    (
        "refunds_within_captures",
        """<no constraints>; update payments.payments set voided_minor = voided_minor + 1 where order_id = <sold>;
            insert into payments.attempts (key, order_id, operation, amount_minor, state, created_at, finished_at)
            values ('late', <sold>, 'void', 1, 'succeeded', now(), now());
            insert into payments.ledger (at, order_id, attempt_key, debit_account, credit_account, amount_minor,
             currency)
            values (now(), <sold>, 'late', 'customer', 'authorized', 1, 'GBP')""",
    ),
    (
        "nothing_is_bound_to_ended_orders",
        """update inventory.items set policy_at = now() where sku = 'pen';
           update inventory.holds set status = 'COMMITTED', shortages = null where status = 'REJECTED'""",
    ),
]


@pytest.fixture
def owner(lived_in: tuple[Cloned, Settings]) -> Iterator[psycopg.Connection[Any]]:
    """What is broken here is whole again after the test."""
    with psycopg.connect(lived_in[0].owner_url) as connection:
        yield connection
        connection.rollback()


def broken_by(connection: psycopg.Connection[Any]) -> dict[str, list[dict[str, Any]]]:
    statement = compiled(REPORT)
    rows = connection.execute(statement.sql, statement.bound(rules(load_all().values()))).fetchall()
    assert len(rows) == len(CHECKS)
    return {CHECKS[n].name: examples for n, violations, examples in rows if violations}


def test_nothing_is_broken_by_living(owner: psycopg.Connection[Any]) -> None:
    states = owner.execute("select reason, state, count(*) from orders.sagas group by 1, 2 order by 1, 2").fetchall()

    assert broken_by(owner) == {}
    assert states == [
        ("capture_failed", "cancelled", 1),
        ("changed my mind", "cancelled", 1),
        ("out_of_stock", "rejected", 1),
        ("payment_declined", "rejected", 1),
        (None, "completed", 4),
    ]


@pytest.mark.parametrize(("check", "sql"), BROKEN)
def test_what_is_broken_is_told_by_its_own_check(owner: psycopg.Connection[Any], check: str, sql: str) -> None:
    for word, meaning in WORDS.items():
        sql = sql.replace(word, meaning)
    owner.execute(sql)

    told = set(broken_by(owner))
    assert told - (set() if check in OF_FIGURES else OF_FIGURES) == {check}


@pytest.fixture
async def checked(lived_in: tuple[Cloned, Settings], issuer: Issuer) -> AsyncIterator[Any]:
    """Asks for the check over the function's endpoint, under its own role, with settings changed as given."""
    running = []

    async def check(**changed: Any) -> Invariants:
        runtime = Runtime.start(replace(lived_in[1], **changed))
        running.append(runtime)
        target = endpoint(declaration_of(check_invariants), runtime)
        headers = {"authorization": f"Bearer {issuer.token('olga', 'operator')}"}
        answer = await target.handle("GET", "/v1/invariants", b"", headers, b"")
        assert answer.status == 200, answer
        return Invariants.model_validate_json(answer.body)

    yield check
    for runtime in running:
        await runtime.stop()


async def test_the_books_are_the_providers_own(checked: Any, provider: ProviderServer) -> None:
    answer = await checked()

    assert answer.violations == 0
    assert [check.name for check in answer.checks] == [*(check.name for check in CHECKS), "payments_equal_provider"]
    assert answer.checks[-1].note is None


async def test_a_penny_more_at_the_provider_is_told(checked: Any, provider: ProviderServer) -> None:
    before = (await checked()).checks[-1]
    id = provider.authorized(1)
    provider.capture(id, 1)
    after = (await checked()).checks[-1]
    provider.refund(id, 1)

    assert before.violations == 0
    assert {example["figure"] for example in after.examples} == {"authorized_minor", "captured_minor", "authorizations"}
    assert all(example["theirs"] == example["ours"] + 1 for example in after.examples)


@pytest.mark.parametrize(
    ("url", "said"),
    [("", "No provider is set: its books were not read."), ("http://127.0.0.1:9", "The provider gave no answer:")],
)
async def test_books_that_cannot_be_read_are_said_so(checked: Any, url: str, said: str) -> None:
    check = (await checked(provider_url=url)).checks[-1]

    assert check.violations == 0
    assert check.note.startswith(said)


async def test_books_are_not_compared_while_a_payment_is_under_way(
    lived_in: tuple[Cloned, Settings], checked: Any
) -> None:
    connection = await psycopg.AsyncConnection.connect(lived_in[0].owner_url, autocommit=True)
    async with connection:
        await connection.execute(
            "insert into payments.attempts (key, order_id, operation, amount_minor, state, next_query_at, created_at)"
            " select 'under way', order_id, 'void', 1, 'sending', now() + interval '1 hour', now()"
            " from payments.payments limit 1"
        )
        check = (await checked()).checks[-1]
        await connection.execute("delete from payments.attempts where key = 'under way'")

    assert check.note == "Payments are under way: the provider's books were not compared."
