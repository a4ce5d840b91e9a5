"""A real provider for the payments domain, and a check after every test that three sets of books agree."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, Protocol
from uuid import UUID, uuid4

import pytest

from shared.runtime import Event, Work
from shared.runtime.auth import Caller
from shared.runtime.serve import Runtime
from shared.runtime.settings import Settings
from shared.runtime.work import Cause, Fixed, unit_of_work
from tests.conftest import NOW, Books, declaration_of
from tests.functions.payments.webhooks import SECRET, Tell, telling
from tests.provider import ProviderServer

SUMS = """
select p.order_id, p.authorized_minor, p.captured_minor, p.voided_minor, p.refunded_minor,
  coalesce(sum(l.amount_minor) filter (where debit_account = 'authorized'), 0) as authorized,
  coalesce(sum(l.amount_minor) filter (where (debit_account, credit_account) = ('captured', 'authorized')), 0)
    as captured,
  coalesce(sum(l.amount_minor) filter (where (debit_account, credit_account) = ('customer', 'authorized')), 0)
    as voided,
  coalesce(sum(l.amount_minor) filter (where (debit_account, credit_account) = ('customer', 'captured')), 0)
    as refunded
from payments.payments p left join payments.ledger l using (order_id)
where not exists (select from payments.attempts a where a.order_id = p.order_id and a.finished_at is null)
  and not exists (select from payments.ledger m where m.order_id = p.order_id and m.reversal)
group by p.order_id
"""


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProviderServer]:
    server = ProviderServer(tmp_path_factory.mktemp("provider") / "books.sqlite")
    yield server
    server.stop()


@pytest.fixture
def settings(settings: Settings, provider: ProviderServer) -> Settings:
    return replace(settings, provider_url=provider.url, provider_webhook_secret=SECRET)


@pytest.fixture
def tell(endpoint_of: Callable[[Any], Any]) -> Tell:
    """What the provider says by itself."""
    return telling(endpoint_of)


@pytest.fixture
def order() -> UUID:
    """Random, since the provider's books are shared by all tests of a session."""
    return uuid4()


@pytest.fixture(autouse=True)
async def books_agree(db: Books, provider: ProviderServer) -> AsyncIterator[None]:
    """Payments, ledger and the provider say the same of every order that has no attempt in the air."""
    yield
    for row in await db.all(SUMS):
        ours = (row.authorized_minor, row.captured_minor, row.voided_minor, row.refunded_minor)
        assert ours == (row.authorized, row.captured, row.voided, row.refunded)
        assert ours == charged(provider, row.order_id)


def charged(provider: ProviderServer, order: UUID) -> tuple[int, int, int, int]:
    """What the provider's books hold for an order: authorised, captured, voided, refunded minor units."""
    items = provider.get(f"/v1/authorizations?reference={order}").json["items"]
    names = ("authorized_minor", "captured_minor", "voided_minor", "refunded_minor")
    authorized, captured, voided, refunded = (sum(item[name] for item in items) for name in names)
    return authorized, captured, voided, refunded


class Halt(Protocol):
    async def __call__(
        self, function: Any, command: Event, *, called: bool = True
    ) -> Callable[[], Awaitable[list[Event]]]: ...


@pytest.fixture
def halt(runtime: Runtime) -> Halt:
    """A run that stops before it settles, as if killed; `called=False`: before it calls the provider, too.

    Gives what goes on with it after all: then it was only slow.
    """

    async def halt(function: Any, command: Event, *, called: bool = True) -> Callable[[], Awaitable[list[Event]]]:
        declaration = declaration_of(function)
        assert declaration.prepare is not None
        assert declaration.call is not None

        def part() -> AbstractAsyncContextManager[Work]:
            nobody = Caller("", frozenset())
            return unit_of_work(runtime.database, declaration, nobody, Cause("test"), fixed=Fixed(NOW, uuid4))

        async with part() as work:
            (attempt,) = await declaration.prepare([command], work)
        outcome = await declaration.call(attempt, runtime.egress) if called else None

        async def go_on() -> list[Event]:
            async with part() as work:
                await function([command], [outcome], work)
            return work.emitted

        return go_on

    return halt
