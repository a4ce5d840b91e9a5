-- What the watcher has seen of each function: whether it is ready and since when, when that changed lately, and what
-- that makes it.
create table platform.functions (
  name          text          primary key,
  domain        text          not null,
  trigger       text          not null,
  revision      text,
  registered_at timestamptz   not null,
  seen_at       timestamptz   not null,
  ready         boolean       not null,
  reason        text,
  message       text,
  held_since    timestamptz   not null,
  changes       timestamptz[] not null,
  status        text          not null check (status in ('healthy', 'failing', 'flapping')),
  since         timestamptz   not null
);
