"""One Postgres for a whole test session, shared by its processes, with databases cloned from a migrated template.

The server belongs to a keeper process, which ends it when the last session that uses it is over, however that ended.
"""

import fcntl
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from infra.local import logins, paths
from infra.local.embedded import Embedded, PostgresFailed
from infra.postgres.migrate import migrate, schema_version

CLONE = "test_"


@dataclass(frozen=True, slots=True)
class Cloned:
    """One database of a test: reached as its owner, as the functions' login, as the relay's login."""

    name: str
    owner_url: str
    app_url: str
    relay_url: str


@dataclass(frozen=True, slots=True)
class SharedServer:
    owner_url: str
    template: str
    passwords: dict[str, str] | None

    def create_database_from_template(self) -> Cloned:
        """A database of its own, migrated, in a fraction of a second."""
        name = f"{CLONE}{uuid.uuid4().hex}"
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            statement = sql.SQL("create database {} template {} strategy file_copy")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(self.template)))
        url = logins.url_of(self.owner_url, name)
        app, relay = (
            logins.url_as(url, login, None if self.passwords is None else self.passwords[login])
            for login in (logins.APP, logins.RELAY)
        )
        return Cloned(name, url, app, relay)

    def drop_database(self, database: Cloned) -> None:
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database.name)))


@contextmanager
def test_server(name: str = "tests") -> Iterator[SharedServer]:
    """The session's server, started by whoever asks first. DATABASE_URL, a login that owns its server, wins.

    Nothing it holds survives a crash of the machine: fsync is off. Raises PostgresFailed.
    """
    directory = paths.make(paths.volatile(name))
    with (directory / "users.lock").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        with (directory / "start.lock").open("a") as start:
            fcntl.flock(start, fcntl.LOCK_EX)
            if own := os.environ.get("DATABASE_URL"):
                url, passwords = own, logins.passwords(directory / "passwords.json")
            else:
                url, passwords = _kept(directory), None
            template = _template(url, passwords)
        yield SharedServer(url, template, passwords)


def _kept(directory: Path) -> str:
    """The URL of the embedded server, started if need be."""
    ready = directory / "ready"
    if ready.exists() and _answers(url := ready.read_text()):
        return url
    # The keeper lets go of both pipes when the server answers, and goes on by itself.
    keeper = [sys.executable, "-m", "infra.local.postgres", str(directory)]
    started = subprocess.run(
        keeper, cwd=paths.CHECKOUT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if not started.stdout:
        raise PostgresFailed(f"The tests' Postgres did not start:\n{started.stderr.strip()}")
    return started.stdout


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def _template(url: str, passwords: dict[str, str] | None) -> str:
    """The name of a database that holds the schema of this checkout. The caller holds the start lock."""
    template = f"template_{schema_version()}"
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("select from pg_database where datname = %s and datistemplate", (template,)).fetchall():
            return template
        name = sql.Identifier(template)
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(name))
        connection.execute(sql.SQL("create database {}").format(name))
        logins.ensure(url, passwords)
        migrate(logins.url_of(url, template))
        # Set last: an interrupted one is made again.
        connection.execute(sql.SQL("alter database {} is_template true").format(name))
    return template


def keep(directory: Path) -> None:
    """Runs the server in a process of its own until nobody holds the users' lock; prints its URL when it answers."""
    if os.fork():
        os._exit(0)
    os.setsid()
    server = Embedded(directory, durable=False)
    ready, clean = directory / "ready", directory / "clean"
    if not clean.exists() or clean.read_text() != schema_version():
        server.wipe()
    clean.unlink(missing_ok=True)
    version = schema_version()
    server.start()
    try:
        url = server.url("postgres")
        _drop_clones(url)
        ready.write_text(url)
        print(url, end="", flush=True)
        _let_go_of_pipes()
        with (directory / "users.lock").open("a") as users:
            while server.running() and not _taken(users):
                time.sleep(0.3)
            ready.unlink(missing_ok=True)
            ended_well = server.running()
            server.stop()
            if ended_well:
                clean.write_text(version)
    finally:
        ready.unlink(missing_ok=True)
        server.stop()


def _let_go_of_pipes() -> None:
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)


def _taken(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _drop_clones(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        left = connection.execute("select datname from pg_database where starts_with(datname, %s)", (CLONE,)).fetchall()
        for (name,) in left:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
