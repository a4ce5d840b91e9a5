-- What an order costs beyond its goods' prices: tax by destination, shipping by weight or value, discounts and their uses.

-- The shop's own terms: exactly one row.
create table orders.pricing_terms (
  the_one            boolean     primary key default true check (the_one),
  prices_include_tax boolean     not null default true,
  home_country       text        check (home_country ~ '^[A-Z]{2}$'),
  capture            text        not null default 'now' check (capture in ('now', 'at_shipment')),
  updated_at         timestamptz not null default now()
);
insert into orders.pricing_terms default values;
comment on column orders.pricing_terms.home_country is 'whose taxes count while nobody has said where an order goes';
comment on column orders.pricing_terms.capture is 'when the money of orders placed from now on is taken';

-- A rate of a region takes the place of its country's.
create table orders.tax_rates (
  country    text        not null check (country ~ '^[A-Z]{2}$'),
  region     text        not null default '' check (region = upper(region)),
  tax_class  text        not null,
  rate_ppm   int         not null check (rate_ppm between 0 and 1000000),
  name       text        not null,
  updated_at timestamptz not null,
  primary key (country, region, tax_class)
);

-- `bands` is [{"up_to": grams or minor units, or null for any, "price_minor": ...}], the smallest first.
create table orders.shipping_methods (
  code            text        primary key,
  name            text        not null,
  basis           text        not null check (basis in ('weight', 'value')),
  currency        text        not null check (currency ~ '^[A-Z]{3}$'),
  bands           jsonb       not null check (jsonb_array_length(bands) > 0),
  countries       text[],
  tax_class       text        not null,
  free_from_minor bigint      check (free_from_minor >= 0),
  position        int         not null,
  enabled         boolean     not null,
  updated_at      timestamptz not null
);

-- Weights are not the catalogue's: nobody who looks at a product asks for them, and no event tells them.
create table orders.sku_weights (
  sku        text        primary key,
  weight_g   int         not null check (weight_g between 0 and 10000000),
  updated_at timestamptz not null
);

-- The counters are changed on a condition under the row's lock; the checks are there in case anybody forgets it.
create table orders.discounts (
  code                text        primary key check (code = upper(code)),
  name                text        not null,
  scope               text        not null check (scope in ('order', 'line', 'shipping')),
  percent_ppm         int         check (percent_ppm between 1 and 1000000),
  amount_minor        bigint      check (amount_minor > 0),
  currency            text        check (currency ~ '^[A-Z]{3}$'),
  skus                text[]      not null default '{}',
  category_ids        uuid[]      not null default '{}',
  minimum_minor       bigint      check (minimum_minor >= 0),
  starts_at           timestamptz,
  ends_at             timestamptz,
  most_uses           int         check (most_uses > 0),
  most_per_customer   int         check (most_per_customer > 0),
  combines            boolean     not null default true,
  enabled             boolean     not null default true,
  uses                int         not null default 0 check (uses >= 0),
  created_at          timestamptz not null,
  updated_at          timestamptz not null,
  constraint discount_value check (num_nonnulls(percent_ppm, amount_minor) = 1),
  constraint discount_currency check (currency is not null or (amount_minor is null and minimum_minor is null)),
  constraint discount_oversubscribed check (uses <= most_uses)
);

create table orders.discount_customers (
  code     text not null references orders.discounts on delete cascade,
  customer text not null,
  uses     int  not null check (uses >= 0),
  most     int  not null,
  primary key (code, customer),
  constraint discount_customer_oversubscribed check (uses <= most)
);
comment on column orders.discount_customers.customer is 'an id, or of a guest a keyed hash of the address of mail';

create table orders.discount_uses (
  code          text        not null references orders.discounts,
  order_id      uuid        not null references orders.orders,
  customer      text,
  amount_minor  bigint      not null check (amount_minor >= 0),
  used_at       timestamptz not null,
  given_back_at timestamptz,
  primary key (order_id, code)
);
create index discount_uses_of_code on orders.discount_uses (code, used_at desc, order_id desc);

-- What links of guests are signed with: the newest signs, all verify. A key is retired by deleting it.
create table orders.link_keys (
  id         int         generated always as identity primary key,
  secret     bytea       not null check (octet_length(secret) = 32),
  created_at timestamptz not null default now()
);
-- Two random UUIDs have 244 random bits between them.
insert into orders.link_keys (secret) values (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));
