-- The desk of those who look after orders: notes, what is searched for, and what is forgotten of persons.

-- What people write down about an order; append-only, but that the text goes when the person is forgotten.
create table orders.notes (
  id        bigint      generated always as identity primary key,
  order_id  uuid        not null references orders.orders,
  at        timestamptz not null,
  actor     text        not null,
  text      text,
  erased_at timestamptz,
  check ((text is null) = (erased_at is not null))
);
create index notes_of_order on orders.notes (order_id, id);

-- After how many days what is forgotten; null: never by itself.
create table orders.retention (
  rule       text        primary key check (rule in ('personal_data', 'unsold_personal_data', 'saga_moves')),
  days       int         check (days between 1 and 36500),
  actor      text,
  updated_at timestamptz
);
insert into orders.retention (rule) values ('personal_data'), ('unsold_personal_data'), ('saga_moves');
comment on table orders.retention is 'counted from the last move of the order''s saga; personal_data: of all orders that '
  'have ended, unsold_personal_data: of those that ended without a sale';

alter table orders.customers add column erased_at timestamptz;
alter table orders.sagas add column moves_forgotten_at timestamptz;
comment on column orders.sagas.moves_forgotten_at is 'its moves are not there any more';

-- Nothing here is about a column that changes on an order's way: its updates stay within their page.
create index lines_of_sku on orders.order_lines (sku);
create index orders_of_email on orders.orders (lower(email)) where email is not null;
create index orders_of_reference on orders.orders (reference) where reference is not null;
create index orders_by_total on orders.orders (total_minor);
create index orders_tagged on orders.orders using gin (tags) where tags <> '{}';
create index orders_in_review on orders.orders (placed_at, id) where review is not null;
create index orders_with_personal_data on orders.orders (placed_at, id)
  where email is not null or shipping_address is not null or billing_address is not null;
-- A saga's deadline changes with every move, so that its row is indexed anew each time: these cost what they hold.
create index sagas_without_sale on orders.sagas (state, order_id) where state in ('rejected', 'expired', 'cancelled');
-- What is confirmed is mostly what is not sent: a plan that took the two for strangers would read every order.
create statistics orders.orders_status_fulfilment (mcv) on status, fulfilment from orders.orders;
-- Large amounts are looked for, and are few.
alter table orders.orders alter column total_minor set statistics 1000;
create index customers_of_email on orders.customers (lower(email)) where email is not null;
create index customers_of_name on orders.customers (lower(name) text_pattern_ops, id) where name is not null;
