"""What the provider keeps of actions, disputes and webhooks, and the page that a customer sees."""

SCHEMA = """
create table if not exists actions (
  id text primary key, key text not null, state text not null check (state in ('pending', 'done', 'failed', 'ended')),
  expires_at real not null
) strict, without rowid;
create index if not exists actions_pending on actions (expires_at) where state = 'pending';
create table if not exists disputes (
  id text primary key, authorization_id text not null, amount_minor integer not null check (amount_minor > 0),
  reason text not null, outcome text check (outcome in ('won', 'lost'))
) strict, without rowid;
create index if not exists disputes_of on disputes (authorization_id);
create table if not exists told (
  number integer primary key, id text not null, type text not null, data blob not null,
  attempts integer not null default 0, next_at real
) strict;
create index if not exists told_due on told (next_at) where next_at is not null;
"""
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Confirm the payment</title>
<body style="font: 1.1rem system-ui; max-width: 30rem; margin: 15vh auto; padding: 0 1rem">
<h1>Is it you who pays?</h1>
<p>Your bank asks you to confirm a payment of {amount}. This bank is not a real one, and no money moves.</p>
<form method="post" action="{id}/complete"><button style="font: inherit">Yes, confirm</button></form>
<form method="post" action="{id}/fail" style="margin-top: 1rem"><button style="font: inherit">No, refuse</button></form>
</body></html>
"""
DONE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<body style="font: 1.1rem system-ui; max-width: 30rem; margin: 15vh auto; padding: 0 1rem"><h1>{title}</h1>
<p>You may close this page.</p></body></html>
"""
