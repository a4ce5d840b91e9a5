-- A SKU of which this many or fewer are available is low; without a number of its own, the shop's default counts.
alter table inventory.items add column low_at int check (low_at >= 0);
