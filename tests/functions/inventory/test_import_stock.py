"""A file of counts and differences: each row is booked, left alone or refused on its own merits, and says so."""

from typing import Any

import orjson
import pytest

from functions.inventory.adjust_stock import AdjustStock, adjust_stock
from functions.inventory.hold_stock import hold_stock
from functions.inventory.import_stock import ImportStock, import_stock
from shared.inventory.events import StockAdjusted, StockReceived, StockShortfall
from shared.runtime import metrics
from shared.runtime.answers import Answer
from tests.conftest import ADMIN, Ask, Books, Run
from tests.functions.inventory.conftest import ORDER, OTHER, Stocked, hold, level

AS_ADMIN = ("admin",)
CSV, NDJSON = "text/csv", "application/x-ndjson"
HEAD = "sku,location,on_hand,delta,reason,note,at"


class Desk:
    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def try_bring(self, file: str | bytes, kind: str = CSV, **headers: str) -> Answer:
        body = file.encode() if isinstance(file, str) else file
        where = "/v1/admin/stock-import"
        return await self._ask(import_stock, where, body, roles=AS_ADMIN, content_type=kind, **headers)

    async def bring(self, file: str | bytes, kind: str = CSV) -> Any:
        answer = await self.try_bring(file, kind)
        assert answer.status == 200, answer.body
        report = said(answer)
        for status in ("changed", "unchanged", "failed"):
            assert report[status] == sum(row["status"] == status for row in report["rows"])
        return report


@pytest.fixture
def desk(ask: Ask, stocked: Stocked) -> Desk:
    return Desk(ask)


def said(answer: Answer) -> Any:
    return orjson.loads(answer.body)


def refusal(answer: Answer) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer
    return answer.status, said(answer)["type"].rpartition(":")[2]


def told(report: Any) -> list[tuple[int, str, str, int | None]]:
    return [(row["rows"][0], row["sku"], row["status"], row["on_hand"]) for row in report["rows"]]


def lines(*rows: dict[str, Any]) -> bytes:
    return b"\n".join(orjson.dumps(row) for row in rows)


async def booked(db: Books) -> list[tuple[str, str, int, int, str, str | None]]:
    rows = await db.all("select * from inventory.ledger order by id")
    return [(row.sku, row.location, row.delta, row.on_hand, row.reason, row.note) for row in rows]


async def test_rows_are_counts_or_differences(desk: Desk, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=5)
    await stocked("tea", on_hand=2)
    report = await desk.bring(
        f'{HEAD}\nmug,LON,3,,,shelf 4,\ntea,LON,2,,,,\ncup,LEEDS,,7,received,"Two\nlines",2026-02-01T10:00:00+01:00\n'
        "tea,LON,,-2,damaged,,\npot,LON,0,,,,\n"
    )
    assert told(report) == [
        (1, "mug", "changed", 3), (2, "tea", "unchanged", 2), (3, "cup", "changed", 7),
        (4, "tea", "changed", 0), (5, "pot", "unchanged", 0),
    ]  # fmt: skip
    assert (await booked(db))[2:] == [
        ("mug", "LON", -2, 3, "recount", "shelf 4"),
        ("cup", "LEEDS", 7, 7, "received", "Two\nlines"),
        ("tea", "LON", -2, 0, "damaged", None),
    ]
    cup = await db.one("select at, recorded_at, actor, cause from inventory.ledger where sku = 'cup'")
    assert (cup.at.isoformat(), cup.actor) == ("2026-02-01T09:00:00+00:00", "customer-1")
    assert cup.recorded_at > cup.at


async def test_lines_of_json(desk: Desk, stocked: Stocked, db: Books) -> None:
    file = lines(
        {"sku": "mug", "location": "LON", "delta": 4, "reason": "opening"},
        {
            "sku": "mug",
            "location": "LEEDS",
            "on_hand": 2,
            "reason": "found",
            "note": None,
            "at": "2026-01-01T00:00:00Z",
        },
    )
    report = await desk.bring(b"\xef\xbb\xbf" + file.replace(b"\n", b"\r\n\r\n"), NDJSON)
    assert told(report) == [(1, "mug", "changed", 4), (3, "mug", "changed", 2)]
    assert [entry[4] for entry in await booked(db)] == ["opening", "found"]


async def test_rows_of_one_level_are_booked_in_their_order(desk: Desk, run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=1)
    file = (
        "sku,location,on_hand,delta,reason\n"
        "mug,LON,,-2,damaged\nmug,LON,,4,received\nmug,LON,,-2,sampled\nmug,LON,3,,\nmug,LON,9,,\nmug,LEEDS,,1,found\n"
        "mug,LON,,-10,lost\nmug,LON,,-9,lost\n"
    )
    report = await desk.bring(file)
    assert told(report) == [
        (1, "mug", "failed", None), (2, "mug", "changed", 5), (3, "mug", "changed", 3), (4, "mug", "unchanged", 3),
        (5, "mug", "changed", 9), (6, "mug", "changed", 1), (7, "mug", "failed", None), (8, "mug", "changed", 0),
    ]  # fmt: skip
    assert report["rows"][0]["errors"] == ["delta: there are only 1 on hand"]
    assert report["rows"][6]["errors"] == ["delta: there are only 9 on hand"]
    assert [(location, delta, on_hand) for _, location, delta, on_hand, _, _ in await booked(db)] == [
        ("LON", 1, 1), ("LON", 4, 5), ("LON", -2, 3), ("LON", 6, 9), ("LEEDS", 1, 1), ("LON", -9, 0),
    ]  # fmt: skip
    assert await db.value("select version from inventory.stock where (sku, location) = ('mug', 'LON')") == 5


async def test_each_entry_is_told_as_it_was_and_the_sku_as_it_is(run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=4)
    await run(hold_stock, hold(mug=2))
    body = b"sku,location,delta,reason\nmug,LON,10,received\nmug,LON,-13,damaged\nmug,LEEDS,3,found\n"
    report, events = await run(import_stock, ImportStock(media_type=CSV, body=body), caller=ADMIN)

    assert report.changed == 3
    first, second, third, short, *rest = events
    assert isinstance(first, StockReceived)
    assert isinstance(second, StockAdjusted)
    assert isinstance(third, StockAdjusted)
    assert [(one.on_hand, one.held, one.available, one.shortfall, one.version) for one in (first, second, third)] == [
        (14, 2, 12, 0, 3), (1, 2, 0, 1, 4), (3, 0, 3, 0, 1),
    ]  # fmt: skip
    assert {(one.sku_available, one.status) for one in (first, second, third)} == {(3, "low")}
    assert short == StockShortfall(sku="mug", location="LON", shortfall=1, orders=(ORDER,))
    assert rest == []


async def test_each_shortfall_names_its_own_orders(run: Run, stocked: Stocked) -> None:
    for sku in ("mug", "tea"):
        await stocked(sku, on_hand=2)
        await stocked(sku, "LEEDS", 3)
    await run(hold_stock, hold(mug=2, tea=3))
    await run(hold_stock, hold(OTHER, mug=3, tea=2))
    body = b"sku,location,on_hand\nmug,LON,0\ntea,LON,1\nmug,LEEDS,1\ntea,LEEDS,3\n"
    _, events = await run(import_stock, ImportStock(media_type=CSV, body=body), caller=ADMIN)

    short = {(one.sku, one.location): (one.shortfall, one.orders) for one in events if isinstance(one, StockShortfall)}
    assert short == {
        ("mug", "LON"): (2, (OTHER,)), ("tea", "LON"): (1, (OTHER,)), ("mug", "LEEDS"): (2, (OTHER, ORDER)),
    }  # fmt: skip


BAD_ROWS = [
    ("mug,LON,1", "3 cells where the header has 7"),
    ('mug,"L"ON,1,,,,', "Not CSV"),
    ("mug,LON,,,,,", "either on_hand or delta must be given"),
    ("mug,LON,1,1,found,,", "either on_hand or delta must be given"),
    (",LON,1,,,,", "sku: Field required"),
    (" mug,LON,1,,,,", "sku: String should match"),
    ("mug,,1,,,,", "location: Field required"),
    ("mug,L N,1,,,,", "location: String should match"),
    ("mug,YORK,1,,,,", "location: there is no such open location"),
    ("mug,LON,-1,,,,", "on_hand: "),
    ("mug,LON,1.0,,,,", "on_hand: "),
    ("mug,LON,\u0661,,,,", "on_hand: "),
    ("mug,LON,99999999999999999999999,,,,", "on_hand: "),
    ("mug,LON,1000000001,,,,", "on_hand: "),
    ("mug,LON,true,,,,", "on_hand: "),
    ("mug,LON,,0,found,,", "delta: Value error, must not be zero"),
    ("mug,LON,,+1,found,,", "delta: "),
    ("mug,LON,,1,,,", "a delta needs a reason"),
    ("mug,LON,,-1,damaged,,", "delta: there are only 0 on hand"),
    ("mug,LON,,1,shipped,,", "reason: Input should be"),
    ("mug,LON,,1,because,,", "reason: Input should be"),
    (f"mug,LON,1,,,{'n' * 2_001},", "note: String should have at most 2000"),
    ("mug,LON,1,,,a\0b,", "U+0000"),
    ("mu\0g,LON,1,,,,", "sku: String should match"),
    ("mug,LON,1,,,,yesterday", "at: "),
    ("mug,LON,1,,,,2026-01-01T00:00:00", "at: "),
    ("mug,LON,1,,,,2126-01-01T00:00:00Z", "at: this is in the future"),
    ("mug,LON,1,,,,0001-01-01T00:00:00+14:00", "at: "),
]


@pytest.mark.parametrize(("row", "error"), BAD_ROWS)
async def test_a_row_that_fails_keeps_no_other_out(desk: Desk, db: Books, row: str, error: str) -> None:
    report = await desk.bring(f"{HEAD}\ntea,LON,1,,,,\n{row}\ncup,LON,1,,,,\n")

    assert [(one["rows"], one["status"]) for one in report["rows"]] == [
        ([1], "changed"), ([2], "failed"), ([3], "changed"),
    ], row  # fmt: skip
    (fault,) = report["rows"][1]["errors"]
    assert error in fault
    assert await db.all("select 1 from inventory.items where sku = 'mug'") == [], "nothing is left of it"
    assert await db.all("select 1 from inventory.stock where sku = 'mug'") == []


BAD_LINES: list[tuple[bytes, str]] = [
    (b'{"sku": "mug"', "Not JSON"),
    (b"[]", "row: "),
    (b"null", "row: "),
    (b'{"sku": "mug\\ud800"}', "Not JSON"),
    (lines({"sku": "mug", "location": "LON", "on_hand": "1"}), "on_hand: "),
    (lines({"sku": "mug", "location": "LON", "on_hand": 1.5}), "on_hand: "),
    (lines({"sku": "mug", "location": "LON", "on_hand": True}), "on_hand: "),
    (lines({"sku": 5, "location": "LON", "on_hand": 1}), "sku: "),
    (lines({"sku": {"a": "b"}, "location": [], "on_hand": 1}), "location: "),
    (lines({"sku": "mug", "location": "LON", "on_hand": 1, "held": 1}), "held: Extra inputs"),
    (lines({"sku": "mug", "location": "LON", "on_hand": 1, "note": "a\0b"}), "U+0000"),
    (b'{"sku": "mug", "location": "LON", "delta": 1e400, "reason": "found"}', "Not JSON"),
    (b'{"sku": "mug", "location": "LON", "delta": 18446744073709551616, "reason": "found"}', "delta: "),
]


@pytest.mark.parametrize(("line", "error"), BAD_LINES)
async def test_a_line_that_fails_keeps_no_other_out(desk: Desk, line: bytes, error: str) -> None:
    around = [lines({"sku": sku, "location": "LON", "on_hand": 1}) for sku in ("tea", "cup")]
    report = await desk.bring(b"\n".join([around[0], line, around[1]]), NDJSON)
    assert [one["status"] for one in report["rows"]] == ["changed", "failed", "changed"], line
    assert any(error in fault for fault in report["rows"][1]["errors"]), report["rows"][1]


BAD_FILES = [
    (b"", "Columns are missing: sku, location."),
    (b"sku,on_hand\n", "Columns are missing: location."),
    (b"sku,location,note\n", "Columns are missing: on_hand or delta."),
    (f"{HEAD},colour\n".encode(), "Unknown columns: colour."),
    (f"{HEAD},sku\n".encode(), "A column stands twice."),
    (f'"{HEAD}'.encode(), "The header cannot be read"),
    (f"{HEAD}\nm\xfcg".encode("latin-1"), "Not UTF-8 at byte"),
    (f"{HEAD}\n{'mug,LON,1,,,,' * 1}\n".encode() + b"mug,LON,1,,,,\n" * 5_000, "More than 5000 rows"),
]


@pytest.mark.parametrize(("file", "detail"), BAD_FILES, ids=[detail for _, detail in BAD_FILES])
async def test_what_is_no_such_file_is_refused_whole(desk: Desk, db: Books, file: bytes, detail: str) -> None:
    answer = await desk.try_bring(file)
    assert refusal(answer) == (422, "validation-failed")
    assert said(answer)["errors"][0]["detail"].startswith(detail)
    assert await booked(db) == []


async def test_a_file_without_rows_changes_nothing(desk: Desk) -> None:
    for file, kind in ((f"{HEAD}\n", CSV), ("\n\n", NDJSON), ("", NDJSON)):
        assert await desk.bring(file, kind) == {"changed": 0, "unchanged": 0, "failed": 0, "rows": []}


async def test_files_of_other_kinds_are_not_taken(desk: Desk, ask: Ask) -> None:
    assert (await desk.try_bring("{}", "application/json")).status == 415
    assert (await desk.try_bring("{}", CSV, content_encoding="gzip")).status == 415
    path = "/v1/admin/stock-import"
    assert (await ask(import_stock, path, HEAD.encode(), content_type=CSV)).status == 401
    assert (await ask(import_stock, path, HEAD.encode(), content_type=CSV, roles=("customer", "service"))).status == 403


async def test_only_open_locations_are_counted(desk: Desk, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=1)
    await db.run("update inventory.locations set closed_at = now() where id = 'LON'")
    report = await desk.bring("sku,location,on_hand\nmug,LON,5\nmug,LEEDS,5\n")
    assert [row["status"] for row in report["rows"]] == ["failed", "changed"]
    await db.run("update inventory.locations set closed_at = null where id = 'LON'")
    await db.run("update inventory.stock set withdrawn = true where location = 'LON'")
    report = await desk.bring("sku,location,on_hand\nmug,LON,5\n")
    assert report["rows"][0]["errors"] == ["location: there is no such open location"]


async def test_a_file_is_booked_once_under_its_key(desk: Desk, db: Books) -> None:
    file = "sku,location,delta,reason\nmug,LON,5,received\n"
    first, again = [await desk.try_bring(file, idempotency_key="k") for _ in range(2)]
    assert (first.status, first.body) == (200, again.body)
    assert await level(db, "mug") == (5, 0, 0, 0)
    other = await desk.try_bring(file.replace("5", "6"), idempotency_key="k")
    assert refusal(other) == (422, "idempotency-key-reused")
    await desk.bring(file)
    assert await level(db, "mug") == (10, 0, 0, 0), "without a key it is another delivery"


async def test_5000_rows_cost_as_many_statements_as_one(run: Run, stocked: Stocked) -> None:
    async def counted(rows: list[str]) -> float:
        request = ImportStock(media_type=CSV, body="\n".join(["sku,location,on_hand", *rows]).encode())
        sent = metrics.statements("import_stock")._value
        before: float = sent.get()
        report, _ = await run(import_stock, request, caller=ADMIN)
        assert report.changed == len(rows)
        return float(sent.get()) - before

    many = [f"s{number},{location},9" for number in range(2_500) for location in ("LON", "LEEDS")]
    assert await counted(["mug,LON,9"]) == await counted(many)


async def test_as_many_shortfalls_cost_one_statement(run: Run, stocked: Stocked) -> None:
    skus = [f"s{number}" for number in range(12)]
    for sku in skus:
        await run(adjust_stock, AdjustStock(sku=sku, location="LON", delta=2, reason="received"), caller=ADMIN)
    await run(hold_stock, hold(ORDER, 60, **dict.fromkeys(skus, 2)))

    async def counted(some: list[str]) -> float:
        rows = "".join(f"{sku},LON,0\n" for sku in some)
        request = ImportStock(media_type=CSV, body=f"sku,location,on_hand\n{rows}".encode())
        sent = metrics.statements("import_stock")._value
        before: float = sent.get()
        _, events = await run(import_stock, request, caller=ADMIN)
        assert sum(isinstance(event, StockShortfall) for event in events) == len(some)
        return float(sent.get()) - before

    assert await counted(skus[:1]) == await counted(skus[1:])
