"""Bring a database up to date: plain SQL files in the order of their numbers, then the generated roles and grants."""

import hashlib
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
ROLES = Path(__file__).parent / "roles.sql"
ROLES_NAME = "roles.sql"

_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
# One key for all who migrate this database; any number will do as long as it never changes.
_LOCK = 7_304_115_920

_LEDGER = """
create schema if not exists platform;
create table if not exists platform.migrations (
  name       text        primary key,
  checksum   text        not null,
  applied_at timestamptz not null default now()
);
"""


class MigrationFailed(Exception):
    """The database was left at the last migration that succeeded; the text says which one did not, and why."""


@dataclass(frozen=True, slots=True)
class Migration:
    name: str
    sql: bytes

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql).hexdigest()


def migrations(directory: Path = MIGRATIONS) -> list[Migration]:
    """All migrations, oldest first. Raises MigrationFailed when a file is misnamed or two share a number."""
    found: dict[str, Migration] = {}
    for path in sorted(directory.glob("*.sql")):
        if not (match := _NAME.match(path.name)):
            raise MigrationFailed(f"{path.name}: a migration is named NNNN_what_it_does.sql")
        if twin := found.get(match[1]):
            raise MigrationFailed(f"{path.name} and {twin.name} share the number {match[1]}")
        found[match[1]] = Migration(path.name, path.read_bytes())
    return list(found.values())


def schema_version(directory: Path = MIGRATIONS, roles: Path = ROLES) -> str:
    """A digest that changes when any migration or grant does: databases of one version are alike."""
    digest = hashlib.sha256()
    for migration in migrations(directory):
        digest.update(f"{migration.name} {migration.checksum}\n".encode())
    digest.update(roles.read_bytes() if roles.exists() else b"")
    return digest.hexdigest()[:16]


def migrate(url: str, directory: Path = MIGRATIONS, roles: Path = ROLES) -> list[str]:
    """Applies what is missing and gives the names applied. Safe to run from several places at once.

    Raises MigrationFailed for SQL that fails, and for an applied file that has been altered since.
    """
    with psycopg.connect(url, autocommit=True, connect_timeout=10, application_name="migrate") as connection:
        connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        try:
            connection.execute(_LEDGER)
            return [*_catch_up(connection, migrations(directory)), *_apply_roles(connection, roles)]
        finally:
            if not connection.closed:
                connection.execute("select pg_advisory_unlock(%s)", (_LOCK,))


def _catch_up(connection: Connection[Any], known: list[Migration]) -> list[str]:
    applied = dict(connection.execute("select name, checksum from platform.migrations").fetchall())
    done = []
    for migration in known:
        if migration.name not in applied:
            _apply(connection, migration)
            done.append(migration.name)
        elif applied[migration.name] != migration.checksum:
            raise MigrationFailed(
                f"{migration.name} was altered after it was applied here: put it back and write a new migration"
                " (on a development machine, `make reset` starts over)"
            )
    return done


def _apply_roles(connection: Connection[Any], path: Path) -> list[str]:
    """Grants are declared, not migrated: the whole file is applied again whenever it differs from the last time."""
    if not path.exists():
        return []
    roles = Migration(ROLES_NAME, path.read_bytes())
    row = connection.execute("select checksum from platform.migrations where name = %s", (roles.name,)).fetchone()
    if row is not None and row[0] == roles.checksum:
        return []
    _apply(connection, roles)
    return [roles.name]


def _apply(connection: Connection[Any], migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(migration.sql)
            connection.execute(
                "insert into platform.migrations (name, checksum) values (%s, %s)"
                " on conflict (name) do update set checksum = excluded.checksum, applied_at = now()",
                (migration.name, migration.checksum),
            )
    except psycopg.Error as error:
        raise MigrationFailed(f"{migration.name}{_place(error, migration.sql)}: {error}") from error


def _place(error: psycopg.Error, sql: bytes) -> str:
    position = error.diag.statement_position
    return "" if position is None else f" line {sql.decode()[: int(position)].count(chr(10)) + 1}"


def main() -> int:
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        print("Set DATABASE_URL to a login that owns the database.", file=sys.stderr)
        return 2
    try:
        applied = migrate(url)
    except (MigrationFailed, psycopg.OperationalError) as error:
        print(f"Not migrated: {error}", file=sys.stderr)
        return 1
    print("\n".join(f"applied {name}" for name in applied) or "Already up to date.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
