-- What leaves from where, what never leaves, what comes back, and the money of each: every command beyond the checkout
-- is a step that one answer settles.

-- One for each location that an order's goods are at, or for a part of it that left by itself.
create table orders.fulfilments (
  id              uuid        primary key,
  order_id        uuid        not null references orders.orders,
  location        text,
  status          text        not null
                  check (status in ('pending', 'shipping', 'shipped', 'delivered', 'cancelled', 'returned')),
  refused         text,
  carrier         text,
  tracking_number text,
  tracking_url    text,
  created_at      timestamptz not null,
  shipped_at      timestamptz,
  delivered_at    timestamptz
);
create index fulfilments_of_order on orders.fulfilments (order_id);
create index fulfilments_to_pick on orders.fulfilments (created_at, id) where status in ('pending', 'shipping');
comment on column orders.fulfilments.location is 'null: of goods whose stock is not tracked';
comment on column orders.fulfilments.refused is 'why inventory let nothing leave when it was asked last';

-- `cancelling` is asked back from inventory. The money is each part's share of its line's total. Of a part that was
-- moved to a fulfilment of its own nothing is left.
create table orders.fulfilment_lines (
  fulfilment_id   uuid   not null references orders.fulfilments,
  line_no         int    not null,
  order_id        uuid   not null,
  quantity        int    not null check (quantity >= 0),
  shipped         int    not null default 0 check (shipped >= 0),
  cancelled       int    not null default 0 check (cancelled >= 0),
  cancelling      int    not null default 0 check (cancelling >= 0),
  shipped_minor   bigint not null default 0 check (shipped_minor >= 0),
  cancelled_minor bigint not null default 0 check (cancelled_minor >= 0),
  primary key (fulfilment_id, line_no),
  foreign key (order_id, line_no) references orders.order_lines,
  constraint fulfilment_line_quantities check (shipped + cancelled + cancelling <= quantity)
);
create index fulfilment_lines_of_order on orders.fulfilment_lines (order_id);

-- A command and what became of it. Its id is the part's or the refund's that it names.
create table orders.steps (
  id           uuid        primary key,
  order_id     uuid        not null references orders.orders,
  kind         text        not null check (kind in ('ship', 'release', 'capture', 'void', 'refund', 'restock')),
  state        text        not null check (state in ('asked', 'done', 'failed', 'needs_attention', 'given_up')),
  lines        jsonb       not null default '[]',
  amount_minor bigint      check (amount_minor > 0),
  location     text,
  source       text        not null,
  reason       text        not null,
  answer       text,
  tries        int         not null default 1,
  asked        int         not null default 1,
  deadline     timestamptz,
  created_at   timestamptz not null,
  updated_at   timestamptz not null,
  check ((state = 'asked') = (deadline is not null)),
  check ((kind in ('capture', 'void', 'refund')) = (amount_minor is not null))
);
create index steps_due on orders.steps (deadline) where deadline is not null;
create index steps_of_order on orders.steps (order_id);
create index steps_stuck on orders.steps (updated_at, id) where state = 'needs_attention';
comment on column orders.steps.tries is 'how often it was begun under a new key';
comment on column orders.steps.asked is 'how often the command was sent under its key';

create table orders.refund_requests (
  id            uuid        primary key,
  order_id      uuid        not null references orders.orders,
  lines         jsonb       not null default '[]',
  amount_minor  bigint      not null check (amount_minor > 0),
  reason        text        not null,
  status        text        not null check (status in ('open', 'granted', 'denied')),
  granted_minor bigint      check (granted_minor > 0),
  answer        text,
  decided_by    text,
  decided_at    timestamptz,
  created_at    timestamptz not null,
  check ((status = 'open') = (decided_at is null)),
  check ((status = 'granted') = (granted_minor is not null))
);
create unique index refund_requests_open on orders.refund_requests (order_id) where status = 'open';
create index refund_requests_by_time on orders.refund_requests (created_at, id);
create index refund_requests_of_order on orders.refund_requests (order_id);

-- Each is asked of payments by the step of the same id.
create table orders.refunds (
  id           uuid        primary key,
  order_id     uuid        not null references orders.orders,
  amount_minor bigint      not null check (amount_minor > 0),
  source       text        not null check (source in ('cancellation', 'shortage', 'request', 'return', 'goodwill')),
  reason       text        not null,
  status       text        not null check (status in ('requested', 'succeeded', 'failed')),
  failure      text,
  request_id   uuid        references orders.refund_requests,
  created_at   timestamptz not null,
  updated_at   timestamptz not null,
  check ((status = 'failed') = (failure is not null))
);
create index refunds_of_order on orders.refunds (order_id);
create index refunds_by_time on orders.refunds (created_at, id);
create index refunds_unsettled on orders.refunds (created_at, id) where status <> 'succeeded';

-- Goods that a customer may send back. What is authorised counts in the line's `returned_quantity` until it is closed.
create table orders.goods_returns (
  id         uuid        primary key,
  order_id   uuid        not null references orders.orders,
  status     text        not null check (status in ('authorized', 'received', 'closed')),
  refund     text        not null check (refund in ('before', 'on_receipt', 'none')),
  reason     text        not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index goods_returns_by_time on orders.goods_returns (created_at, id);
create index goods_returns_of_order on orders.goods_returns (order_id);

create table orders.goods_return_lines (
  return_id    uuid   not null references orders.goods_returns,
  line_no      int    not null,
  order_id     uuid   not null,
  quantity     int    not null check (quantity > 0),
  restocked    int    not null default 0 check (restocked >= 0),
  damaged      int    not null default 0 check (damaged >= 0),
  amount_minor bigint not null check (amount_minor >= 0),
  primary key (return_id, line_no),
  foreign key (order_id, line_no) references orders.order_lines,
  check (restocked + damaged <= quantity)
);

alter table orders.orders
  add column captured_minor bigint not null default 0 check (captured_minor between 0 and total_minor),
  add constraint refunded_within_captured check (capture = 'now' or refunded_minor <= captured_minor);
comment on column orders.orders.captured_minor is 'what the shipments of an order took that is paid at shipment';

-- Goods that come back for an order are a part of it, too.
alter table inventory.hold_parts
  drop constraint hold_parts_kind_check,
  add constraint hold_parts_kind_check check (kind in ('shipped', 'released', 'returned'));

-- What was sold before: its refunds, and what is still to be shipped.
insert into orders.refunds (id, order_id, amount_minor, source, reason, status, failure, created_at, updated_at)
select l.refund_id, l.order_id, l.amount_minor, 'return', r.reason, l.status,
  case when l.status = 'failed' then coalesce(l.failure, 'unknown') end, r.created_at, r.created_at
from orders.return_lines l join orders.returns r on r.id = l.return_id
where l.amount_minor > 0;

insert into orders.steps
  (id, order_id, kind, state, amount_minor, source, reason, answer, deadline, created_at, updated_at)
select id, order_id, 'refund', case status when 'requested' then 'asked' when 'succeeded' then 'done' else 'failed' end,
  amount_minor, source, reason, failure, case when status = 'requested' then now() end, created_at, updated_at
from orders.refunds;

create temporary table planned on commit drop as
with open as (
  select o.id as order_id, l.line_no, l.sku, l.quantity,
    sum(l.quantity) over (partition by o.id, l.sku order by l.line_no) - l.quantity as before
  from orders.orders o
  join orders.sagas s on s.order_id = o.id
  join orders.order_lines l on l.order_id = o.id
  where s.state in ('completed', 'capturing')
), held as (
  select order_id, sku, location, quantity,
    sum(quantity) over (partition by order_id, sku order by location) - quantity as before
  from inventory.hold_lines
)
select o.order_id, o.line_no, h.location,
  case when h.sku is null then o.quantity
    else least(o.before + o.quantity, h.before + h.quantity) - greatest(o.before, h.before) end as quantity
from open o
left join held h on h.order_id = o.order_id and h.sku = o.sku
  and h.before < o.before + o.quantity and o.before < h.before + h.quantity;

create temporary table planned_from on commit drop as
select gen_random_uuid() as id, order_id, location from planned group by order_id, location;

insert into orders.fulfilments (id, order_id, location, status, created_at)
select id, order_id, location, 'pending', now() from planned_from;

insert into orders.fulfilment_lines (fulfilment_id, line_no, order_id, quantity)
select f.id, p.line_no, p.order_id, p.quantity
from planned p join planned_from f on f.order_id = p.order_id and f.location is not distinct from p.location;
