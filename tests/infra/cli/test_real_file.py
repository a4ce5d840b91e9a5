"""The retailer's real invoices, where they are at hand: the same figures by another way."""

import csv
import gzip
import io
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from infra.cli.assortment import assort
from infra.cli.plan import plan
from infra.cli.retail import Retail, read

NAMED = os.environ.get("KN_SHOP_RETAIL")
FILE = (
    Path(NAMED) if NAMED else Path(__file__).parents[4] / "shared" / "data" / "online-retail" / "2010-12_2011-02.csv.gz"
)

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="needs the file that KN_SHOP_RETAIL names")


@pytest.fixture(scope="module")
def retail() -> Retail:
    return read(FILE)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    packed = FILE.read_bytes()
    content = gzip.decompress(packed) if FILE.suffix == ".gz" else packed
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_the_months_add_up_to_the_penny(retail: Retail, rows: list[dict[str, str]]) -> None:
    totals: dict[str, Decimal] = {}
    for row in rows:
        quantity, price = int(row["Quantity"]), Decimal(row["UnitPrice"])
        if quantity > 0 and price > 0 and not row["InvoiceNo"].startswith("C"):
            month = row["InvoiceDate"][:7]
            totals[month] = totals.get(month, Decimal(0)) + quantity * price

    assert retail.sales_minor_by_month == {month: int(total * 100) for month, total in sorted(totals.items())}


@pytest.mark.skipif(FILE.name != "2010-12_2011-02.csv.gz", reason="figures of the first three months")
def test_the_published_figures(retail: Retail) -> None:
    sales = [line for line in retail.lines if line.sells]

    assert retail.sales_minor_by_month == {"2010-12": 82374614, "2011-01": 69136456, "2011-02": 52363189}
    assert len(retail.lines) == 105_335
    assert retail.broken == []
    assert len({line.invoice for line in retail.lines}) == 4_894
    assert len({line.code for line in retail.lines}) == 3_159
    assert sum(line.amount_minor for line in retail.lines) == 180701993
    assert sum(line.customer is None for line in retail.lines) == 36_210
    assert (len(sales), len({line.invoice for line in sales})) == (102_891, 3_745)
    cancelled = [line for line in retail.lines if line.cancels]
    assert (len({line.invoice for line in cancelled}), sum(line.amount_minor for line in cancelled)) == (805, -23172266)


def test_all_sales_are_planned(retail: Retail) -> None:
    planned = plan(retail)
    money: Counter[str] = Counter()
    for sale in planned.sales:
        money[sale.month] += sale.amount_minor

    assert dict(money) == retail.sales_minor_by_month


def test_one_sku_for_codes_that_differ_by_case(retail: Retail) -> None:
    assortment = assort(retail.lines, plan(retail))

    assert {product.sku for product in assortment.products} == {line.code.upper() for line in retail.lines}
    assert all(len({code.upper() for code in codes}) == 1 for codes in assortment.merged.values())
    assert all(product.title for product in assortment.products)
