-- Stock by SKU and location, what orders hold of it, and the ledger through which alone it changes.
create schema if not exists inventory;

-- A lower priority is served first. A closed location keeps its stock and its holds, and gives no more.
create table inventory.locations (
  id         text        primary key,
  name       text        not null,
  priority   int         not null default 100,
  created_at timestamptz not null,
  closed_at  timestamptz
);

-- The policy of a SKU; one without a row is tracked.
create table inventory.items (
  sku        text        primary key,
  tracked    boolean     not null,
  updated_at timestamptz not null
);

-- A recount may find less than is promised: what is missing is the shortfall, and nothing more can be held meanwhile.
create table inventory.stock (
  sku       text   not null,
  location  text   not null references inventory.locations (id),
  on_hand   bigint not null default 0 check (on_hand >= 0),
  held      bigint not null default 0 check (held >= 0),
  committed bigint not null default 0 check (committed >= 0),
  shortfall bigint not null default 0,
  version   int    not null default 0,
  primary key (sku, location),
  -- Also what makes overselling impossible: a hold does not touch the shortfall, so it cannot promise more than there is.
  constraint stock_not_oversold check (shortfall = greatest(0, held + committed - on_hand))
) with (fillfactor = 70);

-- One row per order, for ever: it also remembers that an order was refused, or released before it held anything.
create table inventory.holds (
  order_id   uuid        primary key,
  status     text        not null check (status in ('HELD', 'REJECTED', 'COMMITTED', 'RELEASED', 'EXPIRED')),
  expires_at timestamptz not null,
  shortages  jsonb       check ((status = 'REJECTED') = (shortages is not null)),
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index holds_due on inventory.holds (expires_at) where status = 'HELD';

-- What a hold took, as long as it is HELD or COMMITTED; afterwards, what it had taken. Untracked SKUs take nothing.
create table inventory.hold_lines (
  order_id uuid   not null,
  sku      text   not null,
  location text   not null,
  quantity bigint not null check (quantity > 0),
  primary key (order_id, sku, location)
);

-- `at` is when the goods moved, `cause` the correlation id of the request; `on_hand` is the level that the entry led to.
create table inventory.ledger (
  id          bigint      generated always as identity primary key,
  sku         text        not null,
  location    text        not null,
  delta       bigint      not null check (delta <> 0),
  on_hand     bigint      not null check (on_hand >= 0),
  reason      text        not null check (reason <> ''),
  actor       text        not null check (actor <> ''),
  note        text,
  cause       text,
  at          timestamptz not null,
  recorded_at timestamptz not null,
  foreign key (sku, location) references inventory.stock (sku, location)
);
create index ledger_sku on inventory.ledger (sku, id);

create function inventory.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'inventory.ledger is append-only';
end $$;
create trigger ledger_is_append_only before update or delete or truncate on inventory.ledger
  for each statement execute function inventory.refuse_change();
