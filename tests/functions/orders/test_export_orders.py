"""Orders leave for spreadsheets: whole, in pieces, and with nothing in them that a spreadsheet would run."""

import csv
import io
from typing import Any

import pytest

from functions.orders.export_orders import AT_ONCE, export_orders
from shared.orders.saga import State
from shared.sheets import harmless
from tests.conftest import Ask, Books, Run
from tests.functions.orders.desk import ADMINS, be, made, personal


async def exported(ask: Ask, query: str = "") -> list[dict[str, str]]:
    answer = await ask(export_orders, f"/v1/admin/order-export?{query}", roles=ADMINS, subject="ann")
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


async def test_an_order_to_a_row_or_a_line_to_a_row(ask: Ask, run: Run, db: Books) -> None:
    order = await personal(run, db, State.COMPLETED, tags=["gift", "vip"])
    (row,) = await exported(ask)
    assert (row["id"], row["email"], row["total_minor"], row["tags"], row["guest"]) == (
        str(order), "Ada@Example.com", "2590", "gift vip", "no",
    )  # fmt: skip
    (line,) = await exported(ask, "rows=lines")
    assert (line["id"], line["sku"], line["quantity"], line["line_total_minor"]) == (str(order), "mug", "2", "2590")
    assert await exported(ask, "status=rejected") == []
    kept = await db.all("select actor, action, detail from orders.audit where action = 'orders.exported' order by id")
    assert [tuple(one) for one in kept] == [
        ("ann", "orders.exported", {"asked": {}}),
        ("ann", "orders.exported", {"asked": {"rows": "lines"}}),
        ("ann", "orders.exported", {"asked": {"status": ["rejected"]}}),
    ]
    await exported(ask, "email=ada%40example.com")
    last = await db.one("select detail from orders.audit order by id desc limit 1")
    assert last.detail == {"asked": {"email": "given"}}, "whose it was is not kept"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1"])
async def test_no_cell_is_a_formula(ask: Ask, run: Run, db: Books, text: str) -> None:
    order = await personal(run, db)
    await be(db, order, reference=text, review=text, email=text)
    await db.run("update orders.order_lines set title = %(text)s", text=text)
    (row,) = await exported(ask, "rows=lines")
    for name in ("reference", "review", "email", "title"):
        assert row[name] == f"'{text}" == harmless(text), name
    assert row["quantity"] == "2"


@pytest.mark.parametrize("count", [AT_ONCE - 1, AT_ONCE, 2 * AT_ONCE + 3])
async def test_every_order_is_in_the_file_once(ask: Ask, db: Books, count: int) -> None:
    orders = [str(order) for order in reversed(await made(db, count))]
    assert [row["id"] for row in await exported(ask)] == orders
    assert [row["id"] for row in await exported(ask, "rows=lines")] == orders


async def test_only_admins_are_given_the_file(ask: Ask) -> None:
    for roles in (("operator",), ("customer",)):
        assert (await ask(export_orders, "/v1/admin/order-export", roles=roles)).status == 403
    for query in ("rows=all", "status=sold", "limit=5"):
        wrong: Any = await ask(export_orders, f"/v1/admin/order-export?{query}", roles=ADMINS)
        assert wrong.status == 422
