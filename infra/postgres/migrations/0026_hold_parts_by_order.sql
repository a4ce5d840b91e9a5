-- A part's key is the order's own: another order's, or a release that bears the key of a shipment, is another part.
alter table inventory.hold_parts
  drop constraint hold_parts_pkey,
  add primary key (order_id, kind, id);
drop index inventory.hold_parts_order;

-- What was not there when it was promised: an answer that is given again says so again.
alter table inventory.hold_lines
  add column backordered bigint not null default 0,
  add constraint hold_lines_backordered check (backordered between 0 and quantity);
