-- Payments in every state that a provider knows: actions of the customer, several authorisations, disputes, differences.

-- A payment's status is never set: it follows from its sums, from what its attempts wait for, and, while no money stands,
-- from what was said last.
alter table payments.payments
  add column pending        text check (pending in ('unknown', 'action_required')),
  add column last_said      text check (last_said in ('authorized', 'captured', 'declined', 'voided')),
  add column disputed_minor bigint not null default 0 check (disputed_minor >= 0),
  add column lost_minor     bigint not null default 0 check (lost_minor >= 0);
update payments.payments p set
  last_said = nullif(status, 'created'),
  pending = case when exists (
    select from payments.attempts a where a.order_id = p.order_id and a.state = 'unknown') then 'unknown' end;
alter table payments.payments drop column status;
alter table payments.payments add column status text not null generated always as (
  case
    when pending is not null then pending
    when disputed_minor > 0 then 'disputed'
    when lost_minor > 0 and lost_minor + refunded_minor >= captured_minor then 'charged_back'
    when refunded_minor > 0 and refunded_minor + lost_minor >= captured_minor then 'refunded'
    when refunded_minor + lost_minor > 0 then 'part_refunded'
    when captured_minor > 0 and captured_minor + voided_minor < authorized_minor then 'part_captured'
    when captured_minor > 0 then 'captured'
    when authorized_minor > voided_minor then 'authorized'
    else coalesce(last_said, 'created')
  end) stored;
create index payments_created on payments.payments (created_at, order_id);
create index payments_pending on payments.payments (created_at, order_id) where pending is not null;

-- `action`: the customer must do something at `action_url` before the provider decides. `provider_id` is the
-- authorisation: the one that came of it, or the one that is captured, voided or refunded.
alter table payments.attempts
  add column action_url        text,
  add column action_expires_at timestamptz,
  drop constraint attempts_state_check,
  add constraint attempts_state_check check (
    state in ('waiting', 'sending', 'unknown', 'action', 'succeeded', 'failed')),
  add constraint attempts_action_check check (state <> 'action' or action_url is not null);
create unique index attempts_action on payments.attempts (order_id) where state = 'action';

-- An entry is of an attempt, a dispute or a reconciliation; one that takes back another has its accounts the other way
-- round, and is a reversal. `authorization_id` is null of what was before there was more than one.
alter table payments.ledger
  drop constraint ledger_debit_account_check,
  drop constraint ledger_credit_account_check,
  alter column attempt_key drop not null,
  add column authorization_id text,
  add column chargeback_id    text,
  add column reconciliation   bigint,
  add column reversal         boolean not null default false,
  add constraint ledger_accounts check (
    (debit_account, credit_account) in (
      ('authorized', 'customer'), ('captured', 'authorized'), ('customer', 'authorized'), ('customer', 'captured'),
      ('disputed', 'captured'), ('captured', 'disputed'), ('lost', 'disputed'))
    or reversal and (credit_account, debit_account) in (
      ('authorized', 'customer'), ('captured', 'authorized'), ('customer', 'authorized'), ('customer', 'captured'))),
  add constraint ledger_cause check (num_nonnulls(attempt_key, chargeback_id, reconciliation) = 1);

-- What the provider told by itself, once each: `early` waits for the attempt that it is about.
create table payments.provider_events (
  id          text        primary key,
  type        text        not null,
  state       text        not null check (state in ('applied', 'early', 'ignored', 'contradicted')),
  command_key text,
  order_id    uuid,
  data        jsonb       not null,
  received_at timestamptz not null
);
create index provider_events_early on payments.provider_events (command_key) where state = 'early';
create index provider_events_received on payments.provider_events (received_at);

create table payments.chargebacks (
  id               text        primary key,
  order_id         uuid        not null references payments.payments (order_id),
  authorization_id text        not null,
  amount_minor     bigint      not null check (amount_minor > 0),
  currency         text        not null,
  reason           text        not null,
  outcome          text        check (outcome in ('won', 'lost')),
  opened_at        timestamptz not null,
  closed_at        timestamptz,
  check ((outcome is null) = (closed_at is null))
);
create index chargebacks_order on payments.chargebacks (order_id);
create index chargebacks_open on payments.chargebacks (opened_at) where closed_at is null;

-- One row for all instances: while it is open nobody calls, and after `retry_at` one of them tries.
create table payments.breakers (
  name          text        primary key,
  state         text        not null default 'closed' check (state in ('closed', 'open', 'half_open')),
  failures      int         not null default 0,
  failing_since timestamptz,
  opened_at     timestamptz,
  retry_at      timestamptz,
  tries         int         not null default 0,
  check ((state = 'closed') = (opened_at is null)),
  check ((state = 'closed') = (retry_at is null))
);
insert into payments.breakers (name) values ('provider');

-- Where our books and the provider's differ, until they do not any more.
create table payments.differences (
  order_id         uuid        not null,
  authorization_id text        not null,
  figure           text        not null check (figure in ('authorized', 'captured', 'voided', 'refunded', 'disputed')),
  ours_minor       bigint      not null,
  theirs_minor     bigint      not null,
  cause            text        not null,
  found_at         timestamptz not null,
  seen_at          timestamptz not null,
  gone_at          timestamptz,
  primary key (order_id, authorization_id, figure)
);
create index differences_open on payments.differences (found_at) where gone_at is null;

-- Who let our books be what the provider's say, and why.
create table payments.reconciliations (
  id               bigint      generated always as identity primary key,
  at               timestamptz not null,
  actor            text        not null,
  reason           text        not null,
  order_id         uuid        not null references payments.payments (order_id),
  authorization_id text        not null,
  figure           text        not null,
  ours_minor       bigint      not null,
  theirs_minor     bigint      not null,
  cause            text        not null
);
create index reconciliations_order on payments.reconciliations (order_id, id);
alter table payments.ledger add constraint ledger_reconciliation foreign key (reconciliation)
  references payments.reconciliations (id);
alter table payments.ledger add constraint ledger_chargeback foreign key (chargeback_id)
  references payments.chargebacks (id);
create trigger reconciliations_are_append_only before update or delete or truncate on payments.reconciliations
  for each statement execute function payments.refuse_change();

-- How far the comparison with the provider's books has come.
create table payments.comparisons (
  name       text        primary key,
  after      text        not null default '',
  began_at   timestamptz,
  ended_at   timestamptz,
  compared   bigint      not null default 0
);
insert into payments.comparisons (name) values ('ours'), ('theirs');
