-- Products. `document` is the public representation, rendered when the product changes, so that a read is one look-up.
create schema catalog;

create table catalog.products (
  id          uuid        primary key,
  sku         text        not null constraint products_sku unique,
  slug        text        not null constraint products_slug unique,
  title       text        not null,
  description text        not null,
  price_minor bigint      not null check (price_minor >= 0),
  currency    text        not null,
  status      text        not null check (status in ('draft', 'published', 'archived')),
  version     int         not null,
  created_at  timestamptz not null,
  updated_at  timestamptz not null,
  document    bytea       not null
);
create index products_published on catalog.products (sku) where status = 'published';
