-- Figures of sales: every sale and what became of it as a fact, counted once, and sums by day for those who read them.
-- It comes after payments, whose books it reads.

-- The day of a fact is that of the shop's clock on the wall.
create table orders.figures_policy (
  one       boolean primary key default true check (one),
  time_zone text    not null
);
insert into orders.figures_policy (time_zone) values ('UTC');

-- `id` is the order's, or the refund's. A fact never changes once its time has come.
create table orders.sales_facts (
  id           uuid        not null,
  kind         text        not null
               check (kind in ('sale', 'cancellation', 'short', 'refund', 'rejected', 'expired', 'withdrawn')),
  order_id     uuid        not null,
  at           timestamptz not null,
  day          date        not null,
  currency     text        not null,
  country      text        not null,
  reason       text        not null,
  amount_minor bigint      not null,
  units        bigint      not null,
  primary key (order_id, kind, id)
);
create index sales_facts_by_day on orders.sales_facts (day);

create table orders.sales_days (
  day          date   not null,
  currency     text   not null,
  country      text   not null,
  kind         text   not null,
  reason       text   not null,
  facts        bigint not null,
  amount_minor bigint not null,
  units        bigint not null,
  primary key (day, currency, country, kind, reason)
) with (fillfactor = 70);

create table orders.product_days (
  day          date   not null,
  currency     text   not null,
  country      text   not null,
  category     text   not null,
  sku          text   not null,
  kind         text   not null,
  amount_minor bigint not null,
  units        bigint not null,
  primary key (day, currency, country, category, sku, kind)
) with (fillfactor = 70);

comment on table orders.sales_days is 'Sums of orders.sales_facts: whole orders with their shipping';
comment on table orders.product_days is 'The same by line, without shipping';
comment on column orders.sales_facts.country is 'as it was known when the fact was counted; empty if it was not';

-- What the books say at this moment: the one source of facts.
create view orders.sales_facts_now as
select f.*, (f.at at time zone p.time_zone)::date as day
from (
  select o.id, case when confirmed then 'sale' when o.status = 'cancelled' then 'withdrawn' else o.status end as kind,
    o.id as order_id, o.placed_at as at, o.currency, coalesce(o.country, c.country, '') as country,
    case when confirmed then '' when o.status <> 'cancelled' then coalesce(s.reason, '') else 'asked_for' end as reason,
    o.total_minor as amount_minor,
    (select sum(l.quantity) from orders.order_lines l where l.order_id = o.id) as units
  from orders.orders o
  join orders.sagas s on s.order_id = o.id
  left join orders.customers c on c.id = o.customer_id
  cross join lateral (
    select o.status in ('confirmed', 'completed') or o.status not in ('rejected', 'expired') and exists (
      select from orders.saga_moves m
      where m.order_id = o.id and m.from_state = 'committing' and m.cause = 'HoldCommitted'
    ) as confirmed
  ) as sold
  where confirmed or o.status in ('rejected', 'expired', 'cancelled')
  union all
  -- What was paid back because it was cancelled is no refund: the sale itself is taken out, less what refunds took.
  select o.id, case o.status when 'cancelled' then 'cancellation' else 'short' end, o.id, e.at, o.currency,
    coalesce(o.country, c.country, ''),
    case when o.status <> 'cancelled' then '' when s.reason = 'capture_failed' then s.reason else 'asked_for' end,
    o.total_minor - coalesce(p.captured_minor, 0) + e.back_minor,
    (select sum(case o.status when 'cancelled' then l.quantity - l.returned_quantity else l.cancelled_quantity end)
     from orders.order_lines l where l.order_id = o.id)
  from orders.orders o
  join orders.sagas s on s.order_id = o.id
  left join orders.customers c on c.id = o.customer_id
  left join payments.payments p on p.order_id = o.id
  cross join lateral (
    select coalesce(case o.status
        when 'cancelled' then
          (select max(m.at) from orders.saga_moves m where m.order_id = o.id and m.to_state = 'cancelled')
        else max(a.finished_at) filter (where a.operation = 'capture')
      end, s.updated_at) as at,
      coalesce(sum(a.amount_minor) filter (where a.operation = 'refund' and a.key like o.id || '/%'), 0)::bigint
        as back_minor
    from payments.attempts a where a.order_id = o.id and a.state = 'succeeded'
  ) as e
  where o.status = 'cancelled' and exists (
      select from orders.saga_moves m
      where m.order_id = o.id and m.from_state = 'committing' and m.cause = 'HoldCommitted')
    or o.status = 'completed' and o.total_minor > coalesce(p.captured_minor, 0)
  union all
  select a.refund_id, 'refund', a.order_id, coalesce(r.returned_at, a.finished_at), o.currency,
    coalesce(o.country, c.country, ''), '', a.amount_minor, coalesce(l.quantity, 0)
  from payments.attempts a
  join orders.orders o on o.id = a.order_id
  left join orders.customers c on c.id = o.customer_id
  left join orders.return_lines l on l.refund_id = a.refund_id
  left join orders.returns r on r.id = l.return_id
  where a.operation = 'refund' and a.state = 'succeeded' and a.key not like a.order_id || '/%'
) as f
cross join orders.figures_policy p;

-- The lines of facts. What was cancelled is given by line as far as it had not come back before.
create function orders.lines_of(kind text, id uuid, order_id uuid)
returns table (sku text, category text, amount_minor bigint, units bigint) language sql stable as $$
  select l.sku, coalesce(l.category_id::text, ''),
    case $1 when 'sale' then l.total_minor else trunc(l.total_minor::numeric * part.units / l.quantity)::bigint end,
    part.units
  from orders.order_lines l
  cross join lateral (
    select case $1 when 'sale' then l.quantity when 'cancellation' then l.quantity - l.returned_quantity
      else l.cancelled_quantity end::bigint as units
  ) as part
  where l.order_id = $3 and $1 in ('sale', 'cancellation', 'short') and part.units > 0
  union all
  select o.sku, coalesce(o.category_id::text, ''), l.amount_minor, l.quantity
  from orders.return_lines l join orders.order_lines o using (order_id, line_no)
  where $1 = 'refund' and l.refund_id = $2
$$;
