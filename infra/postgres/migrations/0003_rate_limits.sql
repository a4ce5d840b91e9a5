-- Each principal's token bucket at each function that has a limit. Unlogged: no WAL for what a crash may forget, since a
-- bucket that is not here is full. `taken` is what the last lease got; free space in each page keeps updates in place.
create unlogged table platform.rate_limits (
  function  text             not null,
  principal text             not null,
  tokens    double precision not null,
  taken     int              not null,
  at        timestamptz      not null,
  primary key (function, principal)
) with (fillfactor = 50);

alter table platform.rate_limits enable row level security;

create policy own_limits on platform.rate_limits
  using (function = current_user) with check (function = current_user);
