"""Places a file's invoices through the shop's public API; what was placed before is found again by its key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from infra.cli.assortment import LONGEST_TITLE
from infra.cli.client import Refused, Shop, path, spread
from infra.cli.plan import Adjustment, NotTaken, Plan, Return, Sale, in_pennies
from infra.cli.progress import Display
from infra.cli.report import Books, Report, Tally
from infra.cli.retail import CURRENCY, Line, Retail

CARD = "tok_approve"
WAIT_S = 20
SETTLE_S = 120.0


def ended(order: Mapping[str, Any]) -> bool:
    """Whether nothing more is to come: a confirmed order ends with its capture, if there is anything to capture."""
    if order["status"] == "confirmed":
        return order["payment"] not in ("none", "authorized") or not order["total_minor"]
    return order["status"] in ("rejected", "cancelled")


class Replay:
    """`titles` are the products', for lines that have no description of their own."""

    def __init__(
        self,
        shop: Shop,
        display: Display,
        *,
        titles: dict[str, str],
        location: str,
        concurrency: int,
        timeout_s: float,
    ) -> None:
        self._shop = shop
        self._titles = titles
        self._location = location
        self._display = display
        self._concurrency = concurrency
        self._timeout_s = timeout_s
        self._tally = Tally()

    async def run(self, retail: Retail, plan: Plan) -> Report:
        """Sales and stock first, in parallel; then returns, which look for their sale, each customer's in order."""
        for entry in plan.not_taken:
            self._tally.missing(entry)
        outgoing: list[Sale | Adjustment] = [*plan.sales, *plan.adjustments]
        outgoing.sort(key=lambda booking: booking.at)
        with self._display.bar("sales and stock", len(outgoing)) as advance:

            async def book(booking: Sale | Adjustment) -> None:
                await (self._sell(booking) if isinstance(booking, Sale) else self._adjust(booking))
                advance(1)

            await spread(outgoing, book, self._concurrency)
        by_customer: dict[str, list[Return]] = {}
        for back in plan.returns:
            by_customer.setdefault(back.customer, []).append(back)
        with self._display.bar("returns", len(plan.returns)) as advance:

            async def take_back(returns: Sequence[Return]) -> None:
                for back in returns:
                    await self._take_back(back)
                    advance(1)

            await spread(by_customer.values(), take_back, self._concurrency)
        return await self._report(retail)

    async def _report(self, retail: Retail) -> Report:
        """The books at the end. What cannot be asked is a fault of the report, not the loss of it."""
        books = Books()
        violations: int | None = None
        unasked: list[str] = []
        try:
            books = await self._books()
        except Refused as refused:
            unasked.append(f"the shop's books could not be asked: {refused}")
        try:
            violations = int((await self._shop.get("/v1/invariants")).body["violations"])
        except Refused as refused:
            unasked.append(f"the invariant checker could not be asked: {refused}")
        return Report(self._tally, retail, violations, books, unasked)

    async def _sell(self, sale: Sale) -> None:
        try:
            order = await self._placed(sale)
        except Refused as refused:
            self._tally.refused(sale.lines, _reason(refused))
            return
        if not ended(order):
            said = f"the order is still {order['status']} after {self._timeout_s:.0f} s: run again to see its end"
            self._tally.refused(sale.lines, said)
        elif order["status"] == "confirmed":
            self._tally.sold(sale, order["total_minor"])
        else:
            why = order.get("reason") or "no reason given"
            self._tally.refused(sale.lines, f"the order was {order['status']}: {why}")

    async def _placed(self, sale: Sale) -> dict[str, Any]:
        """The order in its final state, or as far as it came in time."""
        request = {
            "reference": sale.reference,
            "customer_id": sale.customer,
            "placed_at": sale.at.isoformat(),
            "currency": CURRENCY,
            "lines": [entry for line in sale.lines for entry in self._entries(line)],
            "payment_token": CARD,
        }
        reply = await self._shop.call(
            "POST", "/v1/admin/orders", request, key=f"replay:{sale.reference}", wait_s=WAIT_S
        )
        order: dict[str, Any] = reply.body
        ends_at, pause_s = time.monotonic() + self._timeout_s, 0.1
        while not ended(order) and time.monotonic() < ends_at:
            await asyncio.sleep(pause_s)
            pause_s = min(2.0, pause_s * 2)
            order = (await self._shop.get(path("v1", "orders", order["id"]))).body
        return order

    def _entries(self, line: Line) -> list[dict[str, Any]]:
        title = line.description[:LONGEST_TITLE] or self._titles.get(line.sku, line.sku)
        return [
            {"sku": line.sku, "title": title, "quantity": quantity, "unit_price_minor": price}
            for quantity, price in in_pennies(line.quantity, line.unit_price)
        ]

    async def _adjust(self, adjustment: Adjustment) -> None:
        line = adjustment.line
        where = path("v1", "stock", line.sku, self._location, "adjustments")
        body = {
            "delta": adjustment.delta,
            "reason": "found" if adjustment.delta > 0 else "damaged",
            "note": adjustment.note,
            "at": line.at.isoformat(),
        }
        try:
            await self._shop.call("POST", where, body, key=_key(line))
        except Refused as refused:
            self._tally.refused([line], _reason(refused))
        else:
            self._tally.booked([line])

    async def _take_back(self, back: Return) -> None:
        """A line refunded in part is not taken: what is missing of it is listed."""
        line = back.line
        refunded = unmatched = 0
        try:
            for part, (quantity, price) in enumerate(in_pennies(-line.quantity, line.unit_price)):
                request = {
                    "customer_id": back.customer,
                    "sku": line.sku,
                    "quantity": quantity,
                    "unit_price_minor": price,
                    "returned_at": line.at.isoformat(),
                    "reason": f"cancellation {line.invoice}",
                }
                key = _key(line) if part == 0 else f"{_key(line)}:{part}"
                answer = (await self._shop.call("POST", "/v1/admin/returns", request, key=key)).body
                refunded += sum(match["amount_minor"] for match in answer["matched"])
                unmatched += answer["unmatched_quantity"]
            reason = _unmatched(line, unmatched)
        except Refused as refused:
            reason = _reason(refused)
        if refunded:
            self._tally.refunded(line, refunded)
        missing = -line.amount_minor - refunded
        if not missing and not unmatched:
            self._tally.booked([line])
            return
        self._tally.missing(NotTaken(line.invoice, line.number, -missing, reason))

    async def _books(self) -> Books:
        """The shop's own figures, once what is on its way has arrived in them."""
        ends_at = time.monotonic() + SETTLE_S
        while True:
            told = (await self._shop.get(f"/v1/figures/sales?by=month&currency={CURRENCY}")).body
            months = {month["starts_on"][:7]: month for month in told["figures"]}
            books = Books(
                told["time_zone"],
                {month: figures["gross_minor"] for month, figures in months.items()},
                {month: figures["refunded_minor"] for month, figures in months.items()},
            )
            if time.monotonic() > ends_at or not books.missing(self._tally):
                return books
            await asyncio.sleep(1.0)


def _unmatched(line: Line, quantity: int) -> str:
    if not quantity:
        return "its sale's order has less left to refund"
    return f"no earlier sale to this customer with quantity left: {quantity} of {-line.quantity} of SKU {line.sku}"


def _key(line: Line) -> str:
    return f"replay:{line.invoice}:{line.position}"


def _reason(refused: Refused) -> str:
    return f"refused by the shop: {refused}"
