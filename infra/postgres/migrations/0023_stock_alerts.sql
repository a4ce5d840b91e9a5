-- Who is told when stock runs low, runs out, is short or is back, what they were told, and what came of it.

-- What was heard last of a SKU, of all locations together (null) or of one: its events are numbered, and an older one
-- changes nothing. While it is `open` an episode is going on, in which nothing is told twice.
create table inventory.alert_watches (
  id       bigint  primary key generated always as identity,
  sku      text    not null,
  location text    references inventory.locations (id),
  about    text    not null check (about in ('level', 'shortfall')),
  sequence bigint  not null,
  episode  int     not null default 0,
  open     boolean not null default false,
  unique nulls not distinct (sku, location, about)
);

-- `data` is what is told of it. An alert is closed when its episode is.
create table inventory.alerts (
  id        uuid        primary key,
  watch     bigint      not null references inventory.alert_watches (id),
  episode   int         not null,
  kind      text        not null check (kind in ('low', 'out', 'back_in_stock', 'shortfall', 'made_good')),
  data      jsonb       not null,
  at        timestamptz not null,
  raised_at timestamptz not null,
  closed_at timestamptz,
  unique (watch, episode, kind)
);
create index alerts_raised on inventory.alerts (raised_at, id);
create index alerts_closed on inventory.alerts (closed_at) where closed_at is not null;

-- A target that was deleted keeps its name alone, for the deliveries that were made to it.
create table inventory.alert_targets (
  id              uuid        primary key,
  channel         text        not null check (channel in ('webhook', 'mail')),
  name            text        not null,
  address         text,
  kinds           text[]      not null,
  enabled         boolean     not null,
  disabled_reason text,
  version         int         not null,
  created_at      timestamptz not null,
  updated_at      timestamptz not null,
  deleted_at      timestamptz,
  check ((address is null) = (deleted_at is not null)),
  check (deleted_at is null or not enabled),
  check (disabled_reason is null or not enabled),
  check (kinds <@ array['low', 'out', 'back_in_stock', 'shortfall', 'made_good'] and cardinality(kinds) > 0)
);
create unique index alert_targets_address on inventory.alert_targets (channel, address);

-- Apart from the targets, so that whoever lists those cannot read them. An old one signs too until it ends.
create table inventory.alert_secrets (
  target  uuid        not null references inventory.alert_targets (id),
  secret  text        not null,
  made_at timestamptz not null,
  ends_at timestamptz,
  primary key (target, secret)
);

-- What a target is to be told; without an alert it is a test. `asked_at` and `tries` begin anew when it is asked for
-- again.
create table inventory.alert_deliveries (
  id         uuid        primary key,
  alert      uuid        references inventory.alerts (id) on delete cascade,
  target     uuid        not null references inventory.alert_targets (id),
  status     text        not null check (status in ('pending', 'delivered', 'failed')),
  attempts   int         not null default 0 check (attempts >= 0),
  tries      int         not null default 0 check (tries between 0 and attempts),
  next_at    timestamptz,
  answer     int,
  reason     text,
  created_at timestamptz not null,
  asked_at   timestamptz not null,
  ended_at   timestamptz,
  unique (alert, target),
  check ((status = 'pending') = (next_at is not null)),
  check ((status = 'pending') = (ended_at is null))
);
create index alert_deliveries_due on inventory.alert_deliveries (target, next_at, id) where status = 'pending';
create index alert_deliveries_created on inventory.alert_deliveries (created_at, id);
create index alert_deliveries_tests on inventory.alert_deliveries (ended_at) where alert is null;

-- Every attempt, written before it is made: one without an end was cut off.
create table inventory.alert_attempts (
  delivery uuid        not null references inventory.alert_deliveries (id) on delete cascade,
  number   int         not null,
  at       timestamptz not null,
  ended_at timestamptz,
  outcome  text        check (outcome in ('delivered', 'retry', 'failed')),
  answer   int,
  reason   text,
  primary key (delivery, number),
  check ((ended_at is null) = (outcome is null))
);
