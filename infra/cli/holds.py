"""Orders' holds on stock on the command line."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import click

from infra.cli.client import path
from infra.cli.connection import Connection, as_told, connection_options, run
from infra.cli.output import description, limit_option, no_headers_option, output_option, show_list, show_one
from infra.cli.report import table
from infra.cli.stock_changes import said

STATUSES = ("HELD", "COMMITTED", "SHIPPED", "RELEASED", "EXPIRED", "REJECTED")


@click.group()
def hold() -> None:
    """What orders hold of the stock."""


@hold.command("list")
@click.option("--status", multiple=True, type=click.Choice(STATUSES), help="May be repeated [default: the live ones].")
@click.option("--older-than", "older_than_s", type=click.IntRange(0), metavar="SECONDS", help="Made longer ago.")
@click.option("--sku", help="Only those that still hold some of this SKU.")
@click.option("--location", help="Only those that still hold something there.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_holds(
    connection: Connection,
    *,
    status: tuple[str, ...],
    limit: int,
    no_headers: bool,
    output: str | None,
    **filters: object,
) -> None:
    """Holds, the oldest first."""
    asked = [*(("status", one) for one in status), *said(**filters).items()]

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items(f"/v1/holds?{urlencode(asked)}", at_most=limit)

    columns = (
        ("ORDER", lambda item: item["order_id"]),
        ("STATUS", lambda item: item["status"]),
        ("LINES", lambda item: item["lines"]),
        ("UNITS", lambda item: item["quantity"]),
        ("OPEN", lambda item: item["open"]),
        ("SINCE", lambda item: item["created_at"]),
        ("EXPIRES", lambda item: item["expires_at"]),
    )
    show_list("hold", run(work()), columns, name="order_id", output=output, no_headers=no_headers)


@hold.command("describe")
@click.argument("order_id", metavar="ORDER")
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def describe_hold(connection: Connection, order_id: str, no_headers: bool, output: str | None) -> None:
    """The hold of an order, line by line."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            found: dict[str, Any] = (await shop.get(path("v1", "holds", order_id))).body
            return found

    found = run(work())
    names = ("sku", "location", "quantity", "shipped", "released", "open")
    headings = () if no_headers else (tuple(name.upper() for name in names),)
    rows = [tuple(str(line[name]) for name in names) for line in found["lines"]]
    lacking = ", ".join(f"{sku} {units}" for sku, units in found["shortages"].items())
    head = description(
        [
            ("Order", found["order_id"]),
            ("Status", found["status"]),
            ("Since", found["created_at"]),
            ("Expires", found["expires_at"]),
            ("Lacks", lacking or None),
            ("Parts", len(found["parts"]) or None),
        ]
    )
    lines = "\n".join(table([*headings, *rows], numbers_from=2)) if rows else "It holds no stock."
    show_one("hold", found, f"{head}\n\n{lines}", name="order_id", output=output)


@hold.command("extend")
@click.argument("order_id", metavar="ORDER")
@click.option(
    "--for",
    "seconds",
    type=click.IntRange(1, 30 * 86_400),
    default=900,
    show_default=True,
    help="Seconds from now.",
)
@connection_options
def extend_hold(connection: Connection, order_id: str, seconds: int) -> None:
    """Let a hold last until so many seconds from now, longer or shorter than before."""
    expiry = _expire_in(connection, order_id, seconds)
    click.echo(f"The hold of {order_id} lasts until {expiry['expires_at']}.")


@hold.command("expire")
@click.argument("order_id", metavar="ORDER")
@connection_options
def expire_hold(connection: Connection, order_id: str) -> None:
    """End a hold now: its stock is given back, and the order is told."""
    _expire_in(connection, order_id, 0)
    click.echo(f"The hold of {order_id} has expired.")


def _expire_in(connection: Connection, order_id: str, seconds: int) -> dict[str, Any]:
    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            reply = await shop.call("PUT", path("v1", "holds", order_id, "expiry"), {"expires_in_s": seconds})
            expiry: dict[str, Any] = reply.body
            return expiry

    return run(work())
