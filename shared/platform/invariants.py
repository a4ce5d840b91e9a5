"""What must hold whatever happens, as a table: a name, a sentence, and the SQL that finds whatever breaks it.

All checks are one statement: one snapshot, so that a shop that is running is never seen in the middle of a transaction.
"""

from typing import NamedTuple

from sqlalchemy import text

from shared.inventory.queries import FITS, standings
from shared.orders.queries import PRODUCTS, TOTALS


class Check(NamedTuple):
    """`sql` gives one row for each violation; its columns are what an operator needs to look further."""

    name: str
    sentence: str
    sql: str


# Rows older than this may have lost their counterpart to forget_old_rows, which starts at 30 days.
_RECENT = "now() - interval '7 days'"

_OURS = "o.topic not like 'shop.retry.%' and o.topic not like 'shop.dead.%'"

CHECKS = (
    Check(
        "stock_equals_ledger",
        "What is on hand is the sum of the ledger, and every entry leads on from the one before.",
        # Entries that a reconciliation has accepted as they are lead on from nothing.
        """
        select sku, location, s.on_hand, coalesce(l.total, 0) as ledger
        from inventory.stock s
        full join (select sku, location, sum(delta) as total from inventory.ledger group by sku, location) l
          using (sku, location)
        where s.on_hand is distinct from coalesce(l.total, 0)
        union all
        select sku, location, on_hand, before + delta from (
          select sku, location, l.id, l.delta, l.on_hand, coalesce(a.entry, 0) as accepted,
            case when lag(l.id) over entries > coalesce(a.entry, 0) then lag(l.on_hand) over entries
              else coalesce(a.on_hand, 0) end as before
          from inventory.ledger l
          left join (
            select distinct on (sku, location) sku, location, entry, on_hand from inventory.mendings
            where what = 'entries' order by sku, location, id desc
          ) a using (sku, location)
          window entries as (partition by sku, location order by l.id)
        ) e where id > accepted and on_hand <> before + delta
        """,
    ),
    Check(
        "promised_equals_holds",
        "What is held and committed of a stock is the sum of the live holds on it.",
        """
        select sku, location, s.held, s.committed, h.held as in_holds_held, h.committed as in_holds_committed
        from inventory.stock s
        full join (
          select l.sku, l.location,
            coalesce(sum(l.quantity - l.released - l.shipped) filter (where h.status = 'HELD'), 0) as held,
            coalesce(sum(l.quantity - l.released - l.shipped) filter (where h.status = 'COMMITTED'), 0) as committed
          from inventory.hold_lines l join inventory.holds h using (order_id)
          where h.status in ('HELD', 'COMMITTED') and l.released + l.shipped < l.quantity
          group by l.sku, l.location
        ) h using (sku, location)
        where (coalesce(s.held, 0), coalesce(s.committed, 0)) <> (coalesce(h.held, 0), coalesce(h.committed, 0))
        """,
    ),
    Check(
        "nothing_is_oversold",
        "No stock is below zero, and no more is promised than may be, unless goods were found missing.",
        """
        select sku, location, on_hand, held, committed, backorder_limit, shortfall from inventory.stock s
        where least(on_hand, held, committed) < 0
          or shortfall <> greatest(0, held + committed - on_hand - backorder_limit)
          or shortfall > 0 and policy_at is null and not exists (
            select from inventory.ledger l where l.sku = s.sku and l.location = s.location and l.delta < 0
            union all select from inventory.mendings m where m.sku = s.sku and m.location = s.location)
        """,
    ),
    Check(
        "transfers_equal_ledger",
        "What left for a transfer, arrived of it and came back is in the ledger; in transit it is while any is open.",
        """
        select transfer_id, sku, t.sent, t.arrived, t.returned, e.left_for_it, e.came, e.came_back
        from (
          select l.transfer_id, l.sku, case when t.origin is null then 0 else l.quantity end as sent, l.arrived,
            case when t.origin is null then 0 else l.returned end as returned
          from inventory.transfer_lines l join inventory.transfers t on t.id = l.transfer_id
        ) t
        full join (
          select transfer as transfer_id, sku,
            coalesce(-sum(delta) filter (where reason = 'transfer_out'), 0) as left_for_it,
            coalesce(sum(delta) filter (where reason in ('transfer_in', 'received')), 0) as came,
            coalesce(sum(delta) filter (where reason = 'transfer_back'), 0) as came_back
          from inventory.ledger where transfer is not null group by transfer, sku
        ) e using (transfer_id, sku)
        where (coalesce(t.sent, 0), coalesce(t.arrived, 0), coalesce(t.returned, 0))
          <> (coalesce(e.left_for_it, 0), coalesce(e.came, 0), coalesce(e.came_back, 0))
        union all
        select t.id, null, null, null, null, null, null, null
        from inventory.transfers t
        left join (
          select transfer_id, sum(quantity - arrived - lost - returned) as open
          from inventory.transfer_lines group by transfer_id
        ) l on l.transfer_id = t.id
        where (t.status = 'in_transit') <> (coalesce(l.open, 0) > 0)
        """,
    ),
    Check(
        "closed_locations_give_nothing",
        "All stock at a location that is closed is withdrawn.",
        """
        select s.sku, s.location, l.closed_at
        from inventory.stock s join inventory.locations l on l.id = s.location
        where l.closed_at is not null and not s.withdrawn
        """,
    ),
    Check(
        "ended_holds_are_empty",
        "Nothing is open of a hold that has ended, and nothing has left for an order that is not paid.",
        """
        select l.order_id, h.status, l.sku, l.location, l.quantity, l.released, l.shipped
        from inventory.hold_lines l join inventory.holds h using (order_id)
        where h.status not in ('HELD', 'COMMITTED') and l.released + l.shipped < l.quantity
          or h.status not in ('COMMITTED', 'SHIPPED') and l.shipped > 0
        """,
    ),
    Check(
        "parts_equal_lines",
        "What left for an order, or was given back in parts, is what the parts say.",
        # The end of a hold gives back the rest without a part.
        """
        with parts as (
          select p.order_id, l.sku, l.location,
            coalesce(sum(l.quantity) filter (where p.kind = 'shipped'), 0) as shipped,
            coalesce(sum(l.quantity) filter (where p.kind = 'released'), 0) as released
          from inventory.hold_parts p
          cross join lateral jsonb_to_recordset(p.lines) as l (sku text, location text, quantity bigint)
          group by p.order_id, l.sku, l.location
        )
        select order_id, sku, location, l.shipped, l.released, p.shipped as shipped_in_parts,
          p.released as released_in_parts
        from (
          select l.order_id, l.sku, l.location, l.shipped, l.released, h.status in ('HELD', 'COMMITTED') as live
          from inventory.hold_lines l join inventory.holds h using (order_id)
          where l.shipped + l.released > 0
        ) l
        full join parts p using (order_id, sku, location)
        where coalesce(l.shipped, 0) <> coalesce(p.shipped, 0)
          or coalesce(l.released, 0) < coalesce(p.released, 0)
          or l.live and l.released <> coalesce(p.released, 0)
        """,
    ),
    Check(
        "shipped_equals_ledger",
        "What the ledger says has left for an order is what its hold says.",
        """
        select order_id, sku, location, l.shipped, e.left_for_it
        from (select order_id, sku, location, shipped from inventory.hold_lines where shipped > 0) l
        full join (
          select order_id, sku, location, -sum(delta) as left_for_it
          from inventory.ledger where reason = 'shipped'
          group by order_id, sku, location
        ) e using (order_id, sku, location)
        where l.shipped is distinct from e.left_for_it
        """,
    ),
    Check(
        "stock_status_is_told",
        "What the last event of a SKU's stock said of its status is what the stock is now.",
        # An event that was forgotten, or is from before events said so, says nothing.
        f"""
        select s.sku, s.status, s.available, s.low_at, e.told
        from ({standings("array(select sku from inventory.stock union select sku from inventory.items)")}) s
        left join platform.streams h on h.topic = 'shop.stock' and h.key = s.sku
        left join lateral (
          select convert_from(o.data, 'UTF8')::json ->> 'status' as told from platform.outbox o
          where o.type like 'shop.inventory.stock.%' and o.key = h.key and o.topic = h.topic and o.sequence = h.sequence
        ) e on true
        where e.told <> s.status or not {FITS}
        """,  # noqa: S608 - of constants
    ),
    Check(
        "alerts_reach_their_targets",
        "A stock alert has one delivery for each target that was enabled for its kind then, and none for any other.",
        # Who was changed within half a minute of the alert may have been seen before or after.
        """
        select a.id as alert, a.kind, t.id as target, d.id as delivery
        from inventory.alerts a
        join inventory.alert_targets t on t.updated_at < a.raised_at - interval '30 seconds'
        left join inventory.alert_deliveries d on d.alert = a.id and d.target = t.id
        where (t.enabled and a.kind = any(t.kinds)) <> (d.id is not null)
        union all
        select a.id, a.kind, t.id, d.id
        from inventory.alert_deliveries d
        join inventory.alerts a on a.id = d.alert
        join inventory.alert_targets t on t.id = d.target
        where t.created_at > a.raised_at + interval '30 seconds'
        """,
    ),
    Check(
        "alert_attempts_are_logged",
        "Every attempt to deliver a stock alert is in its log, and what was delivered was so by one of them.",
        """
        select d.id as delivery, d.status, d.attempts, coalesce(l.attempts, 0) as logged
        from inventory.alert_deliveries d
        left join (
          select delivery, count(*) as attempts, bool_or(outcome = 'delivered') as delivered
          from inventory.alert_attempts group by delivery
        ) l on l.delivery = d.id
        where d.attempts <> coalesce(l.attempts, 0) or d.status = 'delivered' and l.delivered is not true
        """,
    ),
    Check(
        "sold_equals_stock_taken",
        "A confirmed order's stock is committed, and a live hold has what the lines say, less what was cancelled.",
        # What inventory has given back is cancelled once the order has heard of it.
        """
        with asked_back as (
          select p.order_id, l.sku, sum(p.cancelling) as quantity
          from orders.fulfilment_lines p join orders.order_lines l using (order_id, line_no)
          where p.cancelling > 0 group by p.order_id, l.sku
        ), demand as (
          select l.order_id, l.sku, coalesce(max(a.quantity), 0) as asked_back,
            sum(l.quantity - l.cancelled_quantity) - coalesce(max((h.shortages ->> l.sku)::bigint), 0) as quantity
          from orders.order_lines l join inventory.holds h using (order_id)
          left join asked_back a on a.order_id = l.order_id and a.sku = l.sku
          where h.status in ('HELD', 'COMMITTED', 'SHIPPED')
          group by l.order_id, l.sku
        ), taken as (
          select l.order_id, l.sku, sum(l.quantity - l.released) as quantity
          from inventory.hold_lines l join inventory.holds h using (order_id)
          where h.status in ('HELD', 'COMMITTED', 'SHIPPED')
          group by l.order_id, l.sku
        )
        select order_id, sku, demand.quantity as sold, taken.quantity as taken
        from demand full join taken using (order_id, sku)
        where demand.quantity is null
          or taken.quantity not between demand.quantity - demand.asked_back and demand.quantity
          or taken.quantity is null
            and not exists (select from inventory.items i where i.sku = demand.sku and i.policy_at is not null)
        union all
        select o.id, null, null, null
        from orders.orders o left join inventory.holds h on h.order_id = o.id
        where o.status in ('confirmed', 'completed') and coalesce(h.status, '') not in ('COMMITTED', 'SHIPPED')
          and not (h.status = 'RELEASED' and exists (
            select from orders.fulfilment_lines p where p.order_id = o.id and p.cancelled + p.cancelling > 0))
        """,
    ),
    Check(
        "fulfilments_equal_lines",
        "What fulfilments have of a line is the line; what they shipped and cancelled of it is what the line says.",
        """
        select order_id, line_no, l.quantity, p.quantity as arranged, l.shipped_quantity, p.shipped,
          l.cancelled_quantity, p.cancelled
        from orders.order_lines l
        join (
          select order_id, line_no, sum(quantity) as quantity, sum(shipped) as shipped, sum(cancelled) as cancelled
          from orders.fulfilment_lines group by order_id, line_no
        ) p using (order_id, line_no)
        where (l.quantity, l.shipped_quantity, l.cancelled_quantity) <> (p.quantity, p.shipped, p.cancelled)
        union all
        select l.order_id, l.line_no, l.quantity, null, l.shipped_quantity, null, l.cancelled_quantity, null
        from orders.order_lines l
        where l.shipped_quantity + l.cancelled_quantity > 0
          and not exists (
            select from orders.fulfilment_lines p where (p.order_id, p.line_no) = (l.order_id, l.line_no))
        union all
        select f.order_id, p.line_no, p.quantity, null, p.shipped, null, p.cancelled, null
        from orders.fulfilments f join orders.fulfilment_lines p on p.fulfilment_id = f.id
        where p.shipped > 0 and f.status not in ('shipped', 'delivered', 'returned')
          or p.shipped + p.cancelled < p.quantity and f.status in ('shipped', 'delivered', 'returned')
        """,
    ),
    Check(
        "shipments_equal_stock",
        "What has left or was given back for an order is, by SKU, what its fulfilments shipped and cancelled.",
        # Inventory moves first: what it has done and the order has not heard of is what is being asked.
        """
        with ours as (
          select p.order_id, l.sku, f.location, sum(p.shipped) as shipped, sum(p.cancelled) as cancelled,
            sum(p.quantity - p.shipped - p.cancelled) filter (
              where f.status = 'shipping' or p.cancelling > 0 or f.refused is not null) as asked
          from orders.fulfilment_lines p
          join orders.fulfilments f on f.id = p.fulfilment_id
          join orders.order_lines l on l.order_id = p.order_id and l.line_no = p.line_no
          where f.location is not null group by p.order_id, l.sku, f.location
        )
        select o.order_id, o.sku, o.location, o.shipped, h.shipped as left_for_it, o.cancelled, h.released
        from ours o
        left join inventory.hold_lines h using (order_id, sku, location)
        join orders.orders r on r.id = o.order_id
        where r.status in ('confirmed', 'completed')
          and (coalesce(h.shipped, 0) not between o.shipped and o.shipped + coalesce(o.asked, 0)
            or coalesce(h.released, 0) not between o.cancelled and o.cancelled + coalesce(o.asked, 0))
        """,
    ),
    Check(
        "shares_equal_lines",
        "The money of a line's parts is the line's share for as many units, and what was asked for them.",
        # What is paid at once may have been paid back before, as of goodwill: then there is less to give back. What is
        # given back while the whole order is being cancelled is paid back with all of it.
        """
        select l.order_id, l.line_no, l.total_minor, p.minor as in_parts, null as asked, null as what
        from orders.order_lines l
        join (
          select order_id, line_no, sum(shipped_minor + cancelled_minor) as minor
          from orders.fulfilment_lines group by order_id, line_no
        ) p using (order_id, line_no)
        where p.minor <> l.total_minor * (l.shipped_quantity + l.cancelled_quantity) / l.quantity
        union all
        select o.id, null, o.total_minor, case s.kind when 'capture' then p.shipped else p.cancelled end, s.asked,
          s.kind
        from orders.orders o
        join (
          select order_id, sum(shipped_minor) as shipped, sum(cancelled_minor) as cancelled
          from orders.fulfilment_lines group by order_id
        ) p on p.order_id = o.id
        join (
          select order_id, kind, sum(amount_minor) as asked from orders.steps
          where kind = 'capture' or kind in ('void', 'refund') and source in ('cancellation', 'shortage')
          group by order_id, kind
        ) s on s.order_id = o.id
        where case s.kind
            when 'capture' then s.asked <> p.shipped + case when o.fulfilment in ('unfulfilled', 'shipping') then 0
              else o.shipping_minor end
            when 'void' then s.asked > p.cancelled
              or s.asked < p.cancelled and o.status in ('confirmed', 'completed')
            else s.asked > p.cancelled end
        """,
    ),
    Check(
        "steps_are_settled",
        "Every step is done, or somebody drives it on; what was captured by shipments is what the order says.",
        """
        select id, order_id, kind, state, deadline, asked from orders.steps
        where deadline < now() - interval '60 seconds'
        union all
        select null, o.id, 'capture', o.status, null, null
        from orders.orders o
        left join (
          select order_id, sum(amount_minor) as taken from orders.steps
          where kind = 'capture' and state = 'done' group by order_id
        ) s on s.order_id = o.id
        where o.captured_minor <> coalesce(s.taken, 0)
        union all
        select s.id, s.order_id, s.kind, s.state, s.deadline, s.asked
        from orders.steps s join orders.orders o on o.id = s.order_id
        where o.status = 'completed' and s.state in ('asked', 'needs_attention')
          and s.kind in ('ship', 'release', 'capture')
        """,
    ),
    Check(
        "payments_equal_ledger",
        "What a payment says was authorised, captured, voided, refunded and disputed is what its ledger says.",
        # A reversal takes back an entry of the opposite direction: it counts against that.
        """
        with entries as (
          select order_id, case when reversal then -amount_minor else amount_minor end as amount_minor,
            case when reversal then credit_account || ' ' || debit_account
              else debit_account || ' ' || credit_account end as move
          from payments.ledger
        )
        select p.order_id, p.authorized_minor, p.captured_minor, p.voided_minor, p.refunded_minor, p.disputed_minor,
          p.lost_minor, l.authorized, l.captured, l.voided, l.refunded, l.disputed, l.lost
        from payments.payments p
        left join (
          select order_id,
            sum(amount_minor) filter (where move = 'authorized customer') as authorized,
            sum(amount_minor) filter (where move = 'captured authorized') as captured,
            sum(amount_minor) filter (where move = 'customer authorized') as voided,
            sum(amount_minor) filter (where move = 'customer captured') as refunded,
            sum(case move when 'disputed captured' then amount_minor else -amount_minor end)
              filter (where move in ('disputed captured', 'captured disputed', 'lost disputed')) as disputed,
            sum(amount_minor) filter (where move = 'lost disputed') as lost
          from entries group by order_id
        ) l using (order_id)
        where (p.authorized_minor, p.captured_minor, p.voided_minor, p.refunded_minor, p.disputed_minor, p.lost_minor)
          <> (coalesce(l.authorized, 0), coalesce(l.captured, 0), coalesce(l.voided, 0), coalesce(l.refunded, 0),
            coalesce(l.disputed, 0), coalesce(l.lost, 0))
        """,
    ),
    Check(
        "payment_status_follows",
        "What a payment waits for is what its attempts wait for, and what was said last is what the last one said.",
        """
        with said as (
          select distinct on (order_id) order_id,
            case when state = 'failed' then 'declined' else case operation
              when 'authorize' then 'authorized' when 'capture' then 'captured' else 'voided' end end as said
          from payments.attempts
          where state = 'succeeded' and operation <> 'refund'
            or state = 'failed' and operation = 'authorize'
              and code not in ('voided', 'already_authorized', 'authorized_for_less')
          order by order_id, finished_at desc, operation <> 'void', key desc
        ), open as (
          select order_id, bool_or(state = 'unknown') as unknown, bool_or(state = 'action') as action
          from payments.attempts where state in ('unknown', 'action') group by order_id
        )
        select p.order_id, p.status, p.pending, p.last_said, said.said, open.unknown, open.action
        from payments.payments p left join said using (order_id) left join open using (order_id)
        where (p.pending is null) <> (open.order_id is null)
          or p.pending = 'unknown' and not open.unknown or p.pending = 'action_required' and not open.action
          or p.authorized_minor = p.voided_minor and p.captured_minor = 0 and p.last_said is distinct from said.said
            and not exists (select from payments.reconciliations r where r.order_id = p.order_id)
        """,
    ),
    Check(
        "disputes_equal_ledger",
        "Of every dispute its money is away once, and back or lost once it is closed.",
        """
        select c.id as chargeback_id, c.order_id, c.amount_minor, c.outcome, l.taken, l.closed
        from payments.chargebacks c
        left join (
          select chargeback_id, sum(amount_minor) filter (where debit_account = 'disputed') as taken,
            sum(amount_minor) filter (where (debit_account, credit_account) = ('captured', 'disputed')) as won,
            sum(amount_minor) filter (where debit_account = 'lost') as lost,
            sum(amount_minor) filter (where credit_account = 'disputed') as closed
          from payments.ledger where chargeback_id is not null group by chargeback_id
        ) l on l.chargeback_id = c.id
        where coalesce(l.taken, 0) <> c.amount_minor
          or coalesce(l.won, 0) <> case c.outcome when 'won' then c.amount_minor else 0 end
          or coalesce(l.lost, 0) <> case c.outcome when 'lost' then c.amount_minor else 0 end
        """,
    ),
    Check(
        "refunds_within_captures",
        "No more is refunded than was captured, and no more captured or voided than was authorised.",
        """
        select order_id, authorized_minor, captured_minor, voided_minor, refunded_minor from payments.payments
        where refunded_minor > captured_minor or captured_minor + voided_minor > authorized_minor
        """,
    ),
    Check(
        "confirmed_orders_have_money",
        "Of an order that is paid at shipment its money is authorised, until its goods leave or are cancelled.",
        """
        select o.id as order_id, o.total_minor, p.authorized_minor, p.voided_minor
        from orders.orders o
        join orders.sagas s on s.order_id = o.id
        left join payments.payments p on p.order_id = o.id
        where s.state = 'completed' and o.status = 'confirmed' and o.capture = 'at_shipment'
          and o.fulfilment = 'unfulfilled' and o.total_minor > o.refunded_minor
          and coalesce(p.authorized_minor, 0) <= coalesce(p.voided_minor, 0)
          and exists (select from orders.order_lines l where l.order_id = o.id and l.cancelled_quantity < l.quantity)
        """,
    ),
    Check(
        "one_capture_per_order",
        "An order has at most one capture of all that is left that succeeded or still may, and one per shipment.",
        # Each part has a key of its own; of the whole, another key is another capture.
        """
        select order_id, count(*) as captures from payments.attempts
        where operation = 'capture' and state <> 'failed' and amount_minor is distinct from 0
          and key not like '%/capture/%'
        group by order_id having count(*) > 1
        """,
    ),
    Check(
        "completed_orders_are_paid",
        "Of an order that is paid at once its total was captured by the end of its saga, of another what was shipped.",
        """
        select o.id as order_id, o.total_minor, p.captured_minor
        from orders.orders o
        join orders.sagas s on s.order_id = o.id
        left join payments.payments p on p.order_id = o.id
        where s.state = 'completed' and (
          o.capture = 'now' and o.total_minor <> coalesce(p.captured_minor, 0)
          or o.capture = 'at_shipment' and (coalesce(p.captured_minor, 0) < o.captured_minor
            or o.status = 'completed' and p.captured_minor <> o.captured_minor))
        """,
    ),
    Check(
        "refunds_equal_orders",
        "What was asked to be refunded of an order is in the order, what was paid out in the payment.",
        """
        select o.id as order_id, o.refunded_minor, r.asked, r.paid, p.refunded_minor as paid_out
        from orders.orders o
        left join (
          select order_id, coalesce(sum(amount_minor) filter (where status <> 'failed'), 0) as asked,
            coalesce(sum(amount_minor) filter (where status = 'succeeded'), 0) as paid
          from orders.refunds group by order_id
        ) r on r.order_id = o.id
        left join payments.payments p on p.order_id = o.id
        where o.refunded_minor <> coalesce(r.asked, 0)
          or o.status in ('confirmed', 'completed')
            and coalesce(p.refunded_minor, 0) not between coalesce(r.paid, 0) and coalesce(r.asked, 0)
        union all
        select r.order_id, l.amount_minor, r.amount_minor, null, null
        from orders.return_lines l left join orders.refunds r on r.id = l.refund_id
        where l.amount_minor > 0 and (r.id is null or (l.amount_minor, l.status) <> (r.amount_minor, r.status))
        """,
    ),
    Check(
        "figures_equal_books",
        "The figures of sales are what the books say of every order and refund that was counted, and none is left out.",
        # What a function has still to be told of, it has not counted yet.
        """
        select order_id, kind, n.day, n.amount_minor, f.day as counted_on, f.amount_minor as counted_minor
        from orders.sales_facts_now n full join orders.sales_facts f using (order_id, kind, id)
        where (n.day, n.currency, n.amount_minor, n.units) is distinct from (f.day, f.currency, f.amount_minor, f.units)
          and not (f.id is null and exists (
            select from platform.outbox o
            join unnest(cast(:consumers as text[]), cast(:types as text[])) as t (consumer, type)
              on t.consumer = 'count-figures' and t.type = o.type
            where o.key = order_id::text and not exists (
              select from platform.inbox i
              where i.consumer = 'count-figures' and i.source = o.source and i.event_id = o.id)))
        """,
    ),
    Check(
        "figures_equal_facts",
        "The sums of every day are those of what was counted.",
        f"""
        select day, currency, country, kind, reason as what, n.amount_minor, d.amount_minor as summed_up
        from ({TOTALS.format(facts="orders.sales_facts")}) n
        full join orders.sales_days d using (day, currency, country, kind, reason)
        where (n.facts, n.amount_minor, n.units) is distinct from (d.facts, d.amount_minor, d.units)
        union all
        select day, currency, country, kind, sku, n.amount_minor, d.amount_minor
        from ({PRODUCTS.format(facts="orders.sales_facts")}) n
        full join orders.product_days d using (day, currency, country, category, sku, kind)
        where (n.amount_minor, n.units) is distinct from (d.amount_minor, d.units)
        """,  # noqa: S608 - of constants
    ),
    Check(
        "net_sales_equal_payments",
        "What was sold, less what was cancelled and refunded, is the money that the payments have kept.",
        # Of an order whose money is still to be taken, nothing is kept yet.
        """
        select order_id, f.net_minor, p.captured_minor, p.refunded_minor
        from (
          select order_id, sum(case kind when 'sale' then amount_minor else -amount_minor end) as net_minor
          from orders.sales_facts where kind in ('sale', 'cancellation', 'short', 'refund') group by order_id
        ) f
        join orders.orders o on o.id = order_id
        join orders.sagas s using (order_id)
        left join payments.payments p using (order_id)
        where (o.status in ('completed', 'cancelled') or o.status = 'confirmed' and s.payment = 'captured')
          and f.net_minor <> coalesce(p.captured_minor - p.refunded_minor, 0)
          and not exists (
            select from orders.sales_facts_now n
            left join orders.sales_facts c on (c.order_id, c.kind, c.id) = (n.order_id, n.kind, n.id)
            where n.order_id = f.order_id and c.id is null)
        """,
    ),
    Check(
        "totals_equal_lines",
        "An order's total is the sum of its lines and its shipping, and so are its parts.",
        """
        select o.id as order_id, o.total_minor, l.total_minor as in_lines, o.shipping_minor,
          o.subtotal_minor, l.subtotal_minor as subtotal_in_lines, o.discount_minor, l.discount_minor as off_lines,
          o.tax_minor, l.tax_minor as tax_in_lines, o.shipping_tax_minor
        from orders.orders o
        left join (
          select order_id, sum(total_minor) as total_minor, sum(quantity * unit_price_minor) as subtotal_minor,
            sum(discount_minor) as discount_minor, sum(tax_minor) as tax_minor
          from orders.order_lines group by order_id
        ) l on l.order_id = o.id
        where (o.total_minor, o.subtotal_minor, o.discount_minor, o.tax_minor) is distinct from
          (l.total_minor + o.shipping_minor, l.subtotal_minor, l.discount_minor, l.tax_minor + o.shipping_tax_minor)
        """,
    ),
    Check(
        "discount_uses_are_counted",
        "A discount's counters are the sum of its uses, none above its limit, and none is of an order without a sale.",
        # An order's end is told before its uses are given back.
        """
        select d.code, null as customer, d.uses, coalesce(u.uses, 0) as counted, cast(null as uuid) as order_id
        from orders.discounts d
        left join (
          select code, count(*) as uses from orders.discount_uses where given_back_at is null group by code
        ) u on u.code = d.code
        where d.uses <> coalesce(u.uses, 0) or d.uses > d.most_uses
        union all
        select code, customer, c.uses, coalesce(u.uses, 0), null
        from orders.discount_customers c
        full join (
          select code, customer, count(*) as uses from orders.discount_uses
          where given_back_at is null and customer is not null group by code, customer
        ) u using (code, customer)
        where coalesce(c.uses, 0) <> coalesce(u.uses, 0)
        union all
        select u.code, u.customer, null, null, u.order_id
        from orders.discount_uses u join orders.orders o on o.id = u.order_id join orders.sagas s using (order_id)
        where u.given_back_at is null and o.status in ('rejected', 'expired', 'cancelled')
          and s.updated_at < now() - interval '60 seconds'
        """,
    ),
    Check(
        "orders_end_in_time",
        "Every saga has ended, or somebody drives it on: none is past its deadline by 60 s.",
        """
        select o.id as order_id, s.state, s.deadline, s.asked
        from orders.orders o left join orders.sagas s on s.order_id = o.id
        where s.order_id is null
          or (s.state = any(:final)) <> (s.deadline is null)
          or s.deadline < now() - interval '60 seconds'
        """,
    ),
    Check(
        "erased_orders_name_nobody",
        "An order that was erased has no e-mail, no address and no payment token.",
        """
        select id as order_id, erased_at from orders.orders
        where erased_at is not null and (email is not null or shipping_address is not null
          or billing_address is not null or payment_token <> 'erased')
        """,
    ),
    Check(
        "transitions_are_legal",
        "Every move of a saga is one of its table's, leads on from the move before, and ends where the saga stands.",
        """
        with moves as (
          select m.*, lag(to_state) over w as before, row_number() over w as n,
            lead(position) over w is null as last
          from orders.saga_moves m window w as (partition by order_id order by position)
        )
        select m.order_id, m.position, m.from_state, m.to_state, m.cause
        from moves m join orders.sagas s using (order_id)
        where concat_ws('/', m.cause, coalesce(m.from_state, ''), m.to_state) <> all(:moves)
          or m.from_state is distinct from m.before
          or m.position <> m.n
          or m.last and (m.to_state, m.position) <> (s.state, s.moves)
        union all
        select s.order_id, 0, null, s.state, null
        from orders.sagas s
        where (s.moves_forgotten_at is null)
          = not exists (select from orders.saga_moves m where m.order_id = s.order_id)
        """,
    ),
    Check(
        "status_follows_saga",
        "What a customer is told of an order is what its saga says.",
        """
        select o.id as order_id, o.status, s.state, s.ending
        from orders.orders o join orders.sagas s on s.order_id = o.id
        where concat_ws('/', s.state, coalesce(s.ending, ''), o.status) <> all(:statuses)
        """,
    ),
    Check(
        "nothing_is_bound_to_ended_orders",
        "An order that ended without a sale holds no stock and no money, unless a person has seen to that.",
        """
        select s.order_id, s.state, h.status as hold, p.authorized_minor, p.captured_minor, p.voided_minor,
          p.refunded_minor
        from orders.sagas s
        left join inventory.holds h using (order_id)
        left join payments.payments p using (order_id)
        where s.state in ('rejected', 'expired', 'cancelled')
          and not exists (select from orders.saga_moves m where m.order_id = s.order_id and m.cause = 'SagaSkipped')
          and not exists (select from orders.refunds r where r.order_id = s.order_id and r.status <> 'succeeded')
          and (h.status in ('HELD', 'COMMITTED')
            or p.authorized_minor <> p.captured_minor + p.voided_minor
            or p.captured_minor <> p.refunded_minor)
        """,
    ),
    Check(
        "outbox_reaches_the_log",
        "Every event is published within 60 s.",
        # An event that is sent again keeps its first time: it is late when a fresh one behind it is.
        f"""
        select o.id, o.type, o.topic, o.key, o.time from platform.outbox o
        where o.published_at is null and o.position <= (
          select o.position from platform.outbox o where {_OURS} and o.time < now() - interval '60 seconds'
          order by o.position desc limit 1)
        """,  # noqa: S608 - of constants
    ),
    Check(
        "the_log_has_no_gaps",
        "The offsets of a partition of the log follow each other, up to its head.",
        f"""
        select topic, partition, log_offset, following from (
          select o.topic, o.partition, o.log_offset, o.published_at,
            coalesce(lead(o.log_offset) over (partition by o.topic, o.partition order by o.log_offset), h.next_offset)
              as following
          from platform.outbox o join platform.log_heads h on h.topic = o.topic and h.partition = o.partition
          where o.published_at is not null
        ) l where following <> log_offset + 1 and published_at > {_RECENT}
        """,  # noqa: S608 - of constants
    ),
    Check(
        "streams_are_contiguous",
        "The events of a stream are numbered without a gap, and the log has them in that order.",
        f"""
        select topic, key, sequence, following, last from (
          select o.topic, o.key, o.sequence, o.log_offset,
            lead(o.sequence) over w as following, lead(o.log_offset) over w as following_offset, s.sequence as last
          from platform.outbox o left join platform.streams s on s.topic = o.topic and s.key = o.key
          where {_OURS}
          window w as (partition by o.topic, o.key order by o.sequence)
        ) e
        where coalesce(following, last + 1) is distinct from sequence + 1
          or following_offset < log_offset
          or log_offset is null and following_offset is not null
        """,  # noqa: S608 - of constants
    ),
    Check(
        "one_effect_per_event",
        "No event moves a saga twice, and nothing is said twice of an order's way.",
        """
        select order_id::text as key, event_id as what, count(*) as times from orders.saga_moves
        where event_id <> '' group by order_id, event_id having count(*) > 1
        union all
        select key, type, count(*) from platform.outbox
        where topic = 'shop.orders' and type like 'shop.orders.order.%'
          and type not in ('shop.orders.order.awaiting_customer.v1', 'shop.orders.order.card_changed.v1')
        group by key, type having count(*) > 1
        """,
    ),
    Check(
        "one_order_per_key",
        "An idempotency key names one order, which exists, and no other key names it.",
        """
        with k as materialized (
          select function, key, convert_from(body, 'UTF8')::json ->> 'id' as order_id
          from platform.idempotency where function in ('fn_place_order', 'fn_place_guest_order', 'fn_record_order')
        )
        select min(k.function) as function, min(k.key) as key, k.order_id, count(*) as keys
        from k
        left join orders.orders o on o.id::text = k.order_id
        group by k.order_id, o.id
        having count(*) > 1 or o.id is null
        """,
    ),
    Check(
        "events_tell_what_is",
        "What a function applied was committed by another, and what is said of an order is said of one that exists.",
        f"""
        select i.consumer, i.source, i.event_id from platform.inbox i
        where i.source like '/shop/%' and i.consumer <> 'collect-dead-letters' and i.at > {_RECENT}
          and not exists (select from platform.outbox o where o.source = i.source and o.id = i.event_id)
        union all
        select null, o.source, o.id from platform.outbox o
        where o.topic = 'shop.orders' and not exists (select from orders.orders r where r.id::text = o.key)
        """,  # noqa: S608 - of constants
    ),
    Check(
        "no_event_vanishes",
        "Every event that the log has handed to a function was applied, parked or dead-lettered.",
        f"""
        with taken as (
          select * from unnest(cast(:consumers as text[]), cast(:types as text[])) as t (consumer, type)
        ), given as (
          select c.consumer, o.source, o.id, o.type, o.topic
          from platform.consumer_offsets c
          join platform.outbox o on o.topic = c.topic and o.partition = c.partition and o.log_offset < c.next_offset
          join taken t on t.consumer = c.consumer and t.type = o.type
          where o.published_at > {_RECENT}
        )
        select g.consumer, g.source, g.id, g.type from given g
        where not exists (
            select from platform.inbox i where (i.consumer, i.source, i.event_id) = (g.consumer, g.source, g.id))
          and not exists (
            select from platform.dead_letters d where (d.consumer, d.source, d.event_id) = (g.consumer, g.source, g.id))
          and not exists (
            select from platform.outbox d
            where (d.topic, d.source, d.id) = ('shop.dead.' || g.consumer, g.source, g.id))
        union all
        select 'collect-dead-letters', o.source, o.id, o.type
        from platform.consumer_offsets c
        join platform.outbox o on o.topic = c.topic and o.partition = c.partition and o.log_offset < c.next_offset
        where c.consumer = 'collect-dead-letters' and o.topic like 'shop.dead.%'
          and not exists (
            select from platform.dead_letters d
            where d.source = o.source and d.event_id = o.id
              and d.consumer in (substr(o.topic, length('shop.dead.') + 1), 'collect-dead-letters'))
        """,  # noqa: S608 - of constants
    ),
)

MOST_EXAMPLES = 10

# Whole tables are compared: by hash joins in memory, also while little is known of tables that have just been filled.
# On a machine that is short of time the answer may come late, but within a handler's 20 s.
TAKE_TIME = text("""
select count(set_config(name, setting, true)) from (values
  ('work_mem', '64MB'), ('enable_nestloop', 'off'), ('jit', 'off'), ('statement_timeout', '15s')) as s (name, setting)
""")


def _report(n: int, check: Check) -> str:
    return f"""
select {n} as n, count(*) as violations,
  coalesce(jsonb_agg(to_jsonb(found) - 'n_') filter (where n_ <= {MOST_EXAMPLES}), '[]') as examples
from (select *, row_number() over () as n_ from ({check.sql}) as rows) as found"""  # noqa: S608 - the table above


REPORT = text("\nunion all\n".join(_report(n, check) for n, check in enumerate(CHECKS)))
"""All checks on one snapshot."""

REPORTS = {check.name: text(_report(n, check)) for n, check in enumerate(CHECKS)}
"""Each by itself: one snapshot, too, as each is about one thing."""
