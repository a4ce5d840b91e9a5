"""What the books of stock have said on the command line: every entry, and the level at any moment."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import click

from infra.cli.client import path
from infra.cli.connection import Connection, as_told, connection_options, run
from infra.cli.output import description, limit_option, no_headers_option, output_option, show_list, show_one
from infra.cli.report import table
from infra.cli.stock_changes import REASONS, said

ALL_REASONS = (*REASONS, "shipped", "transfer_out", "transfer_in", "transfer_back", "reconciliation")


@click.command("ledger")
@click.argument("sku", required=False)
@click.option("--location", help="Only entries there.")
@click.option("--reason", type=click.Choice(ALL_REASONS), help="Only entries for this reason.")
@click.option("--from", "since", metavar="TIME", help="Recorded then or later, such as 2026-03-01T08:00:00+01:00.")
@click.option("--until", metavar="TIME", help="Recorded before.")
@click.option("--actor", help="Only what this caller or function did; without SKU.")
@click.option("--order", "order_id", help="Only what left for this order; without SKU.")
@click.option("--transfer", help="Only what is part of this transfer; without SKU.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_ledger(
    connection: Connection,
    *,
    sku: str | None,
    since: str | None,
    limit: int,
    no_headers: bool,
    output: str | None,
    **filters: str | None,
) -> None:
    """What has changed the stock of SKU, or of all, the newest first."""
    if sku and any(filters[name] for name in ("actor", "order_id", "transfer")):
        raise click.UsageError("--actor, --order and --transfer are asked of all SKUs: leave SKU out")
    asked = urlencode(said(**filters, **{"from": since}))
    where = f"{path('v1', 'stock', sku, 'ledger') if sku else '/v1/ledger'}?{asked}"

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items(where, at_most=limit)

    columns = (
        ("ENTRY", lambda item: item["id"]),
        ("RECORDED", lambda item: item["recorded_at"]),
        ("SKU", lambda item: item["sku"]),
        ("LOCATION", lambda item: item["location"]),
        ("DELTA", lambda item: f"{item['delta']:+}"),
        ("ON HAND", lambda item: item["on_hand"]),
        ("REASON", lambda item: item["reason"]),
        ("ACTOR", lambda item: item["actor"]),
        ("ORDER", lambda item: item["order_id"]),
        ("TRANSFER", lambda item: item["transfer"]),
        ("NOTE", lambda item: (item["note"] or "")[:60]),
    )
    show_list("entry", run(work()), columns, name="id", output=output, no_headers=no_headers)


@click.command("past")
@click.argument("sku")
@click.argument("time")
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def show_past(connection: Connection, *, sku: str, time: str, no_headers: bool, output: str | None) -> None:
    """How much of SKU was on hand at TIME, such as 2026-03-01T08:00:00+01:00, as the books said then."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            where = f"{path('v1', 'stock', sku, 'past')}?{urlencode({'as_of': time})}"
            found: dict[str, Any] = (await shop.get(where)).body
            return found

    found = run(work())
    rows = [("all locations", str(found["on_hand"]), "", "")]
    rows += [
        (at["location"], str(at["on_hand"]), str(at["entry"] or ""), at["recorded_at"] or "")
        for at in found["locations"]
    ]
    headings = () if no_headers else (("LOCATION", "ON HAND", "ENTRY", "RECORDED"),)
    head = description([("SKU", found["sku"]), ("As of", found["as_of"])])
    levels = "\n".join(table([*headings, *rows], numbers_from=1, numbers_to=3))
    show_one("stock", found, f"{head}\n\n{levels}", name="sku", output=output)
