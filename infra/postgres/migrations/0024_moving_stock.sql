-- Locations that give less and less until they are closed, or more and more after they are; transfers that are found.

-- What is withdrawn is at the location, and the location gives nothing of it. A location that is closed has withdrawn
-- all of its stock, some SKUs at a time; one that is opened again takes it up again in the same way.
alter table inventory.stock add column withdrawn boolean not null default false;
update inventory.stock s set withdrawn = true
from inventory.locations l where l.id = s.location and l.closed_at is not null;

create index transfers_origin on inventory.transfers (origin, created_at, id) where origin is not null;
create index transfers_destination on inventory.transfers (destination, created_at, id);
create index transfer_lines_sku on inventory.transfer_lines (sku, transfer_id);
