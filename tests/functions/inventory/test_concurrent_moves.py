"""Stock moved, counted by file and taken off sale from many sides at once, over real connections."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from functions.inventory.adjust_stock import AdjustStock, adjust_stock
from functions.inventory.cancel_transfer import cancel_transfer
from functions.inventory.close_location import CloseLocation, close_location
from functions.inventory.commit_hold import commit_hold
from functions.inventory.create_transfer import CreateTransfer, TransferredLine, create_transfer
from functions.inventory.hold_stock import hold_stock
from functions.inventory.import_stock import ImportStock, import_stock
from functions.inventory.open_location import open_location
from functions.inventory.receive_transfer import ReceiveTransfer, receive_transfer
from functions.inventory.release_hold import release_hold
from functions.inventory.ship_hold import ship_hold
from shared.inventory.events import CommitHold, HoldRejected, ReleaseHold, ShipHold, StockHeld
from shared.inventory.problems import LocationClosed, LocationInUse, UnknownLocation
from shared.platform.invariants import CHECKS
from shared.runtime.answers import Answer
from shared.runtime.serve import Runtime
from shared.runtime.work import Cause, unit_of_work
from tests.conftest import ADMIN, Ask, Books, Run, declaration_of
from tests.functions.inventory.conftest import Begun, Stocked, hold, level
from tests.functions.inventory.test_concurrent_holds import at_once
from tests.functions.inventory.test_concurrent_status import told_and_true

AS_ADMIN = ("admin",)
IMPORT = "/v1/admin/stock-import"
Deliver = Callable[..., Awaitable[Answer]]
DEADLOCKS = "select deadlocks from pg_stat_database where datname = current_database()"
BOOKS = ("transfers_equal_ledger", "closed_locations_give_nothing", "nothing_is_oversold", "stock_equals_ledger")


async def books_hold(db: Books) -> None:
    for check in (check for check in CHECKS if check.name in BOOKS):
        assert (check.name, await db.all(check.sql)) == (check.name, [])
    assert await db.value(DEADLOCKS) == 0


def lines(**quantities: int) -> list[TransferredLine]:
    return [TransferredLine(sku=sku, quantity=quantity) for sku, quantity in quantities.items()]


async def test_a_hold_that_waited_takes_nothing_from_a_location_closed_meanwhile(
    run: Run, stocked: Stocked, db: Books, begun: Begun
) -> None:
    await stocked("mug", "LON", 3)
    async with begun(close_location, CloseLocation(location="LON", move_to="LEEDS")):
        holding = asyncio.create_task(run(hold_stock, hold(mug=2)))
    _, emitted = await holding

    assert isinstance(emitted[0], HoldRejected), "LEEDS had no row to lock when the hold began"
    _, emitted = await run(hold_stock, hold(uuid4(), mug=2))
    assert isinstance(emitted[0], StockHeld)
    assert [(line.location, line.quantity) for line in emitted[0].allocations] == [("LEEDS", 2)]
    await told_and_true(db)


async def test_a_hold_that_waited_takes_from_where_the_goods_have_gone(
    run: Run, stocked: Stocked, db: Books, begun: Begun
) -> None:
    await stocked("mug", "LON", 3)
    await stocked("mug", "LEEDS", 1)
    async with begun(close_location, CloseLocation(location="LON", move_to="LEEDS")):
        holding = asyncio.create_task(run(hold_stock, hold(mug=4)))
    _, emitted = await holding

    assert isinstance(emitted[0], StockHeld)
    assert [(line.location, line.quantity) for line in emitted[0].allocations] == [("LEEDS", 4)]
    await told_and_true(db)


async def test_a_closure_that_waited_leaves_what_was_held_meanwhile(
    run: Run, stocked: Stocked, db: Books, begun: Begun
) -> None:
    await stocked("mug", "LON", 3)
    async with begun(hold_stock, hold(mug=2)):
        closing = asyncio.create_task(run(close_location, CloseLocation(location="LON", move_to="LEEDS"), caller=ADMIN))
    closed, _ = await closing

    assert (closed.units, closed.closed) == (1, True)
    assert await level(db, "mug", "LON") == (2, 2, 0, 0)
    await told_and_true(db)


@pytest.mark.parametrize("sku", ["mug", "new"])
async def test_goods_that_come_while_a_location_is_closed_are_refused(
    run: Run, stocked: Stocked, db: Books, begun: Begun, sku: str
) -> None:
    await stocked("mug", "LON", 0)
    made, _ = await run(create_transfer, CreateTransfer(destination="LEEDS", lines=lines(**{sku: 1})), caller=ADMIN)
    await db.run("update inventory.transfers set destination = 'LON'")
    await db.run("update inventory.transfers set status = 'arrived'")  # hidden from the closure, as by one under way
    async with begun(close_location, CloseLocation(location="LON")):
        received = AdjustStock(sku=sku, location="LON", delta=1, reason="received")
        adjusting = asyncio.create_task(run(adjust_stock, received, caller=ADMIN))
    with pytest.raises(UnknownLocation):
        await adjusting

    await db.run("update inventory.transfers set status = 'in_transit'")
    with pytest.raises(LocationClosed):
        await run(receive_transfer, ReceiveTransfer(transfer=made.id), caller=ADMIN)


@pytest.mark.parametrize("sku", ["mug", "new"])
async def test_no_location_is_closed_over_goods_that_come_meanwhile(
    run: Run, stocked: Stocked, db: Books, begun: Begun, sku: str
) -> None:
    await stocked("mug", "LON", 0)
    async with begun(adjust_stock, AdjustStock(sku=sku, location="LON", delta=6, reason="received")):
        closing = asyncio.create_task(run(close_location, CloseLocation(location="LON"), caller=ADMIN))
    with pytest.raises(LocationInUse) as refused:
        await closing
    assert refused.value.on_hand == 6
    await told_and_true(db)


async def test_nor_over_goods_that_are_sent_meanwhile(run: Run, stocked: Stocked, begun: Begun) -> None:
    await stocked("mug", "LEEDS", 2)
    async with begun(create_transfer, CreateTransfer(origin="LEEDS", destination="LON", lines=lines(mug=2))):
        closing = asyncio.create_task(run(close_location, CloseLocation(location="LON"), caller=ADMIN))
    with pytest.raises(LocationInUse) as refused:
        await closing
    assert refused.value.incoming == 2


async def test_nothing_is_sent_to_a_location_that_is_closed_meanwhile(run: Run, stocked: Stocked, begun: Begun) -> None:
    await stocked("mug", "LEEDS", 2)
    async with begun(close_location, CloseLocation(location="LON")):
        request = CreateTransfer(origin="LEEDS", destination="LON", lines=lines(mug=2))
        sending = asyncio.create_task(run(create_transfer, request, caller=ADMIN))
    with pytest.raises(LocationClosed):
        await sending


async def test_no_unit_is_sent_twice(ask: Ask, stocked: Stocked, db: Books) -> None:
    await stocked("mug", "LON", 5)
    body = {"origin": "LON", "destination": "LEEDS", "lines": [{"sku": "mug", "quantity": 2}]}
    answers = await at_once(
        ask(create_transfer, "/v1/transfers", body, roles=AS_ADMIN, idempotency_key=str(number)) for number in range(12)
    )

    assert Counter(answer.status for answer in answers) == {201: 2, 409: 10}
    assert await level(db, "mug") == (1, 0, 0, 0)
    await books_hold(db)


async def test_no_unit_arrives_twice_or_comes_back_as_well(ask: Ask, run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", "LON", 30)
    for _ in range(10):
        request = CreateTransfer(origin="LON", destination="LEEDS", lines=lines(mug=3))
        made, _ = await run(create_transfer, request, caller=ADMIN)
        path = f"/v1/transfers/{made.id}"
        calls: list[tuple[Any, str, Any]] = [
            (receive_transfer, f"{path}/arrivals", None),
            (receive_transfer, f"{path}/arrivals", {"lines": [{"sku": "mug", "quantity": 2}]}),
            (receive_transfer, f"{path}/arrivals", {"lines": [{"sku": "mug", "quantity": 1, "lost": 1}]}),
            (cancel_transfer, f"{path}/cancellation", None),
        ]
        random.Random(1).shuffle(calls)
        answers = await at_once(
            ask(function, path, body, roles=AS_ADMIN, idempotency_key=str(uuid4())) for function, path, body in calls
        )
        assert {answer.status for answer in answers} <= {200, 201, 409}
    await books_hold(db)
    assert await db.value("select bool_and(open = 0) from (select quantity - arrived - lost - returned as open"
                          " from inventory.transfer_lines) l")  # fmt: skip


def sheet(*rows: tuple[str, str, int], column: str = "delta") -> bytes:
    told = "".join(f"{sku},{location},{count},correction\n" for sku, location, count in rows)
    return f"sku,location,{column},reason\n{told}".encode()


async def test_files_at_once_that_share_most_of_their_levels(ask: Ask, stocked: Stocked, db: Books) -> None:
    async def bring(writer: int) -> Answer:
        rows = [(f"s{number}", random.Random(number).choice(("LON", "LEEDS")), 1) for number in range(300)]
        random.Random(writer).shuffle(rows)
        while True:
            answer = await ask(import_stock, IMPORT, sheet(*rows), roles=AS_ADMIN, content_type="text/csv")
            if answer.status != 503:  # it waited longer than one may
                return answer

    answers = await asyncio.gather(*(bring(writer) for writer in range(6)))

    assert {answer.status for answer in answers} == {200}
    assert await db.value("select sum(on_hand) from inventory.stock") == 6 * 300
    await books_hold(db)


async def test_a_large_file_leaves_room_for_the_locks_of_others(stocked: Stocked, db: Books, runtime: Runtime) -> None:
    """A server's table of locks has room for some 6,000, of all transactions together."""
    file = sheet(*((f"s{number}", "LON", 1) for number in range(5_000)))
    async with unit_of_work(runtime.database, declaration_of(import_stock), ADMIN, Cause("test")) as work:
        report = await import_stock(ImportStock(media_type="text/csv", body=file), work)
        assert report.changed == 5_000
        assert await db.value("select count(*) from pg_locks where locktype = 'advisory'") < 3_500


class Crowd:
    """Does all that can be done with few SKUs at three locations; a refusal is as good as a yes."""

    def __init__(self, seed: int, ask: Ask, deliver: Deliver) -> None:
        self.chance = random.Random(seed)
        self.skus, self.places = [f"s{number}" for number in range(5)], ["LON", "LEEDS", "YORK"]
        self.sent: list[str] = []
        self._ask, self._deliver = ask, deliver

    def some(self, most: int) -> dict[str, int]:
        skus = self.chance.sample(self.skus, self.chance.randint(1, 3))
        return {sku: self.chance.randint(1, most) for sku in skus}

    async def post(self, function: Any, path: str, body: Any = None) -> set[int]:
        answer = await self._ask(function, path, body, roles=AS_ADMIN, idempotency_key=str(uuid4()))
        if function is create_transfer and answer.status == 201:
            self.sent.append(json.loads(answer.body)["id"])
        return {200 if answer.status in (201, 404, 409) else answer.status}

    async def tell(self, *events: tuple[Any, Any, float]) -> set[int]:
        """Each with the chance that it comes at all."""
        return {
            (await self._deliver(function, event)).status
            for function, event, likely in events
            if self.chance.random() < likely
        }

    async def buy(self) -> set[int]:
        id = uuid4()
        holding, committing = hold(id, expires_in_s=900, **self.some(3)), CommitHold(order_id=id)
        shipping = ShipHold(order_id=id, part_id=uuid4())
        return await self.tell(
            (hold_stock, holding, 1), (commit_hold, committing, 0.4), (ship_hold, shipping, 0.4),
            (release_hold, ReleaseHold(order_id=id), 0.8),
        )  # fmt: skip

    async def send(self) -> set[int]:
        origin, destination = self.chance.sample(self.places, 2)
        wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in self.some(4).items()]
        from_there = {"origin": origin} if self.chance.random() < 0.7 else {}
        return await self.post(
            create_transfer, "/v1/transfers", {"destination": destination, "lines": wanted, **from_there}
        )

    async def arrive(self) -> set[int]:
        if not self.sent:
            return set()
        path = f"/v1/transfers/{self.chance.choice(self.sent)}"
        if self.chance.random() < 0.3:
            return await self.post(cancel_transfer, f"{path}/cancellation")
        some = {"lines": [{"sku": self.chance.choice(self.skus), "quantity": 1, "lost": self.chance.randint(0, 1)}]}
        return await self.post(receive_transfer, f"{path}/arrivals", self.chance.choice([None, some]))

    async def shut(self) -> set[int]:
        place, other = self.chance.sample(self.places, 2)
        if self.chance.random() < 0.6:
            return await self.post(open_location, f"/v1/locations/{place}/opening")
        return await self.post(close_location, f"/v1/locations/{place}/closure", {"move_to": other})

    async def bring(self) -> set[int]:
        chance = self.chance
        rows = [(chance.choice(self.skus), chance.choice(self.places), chance.randint(0, 6)) for _ in range(8)]
        file = sheet(*rows, column="on_hand")
        return {(await self._ask(import_stock, IMPORT, file, roles=AS_ADMIN, content_type="text/csv")).status}


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(3, 30))])
async def test_everything_at_once(
    seed: int,
    deliver: Deliver,
    ask: Ask,
    stocked: Stocked,
    located: Callable[..., Awaitable[None]],
    db: Books,
) -> None:
    crowd = Crowd(seed, ask, deliver)
    await located("YORK", 3)
    for sku in crowd.skus:
        await stocked(sku, "LON", 12)

    kinds = [crowd.buy] * 8 + [crowd.send] * 3 + [crowd.arrive] * 5 + [crowd.shut] * 3 + [crowd.bring]
    statuses = await at_once(crowd.chance.choice(kinds)() for _ in range(300))

    assert set().union(*statuses) <= {200, 204}
    assert await db.all("select 1 from platform.attempts") == []
    assert await db.value("select count(distinct status) from inventory.transfers") >= 2
    assert await db.value("select max(version) from inventory.locations") > 1
    await books_hold(db)
    await told_and_true(db)
