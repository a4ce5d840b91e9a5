-- Orders with their price snapshot, the saga that carries each to its end, and returns.
create schema orders;

create table orders.customers (
  id         text        primary key,
  name       text,
  email      text,
  country    text,
  created_at timestamptz not null,
  updated_at timestamptz not null
);

create table orders.orders (
  id             uuid        primary key,
  number         text        not null unique,
  reference      text,
  customer_id    text,
  recorded       boolean     not null,
  placed_at      timestamptz not null,
  currency       text        not null,
  total_minor    bigint      not null check (total_minor >= 0),
  refunded_minor bigint      not null default 0 check (refunded_minor between 0 and total_minor),
  payment_token  text        not null,
  status         text        not null check (status in ('pending', 'confirmed', 'rejected', 'cancelling', 'cancelled')),
  version        int         not null,
  created_at     timestamptz not null
);
create index orders_of_customer on orders.orders (customer_id, placed_at desc, id desc);
create index orders_by_time on orders.orders (placed_at, id);

create table orders.order_lines (
  order_id          uuid   not null references orders.orders,
  line_no           int    not null,
  sku               text   not null,
  title             text   not null,
  quantity          int    not null check (quantity > 0),
  unit_price_minor  bigint not null check (unit_price_minor >= 0),
  total_minor       bigint not null,
  returned_quantity int    not null default 0 check (returned_quantity between 0 and quantity),
  primary key (order_id, line_no),
  constraint line_total check (total_minor = quantity * unit_price_minor)
);

-- One row per order. `ending` is what a compensation leads to; `early` holds answers that came before their state.
create table orders.sagas (
  order_id   uuid        primary key references orders.orders,
  state      text        not null,
  ending     text,
  reason     text,
  payment    text        not null default 'none',
  early      jsonb       not null default '[]',
  moves      int         not null,
  asked      int         not null default 1,
  deadline   timestamptz,
  updated_at timestamptz not null
);
create index sagas_due on orders.sagas (deadline) where deadline is not null;

-- Every move of every saga, append-only: its steps, their commands, and what caused them.
create table orders.saga_moves (
  order_id   uuid        not null references orders.orders,
  position   int         not null,
  from_state text,
  to_state   text        not null,
  cause      text        not null,
  event_id   text,
  asked      text,
  at         timestamptz not null,
  primary key (order_id, position)
);

create table orders.returns (
  id               uuid        primary key,
  customer_id      text        not null,
  sku              text        not null,
  quantity         int         not null check (quantity > 0),
  unit_price_minor bigint      not null check (unit_price_minor >= 0),
  currency         text        not null,
  returned_at      timestamptz not null,
  reason           text        not null,
  actor            text        not null,
  created_at       timestamptz not null
);

create table orders.return_lines (
  return_id    uuid   not null references orders.returns,
  refund_id    uuid   not null unique,
  order_id     uuid   not null,
  line_no      int    not null,
  quantity     int    not null check (quantity > 0),
  amount_minor bigint not null check (amount_minor >= 0),
  status       text   not null check (status in ('requested', 'succeeded', 'failed')),
  failure      text,
  primary key (return_id, order_id, line_no),
  foreign key (order_id, line_no) references orders.order_lines
);
create index return_lines_of_order on orders.return_lines (order_id);
