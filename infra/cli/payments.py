"""Payments on the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from infra.cli.client import path
from infra.cli.connection import FAILED, Connection, as_told, connection_options, run
from infra.cli.output import (
    description,
    limit_option,
    money,
    no_headers_option,
    output_option,
    show,
    show_list,
    show_one,
)
from infra.cli.report import table
from infra.cli.stock_changes import said

if TYPE_CHECKING:
    from infra.cli.client import Shop

STATUSES = (
    *("created", "action_required", "unknown", "declined", "authorized", "part_captured", "captured"),
    *("part_refunded", "refunded", "voided", "disputed", "charged_back"),
)


@click.group()
def payment() -> None:
    """What was asked of the payment provider, and what became of it."""


@payment.command("list")
@click.option("--status", multiple=True, type=click.Choice(STATUSES), help="May be repeated [default: all].")
@click.option("--older-than", "older_than_s", type=click.IntRange(0), metavar="SECONDS", help="Begun longer ago.")
@click.option("--newer-than", "newer_than_s", type=click.IntRange(0), metavar="SECONDS", help="Begun since then.")
@click.option("--min", "min_minor", type=click.IntRange(0), metavar="MINOR", help="Of this amount or more.")
@click.option("--max", "max_minor", type=click.IntRange(0), metavar="MINOR", help="Of this amount or less.")
@click.option("--currency", help="Such as GBP.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_payments(
    connection: Connection,
    *,
    status: tuple[str, ...],
    limit: int,
    no_headers: bool,
    output: str | None,
    **filters: object,
) -> None:
    """Payments, the newest first."""
    asked = [*(("status", one) for one in status), *said(**filters).items()]

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items(f"/v1/payments?{urlencode(asked)}", at_most=limit)

    def shown(name: str) -> Any:
        return lambda item: money(item[name], item["currency"] or "XXX")

    columns = (
        ("ORDER", lambda item: item["order_id"]),
        ("STATUS", lambda item: item["status"]),
        ("AMOUNT", shown("amount_minor")),
        ("CAPTURED", shown("captured_minor")),
        ("REFUNDED", shown("refunded_minor")),
        ("SINCE", lambda item: item["created_at"]),
    )
    show_list("payment", run(work()), columns, name="order_id", output=output, no_headers=no_headers)


@payment.command("describe")
@click.argument("order_id", metavar="ORDER")
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def describe_payment(connection: Connection, order_id: str, no_headers: bool, output: str | None) -> None:
    """The payment of an order: its sums, every attempt, its disputes."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            found: dict[str, Any] = (await shop.get(path("v1", "payments", order_id))).body
            return found

    found = run(work())
    currency = found["currency"] or "XXX"
    sums = ("amount", "authorized", "captured", "voided", "refunded", "disputed", "lost")
    head = description(
        [
            ("Order", found["order_id"]),
            ("Status", found["status"]),
            *((name.capitalize(), money(found[f"{name}_minor"], currency)) for name in sums if found[f"{name}_minor"]),
            *(("Dispute", f"{one['id']} {one['reason']}: {one['outcome'] or 'open'}") for one in found["chargebacks"]),
        ]
    )
    names = ("operation", "amount_minor", "state", "code", "authorization_id", "created_at", "key")
    headings = () if no_headers else (tuple(name.upper().replace("_", " ") for name in names),)
    rows = [
        tuple("" if attempt[name] is None else str(attempt[name]) for name in names) for attempt in found["attempts"]
    ]
    attempts = "\n".join(table([*headings, *rows]))
    show_one("payment", found, f"{head}\n\n{attempts}", name="order_id", output=output)


@payment.command("reconcile")
@click.option("--mend", is_flag=True, help="Let our books be what the provider's say, by entries in your name.")
@click.option("--reason", help="Why, for the audit log; needed with --mend.")
@click.option("--batch", type=click.IntRange(1, 1_000), default=200, show_default=True, help="Payments at a time.")
@no_headers_option
@output_option("json", "yaml")
@connection_options
def reconcile_payments(
    connection: Connection, *, mend: bool, reason: str | None, batch: int, no_headers: bool, output: str | None
) -> None:
    """Compare our books with the provider's and print what differs and why; exit code 1 when something does.

    What is under way is left out. With --mend the exit code is 0 when all of it was mended. The shop stays open.
    """
    if mend and not reason:
        raise click.UsageError("--mend needs a --reason.")
    request = {"limit": batch, "mend": mend, **({"reason": reason} if reason else {})}

    async def work() -> tuple[int, list[dict[str, Any]]]:
        async with connection.shop(say=lambda text: click.echo(text, err=True)) as shop:
            compared, differences = await _gone_through(shop, {**request, "books": "ours"})
            _, strangers = await _gone_through(shop, {**request, "books": "theirs", "mend": False})
            return compared, differences + strangers

    compared, differences = run(work(), when_interrupted="stopped; run it again, it begins anew")
    if output:
        show({"compared": compared, "differences": differences}, output)
    else:
        rows = [
            (
                one["order_id"],
                one["figure"],
                str(one["ours_minor"]),
                str(one["theirs_minor"]),
                f"{one['cause']}: {one['means']}",
                "yes" if one["mended"] else "no",
            )
            for one in differences
        ]
        headings = () if no_headers else (("ORDER", "FIGURE", "OURS", "THEIRS", "CAUSE", "MENDED"),)
        if rows:
            click.echo("\n".join(table([*headings, *rows])) + "\n")
        click.echo(f"{compared} payments compared, {len(differences) or 'no'} figures differ.")
    if any(not one["mended"] for one in differences):
        sys.exit(FAILED)


async def _gone_through(shop: Shop, request: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    compared = 0
    differences: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        answer = (await shop.call("POST", "/v1/admin/payment-reconciliation", {**request, "after": after})).body
        compared += answer["compared"]
        differences += answer["differences"]
        after = answer["after"]
    return compared, differences
