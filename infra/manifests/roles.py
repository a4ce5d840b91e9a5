"""Postgres roles: each function may do what it declares and nothing else."""

from collections.abc import Iterable, Iterator

from sqlalchemy import Table

from infra.manifests import Files, headed
from shared.runtime.declare import Declaration, Http, OnEvent

GUARDED = frozenset(
    {
        "platform.outbox",
        "platform.inbox",
        "platform.attempts",
        "platform.idempotency",
        "platform.rate_limits",
        "platform.publications",
    }
)
"""The tables with row-level security: a function that declares them sees more than its own rows."""

Privileges = dict[str, set[str]]
"""By table, as schema.name."""

ENSURE = """\
-- Roles belong to the server, and several databases of one server may be set up at once: look first, and try again when
-- another one was quicker.
create or replace function pg_temp.ensure(satisfied text, command text) returns void language plpgsql as $$
declare
  done boolean;
begin
  for attempt in 1..100 loop
    execute format('select exists (%s)', satisfied) into done;
    if done then
      return;
    end if;
    begin
      execute command;
      return;
    exception when duplicate_object or unique_violation or internal_error then
      perform pg_sleep(random() * 0.05);
    end;
  end loop;
  raise exception 'not done in 100 attempts: %', command;
end $$;

create or replace function pg_temp.ensure_role(role text, options text default '') returns void language plpgsql as $$
begin
  perform pg_temp.ensure(
    format('select from pg_roles where rolname = %L', role),
    format('create role %I nologin %s', role, options));
  -- A pooler keeps no session settings, so they belong to the login. A lock's wait ends before its statement's.
  -- A plan is made once per connection: left to itself, Postgres plans anew for every array that it is given. What a
  -- function reads is in memory or on flash: a plan for turning disks would read all of a table to find a hundred rows.
  perform pg_temp.ensure(
    format('select from pg_db_role_setting where setrole = %L::regrole and setdatabase = 0 and %L = any (setconfig)',
      role, setting || '=' || value),
    format('alter role %I set %s = %L', role, setting, value))
  from (values ('lock_timeout', '2s'), ('statement_timeout', '5s'), ('idle_in_transaction_session_timeout', '10s'),
    ('plan_cache_mode', 'force_generic_plan'), ('random_page_cost', '1.1'))
    as settings (setting, value);
end $$;

create or replace function pg_temp.ensure_member(role text, member text) returns void language sql as $$
  select pg_temp.ensure(
    format('select from pg_auth_members where roleid = %L::regrole and member = %L::regrole', role, member),
    format('grant %I to %I', role, member))
$$;
"""

CLEAN = """\
-- What earlier versions granted, also to functions that are no more.
do $$
declare
  role text;
  policy record;
begin
  for role in
    select distinct grantee::regrole::text from (
      select (aclexplode(relacl)).grantee from pg_class join pg_namespace n on n.oid = relnamespace
      where nspname in ({schemas})
      union all
      select (aclexplode(nspacl)).grantee from pg_namespace where nspname in ({schemas})
    ) as granted
    where grantee <> 0 and grantee::regrole::text ~ '^(fn_.*|shop_app|shop_relay)$'
  loop
    execute format('revoke all on all tables in schema {plain} from %s', role);
    execute format('revoke all on all sequences in schema {plain} from %s', role);
    execute format('revoke all on schema {plain} from %s', role);
  end loop;
  for policy in
    select * from pg_policies where schemaname = 'platform' and policyname ~ '^(emit|retry|read|write|forget)_|^relay$'
  loop
    execute format('drop policy %I on platform.%I', policy.policyname, policy.tablename);
  end loop;
end $$;
"""

PEERS = """\
-- The relay and the dispatcher carry every event, whoever emitted it.
grant usage on schema platform to shop_relay;
grant select, insert, update on platform.outbox, platform.log_heads, platform.consumer_offsets to shop_relay;
create policy relay on platform.outbox to shop_relay using (true) with check (true);
"""


def files(declarations: list[Declaration]) -> Files:
    used = sorted({table.schema or "" for d in declarations for table in (*d.reads, *d.writes)} | {"platform"})
    quoted = ", ".join(f"'{schema}'" for schema in used)
    parts = [
        ENSURE,
        "\n".join(_roles(declarations)),
        CLEAN.replace("{schemas}", quoted).replace("{plain}", ", ".join(used)),
        PEERS,
        *("\n".join(_grants(declaration)) for declaration in declarations),
        "drop function pg_temp.ensure_member, pg_temp.ensure_role, pg_temp.ensure;",
    ]
    return {"infra/postgres/roles.sql": headed("\n".join(parts) + "\n", "--", "the declarations in functions/")}


def privileges(declaration: Declaration) -> Privileges:
    """What the function's role may do with which table."""
    given: Privileges = {"platform.migrations": {"select"}}  # to know whether it fits the database

    def add(table: str, *verbs: str) -> None:
        given.setdefault(table, set()).update(verbs)

    for table in declaration.reads:
        add(table.fullname, "select")
    for table in declaration.writes:
        add(table.fullname, "select", *_write_verbs(table))
    if declaration.emits or _redelivers(declaration):
        add("platform.outbox", "insert")
    if declaration.emits:
        add("platform.streams", "select", "insert", "update")
    match declaration.trigger:
        case Http() as http:
            if http.idempotent:
                add("platform.idempotency", "select", "insert", "update")
            if http.rate is not None:
                add("platform.rate_limits", "select", "insert", "update")
        case OnEvent():
            add("platform.inbox", "select", "insert")
            add("platform.attempts", "select", "insert", "update")
            add("platform.dead_letters", "select", "insert", "update")
    return given


def _write_verbs(table: Table) -> Iterable[str]:
    if "forgets" in table.info:
        yield "delete"
        return
    yield "insert"
    if not table.info.get("append_only") and table.fullname != "platform.outbox":
        yield "update"
    if table.info.get("deletable"):
        yield "delete"


def _redelivers(declaration: Declaration) -> bool:
    return any(table.fullname == "platform.outbox" and "forgets" not in table.info for table in declaration.writes)


def _roles(declarations: list[Declaration]) -> Iterator[str]:
    yield "-- One role per function; shop_app may become any of them, one transaction at a time."
    yield "select pg_temp.ensure_role('shop_app', 'noinherit');"
    yield "select pg_temp.ensure_role('shop_relay');"
    yield "select pg_temp.ensure_role(role), pg_temp.ensure_member(role, 'shop_app') from unnest(array["
    yield ",\n".join(f"  '{declaration.role}'" for declaration in declarations)
    yield "]::text[]) as role;"
    yield ""


def _grants(declaration: Declaration) -> Iterator[str]:
    role, given = declaration.role, privileges(declaration)
    yield f"-- {declaration.domain}/{declaration.name}"
    yield f"grant usage on schema {', '.join(sorted({table.partition('.')[0] for table in given}))} to {role};"
    by_verbs: dict[tuple[str, ...], list[str]] = {}
    for table, verbs in sorted(given.items()):
        ordered = tuple(verb for verb in ("select", "insert", "update", "delete") if verb in verbs)
        by_verbs.setdefault(ordered, []).append(table)
    for held, tables in sorted(by_verbs.items()):
        yield f"grant {', '.join(held)} on {', '.join(tables)} to {role};"
    yield from _policies(declaration)


def _policies(declaration: Declaration) -> Iterator[str]:
    role, name = declaration.role, declaration.name
    if declaration.emits:
        types = ", ".join(f"'{event}'" for event in sorted({event.type for event in declaration.emits}))
        yield f"create policy emit_{name} on platform.outbox for insert to {role} with check (type in ({types}));"
    if _redelivers(declaration):
        check = "with check (topic like 'shop.retry.%')"
        yield f"create policy retry_{name} on platform.outbox for insert to {role} {check};"
    forgotten = {table.fullname: table.info["forgets"] for table in declaration.writes if "forgets" in table.info}
    for table, old in sorted(forgotten.items()):
        yield f"create policy forget_{name} on {table} for delete to {role} using ({old});"
    written = {table.fullname for table in declaration.writes} - forgotten.keys()
    for table in sorted({table.fullname for table in (*declaration.reads, *declaration.writes)} & GUARDED):
        if table in written and table != "platform.outbox":
            yield f"create policy write_{name} on {table} to {role} using (true) with check (true);"
        else:
            yield f"create policy read_{name} on {table} for select to {role} using (true);"
