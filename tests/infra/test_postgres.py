"""The server that a test session shares, and the databases cloned on it."""

import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from infra.local import logins, paths
from infra.local.postgres import SharedServer
from infra.local.processes import alive, wait_until

SESSION = """
import sys, psycopg
from infra.local.postgres import test_server
with test_server("shared-by-two") as server:
    with psycopg.connect(server.owner_url) as connection:
        print(connection.execute("select pg_postmaster_start_time()").fetchone()[0], flush=True)
    sys.stdin.readline()
"""


def test_clones_are_alike_and_apart(server: SharedServer) -> None:
    one, other = server.create_database_from_template(), server.create_database_from_template()
    try:
        with psycopg.connect(one.owner_url) as connection:
            connection.execute("insert into platform.streams (topic, key, sequence) values ('t', 'k', 1)")
        with psycopg.connect(other.owner_url) as connection:
            assert connection.execute("select from platform.streams").fetchall() == []
    finally:
        server.drop_database(one)
        server.drop_database(other)


def test_the_shops_login_has_no_rights_of_its_own(server: SharedServer) -> None:
    clone = server.create_database_from_template()
    try:
        with psycopg.connect(clone.app_url) as connection:
            row = connection.execute(
                "select rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolbypassrls from pg_roles"
                " where rolname = %s",
                (logins.APP,),
            ).fetchone()
            assert row == (False, False, False, False, False)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("select from platform.outbox")
    finally:
        server.drop_database(clone)


def test_sessions_share_a_server_that_ends_with_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with session() as one, session() as other:
        assert one.stdin
        assert other.stdin
        started = {line(one), line(other)}
        directory = paths.volatile("shared-by-two")
        pid = int((directory / "postgres" / "postmaster.pid").read_text().split()[0])
        assert len(started) == 1
        one.kill()
        one.wait()
        assert not wait_until(lambda: not alive(pid), timeout_s=1.0), "the other session still uses it"
        other.communicate("\n", timeout=20)
    assert wait_until(lambda: not alive(pid), timeout_s=10)
    assert wait_until((directory / "clean").exists, timeout_s=10)
    shutil.rmtree(directory)


def test_what_does_not_fit_in_memory_lies_beside_the_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "MEMORY", tmp_path / "none")
    assert paths.volatile("tests") == paths.state("tests")
    monkeypatch.setattr(paths, "MEMORY", tmp_path)
    assert paths.volatile("tests") == paths.state("tests"), "it is a disk like any other"


def session() -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SESSION]
    return subprocess.Popen(command, cwd=paths.CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()
