"""The migration runner on databases of its own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from infra.local.logins import url_of
from infra.local.postgres import SharedServer
from infra.postgres.migrate import ROLES, MigrationFailed, migrate, migrations, schema_version


@pytest.fixture
def empty(server: SharedServer) -> Iterator[str]:
    """The URL of a database without anything in it."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server.owner_url, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
        yield url_of(server.owner_url, name)
        connection.execute(f"drop database {name} with (force)".encode())


def write(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        (directory / f"{name.removeprefix('m')}.sql").write_text(text)
    return directory


def rows(url: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(sql.encode()).fetchall()


def test_files_run_once_and_in_order(empty: str, tmp_path: Path) -> None:
    none = tmp_path / "none.sql"
    write(tmp_path, m0002_fill="insert into t values (1)", m0001_make="create table t (n int); select 1")

    assert migrate(empty, tmp_path, none) == ["0001_make.sql", "0002_fill.sql"]
    assert migrate(empty, tmp_path, none) == []
    assert rows(empty, "select n from t") == [(1,)]
    write(tmp_path, m0003_more="insert into t values (2)")
    assert migrate(empty, tmp_path, none) == ["0003_more.sql"]


def test_a_failure_undoes_its_file_only_and_names_the_line(empty: str, tmp_path: Path) -> None:
    write(
        tmp_path,
        m0001_make="create table t (n int)",
        m0002_bad="insert into t values (1);\ninsert into nowhere\nvalues (1)",
    )

    with pytest.raises(MigrationFailed, match=r"0002_bad\.sql line 2: .*nowhere"):
        migrate(empty, tmp_path)

    assert rows(empty, "select n from t") == []
    assert rows(empty, "select name from platform.migrations") == [("0001_make.sql",)]


def test_an_applied_file_may_not_change(empty: str, tmp_path: Path) -> None:
    migrate(empty, write(tmp_path, m0001_make="create table t (n int)"), tmp_path / "none.sql")

    with pytest.raises(MigrationFailed, match="altered after it was applied"):
        migrate(empty, write(tmp_path, m0001_make="create table t (n bigint)"))


def test_of_several_at_once_one_migrates_and_the_others_wait(empty: str, tmp_path: Path) -> None:
    write(tmp_path, m0001_make="create table t (n int); select pg_sleep(0.2)")

    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(lambda _: migrate(empty, tmp_path, tmp_path / "none.sql"), range(4)))

    assert sorted(applied) == [[], [], [], ["0001_make.sql"]]


def test_grants_are_applied_again_whenever_they_change(empty: str, tmp_path: Path) -> None:
    grants = tmp_path / "grants" / "roles.sql"
    grants.parent.mkdir()
    grants.write_text("grant select on t to pg_monitor")
    write(tmp_path, m0001_make="create table t (n int)")

    assert migrate(empty, tmp_path, grants) == ["0001_make.sql", "roles.sql"]
    assert migrate(empty, tmp_path, grants) == []
    grants.write_text("revoke all on t from pg_monitor")
    assert migrate(empty, tmp_path, grants) == ["roles.sql"]


def test_an_owner_who_is_no_superuser_upgrades_as_well(empty: str, tmp_path: Path) -> None:
    """Whatever it is called: its own rights are not the functions'."""
    owner, grants = f"shop_owner_{uuid4().hex}", tmp_path / "roles.sql"
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(f"create role {owner} login createrole password 'x'".encode())
        connection.execute(f"grant create on database {connection.info.dbname} to {owner}".encode())
    url = f"{empty}&options=-crole%3D{owner}" if "?" in empty else f"{empty}?options=-crole%3D{owner}"
    try:
        grants.write_bytes(ROLES.read_bytes())
        migrate(url, roles=grants)
        grants.write_bytes(ROLES.read_bytes() + b"-- another release\n")

        assert migrate(url, roles=grants) == ["roles.sql"]
        assert rows(url, "select count(*) from orders.orders") == [(0,)]
    finally:
        with psycopg.connect(empty, autocommit=True) as connection:
            connection.execute(f"drop owned by {owner} cascade".encode())
            connection.execute(f"drop role {owner}".encode())


@pytest.mark.parametrize("files", [{"m1_short": ""}, {"m0001_Case": ""}, {"m0001_one": "", "m0001_two": ""}])
def test_misnamed_files_are_refused(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(MigrationFailed):
        migrations(write(tmp_path, **files))


def test_the_version_tells_schemas_apart(tmp_path: Path) -> None:
    grants = tmp_path / "grants.txt"
    first = schema_version(write(tmp_path, m0001_make="create table t (n int)"), grants)
    assert schema_version(tmp_path, grants) == first
    grants.write_text("grant select on t to pg_monitor")
    second = schema_version(tmp_path, grants)
    third = schema_version(write(tmp_path, m0002_more=""), grants)
    assert len({first, second, third}) == 3
