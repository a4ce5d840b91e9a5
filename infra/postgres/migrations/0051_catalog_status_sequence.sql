-- Some events of a SKU's stream tell its status and some do not: which of those that do was the newest is kept beside
-- how far the stream was followed, so that one that comes after a later event of the other kind is still heeded.
alter table catalog.stock add column status_sequence bigint not null default 0;
update catalog.stock set status_sequence = sequence;
