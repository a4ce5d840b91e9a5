-- What somebody did for one reason is found among all else that they did; without a reason all reasons are merged.
drop index inventory.ledger_actor;
create index ledger_actor on inventory.ledger (actor, reason, recorded_at, id);
