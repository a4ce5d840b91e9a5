"""Orders' sagas on the command line: where they stand, and what leads them on."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import click

from infra.cli.client import path
from infra.cli.connection import Connection, as_told, connection_options, run
from infra.cli.output import description, limit_option, no_headers_option, output_option, show_list, show_one
from infra.cli.report import table
from infra.cli.stock_changes import said


@click.group()
def saga() -> None:
    """The sagas that carry orders to their ends."""


@saga.command("list")
@click.option("--state", multiple=True, help="May be repeated [default: what has not ended, and needs_attention].")
@click.option("--older-than", "older_than_s", type=click.IntRange(0), metavar="SECONDS", help="There for longer.")
@click.option("--asked", "asked_at_least", type=click.IntRange(1), metavar="TIMES", help="Asked for so many times.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_sagas(
    connection: Connection, *, state: tuple[str, ...], limit: int, no_headers: bool, output: str | None, **rest: object
) -> None:
    """Sagas, the longest at their state first."""
    asked = [*(("state", one) for one in state), *said(**rest).items()]

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items(f"/v1/admin/sagas?{urlencode(asked)}", at_most=limit)

    columns = (
        ("ORDER", lambda item: item["order_id"]),
        ("NUMBER", lambda item: item["number"]),
        ("STATE", lambda item: item["state"]),
        ("PAYMENT", lambda item: item["payment"]),
        ("ASKED", lambda item: item["asked"]),
        ("SINCE", lambda item: item["since"]),
        ("STUCK", lambda item: item["stuck"]),
    )
    show_list("saga", run(work()), columns, name="order_id", output=output, no_headers=no_headers)


@saga.command("describe")
@click.argument("order_id", metavar="ORDER")
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def describe_saga(connection: Connection, order_id: str, no_headers: bool, output: str | None) -> None:
    """An order's saga, step by step."""
    found = _get(connection, order_id)
    headings = () if no_headers else (("STATE", "SINCE", "BECAUSE", "ASKED FOR", "ANSWER", "TOOK"),)
    rows = [
        (
            step["state"],
            step["began_at"],
            step["cause"],
            step["asked_for"] or "",
            step["answer"] or "",
            "" if step["took_s"] is None else f"{step['took_s']:.3f} s",
        )
        for step in found["steps"]
    ]
    head = description(
        [
            ("Order", f"{found['order_id']} ({found['number']})"),
            ("Status", found["status"]),
            ("State", found["state"]),
            ("Payment", found["payment"]),
            ("Reason", found["reason"]),
            ("Stuck", found["stuck"]),
            ("Waits for", found["waits_for"] and f"{found['waits_for']}, sent {found['asked']} times"),
            ("Again at", found["deadline"]),
            ("Came early", ", ".join(found["early"]) or None),
        ]
    )
    show_one("saga", found, f"{head}\n\n" + "\n".join(table([*headings, *rows])), name="order_id", output=output)


def _steering(name: str, done: str, text: str) -> click.Command:
    @click.command(name, help=text)
    @click.argument("order_id", metavar="ORDER")
    @click.option("--reason", required=True, help="Why; it is kept with who did it.")
    @click.option("--state", help="Only if it still stands there [default: where it stands now].")
    @connection_options
    def command(connection: Connection, order_id: str, reason: str, state: str | None) -> None:
        seen = state or _get(connection, order_id)["state"]

        async def work() -> dict[str, Any]:
            async with as_told(connection) as shop:
                at = path("v1", "admin", "sagas", order_id, name)
                reply = await shop.call("POST", at, {"state": seen, "reason": reason}, key=str(uuid4()))
                answer: dict[str, Any] = reply.body
                return answer

        click.echo(f"The saga of {order_id} {done}: it is {run(work())['state']}.")

    return command


for _command in (
    _steering("retry", "tries again", "Send the awaited command again now, or anew where it was refused."),
    _steering("skip", "goes on", "Go on as if the void or the refund had been done: you did it by hand."),
    _steering("compensate", "turns back", "Cancel an order that cannot go forward, and give back what it took."),
):
    saga.add_command(_command)


def _get(connection: Connection, order_id: str) -> dict[str, Any]:
    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            found: dict[str, Any] = (await shop.get(path("v1", "admin", "sagas", order_id))).body
            return found

    return run(work())


@click.command("cancel")
@click.argument("order_id", metavar="ORDER")
@click.option("--reason", required=True, help="Why; the customer is told.")
@connection_options
def cancel_order(connection: Connection, order_id: str, reason: str) -> None:
    """Cancel an order of which nothing has left yet, and give back what it took."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            at = path("v1", "orders", order_id, "cancel")
            reply = await shop.call("POST", at, {"reason": reason}, key=str(uuid4()), wait_s=10)
            answer: dict[str, Any] = reply.body
            return answer

    cancelled = run(work())
    click.echo(f"Order {cancelled['number']} is {cancelled['status']}, its payment {cancelled['payment']}.")
