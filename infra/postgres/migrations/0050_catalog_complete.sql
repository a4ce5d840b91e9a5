-- Variants, categories, search and live stock: what a product is, and beside it what is derived from it for readers.

-- A tree by parent; `ancestors` (root first) is what makes a subtree one look-up.
create table catalog.categories (
  id         uuid        primary key,
  slug       text        not null constraint categories_slug unique,
  name       text        not null,
  parent_id  uuid        references catalog.categories,
  ancestors  uuid[]      not null,
  position   int         not null check (position >= 0),
  version    int         not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((parent_id is null) = (ancestors = '{}')),
  check (parent_id is null or parent_id = ancestors[cardinality(ancestors)]),
  check (id <> all (ancestors))
);
create index categories_children on catalog.categories (parent_id, position);
create index categories_below on catalog.categories using gin (ancestors);

-- What is sold: a product comes as one variant or as several.
create table catalog.variants (
  sku         text   primary key,
  product_id  uuid   not null references catalog.products on delete cascade,
  position    int    not null,
  options     jsonb  not null default '{}',
  price_minor bigint not null check (price_minor >= 0),
  currency    text   not null check (currency ~ '^[A-Z]{3}$')
);
create index variants_of_product on catalog.variants (product_id, position);

insert into catalog.variants (sku, product_id, position, price_minor, currency)
select sku, id, 0, price_minor, currency from catalog.products;

drop index catalog.products_published;
create index products_by_status on catalog.products (status, slug);
alter table catalog.products
  drop column sku,
  drop column price_minor,
  drop column currency,
  drop column document,
  add column attributes   jsonb not null default '{}',
  add column media        jsonb not null default '[]',
  add column tax_class    text  not null default 'standard',
  add column category_id  uuid  references catalog.categories,
  add column publish_at   timestamptz,
  add column published_at timestamptz,
  add constraint products_due check (publish_at is null or status = 'draft');
update catalog.products set published_at = updated_at where status = 'published';
alter table catalog.products add constraint products_published_at
  check (status <> 'published' or published_at is not null);
create index products_due on catalog.products (publish_at) where publish_at is not null;
create index products_in_category on catalog.products (category_id);

-- The inventory's word on each SKU, in the catalogue or not: the newest by its stream's sequence.
create table catalog.stock (
  sku        text        primary key,
  product_id uuid        references catalog.products on delete set null,
  status     text        not null check (status in ('in_stock', 'low', 'backorder', 'out_of_stock')),
  sequence   bigint      not null,
  as_of      timestamptz
) with (fillfactor = 80);
create index stock_of_product on catalog.stock (product_id);

-- Units sold by SKU, counted from completed orders; `ranked` says that the search entries know of them.
create table catalog.sales (
  sku    text    primary key,
  units  bigint  not null,
  ranked boolean not null
) with (fillfactor = 80);
create index sales_to_rank on catalog.sales (sku) where not ranked;

-- What readers are given: one row per published product, rendered when it changes.
create table catalog.listings (
  product_id uuid   primary key,
  version    int    not null,
  document   text   not null,
  stock      text   not null,
  stock_at   bigint not null
) with (fillfactor = 80);

-- Where readers look: one narrow row per published product, with every key that lists sort and filter by.
create table catalog.search_entries (
  product_id   uuid        primary key,
  category_id  uuid,
  title_key    text        collate "C" not null,
  price_minor  bigint      not null,
  currency     text        not null,
  published_at timestamptz not null,
  units_sold   bigint      not null,
  availability text        not null,
  attributes   text[]      not null,
  about        tsvector    not null,
  lexemes      tsvector    not null
) with (fillfactor = 90, toast_tuple_target = 128);
-- The lexemes are read by the index alone: where they are long they lie apart from the row that is ranked and counted.
alter table catalog.search_entries
  alter column lexemes set storage external,
  alter column title_key set storage main,
  alter column attributes set storage main,
  alter column about set storage main;
create index search_by_price on catalog.search_entries (price_minor, product_id);
create index search_by_title on catalog.search_entries (title_key, product_id);
create index search_by_newest on catalog.search_entries (published_at, product_id);
create index search_by_sales on catalog.search_entries (units_sold, product_id);
create index search_by_category on catalog.search_entries (category_id);
-- A small pending list: every search reads it from end to end.
create index search_by_lexeme on catalog.search_entries using gin (lexemes) with (gin_pending_list_limit = 256);

-- The words of all titles and attributes, found by what is left of them when letters are left out.
create table catalog.words (
  word      text   collate "C" primary key,
  deletions text[] not null
);
create index words_by_deletion on catalog.words using gin (deletions);

-- Lower case and without accents, so that cafe finds Café. Most text is ASCII and has none.
create function catalog.folded(said text) returns text immutable strict parallel safe language sql
return case
  when octet_length(said) = length(said) then lower(said)
  else lower(regexp_replace(normalize(said, NFKD), U&'[\0300-\036F]', '', 'g'))
end;

-- One letter left out of a word of four to six letters, up to two of a longer one; a shorter word stands for itself.
create function catalog.deletions(word text) returns text[] immutable strict parallel safe language sql
return (
  select array_agg(distinct shorter) from (
    select word as shorter
    union all
    select overlay(word placing '' from i for 1) from generate_series(1, length(word)) as i where length(word) > 3
    union all
    select overlay(overlay(word placing '' from j for 1) placing '' from i for 1)
    from generate_series(1, length(word)) as i, generate_series(i + 1, length(word)) as j
    where length(word) > 6
  ) as every
);

-- "red/white" is two words to a shopper, and a path to the parser of text. Tags stay whole: it reads over them.
create function catalog.apart(said text) returns text immutable strict parallel safe language sql
return replace(replace(replace(said, '</', U&'\E002'), '/', ' '), U&'\E002', '</');

-- What a product is called: its words by their stems and as they are written, so that a prefix of either is found.
-- SKUs stand also in one piece. Places are kept of stems alone: these are what ranks and phrases go by.
create function catalog.about(title text, skus text[], attribute_values text)
returns tsvector immutable parallel safe language sql
return
  setweight(to_tsvector('english', catalog.apart(title || ' ' || array_to_string(skus, ' '))), 'A')
  || setweight(to_tsvector('english', catalog.apart(attribute_values)), 'B')
  || strip(to_tsvector('simple', catalog.apart(title || ' ' || attribute_values)))
  || array_to_tsvector(skus);

-- The values of attributes, which are written "name:value", as words are searched for.
create function catalog.values_of(attributes text[]) returns text immutable strict parallel safe language sql
return (
  select coalesce(catalog.folded(string_agg(substr(attribute, position(':' in attribute) + 1), ' ')), '')
  from unnest(attributes) as attribute
);

-- The words of which "did you mean" may speak.
create function catalog.words_of(title_key text, attributes text[]) returns setof text immutable parallel safe language sql
begin atomic
  select word
  from unnest(tsvector_to_array(to_tsvector('simple', catalog.apart(title_key || ' ' || catalog.values_of(attributes))))) as word
  where word ~ '^[[:alpha:]]{3,40}$';
end;

-- Attributes are lexemes of their own ("=colour:red"), so that one index answers words and filters together.
-- What the derived rows must be, from their sources alone: both the writer and the rebuild read it here.
create view catalog.listings_now with (security_invoker = true) as
select p.id as product_id, p.version, p.category_id, catalog.folded(p.title) as title_key, v.price_minor, v.currency,
  p.published_at, coalesce(v.units_sold, 0) as units_sold,
  v.availability, a.attributes, said.about,
  said.about || setweight(to_tsvector('english', catalog.apart(catalog.folded(p.description))), 'D')
    || array_to_tsvector(array(select '=' || attribute from unnest(a.attributes) as attribute)) as lexemes,
  json_build_object(
    'id', p.id,
    'slug', p.slug,
    'title', p.title,
    'description', p.description,
    'category_id', p.category_id,
    'attributes', p.attributes,
    'media', p.media,
    'tax_class', p.tax_class,
    'price_minor', v.price_minor,
    'currency', v.currency,
    'variants', v.variants,
    'version', p.version,
    'published_at', to_char(p.published_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'updated_at', to_char(p.updated_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
  )::text as document,
  json_build_object('availability', v.availability, 'stock', v.stock)::text as stock, v.stock_at
from catalog.products p
cross join lateral (
  select min(v.price_minor) as price_minor, min(v.currency) as currency, sum(sales.units)::bigint as units_sold,
    array_agg(lower(v.sku) order by v.position) as skus,
    (array['in_stock', 'low', 'backorder', 'out_of_stock'])[min(coalesce(
      array_position(array['in_stock', 'low', 'backorder', 'out_of_stock'], s.status), 4))] as availability,
    json_agg(json_build_object('sku', v.sku, 'options', v.options, 'price_minor', v.price_minor,
      'currency', v.currency) order by v.position) as variants,
    json_object_agg(v.sku, json_build_object('status', coalesce(s.status, 'out_of_stock'),
      'as_of', to_char(s.as_of at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) order by v.position) as stock,
    coalesce(sum(s.sequence), 0)::bigint as stock_at,
    coalesce(jsonb_agg(v.options) filter (where v.options <> '{}'), '[]') as options
  from catalog.variants v
  left join catalog.stock s on s.sku = v.sku
  left join catalog.sales on sales.sku = v.sku
  where v.product_id = p.id
) as v
cross join lateral (
  select coalesce(array_agg(distinct name || ':' || value), '{}') as attributes from (
    select a.name, a.value from jsonb_each_text(p.attributes) as a (name, value)
    union all
    select o.name, o.value from jsonb_array_elements(v.options) as one (options), jsonb_each_text(options) as o (name, value)
  ) as every
) as a
cross join lateral (
  select catalog.about(catalog.folded(p.title), v.skus, catalog.values_of(a.attributes)) as about
  offset 0
) as said
where p.status = 'published';

-- The rows of products that are there already. Whether stock is low is for the inventory to say: see the rebuild.
insert into catalog.stock (sku, product_id, status, sequence)
select v.sku, v.product_id,
  case
    when exists (select from inventory.items i where i.sku = v.sku and not i.tracked) then 'in_stock'
    when exists (
      select from inventory.stock s join inventory.locations l on l.id = s.location and l.closed_at is null
      where s.sku = v.sku and s.on_hand > s.held + s.committed
    ) then 'in_stock'
    else 'out_of_stock'
  end, 0
from catalog.variants v;

insert into catalog.listings (product_id, version, document, stock, stock_at)
select product_id, version, document, stock, stock_at from catalog.listings_now;

insert into catalog.search_entries (product_id, category_id, title_key, price_minor, currency, published_at, units_sold,
  availability, attributes, about, lexemes)
select product_id, category_id, title_key, price_minor, currency, published_at, units_sold, availability, attributes,
  about, lexemes
from catalog.listings_now;

insert into catalog.words (word, deletions)
select word, catalog.deletions(word)
from (select distinct catalog.words_of(title_key, attributes) as word from catalog.search_entries) as every;
