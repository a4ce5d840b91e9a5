"""Goods that move leave one location at once and arrive at another in parts; what is on its way is counted."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import pytest

from functions.inventory.adjust_stock import AdjustStock, adjust_stock
from functions.inventory.cancel_transfer import CancelTransfer, cancel_transfer
from functions.inventory.check_stock import check_stock
from functions.inventory.create_transfer import CreateTransfer, TransferredLine, create_transfer
from functions.inventory.get_stock import get_stock
from functions.inventory.get_transfer import get_transfer
from functions.inventory.hold_stock import hold_stock
from functions.inventory.list_transfers import list_transfers
from functions.inventory.receive_transfer import ReceiveTransfer, receive_transfer
from functions.inventory.set_level_policy import SetLevelPolicy, set_level_policy
from shared.inventory.events import StockReceived, StockTransferred
from shared.platform.invariants import CHECKS
from shared.runtime import metrics
from shared.runtime.answers import Answer
from tests.conftest import ADMIN, NOW, Ask, Books, Run
from tests.functions.inventory.conftest import Stocked, hold, level

AS_ADMIN = ("admin",)
NOBODY = UUID(int=404)


@pytest.fixture(autouse=True)
async def transfers_agree(db: Books) -> AsyncIterator[None]:
    yield
    (check,) = (check for check in CHECKS if check.name == "transfers_equal_ledger")
    assert await db.all(check.sql) == []


class Moves:
    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._keys = 0

    async def try_create(self, *lines: tuple[str, int], key: str = "", **fields: Any) -> Answer:
        wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
        body = {"origin": "LON", "destination": "LEEDS", "lines": wanted, **fields}
        body = {name: value for name, value in body.items() if value is not None}
        return await self._post(create_transfer, "/v1/transfers", body, key)

    async def create(self, *lines: tuple[str, int], **fields: Any) -> Any:
        return said(await self.try_create(*lines, **fields), 201)

    async def announce(self, *lines: tuple[str, int], **fields: Any) -> Any:
        return await self.create(*lines, origin=None, **fields)

    async def try_receive(self, transfer: Any, body: Any = None, key: str = "") -> Answer:
        return await self._post(receive_transfer, f"/v1/transfers/{transfer['id']}/arrivals", body, key)

    async def receive(self, transfer: Any, **units: int | tuple[int, int]) -> Any:
        """Units by SKU, or (units, lost); all that is open without any."""
        lines = [
            {"sku": sku, "quantity": one} if isinstance(one, int) else {"sku": sku, "quantity": one[0], "lost": one[1]}
            for sku, one in units.items()
        ]
        return said(await self.try_receive(transfer, {"lines": lines} if lines else None), 201)

    async def try_cancel(self, transfer: Any, key: str = "") -> Answer:
        return await self._post(cancel_transfer, f"/v1/transfers/{transfer['id']}/cancellation", None, key)

    async def cancel(self, transfer: Any) -> Any:
        return said(await self.try_cancel(transfer), 200)

    async def listed(self, query: str = "") -> Any:
        return said(await self._ask(list_transfers, f"/v1/transfers?{query}", roles=AS_ADMIN))

    async def incoming(self, sku: str = "mug") -> tuple[int, dict[str, int]]:
        """In all and by location, as both ways of asking say."""
        one = said(await self._ask(get_stock, f"/v1/stock/{sku}", roles=AS_ADMIN))
        (checked,) = said(await self._ask(check_stock, f"/v1/stock?sku={sku}", roles=AS_ADMIN))["items"]
        assert one == checked
        return one["incoming"], {at["location"]: at["incoming"] for at in one["locations"]}

    async def _post(self, function: Callable[..., Any], path: str, body: Any, key: str) -> Answer:
        self._keys += 1
        key = key or f"key {self._keys}"
        return await self._ask(function, path, body, roles=AS_ADMIN, subject="ada", idempotency_key=key)


@pytest.fixture
def moves(ask: Ask) -> Moves:
    return Moves(ask)


def said(answer: Answer, status: int = 200) -> Any:
    assert answer.status == status, answer.body
    return json.loads(answer.body)


def refusal(answer: Answer) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer
    return answer.status, said(answer, answer.status)["type"].rpartition(":")[2]


async def booked(db: Books) -> list[tuple[str, str, int, int, str]]:
    rows = await db.all("select * from inventory.ledger where transfer is not null order by id")
    return [(row.sku, row.location, row.delta, row.on_hand, row.reason) for row in rows]


async def test_goods_leave_at_once_and_arrive_in_parts(moves: Moves, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=10)
    await stocked("tea", on_hand=3)
    sent = await moves.create(("mug", 4), ("tea", 3), ("mug", 2), reference="T 1", note="by van")

    assert (sent["status"], sent["origin"], sent["destination"], sent["actor"]) == ("in_transit", "LON", "LEEDS", "ada")
    assert (sent["reference"], sent["note"], sent["expected_at"]) == ("T 1", "by van", None)
    assert sent["lines"] == [
        {"sku": "mug", "quantity": 6, "arrived": 0, "lost": 0, "returned": 0, "open": 6},
        {"sku": "tea", "quantity": 3, "arrived": 0, "lost": 0, "returned": 0, "open": 3},
    ]
    assert await level(db, "mug") == (4, 0, 0, 0)
    assert await moves.incoming() == (6, {"LON": 0, "LEEDS": 6})

    part = await moves.receive(sent, mug=(1, 2))
    assert (part["status"], part["lines"][0]) == (
        "in_transit",
        {"sku": "mug", "quantity": 6, "arrived": 1, "lost": 2, "returned": 0, "open": 3},
    )
    assert await level(db, "mug", "LEEDS") == (1, 0, 0, 0)
    assert await moves.incoming() == (3, {"LON": 0, "LEEDS": 3})

    whole = await moves.receive(sent)
    assert (whole["status"], [line["open"] for line in whole["lines"]]) == ("arrived", [0, 0])
    assert whole["updated_at"] > sent["updated_at"]
    assert await moves.incoming() == (0, {"LON": 0, "LEEDS": 0})
    assert await booked(db) == [
        ("mug", "LON", -6, 4, "transfer_out"),
        ("tea", "LON", -3, 0, "transfer_out"),
        ("mug", "LEEDS", 1, 1, "transfer_in"),
        ("mug", "LEEDS", 3, 4, "transfer_in"),
        ("tea", "LEEDS", 3, 3, "transfer_in"),
    ]


async def test_each_move_is_told(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=10)
    request = CreateTransfer(
        origin="LON", destination="LEEDS", lines=[TransferredLine(sku="mug", quantity=10)], note="all of it"
    )
    sent, told = await run(create_transfer, request, caller=ADMIN)
    assert [type(event).__name__ for event in told] == ["StockTransferred", "StockDepleted"]
    left = told[0]
    assert isinstance(left, StockTransferred)
    assert (left.location, left.delta, left.on_hand, left.transfer, left.reason) == (
        "LON", -10, 0, sent.id, "transfer_out",
    )  # fmt: skip

    came, told = await run(receive_transfer, ReceiveTransfer(transfer=sent.id), caller=ADMIN)
    assert [type(event).__name__ for event in told] == ["StockTransferred", "StockReplenished"]
    assert (came.status, came.updated_at) == ("arrived", NOW)

    announced = CreateTransfer(destination="LEEDS", lines=[TransferredLine(sku="cup", quantity=2)])
    sent, told = await run(create_transfer, announced, caller=ADMIN)
    assert told == []
    _, told = await run(receive_transfer, ReceiveTransfer(transfer=sent.id), caller=ADMIN)
    assert [type(event).__name__ for event in told] == ["StockReceived", "StockReplenished"]
    assert isinstance(told[0], StockReceived)
    assert (told[0].reason, told[0].transfer) == ("received", sent.id)


async def test_what_a_supplier_announces_is_on_its_way_before_anybody_has_seen_it(
    moves: Moves, stocked: Stocked, db: Books
) -> None:
    when = "2026-04-01T09:00:00Z"
    sent = await moves.announce(("lamp", 5), expected_at="2026-04-01T10:00:00+01:00", reference="PO-7")
    assert (sent["origin"], sent["expected_at"], sent["reference"]) == (None, when, "PO-7")
    assert await moves.incoming("lamp") == (5, {"LEEDS": 5})

    body = {"lines": [{"sku": "lamp", "quantity": 2}], "at": "2026-02-28T08:00:00Z", "note": "one pallet"}
    said(await moves.try_receive(sent, body), 201)
    assert await moves.incoming("lamp") == (3, {"LEEDS": 3})
    entry = await db.one("select * from inventory.ledger where sku = 'lamp'")
    assert (entry.reason, entry.delta, entry.note, str(entry.transfer)) == ("received", 2, "one pallet", sent["id"])
    assert entry.at.isoformat() == "2026-02-28T08:00:00+00:00"

    ended = await moves.cancel(sent)
    assert (ended["status"], ended["lines"][0]["returned"], ended["lines"][0]["open"]) == ("cancelled", 3, 0)
    assert await moves.incoming("lamp") == (0, {"LEEDS": 0})
    assert await level(db, "lamp", "LEEDS") == (2, 0, 0, 0)


async def test_only_what_is_not_promised_may_leave(moves: Moves, run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=10)
    await stocked("tea", on_hand=2)
    await run(hold_stock, hold(mug=4))
    await run(set_level_policy, SetLevelPolicy(sku="mug", location="LON", safety_stock=6), caller=ADMIN)

    answer = await moves.try_create(("mug", 7), ("tea", 2), ("none", 1))
    assert refusal(answer) == (409, "not-free")
    assert (said(answer, 409)["origin"], said(answer, 409)["lines"]) == (
        "LON",
        [{"sku": "mug", "quantity": 7, "free": 6}, {"sku": "none", "quantity": 1, "free": 0}],
    )
    assert await booked(db) == []
    assert await db.all("select 1 from inventory.items where sku = 'none'") == []

    await moves.create(("mug", 6), ("tea", 2))  # safety stock may leave
    assert await level(db, "mug") == (4, 4, 0, 0)


async def test_a_shortfall_leaves_nothing_free(moves: Moves, run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=5)
    await run(hold_stock, hold(mug=4))
    await run(adjust_stock, AdjustStock(sku="mug", location="LON", delta=-3, reason="damaged"), caller=ADMIN)

    answer = await moves.try_create(("mug", 1))
    assert said(answer, 409)["lines"] == [{"sku": "mug", "quantity": 1, "free": 0}]


async def test_no_more_arrives_than_is_open(moves: Moves, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=9)
    await stocked("tea", on_hand=9)
    sent = await moves.create(("mug", 5), ("tea", 5))
    await moves.receive(sent, mug=2)

    lines = [
        {"sku": "mug", "quantity": 2},
        {"sku": "mug", "quantity": 1, "lost": 1},
        {"sku": "tea", "quantity": 5},
        {"sku": "cup", "quantity": 1},
    ]
    answer = await moves.try_receive(sent, {"lines": lines})
    assert refusal(answer) == (409, "more-than-open")
    assert said(answer, 409)["lines"] == [
        {"sku": "cup", "quantity": 1, "lost": 0, "open": 0},
        {"sku": "mug", "quantity": 3, "lost": 1, "open": 3},
    ]
    assert await db.all("select 1 from inventory.stock where (sku, location) = ('tea', 'LEEDS')") == []
    twice = {"lines": [{"sku": "mug", "quantity": 1}, {"sku": "mug", "quantity": 2}]}
    again = said(await moves.try_receive(sent, twice), 201)
    assert again["lines"][0] == {"sku": "mug", "quantity": 5, "arrived": 5, "lost": 0, "returned": 0, "open": 0}


async def test_all_of_it_may_be_lost(moves: Moves, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=5)
    sent = await moves.create(("mug", 5))
    assert (await moves.receive(sent, mug=(0, 5)))["status"] == "arrived"
    assert await booked(db) == [("mug", "LON", -5, 0, "transfer_out")]
    assert await moves.incoming() == (0, {"LON": 0})


async def test_what_is_open_comes_back(moves: Moves, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=5)
    sent = await moves.create(("mug", 5))
    await moves.receive(sent, mug=(1, 1))

    back = await moves.cancel(sent)
    assert back["status"] == "cancelled"
    assert back["lines"] == [{"sku": "mug", "quantity": 5, "arrived": 1, "lost": 1, "returned": 3, "open": 0}]
    assert await level(db, "mug") == (3, 0, 0, 0)
    assert (await booked(db))[-1] == ("mug", "LON", 3, 3, "transfer_back")
    for answer in (await moves.try_cancel(sent), await moves.try_receive(sent)):
        assert refusal(answer) == (409, "transfer-ended")
        assert said(answer, 409)["transfer_status"] == "cancelled"


async def test_each_is_done_once_per_key(moves: Moves, ask: Ask, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=9)
    made = [await moves.try_create(("mug", 4), key="c") for _ in range(2)]
    sent = said(made[0], 201)
    came = [await moves.try_receive(sent, {"lines": [{"sku": "mug", "quantity": 1}]}, key="r") for _ in range(2)]
    back = [await moves.try_cancel(sent, key="x") for _ in range(2)]

    assert [{answer.body for answer in twice} for twice in (made, came, back)] == [
        {made[0].body}, {came[0].body}, {back[0].body},
    ]  # fmt: skip
    assert [delta for _, _, delta, _, _ in await booked(db)] == [-4, 1, 3]
    assert refusal(await moves.try_create(("mug", 5), key="c")) == (422, "idempotency-key-reused")
    for function, path, body in (
        (create_transfer, "/v1/transfers", {"destination": "LON", "lines": [{"sku": "a", "quantity": 1}]}),
        (receive_transfer, f"/v1/transfers/{sent['id']}/arrivals", None),
        (cancel_transfer, f"/v1/transfers/{sent['id']}/cancellation", None),
    ):
        assert refusal(await ask(function, path, body, roles=AS_ADMIN)) == (400, "idempotency-key-missing")


async def test_a_closed_location_is_emptied_and_not_filled(moves: Moves, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=5)
    sent = await moves.create(("mug", 2))
    await db.run("update inventory.locations set closed_at = now() where id = 'LEEDS'")
    assert refusal(await moves.try_receive(sent)) == (409, "location-closed")
    assert refusal(await moves.try_create(("mug", 1))) == (409, "location-closed")
    assert refusal(await moves.try_create(("mug", 1), origin=None)) == (409, "location-closed")
    assert (await moves.receive(sent, mug=(0, 1)))["lines"][0]["open"] == 1, "what is lost does not arrive"

    await db.run("update inventory.locations set closed_at = now() where id = 'LON'")
    await moves.cancel(sent)
    assert await level(db, "mug") == (4, 0, 0, 0), "an origin that was closed meanwhile takes it back"
    await db.run("update inventory.locations set closed_at = null where id = 'LEEDS'")
    await moves.create(("mug", 4))
    assert await level(db, "mug") == (0, 0, 0, 0)


@pytest.mark.parametrize("field", ["origin", "destination"])
async def test_only_between_locations_that_are_there(moves: Moves, stocked: Stocked, field: str) -> None:
    answer = await moves.try_create(("mug", 1), **{field: "NOWHERE"})
    assert refusal(answer) == (404, "unknown-location")
    assert said(answer, 404)["location"] == "NOWHERE"


LINE = {"sku": "mug", "quantity": 1}
BAD_TRANSFERS = [
    ({"destination": "LON"}, "/destination"),
    ({"destination": None}, "/destination"),
    ({"destination": ""}, "/destination"),
    ({"destination": 5}, "/destination"),
    ({"origin": "a b"}, "/origin"),
    ({"origin": "LON\0"}, ""),
    ({"lines": []}, "/lines"),
    ({"lines": None}, "/lines"),
    ({"lines": {}}, "/lines"),
    ({"lines": [LINE] * 1_001}, "/lines"),
    ({"lines": [LINE | {"quantity": 0}]}, "/lines/0/quantity"),
    ({"lines": [LINE | {"quantity": -1}]}, "/lines/0/quantity"),
    ({"lines": [LINE | {"quantity": 1.5}]}, "/lines/0/quantity"),
    ({"lines": [LINE | {"quantity": True}]}, "/lines/0/quantity"),
    ({"lines": [LINE | {"quantity": "1"}]}, "/lines/0/quantity"),
    ({"lines": [LINE | {"quantity": 10**30}]}, "/lines/0/quantity"),
    ({"lines": [LINE, LINE | {"sku": " mug"}]}, "/lines/1/sku"),
    ({"lines": [LINE | {"sku": "m" * 65}]}, "/lines/0/sku"),
    ({"lines": [LINE | {"location": "LON"}]}, "/lines/0/location"),
    ({"reference": ""}, "/reference"),
    ({"reference": "r" * 201}, "/reference"),
    ({"note": "n" * 2_001}, "/note"),
    ({"expected_at": "tomorrow"}, "/expected_at"),
    ({"expected_at": "2026-01-01T00:00:00"}, "/expected_at"),
    ({"expected_at": "0001-01-01T00:00:00+14:00"}, "/expected_at"),
    ({"status": "arrived"}, "/status"),
]


@pytest.mark.parametrize(("fields", "pointer"), BAD_TRANSFERS, ids=str)
async def test_what_is_no_transfer(moves: Moves, ask: Ask, stocked: Stocked, fields: Any, pointer: str) -> None:
    body = {"origin": "LON", "destination": "LEEDS", "lines": [LINE], **fields}
    answer = await ask(create_transfer, "/v1/transfers", body, roles=AS_ADMIN, idempotency_key="k")
    assert refusal(answer) == (422, "validation-failed")
    assert pointer in [error["pointer"] for error in said(answer, 422)["errors"]]


BAD_ARRIVALS: list[tuple[Any, str]] = [
    ({"lines": []}, "/lines"),
    ({"lines": [{"sku": "mug"}]}, "/lines/0/quantity"),
    ({"lines": [LINE | {"quantity": 0}]}, "/lines/0"),
    ({"lines": [LINE | {"quantity": -1}]}, "/lines/0/quantity"),
    ({"lines": [LINE | {"lost": -1}]}, "/lines/0/lost"),
    ({"lines": [LINE | {"lost": 0.5}]}, "/lines/0/lost"),
    ({"lines": [LINE | {"lost": 2**63}]}, "/lines/0/lost"),
    ({"lines": [LINE | {"sku": ""}]}, "/lines/0/sku"),
    ({"at": "2126-01-01T00:00:00Z"}, "/at"),
    ({"at": 5e300}, "/at"),
    ({"note": 1}, "/note"),
    ({"destination": "LON"}, "/destination"),
]


@pytest.mark.parametrize(("body", "pointer"), BAD_ARRIVALS, ids=str)
async def test_what_is_no_arrival(moves: Moves, stocked: Stocked, body: Any, pointer: str) -> None:
    sent = await moves.announce(("mug", 1))
    answer = await moves.try_receive(sent, body)
    assert refusal(answer) == (422, "validation-failed")
    assert pointer in [error["pointer"] for error in said(answer, 422)["errors"]]


async def test_a_transfer_that_is_not_there(moves: Moves, ask: Ask) -> None:
    for answer in (
        await moves.try_receive({"id": NOBODY}),
        await moves.try_cancel({"id": NOBODY}),
        await ask(get_transfer, f"/v1/transfers/{NOBODY}", roles=AS_ADMIN),
    ):
        assert refusal(answer) == (404, "unknown-transfer")
    assert refusal(await ask(get_transfer, "/v1/transfers/one", roles=AS_ADMIN)) == (422, "validation-failed")


async def test_transfers_are_found_by_status_location_and_sku(moves: Moves, ask: Ask, stocked: Stocked) -> None:
    await stocked("mug", on_hand=9)
    await stocked("tea", "LEEDS", 9)
    out = await moves.create(("mug", 2))
    back = await moves.create(("tea", 3), origin="LEEDS", destination="LON")
    new = await moves.announce(("mug", 1), ("cup", 4), destination="LON")
    await moves.receive(back)
    await moves.cancel(new)

    async def ids(query: str) -> list[str]:
        return [item["id"] for item in (await moves.listed(query))["items"]]

    assert await ids("") == [new["id"], back["id"], out["id"]]
    assert await ids("status=in_transit") == [out["id"]]
    assert await ids("status=arrived") == [back["id"]]
    assert await ids("sku=mug") == [new["id"], out["id"]]
    assert await ids("location=LEEDS") == [back["id"], out["id"]]
    assert await ids("location=LON&sku=cup&status=cancelled") == [new["id"]]
    assert await ids("location=LON&sku=cup&status=arrived") == []
    first = (await moves.listed())["items"][0]
    assert (first["skus"], first["quantity"], first["open"]) == (2, 5, 0)
    shown = said(await ask(get_transfer, f"/v1/transfers/{out['id']}", roles=("service",)))
    assert shown == out

    pages: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await moves.listed(f"limit=1&location=LON{cursor and f'&cursor={cursor}'}")
        pages.append([item["id"] for item in page["items"]])
        cursor = page["next_cursor"]
    assert pages == [[new["id"]], [back["id"]], [out["id"]]]
    for query in ("status=lost", "location=a b", "sku=", "cursor=x", "cursor=WzFd", "limit=0"):
        answer = await ask(list_transfers, f"/v1/transfers?{query}", roles=AS_ADMIN)
        assert refusal(answer) == (422, "validation-failed")


async def test_transfers_made_in_one_moment_are_on_one_page_each(run: Run, stocked: Stocked, moves: Moves) -> None:
    request = CreateTransfer(destination="LON", lines=[TransferredLine(sku="mug", quantity=1)])
    made = [str((await run(create_transfer, request, caller=ADMIN))[0].id) for _ in range(3)]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await moves.listed(f"limit=1{cursor and f'&cursor={cursor}'}")
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == made[::-1]


async def test_only_admins_move_stock(ask: Ask) -> None:
    body = {"destination": "LON", "lines": [LINE]}
    for roles in (("customer",), ("service",)):
        assert (await ask(create_transfer, "/v1/transfers", body, roles=roles, idempotency_key="k")).status == 403
        path = f"/v1/transfers/{NOBODY}"
        assert (await ask(receive_transfer, f"{path}/arrivals", roles=roles, idempotency_key="k")).status == 403
        assert (await ask(cancel_transfer, f"{path}/cancellation", roles=roles, idempotency_key="k")).status == 403
    assert (await ask(list_transfers, "/v1/transfers", roles=("customer",))).status == 403
    assert (await ask(get_transfer, f"/v1/transfers/{NOBODY}", roles=("customer",))).status == 403


async def test_a_thousand_lines_cost_as_many_statements_as_one(run: Run, stocked: Stocked) -> None:
    async def counted(function: Callable[..., Any], request: Any) -> tuple[Any, float]:
        sent = metrics.statements(function.__name__)._value
        before = sent.get()
        made, _ = await run(function, request, caller=ADMIN)
        return made, sent.get() - before

    async def there_and_back(count: int) -> list[float]:
        lines = [TransferredLine(sku=f"of-{count}-{number}", quantity=2) for number in range(count)]
        new, first = await counted(create_transfer, CreateTransfer(destination="LON", lines=lines))
        _, second = await counted(receive_transfer, ReceiveTransfer(transfer=new.id))
        request = CreateTransfer(origin="LON", destination="LEEDS", lines=lines)
        sent, third = await counted(create_transfer, request)
        _, fourth = await counted(cancel_transfer, CancelTransfer(transfer=sent.id))
        return [first, second, third, fourth]

    assert await there_and_back(1_000) == await there_and_back(1)
