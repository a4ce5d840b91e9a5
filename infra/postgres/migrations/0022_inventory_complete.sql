-- Safety stock, back-orders, thresholds by location, transfers, locations that end, and a ledger that answers for the past.

-- What a location may send to is a list of ISO 3166-1 alpha-2 codes; without one it sends anywhere.
alter table inventory.locations
  add column address  jsonb,
  add column ships_to text[],
  add column version  int not null default 1;

-- How stock is allocated where an order does not say: one row.
create table inventory.policy (
  one        boolean primary key default true check (one),
  allocation text    not null check (allocation in ('priority', 'most_stock', 'fewest_splits'))
);
insert into inventory.policy (allocation) values ('fewest_splits');

-- `policy_at` is when somebody set the policy; without it the SKU has always been tracked.
alter table inventory.items add column policy_at timestamptz;
update inventory.items set policy_at = updated_at;

-- `status` is what was told last of the SKU. It is kept, because it depends on where it comes from: what was low is in
-- stock again some units above the threshold, so that it does not flap around it.
alter table inventory.items
  add column status text not null default 'out_of_stock'
    check (status in ('in_stock', 'low', 'backorder', 'out_of_stock'));

insert into inventory.items (sku, tracked, updated_at)
select distinct sku, true, now() from inventory.stock on conflict (sku) do nothing;

update inventory.items i set status = case
    when not i.tracked then 'in_stock'
    when s.available <= 0 then 'out_of_stock'
    when s.available <= coalesce(i.low_at, 5) then 'low'
    else 'in_stock'
  end
from (
  select i.sku, coalesce(sum(greatest(0, s.on_hand - s.held - s.committed)) filter (where l.closed_at is null), 0)
    as available
  from inventory.items i
  left join inventory.stock s on s.sku = i.sku
  left join inventory.locations l on l.id = s.location
  group by i.sku
) s
where s.sku = i.sku;

-- Up to `backorder_limit` units may be promised beyond what is there; `safety_stock` is not sold. A threshold of the
-- location's own makes it tell its status, which `status` keeps as items do. `changed_at` is the newest entry's.
alter table inventory.stock
  add column safety_stock    bigint not null default 0 check (safety_stock >= 0),
  add column backorder_limit bigint not null default 0 check (backorder_limit >= 0),
  add column low_at          int check (low_at >= 0),
  add column status          text not null default 'out_of_stock'
    check (status in ('in_stock', 'low', 'backorder', 'out_of_stock')),
  add column changed_at      timestamptz not null default '-infinity',
  add column policy_at       timestamptz,
  drop constraint stock_not_oversold,
  -- A hold touches neither the shortfall nor the limit, so it cannot promise more than both allow.
  add constraint stock_not_oversold
    check (shortfall = greatest(0, held + committed - on_hand - backorder_limit));
create index stock_shortfall on inventory.stock (sku, location) where shortfall > 0;
create index stock_location on inventory.stock (location, sku);

update inventory.stock s set changed_at = l.changed_at
from (select sku, location, max(recorded_at) as changed_at from inventory.ledger group by sku, location) l
where (l.sku, l.location) = (s.sku, s.location);

-- A hold may be shipped and given back in parts; `shortages` is also what a hold of what is possible could not have.
alter table inventory.holds
  drop constraint holds_check,
  drop constraint holds_status_check,
  add constraint holds_status_check
    check (status in ('HELD', 'REJECTED', 'COMMITTED', 'SHIPPED', 'RELEASED', 'EXPIRED'));
create index holds_live on inventory.holds (status, created_at, order_id) where status in ('HELD', 'COMMITTED');

-- What is still open of a line counts in the stock's `held` or `committed`.
alter table inventory.hold_lines
  add column released bigint not null default 0 check (released >= 0),
  add column shipped  bigint not null default 0 check (shipped >= 0),
  add constraint hold_lines_open check (released + shipped <= quantity);
update inventory.hold_lines l set released = quantity
from inventory.holds h where h.order_id = l.order_id and h.status in ('RELEASED', 'EXPIRED');
create index hold_lines_open on inventory.hold_lines (sku, location, order_id) where released + shipped < quantity;

-- A shipment or a release of a part, by the key of the command: it is done once, and answered each time.
create table inventory.hold_parts (
  id       uuid        primary key,
  order_id uuid        not null references inventory.holds (order_id),
  kind     text        not null check (kind in ('shipped', 'released')),
  lines    jsonb       not null,
  at       timestamptz not null
);
create index hold_parts_order on inventory.hold_parts (order_id);

-- `order_id` is the order that the goods left for, `event` the event that made the entry, `transfer` what it is part of.
alter table inventory.ledger
  add column order_id uuid,
  add column event    text,
  add column transfer uuid;
create index ledger_history on inventory.ledger (sku, location, recorded_at, id);
create index ledger_time on inventory.ledger (recorded_at, id);
create index ledger_order on inventory.ledger (order_id) where order_id is not null;
drop index inventory.ledger_sku;
create index ledger_sku on inventory.ledger (sku, recorded_at, id);

-- Goods on their way: from a location, or, without an origin, from a supplier.
create table inventory.transfers (
  id          uuid        primary key,
  origin      text        references inventory.locations (id),
  destination text        not null references inventory.locations (id),
  status      text        not null check (status in ('in_transit', 'arrived', 'cancelled')),
  reference   text,
  note        text,
  expected_at timestamptz,
  actor       text        not null,
  created_at  timestamptz not null,
  updated_at  timestamptz not null,
  check (origin <> destination)
);
create index transfers_open on inventory.transfers (created_at, id) where status = 'in_transit';
create index transfers_created on inventory.transfers (created_at, id);

-- What is not arrived, lost or returned is still on its way.
create table inventory.transfer_lines (
  transfer_id uuid   not null references inventory.transfers (id),
  sku         text   not null,
  quantity    bigint not null check (quantity > 0),
  arrived     bigint not null default 0 check (arrived >= 0),
  lost        bigint not null default 0 check (lost >= 0),
  returned    bigint not null default 0 check (returned >= 0),
  primary key (transfer_id, sku),
  check (arrived + lost + returned <= quantity)
);
create index transfer_lines_open on inventory.transfer_lines (sku) where arrived + lost + returned < quantity;
