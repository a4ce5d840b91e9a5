-- Who may publish what over HTTP, one row for each type of each source.
create table platform.publishers (
  subject    text        not null,
  source     text        not null,
  type       text        not null,
  granted_by text        not null,
  granted_at timestamptz not null,
  primary key (subject, source, type)
);

-- What was published, so that an event sent again is taken once. The fingerprint tells an event from another of its id.
create table platform.publications (
  source       text        not null,
  event_id     text        not null,
  type         text        not null,
  fingerprint  bytea       not null,
  published_by text        not null,
  at           timestamptz not null,
  primary key (source, event_id)
);
create index publications_by_age on platform.publications using brin (at) with (autosummarize = on);

alter table platform.publications enable row level security;
