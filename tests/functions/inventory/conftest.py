"""Stock to hold, and a check after every test that levels, ledger and holds say the same."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol
from uuid import UUID

import pytest

from functions.inventory.create_location import CreateLocation, create_location
from functions.inventory.set_stock_level import SetStockLevel, set_stock_level
from shared.inventory.events import HoldLine, HoldStock
from shared.platform.invariants import CHECKS
from shared.runtime.serve import Runtime
from shared.runtime.work import Cause, unit_of_work
from tests.conftest import ADMIN, Books, Run, arguments_of, declaration_of

ORDER = UUID(int=0xA1)
OTHER = UUID(int=0xA2)

BOOKS = (
    "stock_equals_ledger",
    "promised_equals_holds",
    "nothing_is_oversold",
    "ended_holds_are_empty",
    "parts_equal_lines",
    "shipped_equals_ledger",
)


Begun = Callable[..., Any]


class Stocked(Protocol):
    async def __call__(self, sku: str, location: str = "LON", on_hand: int = 0) -> None: ...


@pytest.fixture(autouse=True)
async def books_agree(db: Books) -> AsyncIterator[None]:
    yield
    for check in CHECKS:
        if check.name in BOOKS:
            assert (check.name, await db.all(check.sql)) == (check.name, [])


@pytest.fixture
def located(run: Run) -> Callable[..., Awaitable[None]]:
    async def located(id: str, priority: int = 100) -> None:
        await run(create_location, CreateLocation(id=id, name=id.title(), priority=priority), caller=ADMIN)

    return located


@pytest.fixture
async def stocked(run: Run, located: Callable[..., Awaitable[None]]) -> Stocked:
    """Two locations, of which LON comes first, and a way to fill them."""
    await located("LON", 1)
    await located("LEEDS", 2)

    async def stocked(sku: str, location: str = "LON", on_hand: int = 0) -> None:
        recount = SetStockLevel(sku=sku, location=location, on_hand=on_hand, reason="recount")
        await run(set_stock_level, recount, caller=ADMIN)

    return stocked


@pytest.fixture
def begun(runtime: Runtime, db: Books) -> Begun:
    """Runs a function and commits only when another one, started meanwhile, waits for it."""

    @asynccontextmanager
    async def begun(function: Callable[..., Awaitable[Any]], message: Any) -> AsyncIterator[None]:
        async with unit_of_work(runtime.database, declaration_of(function), ADMIN, Cause("test")) as work:
            await function(*arguments_of(declaration_of(function), message), work)
            yield
            async with asyncio.timeout(5):
                while not await db.value(  # noqa: ASYNC110 - another connection waits
                    "select count(*) from pg_stat_activity"
                    " where datname = current_database() and wait_event_type = 'Lock'"
                ):
                    await asyncio.sleep(0.01)

    return begun


def hold(order: UUID = ORDER, expires_in_s: int = 60, **quantities: int) -> HoldStock:
    lines = [HoldLine(sku=sku, quantity=quantity) for sku, quantity in quantities.items()]
    return HoldStock(order_id=order, lines=lines, expires_in_s=expires_in_s)


async def level(db: Books, sku: str, location: str = "LON") -> tuple[int, int, int, int]:
    """On hand, held, committed, shortfall."""
    row = await db.one(
        """select on_hand, held, committed, shortfall from inventory.stock
        where sku = %(sku)s and location = %(location)s""",
        sku=sku,
        location=location,
    )
    return row.on_hand, row.held, row.committed, row.shortfall
