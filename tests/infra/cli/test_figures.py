"""Figures and findings on the command line, against a shop of the test's own."""

import json
from datetime import UTC, datetime

from tests.conftest import Books
from tests.functions.orders.sold import refunded, sold
from tests.infra.cli.conftest import Commanded

MARCH = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_figures_are_made_of_the_books_and_told(kn_shop: Commanded, db: Books) -> None:
    order = await sold(db, ("MUG", 2, 1000), ("TEA", 1, 50), at=MARCH, shipping=300, country="GB")
    await refunded(db, order, 1000, at=MARCH, line=1)

    differs, told, _ = await kn_shop("figures", "rebuild")
    assert (differs, f"facts   {order}   refund: missing, sale: missing" in told) == (1, True)
    mended, told, _ = await kn_shop("figures", "rebuild", "--mend", "--batch", "1")
    assert (mended, "facts: 1 compared, 1 differ, mended" in told) == (0, True)
    assert (await kn_shop("figures", "rebuild"))[0] == 0

    _, sales, _ = await kn_shop("figures", "sales", "--from", "2026-03-01", "--to", "2026-03-31", "--split", "country")
    row = "2026-03-01   GB   GBP             1       3   23.50        0.00      10.00   13.50     23.50   42.55%"
    assert " ".join(sales.splitlines()[1].split()) == " ".join(row.split())
    _, products, _ = await kn_shop("figures", "products", "--order", "units", "--limit", "1", "-o", "json")
    assert json.loads(products)["products"][0]["sku"] == "MUG"
    _, customers, _ = await kn_shop("figures", "customers")
    assert customers.startswith("1 customers: 1 new, 0 returning; 0 bought more than once (0.00%). 0 orders of guests.")
    _, orders, _ = await kn_shop("figures", "orders", "--by", "day")
    assert orders.splitlines()[1].split() == ["2026-03-01", "0.00%", "1", "0", "0", "0", "0", "1"]


async def test_a_shop_without_figures(kn_shop: Commanded) -> None:
    assert await kn_shop("figures", "sales") == (0, "No figures found.\n", await _said(kn_shop))


async def _said(kn_shop: Commanded) -> str:
    return (await kn_shop("figures", "orders"))[2]


async def test_the_clock_is_set_and_a_wrong_one_refused(kn_shop: Commanded) -> None:
    assert (await kn_shop("figures", "clock", "Europe/London"))[1] == "Days are those of Europe/London.\n"
    code, _, said = await kn_shop("figures", "clock", "Europe/Atlantis")
    assert (code, "There is no such time zone" in said) == (1, True)


async def test_the_history_of_findings(kn_shop: Commanded, db: Books) -> None:
    await db.run(
        "insert into platform.findings (id, name, first_seen, last_seen, told_at, violations, most, examples)"
        " values (gen_random_uuid(), 'stock_equals_ledger', %(at)s, %(at)s, %(at)s, 2, 5, '[]')",
        at=MARCH,
    )

    _, told, _ = await kn_shop("invariant", "history", "--state", "open")
    _, nothing, _ = await kn_shop("invariant", "history", "--state", "gone")

    assert told.splitlines()[1].split() == [
        "stock_equals_ledger", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", "2", "5",
    ]  # fmt: skip
    assert nothing == "No findings found.\n"
