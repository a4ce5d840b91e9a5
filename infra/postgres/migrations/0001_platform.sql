-- What every function stands on: streams, outbox, inbox, attempts, dead letters, idempotency keys.
create schema if not exists platform;

-- The last sequence number of each stream; bumped in the transaction that emits, so that commit order is sequence order.
create table platform.streams (
  topic    text   not null,
  key      text   not null,
  sequence bigint not null,
  primary key (topic, key)
);

-- Events committed with the state they tell of. The relay publishes them; with the embedded carrier this is the log itself.
create table platform.outbox (
  position      bigint      generated always as identity primary key,
  id            text        not null,
  source        text        not null,
  type          text        not null,
  subject       text,
  topic         text        not null,
  partition     smallint    not null,
  key           text        not null,
  sequence      bigint,
  time          timestamptz not null,
  correlationid text,
  causationid   text,
  traceparent   text,
  extensions    jsonb,
  content_type  text,
  data          bytea       not null,
  log_offset    bigint,
  published_at  timestamptz
);
create index outbox_waiting on platform.outbox (partition, position) where published_at is null;
create unique index outbox_log on platform.outbox (topic, partition, log_offset) where published_at is not null;
create index outbox_key on platform.outbox (key, position);

create table platform.log_heads (
  topic       text     not null,
  partition   smallint not null,
  next_offset bigint   not null,
  primary key (topic, partition)
);

create table platform.consumer_offsets (
  consumer    text     not null,
  topic       text     not null,
  partition   smallint not null,
  next_offset bigint   not null,
  primary key (consumer, topic, partition)
);

-- One row per event a consumer has applied, written first in the effect's transaction.
create table platform.inbox (
  consumer text        not null,
  source   text        not null,
  event_id text        not null,
  at       timestamptz not null default now(),
  primary key (consumer, source, event_id)
);

-- How often a handler failed on an event; the dispatcher's own count does not survive it.
create table platform.attempts (
  consumer   text        not null,
  source     text        not null,
  event_id   text        not null,
  attempts   int         not null,
  last_error text        not null,
  at         timestamptz not null default now(),
  primary key (consumer, source, event_id)
);

-- The operators' workbench: parked by the function itself, or collected from a dead-letter topic.
create table platform.dead_letters (
  id          uuid        primary key default gen_random_uuid(),
  consumer    text        not null,
  source      text        not null,
  event_id    text        not null,
  type        text        not null,
  key         text,
  reason      text        not null check (reason in ('parked', 'dead-lettered')),
  status_code int,
  error       text        not null,
  fingerprint text        not null,
  headers     jsonb       not null,
  data        bytea       not null,
  received_at timestamptz not null default now(),
  replays     int         not null default 0,
  replayed_at timestamptz,
  unique (consumer, source, event_id)
);
create index dead_letters_open on platform.dead_letters (consumer, received_at, id);

create table platform.idempotency (
  function    text        not null,
  principal   text        not null,
  route       text        not null,
  key         text        not null,
  fingerprint bytea       not null,
  status      smallint    not null,
  headers     jsonb       not null,
  body        bytea       not null,
  expires_at  timestamptz not null,
  primary key (function, principal, route, key)
);
create index idempotency_expiry on platform.idempotency (expires_at);

-- Each function sees its own keys and its own inbox only, and emits only what its policy (generated) lists.
alter table platform.outbox enable row level security;
alter table platform.inbox enable row level security;
alter table platform.attempts enable row level security;
alter table platform.idempotency enable row level security;

create policy own_inbox on platform.inbox
  using ('fn_' || replace(consumer, '-', '_') = current_user) with check ('fn_' || replace(consumer, '-', '_') = current_user);
create policy own_attempts on platform.attempts
  using ('fn_' || replace(consumer, '-', '_') = current_user) with check ('fn_' || replace(consumer, '-', '_') = current_user);
create policy own_keys on platform.idempotency
  using (function = current_user) with check (function = current_user);
