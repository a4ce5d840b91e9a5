"""Fulfilments on the command line: what is to be picked, what leaves, and the steps that lead there."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import click

from infra.cli.client import path
from infra.cli.connection import Connection, as_told, connection_options, run
from infra.cli.output import (
    description,
    limit_option,
    money,
    no_headers_option,
    output_option,
    show_list,
    show_one,
)
from infra.cli.report import table
from infra.cli.stock_changes import said

STATUSES = ("pending", "shipping", "shipped", "delivered", "cancelled", "returned")


def done(connection: Connection, where: str, body: dict[str, Any], *, wait_s: int = 10) -> dict[str, Any]:
    """Asks for it once, whatever happens on the way, and waits for what becomes of it."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            answer: dict[str, Any] = (await shop.call("POST", where, body, key=str(uuid4()), wait_s=wait_s)).body
            return answer

    return run(work())


def units(lines: tuple[str, ...]) -> dict[str, Any]:
    """`LINE=UNITS` as the API takes it. Raises BadParameter."""
    if not lines:
        return {}
    found = []
    for line in lines:
        number, _, quantity = line.partition("=")
        if not (number.isascii() and number.isdigit() and quantity.isascii() and quantity.isdigit()):
            raise click.BadParameter(f"{line}: say LINE=UNITS, such as 1=2", param_hint="--line")
        found.append({"line_no": int(number), "quantity": int(quantity)})
    return {"lines": found}


line_option = click.option("--line", "lines", multiple=True, metavar="LINE=UNITS", help="Only these; may be repeated.")


@click.group()
def fulfilment() -> None:
    """What leaves for orders: one for each location that their goods are at."""


@fulfilment.command("list")
@click.option("--status", multiple=True, type=click.Choice(STATUSES), help="May be repeated [default: to be shipped].")
@click.option("--location", help="Where the goods are picked.")
@click.option("--order", "order_id", metavar="ORDER", help="Of this order.")
@click.option("--older-than", "older_than_s", type=click.IntRange(0), metavar="SECONDS", help="Made longer ago.")
@click.option("--ready", is_flag=True, help="Leave out those of orders under review.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_fulfilments(
    connection: Connection,
    *,
    status: tuple[str, ...],
    ready: bool,
    limit: int,
    no_headers: bool,
    output: str | None,
    **rest: object,
) -> None:
    """Fulfilments, the oldest first: the picking list."""
    asked = [*(("status", one) for one in status), *said(**rest).items(), *([("ready", "true")] if ready else [])]

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items(f"/v1/admin/fulfilments?{urlencode(asked)}", at_most=limit)

    columns = (
        ("ID", lambda item: item["id"]),
        ("ORDER", lambda item: item["order_id"]),
        ("LOCATION", lambda item: item["location"]),
        ("STATUS", lambda item: item["status"]),
        ("UNITS", lambda item: sum(line["quantity"] - line["cancelled"] for line in item["lines"])),
        ("SINCE", lambda item: item["created_at"]),
        ("REFUSED", lambda item: item["refused"]),
    )
    show_list("fulfilment", run(work()), columns, name="id", output=output, no_headers=no_headers)


@fulfilment.command("describe")
@click.argument("fulfilment_id", metavar="FULFILMENT")
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def describe_fulfilment(connection: Connection, fulfilment_id: str, no_headers: bool, output: str | None) -> None:
    """What is in it, and where it is."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            found: dict[str, Any] = (await shop.get(path("v1", "admin", "fulfilments", fulfilment_id))).body
            return found

    found = run(work())
    names = ("line_no", "sku", "title", "quantity", "open", "shipped", "cancelled", "cancelling")
    headings = () if no_headers else (tuple(name.upper().replace("_", " ") for name in names),)
    rows = [tuple(str(line[name]) for name in names) for line in found["lines"]]
    head = description(
        [
            (name.capitalize().replace("_", " "), found[name])
            for name in ("order_id", "location", "status", "refused", "carrier", "tracking_number", "tracking_url")
        ]
    )
    show_one("fulfilment", found, f"{head}\n\n" + "\n".join(table([*headings, *rows])), name="id", output=output)


@fulfilment.command("ship")
@click.argument("fulfilment_id", metavar="FULFILMENT")
@click.option("--carrier", help="Such as DHL.")
@click.option("--tracking-number", help="By which the customer follows it.")
@click.option("--tracking-url", help="Where.")
@line_option
@connection_options
def ship(connection: Connection, *, fulfilment_id: str, lines: tuple[str, ...], **by: object) -> None:
    """Let it leave, all of it or some lines; the rest stays to be picked."""
    where = path("v1", "admin", "fulfilments", fulfilment_id, "ship")
    shipped = done(connection, where, {**said(**by), **units(lines)})
    told = f": {shipped['refused']}" if shipped["refused"] else ""
    click.echo(f"Fulfilment {shipped['id']} is {shipped['status']}{told}.")


@fulfilment.command("deliver")
@click.argument("fulfilment_id", metavar="FULFILMENT")
@click.option("--at", metavar="TIME", help="When it was [default: now].")
@connection_options
def deliver(connection: Connection, fulfilment_id: str, at: str | None) -> None:
    """Note that it has arrived."""
    where = path("v1", "admin", "fulfilments", fulfilment_id, "deliver")
    click.echo(f"Fulfilment {fulfilment_id} is {done(connection, where, said(at=at))['status']}.")


@fulfilment.command("short")
@click.argument("fulfilment_id", metavar="FULFILMENT")
@click.option("--reason", required=True, help="Why; the customer is paid back.")
@line_option
@connection_options
def short(connection: Connection, fulfilment_id: str, reason: str, lines: tuple[str, ...]) -> None:
    """Say that it, or some of it, cannot be sent."""
    where = path("v1", "admin", "fulfilments", fulfilment_id, "short")
    found = done(connection, where, {"reason": reason, **units(lines)})
    click.echo(f"Fulfilment {fulfilment_id} is {found['status']}; what was taken off is paid back.")


@fulfilment.command("steps")
@click.option("--state", multiple=True, help="May be repeated [default: asked and needs_attention].")
@click.option("--order", "order_id", metavar="ORDER", help="Of this order, in any state.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_steps(
    connection: Connection, *, state: tuple[str, ...], limit: int, no_headers: bool, output: str | None, **rest: object
) -> None:
    """What was asked of inventory and payments beyond the checkout, and is not done."""
    asked = [*(("state", one) for one in state), *said(**rest).items()]

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items(f"/v1/admin/steps?{urlencode(asked)}", at_most=limit)

    columns = (
        ("ID", lambda item: item["id"]),
        ("ORDER", lambda item: item["order_id"]),
        ("KIND", lambda item: item["kind"]),
        ("STATE", lambda item: item["state"]),
        ("AMOUNT", lambda item: money(item["amount_minor"], None)),
        ("TRIES", lambda item: item["tries"]),
        ("ASKED", lambda item: item["asked"]),
        ("ANSWER", lambda item: item["answer"]),
    )
    show_list("step", run(work()), columns, name="id", output=output, no_headers=no_headers)


def _steering(name: str, text: str) -> click.Command:
    @click.command(name, help=text)
    @click.argument("step_id", metavar="STEP")
    @click.option("--reason", required=True, help="Why; it is kept with who did it.")
    @connection_options
    def command(connection: Connection, step_id: str, reason: str) -> None:
        step = done(connection, path("v1", "admin", "steps", step_id, name), {"reason": reason}, wait_s=0)
        click.echo(f"The step {step_id} ({step['kind']}) is {step['state']}.")

    return command


fulfilment.add_command(_steering("retry", "Send a step's command again now, or anew where it was refused."))
fulfilment.add_command(_steering("give-up", "Give up a step that was refused: you saw to it by hand."))
