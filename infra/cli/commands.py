"""The shop's nouns on the command line: order, stock, dead-letter, invariant."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import click

from infra.cli.client import path
from infra.cli.connection import FAILED, Connection, as_told, connection_options, run
from infra.cli.desk import filter_options, query
from infra.cli.output import description, limit_option, money, no_headers_option, output_option, show_list, show_one
from infra.cli.report import table

CUSTOMER = ("customer",)

customer_option = click.option(
    "--customer",
    default="walk-in",
    show_default=True,
    help="The customer to act as, when the token comes from the development issuer.",
)


@click.group()
def order() -> None:
    """Orders, placed at today's prices."""


@order.command("place")
@click.argument("lines", nargs=-1, required=True, metavar="SKU[=QUANTITY]...")
@click.option("--card", default="tok_approve", show_default=True, help="The payment token.")
@click.option(
    "--wait", type=click.IntRange(0, 20), default=20, show_default=True, help="Seconds to wait for the order's end."
)
@click.option("--discount", "codes", multiple=True, help="A discount's code; may be repeated.")
@click.option(
    "--on-decline",
    type=click.Choice(("reject", "wait")),
    default="reject",
    show_default=True,
    help="What becomes of it when the card is declined.",
)
@click.option("--key", help="The Idempotency-Key; the same key places the same order once [default: a new one].")
@customer_option
@output_option("json", "yaml", "name")
@connection_options
def place_order(
    connection: Connection,
    *,
    lines: tuple[str, ...],
    card: str,
    wait: int,
    codes: tuple[str, ...],
    on_decline: str,
    key: str | None,
    customer: str,
    output: str | None,
) -> None:
    """Place an order, such as `kn-shop order place 85123A=2 71053`."""
    request = {
        "lines": [_wanted(line) for line in lines],
        "payment_token": card,
        "discount_codes": list(codes),
        "on_decline": on_decline,
    }

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            reply = await shop.call(
                "POST", "/v1/orders", request, key=key or str(uuid4()), wait_s=wait, subject=customer, roles=CUSTOMER
            )
            placed: dict[str, Any] = reply.body
            return placed

    placed = run(work())
    show_one("order", placed, _order(placed), name="id", output=output)
    if placed["status"] == "rejected":
        sys.exit(FAILED)


def _wanted(text: str) -> dict[str, Any]:
    sku, _, quantity = text.partition("=")
    if not sku or not (quantity or "1").isdecimal() or int(quantity or 1) < 1:
        raise click.BadParameter(f"{text!r} is not of the form SKU or SKU=QUANTITY", param_hint="SKU[=QUANTITY]")
    return {"sku": sku, "quantity": int(quantity or 1)}


@order.command("list")
@filter_options
@customer_option
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_orders(
    connection: Connection,
    *,
    status: tuple[str, ...],
    customer: str,
    limit: int,
    no_headers: bool,
    output: str | None,
    **rest: Any,
) -> None:
    """A customer's orders, the newest first; of all customers' by `search`."""

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items(
                f"/v1/orders?{query(status, **rest)}", subject=customer, roles=CUSTOMER, at_most=limit
            )

    columns = (
        ("ORDER", lambda item: item["id"]),
        ("NUMBER", lambda item: item.get("number")),
        ("STATUS", lambda item: item["status"]),
        ("PAYMENT", lambda item: item.get("payment")),
        ("TOTAL", lambda item: money(item["total_minor"], item["currency"])),
        ("PLACED", lambda item: item["placed_at"]),
    )
    show_list("order", run(work()), columns, name="id", output=output, no_headers=no_headers)


def _order(item: Mapping[str, Any]) -> str:
    currency = item["currency"]
    head = description(
        [
            ("Order", item["id"]),
            ("Number", item.get("number")),
            ("Reference", item.get("reference")),
            ("Customer", item.get("customer_id") or "guest"),
            ("Status", item["status"]),
            ("Reason", item.get("reason")),
            ("Payment", item.get("payment")),
            ("Total", money(item["total_minor"], currency)),
            ("Placed", item["placed_at"]),
        ]
    )
    lines = [
        (
            str(line["line_no"]),
            line["sku"],
            line["title"],
            str(line["quantity"]),
            money(line["unit_price_minor"], currency),
            money(line["total_minor"], currency),
        )
        for line in item.get("lines", [])
    ]
    parts = [head, "\n".join(table([("LINE", "SKU", "TITLE", "QUANTITY", "PRICE", "TOTAL"), *lines]))]
    return "\n\n".join(parts)


def _text(detail: object) -> str:
    if isinstance(detail, Mapping):
        return " ".join(f"{name}={value}" for name, value in detail.items() if value is not None)
    return "" if detail is None else str(detail)


@click.group()
def stock() -> None:
    """Stock by SKU and location."""


@stock.command("describe")
@click.argument("sku")
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def describe_stock(connection: Connection, sku: str, no_headers: bool, output: str | None) -> None:
    """How much of a SKU there is, and how much of that is spoken for."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            found: dict[str, Any] = (await shop.get(path("v1", "stock", sku))).body
            return found

    found = run(work())
    names = ("on_hand", "held", "committed", "incoming", "safety_stock", "backorder_limit", "available", "shortfall")
    rows = [
        ("", *(str(found[name]) for name in names)),
        *((at["location"], *(str(at[name]) for name in names)) for at in found.get("locations", [])),
    ]
    rows[0] = ("all locations", *rows[0][1:])
    headings = () if no_headers else (("LOCATION", *(name.upper().replace("_", " ") for name in names)),)
    head = description(
        [
            ("SKU", found.get("sku", sku)),
            ("Tracked", "yes" if found["tracked"] else "no"),
            ("Status", found["status"]),
            ("Low at", found["low_at"] if found["tracked"] else None),
        ]
    )
    levels = "\n".join(table([*headings, *rows], numbers_from=1))
    show_one(
        "stock", {"sku": sku, **found}, f"{head}\n\n{levels}" if found["tracked"] else head, name="sku", output=output
    )


@click.group("dead-letter")
def dead_letter() -> None:
    """Events that no function could take."""


@dead_letter.command("list")
@click.option("--consumer", help="Only those of one function, such as hold-stock.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_dead_letters(
    connection: Connection, consumer: str | None, limit: int, no_headers: bool, output: str | None
) -> None:
    """Dead letters, with what made them so."""

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            found = await shop.items("/v1/dead-letters", at_most=None if consumer else limit)
            return [item for item in found if consumer in (None, item["consumer"])][:limit]

    columns = (
        ("ID", lambda item: item["id"]),
        ("CONSUMER", lambda item: item["consumer"]),
        ("TYPE", lambda item: item.get("type")),
        ("KEY", lambda item: item.get("key")),
        ("REASON", lambda item: item.get("reason")),
        ("FINGERPRINT", lambda item: item.get("fingerprint")),
        ("RECEIVED", lambda item: item.get("received_at")),
        ("REPLAYED", lambda item: item.get("replayed_at")),
        ("ERROR", lambda item: str(item.get("error") or "")[:80]),
    )
    show_list("dead-letter", run(work()), columns, name="id", output=output, no_headers=no_headers)


@dead_letter.command("replay")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--consumer", help="Those of one function, such as hold-stock.")
@click.option("--fingerprint", help="Those that died of one cause.")
@click.option("--all", "everything", is_flag=True, help="All that were not replayed yet.")
@output_option("json", "yaml")
@connection_options
def replay_dead_letters(
    connection: Connection,
    *,
    ids: tuple[str, ...],
    consumer: str | None,
    fingerprint: str | None,
    everything: bool,
    output: str | None,
) -> None:
    """Hand dead letters to their functions again."""
    if not (ids or consumer or fingerprint or everything):
        raise click.UsageError("name dead letters by ID, --consumer or --fingerprint, or take --all")
    named = {"ids": list(ids) or None, "consumer": consumer, "fingerprint": fingerprint}
    request = {name: value for name, value in named.items() if value is not None}

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            answer: dict[str, Any] = (
                await shop.call("POST", "/v1/dead-letters/replay", request, key=str(uuid4()))
            ).body
            return answer

    answer = run(work())
    show_one("dead-letter", answer, f"Replayed: {answer['replayed']}", name="replayed", output=output)


@click.group()
def invariant() -> None:
    """What must hold whatever happens."""


@invariant.command("check")
@no_headers_option
@output_option("json", "yaml")
@connection_options
def check_invariants(connection: Connection, no_headers: bool, output: str | None) -> None:
    """Check the shop's books against each other; exit code 1 when one is wrong."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            answer: dict[str, Any] = (await shop.get("/v1/invariants")).body
            return answer

    answer = run(work())
    rows = [
        (check["name"], str(check["violations"]), "; ".join(map(_text, check.get("examples", [])[:3])))
        for check in answer["checks"]
    ]
    headings = () if no_headers else (("INVARIANT", "VIOLATIONS", "EXAMPLES"),)
    told = "\n".join(table([*headings, *rows])) if rows or headings else ""
    show_one("invariant", answer, told, name="violations", output=output)
    if answer["violations"]:
        sys.exit(FAILED)


@invariant.command("history")
@click.option("--state", type=click.Choice(["open", "gone"]), help="Only what is still wrong, or what is over.")
@click.option("--name", help="Only this invariant.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_findings(
    connection: Connection, *, state: str | None, name: str | None, limit: int, no_headers: bool, output: str | None
) -> None:
    """When the books disagreed and for how long, newest first, as the shop's own checks found."""
    asked = urlencode({key: value for key, value in (("state", state), ("name", name)) if value})

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items(f"/v1/invariants/history?{asked}", at_most=limit)

    columns = (
        ("INVARIANT", lambda item: item["name"]),
        ("FIRST SEEN", lambda item: item["first_seen"]),
        ("LAST SEEN", lambda item: item["last_seen"]),
        ("GONE", lambda item: item["gone_at"] or ("not told yet" if item["told_at"] is None else "")),
        ("VIOLATIONS", lambda item: item["violations"]),
        ("MOST", lambda item: item["most"]),
    )
    show_list("finding", run(work()), columns, name="id", output=output, no_headers=no_headers)
