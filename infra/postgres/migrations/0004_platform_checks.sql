-- What watches the books: how each check stands, and every time that it found them wrong.
create table platform.checks (
  name        text        primary key,
  added_at    timestamptz not null default now(),
  next_at     timestamptz not null,
  checked_at  timestamptz,
  took_ms     int,
  violations  bigint      not null default 0,
  note        text
);

create table platform.findings (
  id         uuid        primary key,
  name       text        not null,
  first_seen timestamptz not null,
  last_seen  timestamptz not null,
  told_at    timestamptz,
  gone_at    timestamptz,
  violations bigint      not null,
  most       bigint      not null,
  examples   jsonb       not null
);
create unique index findings_open on platform.findings (name) where gone_at is null;
create index findings_by_time on platform.findings (first_seen desc, id desc);
