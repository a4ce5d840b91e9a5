-- Payments: one row per order, every attempt at the provider, and the ledger of what moved.
create schema if not exists payments;

create table payments.payments (
  order_id         uuid        primary key,
  status           text        not null default 'created'
                               check (status in ('created', 'authorized', 'captured', 'declined', 'voided')),
  currency         text        check (currency ~ '^[A-Z]{3}$'),
  amount_minor     bigint      not null default 0 check (amount_minor >= 0),
  authorized_minor bigint      not null default 0 check (authorized_minor >= 0),
  captured_minor   bigint      not null default 0 check (captured_minor >= 0),
  voided_minor     bigint      not null default 0 check (voided_minor >= 0),
  refunded_minor   bigint      not null default 0 check (refunded_minor >= 0),
  provider_id      text,
  created_at       timestamptz not null,
  updated_at       timestamptz not null,
  check (refunded_minor <= captured_minor),
  check (captured_minor + voided_minor <= authorized_minor)
);

-- Committed before the provider is called; `key` is the command's key and the provider's Idempotency-Key.
-- A null amount means all that is left when the attempt's turn comes.
create table payments.attempts (
  key           text        primary key,
  order_id      uuid        not null references payments.payments (order_id),
  operation     text        not null check (operation in ('authorize', 'capture', 'void', 'refund')),
  amount_minor  bigint      check (amount_minor >= 0),
  refund_id     uuid,
  reason        text,
  payment_token text,
  state         text        not null check (state in ('waiting', 'sending', 'unknown', 'succeeded', 'failed')),
  provider_id   text,
  code          text,
  queries       int         not null default 0,
  next_query_at timestamptz,
  created_at    timestamptz not null,
  finished_at   timestamptz,
  check ((operation = 'refund') = (refund_id is not null)),
  check ((state in ('succeeded', 'failed')) = (finished_at is not null)),
  check ((state in ('succeeded', 'failed')) = (next_query_at is null)),
  check ((state = 'failed') = (code is not null))
);
-- One attempt of an order is at the provider at a time; later ones wait for its answer.
create unique index attempts_open on payments.attempts (order_id) where state in ('sending', 'unknown');
create unique index attempts_refund on payments.attempts (refund_id) where state <> 'failed';
create index attempts_order on payments.attempts (order_id, created_at, key);
create index attempts_due on payments.attempts (next_query_at) where next_query_at is not null;

-- Double entry: money goes from the customer to authorized to captured, and back to the customer.
create table payments.ledger (
  id             bigint      generated always as identity primary key,
  at             timestamptz not null,
  order_id       uuid        not null references payments.payments (order_id),
  attempt_key    text        not null unique references payments.attempts (key),
  debit_account  text        not null check (debit_account in ('customer', 'authorized', 'captured')),
  credit_account text        not null check (credit_account in ('customer', 'authorized', 'captured')),
  amount_minor   bigint      not null check (amount_minor > 0),
  currency       text        not null,
  check (debit_account <> credit_account)
);
create index ledger_order on payments.ledger (order_id, id);
create index ledger_at on payments.ledger (at);

create function payments.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'payments.ledger is append-only';
end $$;
create trigger ledger_is_append_only before update or delete or truncate on payments.ledger
  for each statement execute function payments.refuse_change();
