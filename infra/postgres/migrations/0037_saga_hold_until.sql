-- Until when an order's stock is held: customers are told by when to pay.
alter table orders.sagas add column hold_until timestamptz;
comment on column orders.sagas.hold_until is 'as inventory said, or as the saga has asked since; null if not known';
