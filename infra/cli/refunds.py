"""Refunds on the command line: what customers ask for, what is granted, and what the provider did not pay."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import click

from infra.cli.client import path
from infra.cli.connection import Connection, as_told, connection_options, run
from infra.cli.fulfilments import done, line_option, units
from infra.cli.output import limit_option, money, no_headers_option, output_option, show_list
from infra.cli.stock_changes import said

amount_option = click.option(
    "--amount", "amount_minor", type=click.IntRange(1), metavar="MINOR", help="In minor units."
)
restock_option = click.option("--restock-at", metavar="LOCATION", help="Where the goods are, to be sold again.")


@click.group()
def refund() -> None:
    """Money that goes back to customers."""


@refund.command("list")
@click.option(
    "--status", multiple=True, type=click.Choice(("requested", "succeeded", "failed")), help="May be repeated."
)
@click.option("--order", "order_id", metavar="ORDER", help="Of this order.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_refunds(
    connection: Connection, *, status: tuple[str, ...], limit: int, no_headers: bool, output: str | None, **rest: object
) -> None:
    """Refunds, the oldest first; without --status those that are not paid."""
    asked = [*(("status", one) for one in status), *said(**rest).items()]
    columns = (
        ("ID", lambda item: item["id"]),
        ("ORDER", lambda item: item["order_id"]),
        ("AMOUNT", lambda item: money(item["amount_minor"], item["currency"])),
        ("STATUS", lambda item: item["status"]),
        ("FOR", lambda item: item["source"]),
        ("REASON", lambda item: item["reason"]),
        ("FAILURE", lambda item: item["failure"]),
    )
    found = _listed(connection, f"/v1/admin/refunds?{urlencode(asked)}", limit)
    show_list("refund", found, columns, name="id", output=output, no_headers=no_headers)


@refund.command("requests")
@click.option("--status", multiple=True, type=click.Choice(("open", "granted", "denied")), help="May be repeated.")
@click.option("--order", "order_id", metavar="ORDER", help="Of this order.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_requests(
    connection: Connection, *, status: tuple[str, ...], limit: int, no_headers: bool, output: str | None, **rest: object
) -> None:
    """What customers ask to have back, the oldest first; without --status what is not decided."""
    asked = [*(("status", one) for one in status), *said(**rest).items()]
    columns = (
        ("ID", lambda item: item["id"]),
        ("ORDER", lambda item: item["order_id"]),
        ("AMOUNT", lambda item: money(item["amount_minor"], item["currency"])),
        ("UNITS", lambda item: sum(line["quantity"] for line in item["lines"]) or None),
        ("STATUS", lambda item: item["status"]),
        ("REASON", lambda item: item["reason"]),
    )
    found = _listed(connection, f"/v1/admin/refund-requests?{urlencode(asked)}", limit)
    show_list("request", found, columns, name="id", output=output, no_headers=no_headers)


@refund.command("grant")
@click.argument("request_id", metavar="REQUEST")
@amount_option
@line_option
@restock_option
@click.option("--answer", help="What the customer is told.")
@connection_options
def grant(connection: Connection, *, request_id: str, lines: tuple[str, ...], **what: object) -> None:
    """Grant a request, as it was asked for, or only an amount or some units."""
    where = path("v1", "admin", "refund-requests", request_id, "grant")
    granted = done(connection, where, {**said(**what), **units(lines)}, wait_s=0)
    click.echo(f"Granted {money(granted['granted_minor'], granted['currency'])} of order {granted['order_id']}.")


@refund.command("deny")
@click.argument("request_id", metavar="REQUEST")
@click.option("--answer", required=True, help="Why; the customer is told.")
@connection_options
def deny(connection: Connection, request_id: str, answer: str) -> None:
    """Deny a request."""
    done(connection, path("v1", "admin", "refund-requests", request_id, "deny"), {"answer": answer}, wait_s=0)
    click.echo(f"Request {request_id} is denied.")


@refund.command("give")
@click.argument("order_id", metavar="ORDER")
@amount_option
@line_option
@restock_option
@click.option("--reason", required=True, help="Why; it is kept with who did it.")
@connection_options
def give(connection: Connection, *, order_id: str, lines: tuple[str, ...], **what: object) -> None:
    """Pay back without being asked: an amount, or some units of an order."""
    given = done(connection, path("v1", "admin", "orders", order_id, "refunds"), {**said(**what), **units(lines)})
    _tell(given)


@refund.command("retry")
@click.argument("refund_id", metavar="REFUND")
@click.option("--reason", required=True, help="Why it should go well now; it is kept with who did it.")
@connection_options
def retry(connection: Connection, refund_id: str, reason: str) -> None:
    """Have a refund tried again that has failed."""
    _tell(done(connection, path("v1", "admin", "refunds", refund_id, "retry"), {"reason": reason}))


def _tell(given: dict[str, Any]) -> None:
    failure = f": {given['failure']}" if given["failure"] else ""
    amount = money(given["amount_minor"], given["currency"])
    click.echo(f"The refund {given['id']} of {amount} is {given['status']}{failure}.")


def _listed(connection: Connection, url: str, limit: int) -> list[dict[str, Any]]:
    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items(url, at_most=limit)

    return run(work())
