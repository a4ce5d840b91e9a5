"""Brings a file's products, customers and opening stock into the shop; a second run changes nothing."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from infra.cli.assortment import Assortment, Customer, Product
from infra.cli.client import Refused, Shop, path, spread
from infra.cli.parts import MEDIA_TYPES, Part
from infra.cli.product_files import PRODUCTS
from infra.cli.progress import Display
from infra.cli.retail import CURRENCY
from infra.cli.stock_changes import STOCK
from infra.cli.upload import Rows, Uploaded, upload

PRODUCTS_AT_ONCE, LEVELS_AT_ONCE = 500, 1_000

T = TypeVar("T")


@dataclass(slots=True)
class Imported:
    """What an import did; `failed` names what the shop refused, and why."""

    products: Counter[str] = field(default_factory=Counter)
    untracked: list[str] = field(default_factory=list)
    customers: int = 0
    opening_stock: Counter[str] = field(default_factory=lambda: Counter(skus=0, units=0))
    merged: dict[str, list[str]] = field(default_factory=dict)
    unreadable_lines: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "products": {how: self.products[how] for how in ("created", "updated", "unchanged")},
            "untracked": self.untracked,
            "customers": self.customers,
            "opening_stock": dict(self.opening_stock),
            "merged": self.merged,
            "unreadable_lines": self.unreadable_lines,
            "failed": self.failed,
        }

    def as_text(self) -> str:
        told = [
            f"{sku}: the codes {', '.join(codes)} differ only by case and are one SKU"
            for sku, codes in self.merged.items()
        ]
        told += [f"NOT BROUGHT: {entry['what']}: {entry['name']}: {entry['reason']}" for entry in self.failed]
        products = ", ".join(f"{count} {how}" for how, count in sorted(self.products.items())) or "none"
        stock, unreadable = self.opening_stock, self.unreadable_lines
        return "\n".join(
            [
                *told,
                f"Products: {products}.",
                f"Untracked and not on sale: {', '.join(self.untracked) or 'none'}.",
                f"Codes merged by case: {len(self.merged)} SKUs.",
                f"Customers: {self.customers}.",
                f"Opening stock: {stock['units']} units of {stock['skus']} SKUs.",
                *([f"Lines that cannot be read, as `kn-shop replay` lists: {unreadable}."] if unreadable else []),
            ]
        )


class Importer:
    """`digest` names the file, so that its opening stock is received once however often it is imported."""

    def __init__(self, shop: Shop, digest: str, location: str, display: Display, concurrency: int) -> None:
        self._shop = shop
        self._digest = digest
        self._location = location
        self._display = display
        self._concurrency = concurrency
        self._done = Imported()

    async def bring(self, assortment: Assortment) -> Imported:
        self._done.merged = assortment.merged
        await self._open_location()
        await self._products(assortment.products)
        await self._all("customers", assortment.customers, self._customer, lambda customer: customer.id)
        await self._opening_stock(assortment)
        self._done.untracked.sort()
        return self._done

    async def _all(
        self, title: str, things: Sequence[T], bring: Callable[[T], Awaitable[None]], name: Callable[[T], str]
    ) -> None:
        with self._display.bar(title, len(things)) as advance:

            async def one(thing: T) -> None:
                try:
                    await bring(thing)
                except Refused as refused:
                    if refused.status in (401, 403):
                        raise
                    self._done.failed.append({"what": title, "name": name(thing), "reason": str(refused)})
                advance(1)

            await spread(things, one, self._concurrency)

    async def _open_location(self) -> None:
        try:
            await self._shop.call(
                "POST", "/v1/locations", {"id": self._location, "name": self._location.replace("-", " ").title()}
            )
        except Refused as refused:
            if refused.status != 409:
                raise

    async def _products(self, products: Sequence[Product]) -> None:
        """Not on sale: what is no goods, and what no price was ever named for."""
        lines = [
            {
                "title": product.title,
                "status": "published" if product.tracked and product.price_minor else "draft",
                "variants": [{"sku": product.sku, "price_minor": product.price_minor, "currency": CURRENCY}],
            }
            for product in products
        ]
        parts = _parts(lines, PRODUCTS_AT_ONCE)
        done = Uploaded()
        with self._display.bar("products", len(lines)) as advance:

            def acknowledged(part: Part, rows: Rows) -> None:
                done.add(rows)
                advance(part.rows)

            await upload(self._shop, PRODUCTS.where, parts, MEDIA_TYPES["ndjson"], acknowledged, run=uuid.uuid4().hex)
        self._done.products = done.counts
        self._done.failed += (
            {"what": "products", "name": failed["slug"], "reason": "; ".join(failed["errors"])}
            for failed in done.failed
        )

        async def leave_untracked(product: Product) -> None:
            await self._shop.call("PUT", path("v1", "items", product.sku), {"tracked": False})
            self._done.untracked.append(product.sku)

        untracked = [product for product in products if not product.tracked]
        await self._all("what is no goods", untracked, leave_untracked, lambda product: product.sku)

    async def _customer(self, customer: Customer) -> None:
        body = {"country": customer.country} if customer.country else {}
        await self._shop.call("PUT", path("v1", "admin", "customers", customer.id), body)
        self._done.customers += 1

    async def _opening_stock(self, assortment: Assortment) -> None:
        """Differences under the file's own keys, not recounts: a recount would undo what has been sold since.

        A row that failed is told to have failed ever after by its part's key: so it is tried by itself as well.
        """
        levels, opened_at = list(assortment.opening_stock.items()), assortment.opened_at
        at = opened_at.replace(hour=0, minute=0).isoformat() if opened_at else ""
        lines = [
            {"sku": sku, "location": self._location, "delta": quantity, "reason": "opening", "at": at}
            for sku, quantity in levels
        ]
        failed: list[tuple[str, int]] = []
        with self._display.bar("opening stock", len(lines)) as advance:

            def acknowledged(part: Part, rows: Rows) -> None:
                for row in rows:
                    sku, quantity = levels[row["rows"][0] - 1]
                    if row["status"] == "failed":
                        failed.append((sku, quantity))
                    else:
                        self._received(quantity)
                advance(part.rows)

            parts, run = _parts(lines, LEVELS_AT_ONCE), f"import:{self._digest[:32]}:{self._location}"
            await upload(self._shop, STOCK.where, parts, MEDIA_TYPES["ndjson"], acknowledged, run=run)

        async def receive(one: tuple[str, int]) -> None:
            await self._receive(*one, at)

        await self._all("opening stock", failed, receive, lambda one: one[0])

    async def _receive(self, sku: str, quantity: int, at: str) -> None:
        await self._shop.call(
            "POST",
            path("v1", "stock", sku, self._location, "adjustments"),
            {"delta": quantity, "reason": "opening", "at": at},
            key=f"import:{self._digest[:32]}:{sku}",
        )
        self._received(quantity)

    def _received(self, quantity: int) -> None:
        self._done.opening_stock["skus"] += 1
        self._done.opening_stock["units"] += quantity


def _parts(lines: Sequence[dict[str, Any]], at_once: int) -> Iterator[Part]:
    for start in range(0, len(lines), at_once):
        some = lines[start : start + at_once]
        yield Part(start // at_once, b"\n".join(map(orjson.dumps, some)), start, len(some))
