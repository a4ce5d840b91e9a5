-- What is asked of the books: their pages by every filter, how long something has been short, and what was mended.

-- Each index ends in the order of the pages. Entries of a SKU are merged from its locations', so one of the SKU alone is
-- not needed. Only what brings goods is in the last two: a shipment does not pay for them.
drop index inventory.ledger_sku;
create index ledger_reason on inventory.ledger (sku, location, reason, recorded_at, id);
create index ledger_place on inventory.ledger (location, reason, recorded_at, id);
create index ledger_actor on inventory.ledger (actor, recorded_at, id);
create index ledger_transfer on inventory.ledger (transfer) where transfer is not null;
create index ledger_brought on inventory.ledger (sku, location, recorded_at, id) where delta > 0;

create index holds_ended on inventory.holds (status, created_at, order_id)
  where status in ('REJECTED', 'SHIPPED', 'RELEASED', 'EXPIRED');

-- `short_since` is kept here, whoever makes or ends a shortfall; an update that does not name the shortfall pays nothing.
alter table inventory.stock add column short_since timestamptz;
update inventory.stock set short_since = changed_at where shortfall > 0;
create function inventory.keep_short_since() returns trigger language plpgsql as $$
begin
  new.short_since := case when new.shortfall > 0 then transaction_timestamp() end;
  return new;
end $$;
create trigger stock_short_since before update of shortfall on inventory.stock
  for each row when ((old.shortfall > 0) <> (new.shortfall > 0)) execute function inventory.keep_short_since();

create or replace function inventory.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '%.% is append-only', tg_table_schema, tg_table_name;
end $$;

-- What was found wrong and put right, by whom. A broken chain of entries cannot be put right: it is taken as it is up to
-- `entry`, and goes on from `on_hand`.
create table inventory.mendings (
  id       bigint      generated always as identity primary key,
  sku      text        not null,
  location text,
  what     text        not null,
  cause    text        not null,
  found    jsonb       not null,
  expected jsonb       not null,
  mend     text        not null check (mend in ('counters', 'ledger')),
  actor    text        not null check (actor <> ''),
  entry    bigint      not null,
  on_hand  bigint      not null,
  at       timestamptz not null
);
create index mendings_sku on inventory.mendings (sku, location, id);
create trigger mendings_are_append_only before update or delete or truncate on inventory.mendings
  for each statement execute function inventory.refuse_change();
