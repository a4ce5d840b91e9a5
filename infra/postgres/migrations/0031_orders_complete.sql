-- What an order is beyond its lines: to whom and where it goes, how its total came about, how far it is fulfilled.
alter table orders.orders
  drop constraint orders_status_check,
  add constraint orders_status_check check (status in (
    'pending', 'awaiting_customer', 'confirmed', 'completed', 'rejected', 'expired', 'cancelling', 'cancelled')),
  add column email              text,
  add column shipping_address   jsonb,
  add column billing_address    jsonb,
  add column country            text,
  add column guest              boolean not null default false,
  add column shipping_method    text,
  add column prices_include_tax boolean not null default true,
  add column subtotal_minor     bigint  not null default 0 check (subtotal_minor >= 0),
  add column discount_minor     bigint  not null default 0 check (discount_minor between 0 and subtotal_minor),
  add column shipping_minor     bigint  not null default 0 check (shipping_minor >= 0),
  add column shipping_tax_minor bigint  not null default 0 check (shipping_tax_minor between 0 and shipping_minor),
  add column tax_minor          bigint  not null default 0 check (tax_minor >= 0),
  add column discount_codes     text[]  not null default '{}',
  add column capture            text    not null default 'now' check (capture in ('now', 'at_shipment')),
  add column on_decline         text    not null default 'reject' check (on_decline in ('reject', 'wait')),
  add column fulfilment         text    not null default 'unfulfilled'
             check (fulfilment in ('unfulfilled', 'shipping', 'partial', 'shipped', 'delivered')),
  add column tags               text[]  not null default '{}',
  add column review             text,
  add column erased_at          timestamptz;

update orders.orders set subtotal_minor = total_minor;

comment on column orders.orders.country is 'ISO 3166-1 alpha-2 of where it goes; stays when the addresses are erased';
comment on column orders.orders.shipping_minor is 'what the customer pays for shipping, after discounts, tax included';
comment on column orders.orders.tax_minor is 'all tax in the total: the lines'' and the shipping''s';
comment on column orders.orders.capture is 'when the money is taken: once the order is confirmed, or with each shipment';
comment on column orders.orders.on_decline is 'whether a declined card ends the order, or another card is waited for';
comment on column orders.orders.fulfilment is 'shipping: a shipment is asked of inventory and nothing has left yet';
comment on column orders.orders.review is 'why nothing may be shipped for now';

-- A line's total is what the customer pays for it: less its discounts, with its tax.
alter table orders.order_lines
  drop constraint line_total,
  add column product_id         uuid,
  add column category_id        uuid,
  add column tax_class          text   not null default 'standard',
  add column tax_rate_ppm       int    not null default 0 check (tax_rate_ppm >= 0),
  add column discount_minor     bigint not null default 0 check (discount_minor >= 0),
  add column tax_minor          bigint not null default 0 check (tax_minor >= 0),
  add column shipped_quantity   int    not null default 0 check (shipped_quantity >= 0),
  add column cancelled_quantity int    not null default 0 check (cancelled_quantity >= 0),
  add constraint line_total check (
    total_minor >= 0 and total_minor - (quantity * unit_price_minor - discount_minor) in (0, tax_minor)),
  add constraint line_quantities check (
    shipped_quantity + cancelled_quantity <= quantity);

comment on column orders.order_lines.tax_rate_ppm is 'parts per million: 200000 is 20 %';

-- What people did to orders, and why; append-only.
create table orders.audit (
  id       bigint      generated always as identity primary key,
  at       timestamptz not null,
  actor    text        not null,
  action   text        not null,
  order_id uuid        references orders.orders,
  reason   text,
  detail   jsonb       not null default '{}'
);
create index audit_of_order on orders.audit (order_id, id);
