"""The retailer's real invoices, played through a whole shop: its figures are those that the file gives by itself."""

import csv
import gzip
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from click.testing import CliRunner

from infra.cli.__main__ import cli
from tests.infra.cli.conftest import whole_shop
from tests.infra.cli.test_real_file import FILE

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(not FILE.exists(), reason="needs the file that KN_SHOP_RETAIL names"),
]


def kn_shop(url: str, *arguments: str) -> Any:
    result = CliRunner().invoke(cli, ["--url", url, *arguments, "-o", "json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output[-2000:]
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    with whole_shop() as url:
        kn_shop(url, "import", str(FILE))
        kn_shop(url, "replay", str(FILE), "--concurrency", "32")
        yield url


class Sold:
    """What the file says, line by line, with nothing of the shop's own code."""

    def __init__(self) -> None:
        packed = FILE.read_bytes()
        content = gzip.decompress(packed) if FILE.suffix == ".gz" else packed
        self.revenue: Counter[str] = Counter()
        self.products: Counter[str] = Counter()
        self.orders: dict[str, tuple[str, str]] = {}
        backs = []
        left: dict[tuple[str, str], list[list[Any]]] = defaultdict(list)
        owed: Counter[str] = Counter()
        for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")):
            invoice, sku, customer = row["InvoiceNo"], row["StockCode"].upper(), row["CustomerID"].removesuffix(".0")
            at, quantity = row["InvoiceDate"], int(row["Quantity"])
            amount = int((Decimal(row["UnitPrice"]) * quantity * 100).quantize(Decimal(1), ROUND_HALF_UP))
            if invoice.startswith("C"):
                backs.append((at, customer, sku, -quantity, -amount))
            elif quantity > 0 and (amount > 0 or (customer and not amount)):  # an order may be free, if it has a name
                self.revenue[at[:7]] += amount
                self.products[sku] += amount
                self.orders[invoice] = (customer, at)
                owed[invoice] += amount
                left[customer, sku].append([at, invoice, quantity])
        self.refunds = self._refunds(backs, left, owed)

    def _refunds(self, backs: Any, left: Any, owed: Counter[str]) -> Counter[str]:
        """Against the customer's latest earlier sales of that product with any left, up to what the order owes."""
        refunds: Counter[str] = Counter()
        for at, customer, sku, back, worth in backs:
            if not customer or back <= 0 or worth <= 0:
                continue
            quantity, amount = back, worth
            for sale in sorted(left[customer, sku], reverse=True):
                taken = min(quantity, sale[2]) if sale[0] < at else 0
                paid = min(round(amount * taken / quantity), owed[sale[1]])
                sale[2] -= taken
                owed[sale[1]] -= paid
                amount, quantity = amount - paid, quantity - taken
                refunds[at[:7]] += paid
                if not quantity:
                    break
        return refunds


@pytest.fixture(scope="module")
def sold() -> Sold:
    return Sold()


def test_revenue_by_month(shop: str, sold: Sold) -> None:
    figures = kn_shop(shop, "figures", "sales", "--by", "month", "--currency", "GBP")["figures"]

    assert {month["starts_on"][:7]: month["gross_minor"] for month in figures} == dict(sold.revenue)
    orders = Counter(at[:7] for _, at in sold.orders.values())
    assert {month["starts_on"][:7]: month["orders"] for month in figures} == dict(orders)


def test_refunds_and_their_share_by_month(shop: str, sold: Sold) -> None:
    figures = kn_shop(shop, "figures", "sales", "--by", "month", "--currency", "GBP")["figures"]

    assert {month["starts_on"][:7]: month["refunded_minor"] for month in figures} == dict(sold.refunds)
    for month in figures:
        name = month["starts_on"][:7]
        assert month["refund_share"] == round(sold.refunds[name] / sold.revenue[name], 4)


def test_the_ten_products_that_sell_most(shop: str, sold: Sold) -> None:
    products = kn_shop(shop, "figures", "products")["products"]

    assert [(one["sku"], one["gross_minor"]) for one in products] == sold.products.most_common(10)


def test_orders_per_customer(shop: str, sold: Sold) -> None:
    figures = kn_shop(shop, "figures", "customers")
    bought = Counter(customer for customer, _ in sold.orders.values() if customer)
    months: dict[str, set[str]] = defaultdict(set)
    first: dict[str, str] = {}
    for customer, at in sorted(sold.orders.values(), key=lambda order: order[1]):
        if customer:
            first.setdefault(customer, at[:7])
            months[first[customer] + at[:7]].add(customer)

    assert {one["orders"]: one["customers"] for one in figures["distribution"]} == dict(Counter(bought.values()))
    assert figures["guest_orders"] == sum(not customer for customer, _ in sold.orders.values())
    cohort = figures["cohorts"][0]
    assert [one["customers"] for one in cohort["months"]] == [
        len(months[f"2010-12{month}"]) for month in ("2010-12", "2011-01", "2011-02")
    ]


def test_nothing_was_cancelled_after_it_was_sold(shop: str, sold: Sold) -> None:
    figures = kn_shop(shop, "figures", "orders")["figures"]

    assert sum(month["confirmed"] for month in figures) == len(sold.orders)
    assert [month["cancel_share"] for month in figures] == [0.0, 0.0, 0.0]


def test_the_books_agree(shop: str) -> None:
    assert kn_shop(shop, "invariant", "check")["violations"] == 0
    assert not any(part["differences"] for part in kn_shop(shop, "figures", "rebuild")["parts"])
