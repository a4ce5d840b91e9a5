"""A function's role may do what its declaration says, and nothing else: every function against every table."""

from typing import Any

import psycopg
import pytest

from infra.local.postgres import Cloned
from infra.manifests.roles import privileges
from shared.orders.tables import audit
from shared.runtime.declare import Declaration, OnEvent
from tests.conftest import Books

VERBS = ("select", "insert", "update", "delete", "truncate", "references", "trigger")
MATRIX = """
select f.role, t.name, v.verb
from unnest(%(roles)s::text[]) f(role)
cross join (
  select n.nspname || '.' || c.relname as name, c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'v', 'm', 'p') and n.nspname in ('platform', 'catalog', 'inventory', 'orders', 'payments')
) t
cross join unnest(%(verbs)s::text[]) v(verb)
where has_table_privilege(f.role, t.oid, v.verb)
"""


async def test_functions_against_tables(db: Books, declarations: list[Declaration]) -> None:
    held = await db.all(MATRIX, roles=[one.role for one in declarations], verbs=list(VERBS))

    declared = {
        (one.role, table, verb) for one in declarations for table, verbs in privileges(one).items() for verb in verbs
    }
    assert {tuple(row) for row in held} == declared


async def test_what_is_read_is_not_written(declarations: list[Declaration]) -> None:
    for one in declarations:
        written = {table.fullname for table in one.writes}
        for table in one.reads:
            if table.fullname not in written and table.schema != "platform":
                assert privileges(one)[table.fullname] == {"select"}


async def test_domains_write_their_own_tables_only(declarations: list[Declaration]) -> None:
    foreign = {
        (one.name, table.fullname)
        for one in declarations
        for table in one.writes
        if table.schema not in (one.domain, "platform") and table is not audit  # one log of what was done by hand
    }
    assert foreign == set()


async def test_nobody_deletes_from_a_ledger(db: Books, declarations: list[Declaration]) -> None:
    held = await db.all(MATRIX, roles=[one.role for one in declarations], verbs=["delete", "truncate"])

    assert [row for row in held if "ledger" in row.name] == []
    assert {row.role for row in held if row.name == "platform.outbox"} <= {"fn_forget_old_rows"}


async def test_what_is_not_published_cannot_be_forgotten(db: Books, as_role: Any) -> None:
    await db.run(
        "insert into platform.outbox (id, source, type, topic, partition, key, time, data)"
        " values ('1', '/shop/test/old', 't', 'shop.test', 0, 'k', now() - interval '1 year', '')"
    )
    assert await as_role("fn_forget_old_rows", "delete from platform.outbox returning position") == []


async def test_nobody_may_log_in_or_be_more_than_a_function(db: Books, declarations: list[Declaration]) -> None:
    rows = await db.all(
        "select rolname from pg_roles where rolname = any (%(roles)s)"
        " and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls)",
        roles=[one.role for one in declarations],
    )
    assert rows == []


async def test_a_function_is_a_member_of_nothing(db: Books, declarations: list[Declaration]) -> None:
    rows = await db.all(
        "select member::regrole::text from pg_auth_members where member::regrole::text = any (%(roles)s)",
        roles=[one.role for one in declarations],
    )
    assert rows == []


async def test_logins_give_up_waiting(db: Books, declarations: list[Declaration]) -> None:
    rows = await db.all(
        "select setrole::regrole::text as role, setconfig from pg_db_role_setting where setdatabase = 0"
    )
    limits = {row.role: set(row.setconfig) for row in rows}
    for role in ("shop_app", "shop_relay", *(one.role for one in declarations)):
        assert limits[role] >= {
            "lock_timeout=2s",
            "statement_timeout=5s",
            "idle_in_transaction_session_timeout=10s",
        }


INSERT = """
insert into platform.outbox (id, source, type, topic, partition, key, time, data)
values ('1', '/shop/test/forged', %s, %s, 0, 'k', now(), '')
"""


@pytest.fixture
def as_role(database: Cloned) -> Any:
    """Runs one statement under a role, and takes it back."""

    async def run(role: str, statement: str, *values: str) -> list[Any]:
        async with await psycopg.AsyncConnection.connect(database.owner_url) as connection:
            await connection.execute("select set_config('role', %s, true)", (role,))
            cursor = await connection.execute(statement, values)
            rows = await cursor.fetchall() if cursor.description else []
            await connection.rollback()
            return rows

    return run


async def test_a_function_emits_its_declared_types_only(declarations: list[Declaration], as_role: Any) -> None:
    every = {event.type for one in declarations for event in one.emits}
    for one in declarations:
        own = {event.type for event in one.emits}
        for allowed in sorted(own):
            await as_role(one.role, INSERT, allowed, "shop.test")
        forbidden = min(every - own)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await as_role(one.role, INSERT, forbidden, "shop.test")


async def test_a_consumer_sees_its_own_inbox_only(db: Books, declarations: list[Declaration], as_role: Any) -> None:
    consumers = [one for one in declarations if isinstance(one.trigger, OnEvent)]
    for one in consumers:
        await db.run("insert into platform.inbox values (%(c)s, 's', '1')", c=one.service)

    for one in consumers:
        declared = any(table.fullname == "platform.inbox" for table in (*one.reads, *one.writes))
        rows = await as_role(one.role, "select consumer from platform.inbox")
        assert declared or [row[0] for row in rows] == [one.service]
        other = next(consumer for consumer in consumers if consumer is not one)
        if not declared:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await as_role(one.role, "insert into platform.inbox values (%s, 's', '2')", other.service)


async def test_the_file_can_be_applied_again(database: Cloned, db: Books, declarations: list[Declaration]) -> None:
    from infra.postgres.migrate import ROLES

    before = await db.all("select * from pg_policies order by 1, 2, 3")
    for _ in range(2):
        async with await psycopg.AsyncConnection.connect(database.owner_url) as connection:
            await connection.execute(ROLES.read_bytes())

    assert await db.all("select * from pg_policies order by 1, 2, 3") == before
    held = await db.all(MATRIX, roles=[one.role for one in declarations], verbs=list(VERBS))
    assert len(held) == sum(len(verbs) for one in declarations for verbs in privileges(one).values())


async def test_what_was_granted_before_is_taken_back(
    database: Cloned, db: Books, declarations: list[Declaration]
) -> None:
    from infra.postgres.migrate import ROLES

    role = declarations[0].role
    await db.run(f"grant delete, truncate on platform.outbox, platform.migrations to {role}")
    await db.run(f"create policy emit_forgotten on platform.outbox for insert to {role} with check (true)")
    async with await psycopg.AsyncConnection.connect(database.owner_url) as connection:
        await connection.execute(ROLES.read_bytes())

    held = await db.all(MATRIX, roles=[role], verbs=["delete", "truncate"])
    assert [row for row in held if row.name in ("platform.outbox", "platform.migrations")] == []
    assert await db.all("select from pg_policies where policyname = 'emit_forgotten'") == []
