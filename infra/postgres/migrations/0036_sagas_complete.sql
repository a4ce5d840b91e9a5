-- Sagas that wait for their customer, and that people lead on from where they are stuck.
alter table orders.sagas
  add column tries      jsonb not null default '{}',
  add column stuck      text,
  add column action_url text;
comment on column orders.sagas.tries is 'how often a payment command was begun under a new key, by its name; 1 if absent';
comment on column orders.sagas.stuck is 'why a person is needed';
comment on column orders.sagas.action_url is 'where the customer has to act, while the saga waits for that';

create index sagas_stuck on orders.sagas (updated_at, order_id) where state = 'needs_attention';
