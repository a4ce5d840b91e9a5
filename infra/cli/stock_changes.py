"""Stock counted, corrected and brought by file on the command line."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import click

from infra.cli.bulk import Kind, bring_file, file_options
from infra.cli.client import path
from infra.cli.connection import Connection, as_told, connection_options, run
from infra.cli.output import output_option, show_one

REASONS = (
    "received",
    "returned",
    "found",
    "damaged",
    "lost",
    "stolen",
    "expired",
    "sampled",
    "correction",
    "recount",
    "opening",
)

STOCK = Kind(
    noun="Rows",
    where="/v1/admin/stock-import",
    probe="/v1/locations?limit=1",
    statuses=("changed", "unchanged", "failed"),
    called=lambda row: " at ".join(filter(None, (row["sku"], row["location"]))),
)

reason_choice = click.Choice(REASONS)
note_option = click.option("--note", help="What else the ledger shall say of it.")
at_option = click.option("--at", metavar="TIME", help="When it was, such as 2026-03-01T08:00:00+01:00 [default: now].")
key_option = click.option("--key", help="The Idempotency-Key; the same key has its effect once [default: a new one].")


def said(**fields: Any) -> dict[str, Any]:
    """The fields that were given."""
    return {name: value for name, value in fields.items() if value is not None}


@click.command("import")
@file_options
@click.option("--key", help="Books the same FILE once, however often it is sent with this key [default: a new one].")
@output_option("json", "yaml")
@connection_options
def import_stock(connection: Connection, **options: Any) -> None:
    """Book the counts and differences of FILE, CSV or NDJSON, packed by gzip where its name ends in .gz.

    Its columns are sku, location, and on_hand (what was counted) or delta (by how much it changed); reason, which a
    delta needs; note and at, when it was. Rows are booked in their order. A row that fails keeps no other out. When it
    is stopped, or the shop goes away, the same command goes on where it was. Exit code 1 means that a row failed.
    """
    bring_file(connection, STOCK, **options)


@click.command("set")
@click.argument("sku")
@click.argument("location")
@click.argument("on_hand", type=click.IntRange(0))
@click.option("--reason", type=reason_choice, default="recount", show_default=True, help="Why it is another level.")
@note_option
@output_option("json", "yaml", "name")
@connection_options
def set_stock(
    connection: Connection, *, sku: str, location: str, on_hand: int, reason: str, note: str | None, output: str | None
) -> None:
    """Record a count: so many units of SKU are at LOCATION."""
    body = said(on_hand=on_hand, reason=reason, note=note)

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            level: dict[str, Any] = (await shop.call("PUT", path("v1", "stock", sku, location), body)).body
            return level

    level = run(work())
    told = f"{sku} at {location}: {level['on_hand']} on hand, {level['available']} available"
    short = f", {level['shortfall']} short" if level["shortfall"] else ""
    show_one("stock", level, f"{told}{short}.", name="sku", output=output)


@click.command("adjust", context_settings={"ignore_unknown_options": True})
@click.argument("sku")
@click.argument("location")
@click.argument("delta", type=int)
@click.option("--reason", type=reason_choice, required=True, help="Why it changes.")
@note_option
@at_option
@key_option
@output_option("json", "yaml", "name")
@connection_options
def adjust_stock(
    connection: Connection,
    *,
    sku: str,
    location: str,
    delta: int,
    reason: str,
    note: str | None,
    at: str | None,
    key: str | None,
    output: str | None,
) -> None:
    """Receive or write off stock, such as `kn-shop stock adjust MUG LON -2 --reason damaged`."""
    body = said(delta=delta, reason=reason, note=note, at=at)

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            where = path("v1", "stock", sku, location, "adjustments")
            entry: dict[str, Any] = (await shop.call("POST", where, body, key=key or str(uuid4()))).body
            return entry

    entry = run(work())
    told = f"{sku} at {location}: {entry['delta']:+} ({entry['reason']}), {entry['on_hand']} on hand."
    show_one("ledger", entry, told, name="id", output=output)
