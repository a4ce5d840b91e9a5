"""The database under a run: its clock is the run's, it fails when it is told to, and it is made new for the next."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import psycopg
from psycopg import sql

from infra.local.postgres import Cloned
from shared.runtime.db import Database, Db
from tests.proof.chance import Clock

# A name that is not qualified is looked for here first: also what a transaction reads as it begins.
CLOCK = """
create schema proof;
create table proof.clock (at timestamptz not null);
insert into proof.clock values ('2020-01-01 12:00+00');
grant usage on schema proof to public;
create function proof.now() returns timestamptz language sql stable security definer
  as 'select at from proof.clock';
create function proof.transaction_timestamp() returns timestamptz language sql stable security definer
  as 'select at from proof.clock';
"""

TABLES = """
select quote_ident(n.nspname) || '.' || quote_ident(c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^pg_|^information_schema$|^proof$'
order by 1
"""

Moment = Literal["before commit", "after commit"]


class Crashed(psycopg.OperationalError):
    """The process is gone: what it had not committed never was, and nobody hears from it."""


class Fragile(Database):
    """Its process dies at one of its transactions, when that has been planned."""

    planned: tuple[int, Moment] | None = None
    crashed = False
    _begun = 0

    def plan(self, number: int, moment: Moment) -> None:
        """Of what follows, the transaction of this number (from 1) is the last."""
        self.planned, self.crashed, self._begun = (number, moment), False, 0

    def spare(self) -> None:
        self.planned, self.crashed = None, False

    @asynccontextmanager
    async def transaction(self, role: str) -> AsyncIterator[Db]:
        self._begun += 1
        moment = self.planned[1] if self.planned is not None and self.planned[0] == self._begun else None
        if self.crashed:
            raise Crashed("gone")
        async with super().transaction(role) as db:
            yield db
            if moment == "before commit":
                self.crashed = True
                raise Crashed("before the commit")
        if moment == "after commit":
            self.crashed = True
            raise Crashed("after the commit")


class Ground:
    """One database for many runs, one after the other."""

    def __init__(self, database: Cloned, clock: Clock) -> None:
        self._clock = clock
        self._owner = psycopg.connect(database.owner_url, autocommit=True)
        self._owner.execute(CLOCK)
        name = sql.Identifier(database.name)
        self._owner.execute(sql.SQL("alter database {} set search_path = proof, pg_catalog, public").format(name))
        self._tables = [name for (name,) in self._owner.execute(TABLES).fetchall()]
        self._kept = [table for table in self._tables if self._any(table)]
        for n, table in enumerate(self._kept):
            self._owner.execute(f"create table proof.kept_{n} as select * from {table}")  # noqa: S608
        for table in self._tables:
            # When dead rows are cleared away decides where new ones are put, and so in which order they are found.
            self._owner.execute(f"alter table {table} set (autovacuum_enabled = off)")

    def _any(self, table: str) -> bool:
        row = self._owner.execute(f"select exists (select from {table})").fetchone()  # noqa: S608
        return row is not None and bool(row[0])

    def tell_time(self) -> None:
        """What the run's clock says is what the database says."""
        self._owner.execute("update proof.clock set at = %s", (self._clock.now,))

    def renew(self) -> None:
        """As it was when it was made."""
        written = [table for table in self._tables if self._any(table)]
        with self._owner.transaction():
            self._owner.execute("set local session_replication_role = replica")
            self._owner.execute(f"truncate {', '.join(written)} restart identity cascade")
            for n, table in enumerate(self._kept):
                self._owner.execute(
                    f"insert into {table} overriding system value select * from proof.kept_{n}"  # noqa: S608
                )

    def owner(self) -> "psycopg.Connection[tuple[object, ...]]":
        return self._owner

    def close(self) -> None:
        self._owner.close()
