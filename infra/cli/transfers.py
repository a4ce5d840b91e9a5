"""Transfers on the command line: goods sent, announced, received and called back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import click

from infra.cli.client import path
from infra.cli.connection import Connection, as_told, connection_options, run
from infra.cli.output import description, limit_option, no_headers_option, output_option, show_list, show_one
from infra.cli.report import table
from infra.cli.stock_changes import at_option, key_option, note_option, said

STATUSES = ("in_transit", "arrived", "cancelled")


@click.group()
def transfer() -> None:
    """Stock on its way between locations, and from suppliers."""


@transfer.command("create")
@click.argument("lines", nargs=-1, required=True, metavar="SKU=QUANTITY...")
@click.option("--to", "destination", required=True, metavar="LOCATION", help="Where the goods go to.")
@click.option("--from", "origin", metavar="LOCATION", help="Where they leave [default: a supplier sends them].")
@click.option("--reference", help="What others call it, such as a purchase order.")
@click.option("--expected", "expected_at", metavar="TIME", help="When they should arrive.")
@note_option
@key_option
@output_option("json", "yaml", "name")
@connection_options
def create_transfer(
    connection: Connection, *, lines: tuple[str, ...], key: str | None, output: str | None, **fields: str | None
) -> None:
    """Send goods, such as `kn-shop transfer create --from LON --to LEEDS MUG=12 TEA=6`. They leave LON at once."""
    wanted = [{"sku": sku, "quantity": quantity} for sku, quantity, _ in map(_counted, lines)]
    _show(connection, path("v1", "transfers"), said(**fields, lines=wanted), key, output)


@transfer.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Only those of this status.")
@click.option("--location", help="Only those from or to this location.")
@click.option("--sku", help="Only those of which this SKU is a part.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_transfers(
    connection: Connection, *, limit: int, no_headers: bool, output: str | None, **filters: str | None
) -> None:
    """Transfers, the newest first."""
    where = f"/v1/transfers?{urlencode(said(**filters))}"

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items(where, at_most=limit)

    columns = (
        ("TRANSFER", lambda item: item["id"]),
        ("STATUS", lambda item: item["status"]),
        ("FROM", lambda item: item["origin"] or "supplier"),
        ("TO", lambda item: item["destination"]),
        ("SKUS", lambda item: item["skus"]),
        ("UNITS", lambda item: item["quantity"]),
        ("OPEN", lambda item: item["open"]),
        ("REFERENCE", lambda item: item["reference"]),
        ("EXPECTED", lambda item: item["expected_at"]),
        ("CREATED", lambda item: item["created_at"]),
    )
    show_list("transfer", run(work()), columns, name="id", output=output, no_headers=no_headers)


@transfer.command("describe")
@click.argument("transfer_id", metavar="TRANSFER")
@output_option("json", "yaml", "name")
@connection_options
def describe_transfer(connection: Connection, transfer_id: str, output: str | None) -> None:
    """One transfer, with what of each SKU has arrived and what is still on its way."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            found: dict[str, Any] = (await shop.get(path("v1", "transfers", transfer_id))).body
            return found

    found = run(work())
    show_one("transfer", found, _transfer(found), name="id", output=output)


@transfer.command("arrive")
@click.argument("transfer_id", metavar="TRANSFER")
@click.argument("lines", nargs=-1, metavar="[SKU=QUANTITY[/LOST]]...")
@note_option
@at_option
@key_option
@output_option("json", "yaml", "name")
@connection_options
def arrive_transfer(
    connection: Connection,
    *,
    transfer_id: str,
    lines: tuple[str, ...],
    key: str | None,
    output: str | None,
    **fields: str | None,
) -> None:
    """Book what has arrived: all that is open, or the lines given. MUG=10/2 means that 10 have come and 2 are lost."""
    arrived = [{"sku": sku, "quantity": quantity, "lost": lost} for sku, quantity, lost in map(_counted, lines)]
    _show(
        connection, path("v1", "transfers", transfer_id, "arrivals"), said(**fields, lines=arrived or None), key, output
    )


@transfer.command("cancel")
@click.argument("transfer_id", metavar="TRANSFER")
@note_option
@key_option
@output_option("json", "yaml", "name")
@connection_options
def cancel_transfer(
    connection: Connection, *, transfer_id: str, note: str | None, key: str | None, output: str | None
) -> None:
    """End a transfer: what is still on its way goes back to where it came from."""
    _show(connection, path("v1", "transfers", transfer_id, "cancellation"), said(note=note), key, output)


def _show(connection: Connection, where: str, body: Mapping[str, Any], key: str | None, output: str | None) -> None:
    """Posts, and shows the transfer that comes of it."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            found: dict[str, Any] = (await shop.call("POST", where, body, key=key or str(uuid4()))).body
            return found

    found = run(work())
    show_one("transfer", found, _transfer(found), name="id", output=output)


def _counted(text: str) -> tuple[str, int, int]:
    """A SKU may hold a slash, and so may what comes after the last equals sign."""
    sku, _, counts = text.rpartition("=")
    quantity, _, lost = counts.partition("/")
    if not sku or not quantity.isdecimal() or not (lost or "0").isdecimal():
        raise click.BadParameter(f"{text!r} is not of the form SKU=QUANTITY", param_hint="SKU=QUANTITY")
    return sku, int(quantity), int(lost or 0)


def _transfer(found: Mapping[str, Any]) -> str:
    head = description(
        [
            ("Transfer", found["id"]),
            ("Status", found["status"]),
            ("From", found["origin"] or "a supplier"),
            ("To", found["destination"]),
            ("Reference", found["reference"]),
            ("Note", found["note"]),
            ("Expected", found["expected_at"]),
            ("By", found["actor"]),
            ("Created", found["created_at"]),
            ("Updated", found["updated_at"]),
        ]
    )
    names = ("quantity", "arrived", "lost", "returned", "open")
    rows = [(line["sku"], *(str(line[name]) for name in names)) for line in found["lines"]]
    headings = ("SKU", *(name.upper() for name in names))
    return f"{head}\n\n" + "\n".join(table([headings, *rows], numbers_from=1))
