"""The invariants of a shop with 4,000 orders of 27 lines each are checked in less than 2 s."""

import json
from time import perf_counter

import psycopg
import pytest

from functions.platform.check_invariants import check_invariants
from infra.local.postgres import Cloned
from shared.orders.queries import PRODUCTS, TOTALS
from tests.conftest import Ask, Books

ORDERS, LINES, SKUS = 4000, 27, 3000

# One order's way through the saga, as its functions leave it behind: position, cause, from, to, event.
FILL = """
create temp table moves (position int, cause text, from_state text, to_state text, asked text);
insert into moves values
  (1, 'OrderCreated', null, 'holding', 'HoldStock'), (2, 'StockHeld', 'holding', 'authorizing', 'AuthorizePayment'),
  (3, 'PaymentAuthorized', 'authorizing', 'committing', 'CommitHold'),
  (4, 'HoldCommitted', 'committing', 'capturing', 'CapturePayment'),
  (5, 'PaymentCaptured', 'capturing', 'completed', null);
create temp table said (n int, topic text, type text, sequence int, domain text, consumer text);
insert into said values
  (1, 'shop.orders', 'shop.orders.order.created.v1', 1, 'orders', null),
  (2, 'shop.inventory.commands', 'shop.inventory.hold.v1', 1, 'orders', 'hold-stock'),
  (3, 'shop.holds', 'shop.inventory.hold.held.v1', 1, 'inventory', 'advance-order'),
  (4, 'shop.payments.commands', 'shop.payments.authorize.v1', 1, 'orders', 'authorize-payment'),
  (5, 'shop.payments', 'shop.payments.payment.authorized.v1', 1, 'payments', 'advance-order'),
  (6, 'shop.inventory.commands', 'shop.inventory.commit.v1', 2, 'orders', 'commit-hold'),
  (7, 'shop.holds', 'shop.inventory.hold.committed.v1', 2, 'inventory', 'advance-order'),
  (8, 'shop.orders', 'shop.orders.order.confirmed.v1', 2, 'orders', 'count-figures'),
  (9, 'shop.payments.commands', 'shop.payments.capture.v1', 2, 'orders', 'capture-payment'),
  (10, 'shop.payments', 'shop.payments.payment.captured.v1', 2, 'payments', 'advance-order');
create temp table numbers as select gen_random_uuid() as id, o from generate_series(1, {orders}) o;

insert into inventory.locations (id, name, created_at) values ('LON', 'London', now());
insert into inventory.items (sku, tracked, status, updated_at)
select 'sku-' || n, true, 'in_stock', now() from generate_series(0, {skus} - 1) n;
insert into inventory.stock (sku, location) select 'sku-' || n, 'LON' from generate_series(0, {skus} - 1) n;
insert into orders.orders (id, number, customer_id, recorded, placed_at, currency, total_minor, payment_token, status,
  version, created_at)
select id, 'N' || o, 'c' || o % 1000, true, now(), 'GBP', {lines} * 200, 'tok_approve', 'confirmed', 3, now()
from numbers;
insert into orders.order_lines (order_id, line_no, sku, title, quantity, unit_price_minor, total_minor)
select id, l, 'sku-' || (o * 31 + l) % {skus}, 'A thing to buy', 2, 100, 200
from numbers, generate_series(1, {lines}) l;
insert into inventory.holds (order_id, status, expires_at, created_at, updated_at)
select id, 'COMMITTED', now(), now(), now() from numbers;
insert into inventory.hold_lines (order_id, sku, location, quantity)
select order_id, sku, 'LON', sum(quantity) from orders.order_lines group by order_id, sku;
insert into inventory.ledger (sku, location, delta, on_hand, reason, actor, at, recorded_at)
select sku, 'LON', 1000, 1000, 'count', 'ann', now(), now() from inventory.stock;
update inventory.stock s set on_hand = 1000, committed = l.quantity
from (select sku, sum(quantity) as quantity from inventory.hold_lines group by sku) l where l.sku = s.sku;
insert into orders.sagas (order_id, state, payment, moves, updated_at)
select id, 'completed', 'captured', 5, now() from numbers;
insert into orders.saga_moves (order_id, position, from_state, to_state, cause, event_id, asked, at)
select id, position, from_state, to_state, cause, gen_random_uuid(), asked, now() from numbers, moves;
insert into payments.payments (order_id, last_said, currency, amount_minor, authorized_minor, captured_minor,
  created_at, updated_at)
select id, 'captured', 'GBP', {lines} * 200, {lines} * 200, {lines} * 200, now(), now() from numbers;
insert into payments.attempts (key, order_id, operation, amount_minor, state, created_at, finished_at)
select id || '/' || operation, id, operation, {lines} * 200, 'succeeded', now(), now()
from numbers, (values ('authorize'), ('capture')) as t (operation);
insert into payments.ledger (at, order_id, attempt_key, debit_account, credit_account, amount_minor, currency)
select now(), id, id || '/' || operation, debit, credit, {lines} * 200, 'GBP'
from numbers, (values ('authorize', 'authorized', 'customer'), ('capture', 'captured', 'authorized'))
  as t (operation, debit, credit);
insert into orders.sales_facts (id, kind, order_id, at, day, currency, country, reason, amount_minor, units)
select id, kind, order_id, at, day, currency, country, reason, amount_minor, units from orders.sales_facts_now;
insert into orders.sales_days {totals};
insert into orders.product_days {products};
insert into platform.outbox (id, source, type, topic, partition, key, sequence, time, data, log_offset, published_at)
select gen_random_uuid(), '/shop/' || domain || '/a-function', type, topic, o % 16, id, sequence, now(),
  case when n = 1 then repeat('x', 4000)::bytea else '{{}}'::bytea end,
  row_number() over (partition by topic, o % 16 order by n, o) - 1, now()
from numbers, said order by n, o;
insert into platform.outbox (id, source, type, topic, partition, key, sequence, time, data, log_offset, published_at)
select gen_random_uuid(), '/shop/inventory/set-stock-level', 'shop.inventory.stock.adjusted.v1', 'shop.stock', n % 16,
  'sku-' || n, 1, now(), '{{"status": "in_stock"}}'::bytea, n / 16, now()
from generate_series(0, {skus} - 1) n;
insert into platform.streams (topic, key, sequence)
select topic, key, max(sequence) from platform.outbox group by topic, key;
insert into platform.log_heads (topic, partition, next_offset)
select topic, partition, count(*) from platform.outbox group by topic, partition;
insert into platform.consumer_offsets (consumer, topic, partition, next_offset)
select distinct consumer, topic, partition, next_offset
from platform.log_heads join (select distinct consumer, topic from said where consumer is not null) s using (topic);
insert into platform.inbox (consumer, source, event_id)
select consumer, source, id from platform.outbox join (select distinct consumer, type from said) s using (type)
where consumer is not null;
insert into platform.idempotency (function, principal, route, key, fingerprint, status, headers, body, expires_at)
select 'fn_record_order', 'ann', 'POST /v1/admin/orders', o, '', 201, '{{}}',
  convert_to(jsonb_build_object('id', id, 'lines', (
    select jsonb_agg(to_jsonb(l)) from orders.order_lines l where l.order_id = id))::text, 'UTF8'),
  now() + interval '1 day'
from numbers
"""


@pytest.mark.nightly
async def test_all_checks_in_two_seconds(ask: Ask, db: Books, database: Cloned) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        sums = {
            name: sql.format(facts="orders.sales_facts") for name, sql in (("totals", TOTALS), ("products", PRODUCTS))
        }
        connection.execute(FILL.format(orders=ORDERS, lines=LINES, skus=SKUS, **sums))
    elapsed = []
    for _ in range(3):
        started = perf_counter()
        answer = await ask(check_invariants, "/v1/invariants", roles=("operator",))
        elapsed.append(perf_counter() - started)
        told = json.loads(answer.body)
        assert [check for check in told["checks"] if check["violations"]] == []

    assert await db.value("select count(*) from orders.order_lines") == ORDERS * LINES
    assert min(elapsed) < 2.0
