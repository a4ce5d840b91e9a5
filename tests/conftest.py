"""Real parts for every test: a database of its own, the functions under their own roles, a token issuer."""

import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from functions import load, load_all
from infra.local.postgres import Cloned, SharedServer
from infra.local.postgres import test_server as shared_server
from infra.manifests import by_name
from shared.runtime import Envelope, Event
from shared.runtime.answers import Answer
from shared.runtime.auth import Caller
from shared.runtime.declare import Declaration, OnEvent
from shared.runtime.ids import new_id
from shared.runtime.serve import Endpoint, Runtime, endpoint
from shared.runtime.settings import Settings
from shared.runtime.work import Cause, Fixed, unit_of_work
from tests.issuer import AUDIENCE, ISSUER, Issuer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CUSTOMER = Caller("customer-1", frozenset({"public", "customer"}))
ADMIN = Caller("admin-1", frozenset({"public", "admin"}))

pytest_plugins = ["tests.kafka", "tests.processes", "tests.tools"]


@pytest.fixture(scope="session")
def declarations() -> list[Declaration]:
    """All of them, in the order of their names."""
    return by_name(load_all().values())


@pytest.fixture(scope="session")
def server() -> Iterator[SharedServer]:
    with shared_server() as running:
        yield running


@pytest.fixture
def database(server: SharedServer) -> Iterator[Cloned]:
    """A database of the test's own, migrated, with all roles."""
    cloned = server.create_database_from_template()
    yield cloned
    server.drop_database(cloned)


class Books:
    """The database as its owner sees it: for arranging and for looking at what a function did."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def all(self, sql: str, **values: Any) -> list[Any]:
        cursor = await self._connection.execute(sql, values)
        return await cursor.fetchall() if cursor.description else []

    async def one(self, sql: str, **values: Any) -> Any:
        """The only row. Raises ValueError when there is not exactly one."""
        (row,) = await self.all(sql, **values)
        return row

    async def value(self, sql: str, **values: Any) -> Any:
        return (await self.one(sql, **values))[0]

    async def run(self, sql: str, **values: Any) -> None:
        await self._connection.execute(sql, values)


@pytest.fixture
async def db(database: Cloned) -> AsyncIterator[Books]:
    connection = await psycopg.AsyncConnection.connect(database.owner_url, autocommit=True, row_factory=namedtuple_row)
    yield Books(connection)
    await connection.close()


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def settings(database: Cloned, issuer: Issuer, tmp_path: Path) -> Settings:
    """Override in a module or class to add, for example, the provider's URL."""
    return Settings(
        database_url=database.app_url,
        jwks_url=issuer.publish(tmp_path / "jwks.json"),
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
    )


@pytest.fixture
async def runtime(settings: Settings) -> AsyncIterator[Runtime]:
    running = Runtime.start(settings)
    yield running
    await running.stop()


def declaration_of(function: Callable[..., Any]) -> Declaration:
    return load(function.__name__)


def arguments_of(declaration: Declaration, message: Any) -> tuple[Any, ...]:
    """What the function is called with before its work; one that takes several events together takes one in a list."""
    if declaration.message is None:
        return ()
    return ([message],) if takes_several(declaration) else (message,)


def takes_several(declaration: Declaration) -> bool:
    return isinstance(declaration.trigger, OnEvent) and declaration.trigger.together is not None


class Run(Protocol):
    async def __call__(
        self, function: Callable[..., Any], message: Any = None, *, caller: Caller = CUSTOMER, now: datetime = NOW
    ) -> tuple[Any, list[Event]]: ...


@pytest.fixture
def run(runtime: Runtime) -> Run:
    """Runs a function under its own role, with a fixed clock and ids 1, 2, 3 ...: gives its result and what it emitted.

    A function of three parts runs them all, its call against the provider in `settings`.
    """
    numbers = itertools.count(1)

    async def run(
        function: Callable[..., Any], message: Any = None, *, caller: Caller = CUSTOMER, now: datetime = NOW
    ) -> tuple[Any, list[Event]]:
        declaration = declaration_of(function)
        fixed = Fixed(now, lambda: UUID(int=next(numbers)))
        arguments = arguments_of(declaration, message)
        emitted: list[Event] = []

        async def part(part: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
            async with unit_of_work(runtime.database, declaration, caller, Cause("test"), fixed=fixed) as work:
                result = await part(*arguments, work)
                emitted.extend(work.emitted)
            return result

        if declaration.prepare is not None and declaration.call is not None:
            attempt = await part(declaration.prepare, *arguments)
            if takes_several(declaration):
                calls = [None if one is None else await declaration.call(one, runtime.egress) for one in attempt]
                arguments = (*arguments, calls)
            else:
                arguments = (*arguments, None if attempt is None else await declaration.call(attempt, runtime.egress))
        return await part(function, *arguments), emitted

    return run


@pytest.fixture
def endpoint_of(runtime: Runtime) -> Callable[[Callable[..., Any]], Endpoint[Any]]:
    return lambda function: endpoint(declaration_of(function), runtime)


class Ask(Protocol):
    async def __call__(
        self,
        function: Callable[..., Any],
        path: str,
        body: Any = None,
        *,
        roles: tuple[str, ...] = (),
        subject: str = "customer-1",
        method: str | None = None,
        **headers: str,
    ) -> Answer: ...


@pytest.fixture
def ask(endpoint_of: Callable[[Callable[..., Any]], Endpoint[Any]], issuer: Issuer) -> Ask:
    """Calls a function's HTTP endpoint: bytes in, bytes out. Header names are given with underscores."""

    async def ask(
        function: Callable[..., Any],
        path: str,
        body: Any = None,
        *,
        roles: tuple[str, ...] = (),
        subject: str = "customer-1",
        method: str | None = None,
        **headers: str,
    ) -> Answer:
        target = endpoint_of(function)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if roles:
            sent.setdefault("authorization", f"Bearer {issuer.token(subject, *roles)}")
        if body is not None:
            sent.setdefault("content-type", "application/json")
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        bare, _, query = path.partition("?")
        return await target.handle(method or target.trigger.method, bare, query.encode(), sent, content)

    return ask


def delivered(event: Event, *, source: str | None = None, id: str | None = None) -> tuple[dict[str, str], bytes]:
    """The event as a function receives it: binary headers and body."""
    envelope = Envelope(
        id=id or str(new_id()),
        source=source or f"/shop/{event.sent_by[0]}/test",
        type=event.type,
        time="2026-03-01T12:00:00.000000Z",
        data=event.model_dump_json().encode(),
        subject=event.subject,
        partitionkey=event.key,
        sequence="1",
    )
    return envelope.to_http_headers(), envelope.data


@pytest.fixture
def deliver(endpoint_of: Callable[[Callable[..., Any]], Endpoint[Any]]) -> Callable[..., Awaitable[Answer]]:
    """Delivers an event to a function's endpoint, as the dispatcher does."""

    async def deliver(
        function: Callable[..., Any], event: Event, *, source: str | None = None, id: str | None = None
    ) -> Answer:
        headers, body = delivered(event, source=source, id=id)
        return await endpoint_of(function).handle("POST", "/", b"", headers, body)

    return deliver
