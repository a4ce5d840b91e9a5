"""Figures of sales on the command line: what was sold, which products, to whom, what became of orders."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import click

from infra.cli.connection import FAILED, Connection, as_told, connection_options, run
from infra.cli.output import no_headers_option, output_option, show
from infra.cli.rebuilding import gone_through, tell
from infra.cli.report import pounds, table

PARTS = ("facts", "days")
"""In this order: days are sums of facts."""

DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def figures() -> None:
    """Figures of sales, equal to the books."""


def _time_options(command: Any) -> Any:
    command = click.option("--to", type=DAY, help="The last day, by the shop's clock.")(command)
    return click.option("--from", "from_", type=DAY, help="The first day.")(command)


def _chosen_options(command: Any) -> Any:
    for name in ("category", "country", "currency"):
        command = click.option(f"--{name}", help=f"Only of this {name}.")(command)
    return _time_options(command)


by_option = click.option(
    "--by", type=click.Choice(["day", "week", "month"]), default="month", show_default=True, help="How long a row is."
)


def _ask(connection: Connection, path: str, asked: dict[str, Any]) -> dict[str, Any]:
    days = {"from": asked.pop("from_"), "to": asked.pop("to")}
    query = {name: f"{day:%Y-%m-%d}" for name, day in days.items() if day}
    query |= {name: value for name, value in asked.items() if value is not None}

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            answer: dict[str, Any] = (await shop.get(f"{path}?{urlencode(query)}")).body
            return answer

    return run(work())


def _show(
    answer: dict[str, Any], headings: tuple[str, ...], rows: Sequence[tuple[str, ...]], no_headers: bool, output: Any
) -> None:
    if output:
        show(answer, output)
    elif not rows:
        click.echo("No figures found.")
    else:
        click.echo("\n".join(table([*(() if no_headers else (headings,)), *rows], numbers_from=2)))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}%"


@figures.command("sales")
@_chosen_options
@by_option
@click.option("--split", type=click.Choice(["country", "category"]), help="A row for each.")
@no_headers_option
@output_option("json", "yaml")
@connection_options
def sales_figures(connection: Connection, *, no_headers: bool, output: str | None, **asked: Any) -> None:
    """Revenue gross and net, orders, units, and the share that was refunded."""
    answer = _ask(connection, "/v1/figures/sales", asked)
    rows = [
        (
            row["starts_on"],
            row["split"] or "",
            row["currency"],
            "" if row["orders"] is None else str(row["orders"]),
            str(row["units"]),
            pounds(row["gross_minor"]),
            pounds(row["cancelled_minor"]),
            pounds(row["refunded_minor"]),
            pounds(row["net_minor"]),
            "" if row["average_order_minor"] is None else pounds(row["average_order_minor"]),
            _percent(row["refund_share"]),
        )
        for row in answer["figures"]
    ]
    headings = ("FROM", "OF", "CURRENCY", "ORDERS", "UNITS", "GROSS", "CANCELLED", "REFUNDED", "NET", "AVERAGE", "BACK")
    _show(answer, headings, rows, no_headers, output)


@figures.command("products")
@_chosen_options
@click.option("--order", type=click.Choice(["gross", "net", "units"]), default="gross", show_default=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many.")
@no_headers_option
@output_option("json", "yaml")
@connection_options
def product_figures(connection: Connection, *, no_headers: bool, output: str | None, **asked: Any) -> None:
    """The products that sell most."""
    answer = _ask(connection, "/v1/figures/products", asked)
    rows = [
        (
            row["sku"],
            row["title"] or "",
            row["currency"],
            str(row["units"]),
            str(row["units_back"]),
            *(pounds(row[f"{name}_minor"]) for name in ("gross", "cancelled", "refunded", "net")),
        )
        for row in answer["products"]
    ]
    headings = ("SKU", "TITLE", "CURRENCY", "UNITS", "BACK", "GROSS", "CANCELLED", "REFUNDED", "NET")
    _show(answer, headings, rows, no_headers, output)


@figures.command("customers")
@_time_options
@output_option("json", "yaml")
@connection_options
def customer_figures(connection: Connection, *, output: str | None, **asked: Any) -> None:
    """How often customers buy: new and returning ones, and how many of a month's new ones came again."""
    answer = _ask(connection, "/v1/figures/customers", asked)
    if output:
        show(answer, output)
        return
    click.echo(
        f"{answer['customers']} customers: {answer['new_customers']} new, {answer['returning_customers']} returning;"
        f" {answer['repeat_customers']} bought more than once ({_percent(answer['repeat_share']) or 'none'})."
        f" {answer['guest_orders']} orders of guests.\n"
    )
    often = [(str(row["orders"]), str(row["customers"])) for row in answer["distribution"]]
    cohorts = [
        (cohort["month"][:7], str(row["months_later"]), str(row["customers"]), _percent(row["share"]))
        for cohort in answer["cohorts"]
        for row in cohort["months"]
    ]
    click.echo("\n".join(table([("ORDERS", "CUSTOMERS"), *often], numbers_from=0)) + "\n")
    click.echo("\n".join(table([("FIRST IN", "MONTHS LATER", "CUSTOMERS", "SHARE"), *cohorts], numbers_from=1)))


@figures.command("orders")
@_time_options
@by_option
@click.option("--country", help="Only of this country.")
@click.option("--currency", help="Only of this currency.")
@no_headers_option
@output_option("json", "yaml")
@connection_options
def order_figures(connection: Connection, *, no_headers: bool, output: str | None, **asked: Any) -> None:
    """What became of orders."""
    answer = _ask(connection, "/v1/figures/orders", asked)
    counted = ("confirmed", "cancelled", "withdrawn", "rejected", "expired", "refunds")
    rows = [
        (row["starts_on"], _percent(row["cancel_share"]), *(str(row[name]) for name in counted))
        for row in answer["figures"]
    ]
    _show(answer, ("FROM", "CANCELLED", *(name.upper() for name in counted)), rows, no_headers, output)


@figures.command("clock")
@click.argument("time_zone")
@output_option("json", "yaml")
@connection_options
def set_clock(connection: Connection, time_zone: str, output: str | None) -> None:
    """Let days be those of TIME_ZONE, such as Europe/London. What was counted before is moved by `figures rebuild`."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            answer: dict[str, Any] = (await shop.call("PUT", "/v1/figures-policy", {"time_zone": time_zone})).body
            return answer

    answer = run(work())
    show(answer, output) if output else click.echo(f"Days are those of {answer['time_zone']}.")


@figures.command("rebuild")
@click.option("--mend", is_flag=True, help="Write what must be in place of what differs.")
@click.option("--batch", type=click.IntRange(1, 2_000), default=500, show_default=True, help="Keys at a time.")
@no_headers_option
@output_option("json", "yaml")
@connection_options
def rebuild_figures(connection: Connection, *, mend: bool, batch: int, no_headers: bool, output: str | None) -> None:
    """Compare all figures with the books, and print what differs; exit code 1 when something does.

    With --mend it is put right, and the exit code is 0. An order whose event is on its way shows as a difference, and
    is none a moment later.
    """

    async def work() -> list[dict[str, Any]]:
        async with connection.shop(say=lambda text: click.echo(text, err=True)) as shop:
            return [await gone_through(shop, "/v1/admin/figures-rebuild", part, mend, batch) for part in PARTS]

    found = run(work(), when_interrupted="stopped; run it again, it begins anew")
    if output:
        show({"mended": mend, "parts": found}, output)
    else:
        tell(found, mend, no_headers)
    if not mend and any(part["differences"] for part in found):
        sys.exit(FAILED)
