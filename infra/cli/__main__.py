"""The `kn-shop` command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from infra.cli.alerts import alert
from infra.cli.assortment import assort
from infra.cli.bulk import AGAIN, PATIENCE_S
from infra.cli.catalog import catalog
from infra.cli.categories import category
from infra.cli.commands import dead_letter, invariant, order, stock
from infra.cli.connection import FAILED, Connection, connection_options, run
from infra.cli.customers import customer
from infra.cli.desk import (
    complete_order,
    describe_order,
    list_audit,
    note_order,
    review_order,
    search_orders,
    tag_order,
)
from infra.cli.figures import figures
from infra.cli.fulfilments import fulfilment
from infra.cli.functions import function
from infra.cli.holds import hold
from infra.cli.importer import Imported, Importer
from infra.cli.locations import location as location_group
from infra.cli.output import output_option, show
from infra.cli.payments import payment
from infra.cli.plan import plan
from infra.cli.pricing import discount, shipping, tax
from infra.cli.product_files import export_products, import_products
from infra.cli.products import product
from infra.cli.progress import Display
from infra.cli.refunds import refund
from infra.cli.replay import Replay
from infra.cli.report import Report
from infra.cli.retail import NotRetail, Retail, read
from infra.cli.sagas import cancel_order, saga
from infra.cli.stock_books import explain_stock, list_shortfalls, reconcile_stock
from infra.cli.stock_changes import adjust_stock, import_stock, set_stock
from infra.cli.stock_history import list_ledger, show_past
from infra.cli.transfers import transfer

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", envvar="KN_SHOP_URL", help="The shop's address [env: KN_SHOP_URL].")
@click.option("--token", envvar="KN_SHOP_TOKEN", help="A bearer token [env: KN_SHOP_TOKEN].")
@click.pass_context
def cli(context: click.Context, url: str | None, token: str | None) -> None:
    """Work with a shop of kn-shop. On PATH it is also a plugin of kn: `kn shop ...`.

    Exit codes: 0 done, 1 refused or at fault, 2 wrong usage, 3 no shop answers, 4 no token or not allowed,
    130 interrupted.
    """
    context.obj = Connection(url, token)


def bulk_options(command: Any) -> Any:
    command = click.option(
        "--concurrency", type=click.IntRange(1, 256), default=8, show_default=True, help="Requests at a time."
    )(command)
    return click.option(
        "--location", default="warehouse", show_default=True, help="The location that stock is booked at."
    )(command)


@cli.command("import")
@click.argument("file", type=FILE)
@bulk_options
@output_option("json", "yaml")
@connection_options
def import_(connection: Connection, *, file: Path, location: str, concurrency: int, output: str | None) -> None:
    """Bring the products, customers and opening stock of FILE into the shop.

    FILE holds invoice lines as csv or csv.gz, with the columns InvoiceNo, StockCode, Description, Quantity,
    InvoiceDate, UnitPrice, CustomerID and Country in any order. A product has the newest description and price of its
    sales. Stock codes that differ only by case are one SKU. Carriage, fees, discounts and the like become untracked
    SKUs that are not on sale. Each SKU is given the stock that all sales and write-offs of the file need. Running it
    again changes nothing.
    """
    retail = _read(file)
    assortment = assort(retail.lines, plan(retail))
    display = Display()

    async def bring() -> Imported:
        async with connection.shop(patience_s=PATIENCE_S, connections=concurrency, say=display.say) as shop:
            return await Importer(shop, retail.digest, location, display, concurrency).bring(assortment)

    done = run(bring(), when_interrupted=AGAIN)
    done.unreadable_lines = len(retail.broken)
    if output:
        show(done.as_json(), output)
    else:
        click.echo(done.as_text())
    sys.exit(FAILED if done.failed else 0)


@cli.command()
@click.argument("file", type=FILE)
@bulk_options
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=300,
    show_default=True,
    help="Seconds that an order may take to end.",
)
@output_option("json", "yaml")
@connection_options
def replay(
    connection: Connection, *, file: Path, location: str, concurrency: int, timeout: float, output: str | None
) -> None:
    """Place every invoice of FILE in the shop, and report what is in its books and what is not.

    Run `kn-shop import FILE` first. A sale (quantity and price above zero) becomes a recorded order of its customer or
    a guest, at its own prices and time (Europe/London); a free line is part of it. A cancellation is returned against
    the customer's latest earlier sale of that SKU with quantity left. Stock written off, or found without a sale,
    becomes a stock adjustment. Where a unit price has fractions of a penny, the line's amount is rounded to a penny,
    and the line is split over two order lines a penny apart, so that the amount holds.

    Every line that could not be taken is listed with its reason; its `line` is its number in the file, the header
    being line 1. A line refunded only in part is listed with what is missing. It is safe to stop and to run again:
    every booking has a key of its own, and what is booked is not booked twice.
    """
    retail = _read(file)
    planned = plan(retail)
    titles = {item.sku: item.title for item in assort(retail.lines, planned).products}
    display = Display()

    async def place() -> Report:
        async with connection.shop(patience_s=PATIENCE_S, connections=concurrency, say=display.say) as shop:
            return await Replay(
                shop, display, titles=titles, location=location, concurrency=concurrency, timeout_s=timeout
            ).run(retail, planned)

    report = run(place(), when_interrupted=AGAIN)
    if output:
        show(report.as_json(), output)
        for fault in report.faults:
            display.say(f"FAULT: {fault}")
    else:
        click.echo(report.as_text())
    sys.exit(FAILED if report.faults else 0)


def _read(file: Path) -> Retail:
    try:
        return read(file)
    except (NotRetail, OSError) as fault:
        raise click.BadParameter(str(fault), param_hint="FILE") from fault


product.add_command(import_products)
product.add_command(export_products)
for command in (
    cancel_order,
    search_orders,
    describe_order,
    note_order,
    tag_order,
    review_order,
    complete_order,
    list_audit,
):
    order.add_command(command)
for command in (
    import_stock,
    set_stock,
    adjust_stock,
    explain_stock,
    list_shortfalls,
    reconcile_stock,
    list_ledger,
    show_past,
):
    stock.add_command(command)
for noun in (
    order, customer, fulfilment, saga, payment, refund, figures, product, category, stock, location_group, transfer,
    hold, catalog, discount, shipping, tax, dead_letter, invariant, alert, function,
):  # fmt: skip
    cli.add_command(noun)


def main() -> None:
    cli(prog_name="kn-shop")


if __name__ == "__main__":
    main()
