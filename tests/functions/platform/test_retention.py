"""Only what is old, published and read is forgotten, and only by the function that is there for it."""

from datetime import UTC, datetime

import psycopg
import pytest

from functions.platform.forget_old_rows import forget_old_rows
from infra.local.postgres import Cloned
from tests.conftest import Books, Run

FILL = """
insert into platform.idempotency (function, principal, route, key, fingerprint, status, headers, body, expires_at)
select 'f', 'p', 'r', name, '', 200, '{}', '', now() + at
from (values ('old', interval '-1 s'), ('young', '1 h')) k (name, at);
insert into platform.inbox (consumer, source, event_id, at)
select 'c', 's', name, now() - at from (values ('old', interval '31 days'), ('young', '29 days')) e (name, at);
insert into platform.attempts (consumer, source, event_id, attempts, last_error, at)
select 'c', 's', name, 1, '', now() - at from (values ('old', interval '31 days'), ('young', '29 days')) e (name, at);
insert into platform.outbox (id, source, type, topic, partition, key, time, data, log_offset, published_at)
select name, 's', 't', topic, 0, 'k', now() - interval '40 days', '', at_offset, now() - at
from (values ('old', 'read', 0, interval '31 days'), ('unread', 'read', 1, interval '31 days'),
  ('young', 'read', 2, interval '29 days'), ('nobody reads', 'unknown', 0, interval '31 days'),
  ('unpublished', 'read', null, null)) e (name, topic, at_offset, at);
insert into platform.rate_limits
select 'f', name, 0, 0, now() - at from (values ('old', interval '25 hours'), ('young', '23 hours')) e (name, at);
insert into platform.consumer_offsets values ('c', 'read', 0, 1), ('d', 'read', 0, 9), ('c', 'read', 1, 0)
"""


async def test_what_is_old_is_forgotten(run: Run, db: Books, database: Cloned) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute(FILL)
    await run(forget_old_rows, now=datetime.now(UTC))

    left = {
        table: [row[0] for row in await db.all(f"select {column} from platform.{table} order by 1")]  # noqa: S608
        for table, column in (
            ("idempotency", "key"),
            ("inbox", "event_id"),
            ("attempts", "event_id"),
            ("outbox", "id"),
            ("rate_limits", "principal"),
        )
    }
    assert left == {
        "idempotency": ["young"],
        "inbox": ["young"],
        "attempts": ["young"],
        "outbox": ["unpublished", "unread", "young"],
        "rate_limits": ["young"],
    }


@pytest.mark.parametrize("table", ["idempotency", "inbox", "attempts", "outbox", "rate_limits"])
async def test_what_is_young_cannot_be_deleted_at_all(table: str, db: Books, database: Cloned) -> None:
    """The function's role sees only old rows when it deletes, whatever its statement says."""
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute(FILL)
        young = "where expires_at > now()" if table == "idempotency" else ""
        connection.execute("set role fn_forget_old_rows")
        connection.execute(f"delete from platform.{table} {young}")  # noqa: S608
        connection.execute("reset role")
    left = await db.all(f"select * from platform.{table}")  # noqa: S608

    assert len(left) >= (2 if table in ("idempotency", "outbox") else 1)


async def test_nobody_else_may_delete(db: Books) -> None:
    rows = await db.all(
        "select grantee, table_name from information_schema.role_table_grants"
        " where table_schema = 'platform' and privilege_type = 'DELETE' and grantee like 'fn_%%'"
    )

    old = {"idempotency", "inbox", "attempts", "outbox", "publications", "rate_limits"}
    assert {(row.grantee, row.table_name) for row in rows} == {
        *(("fn_forget_old_rows", table) for table in old),
        ("fn_set_publisher", "publishers"),
        ("fn_watch_functions", "functions"),
    }
