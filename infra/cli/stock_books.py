"""What is known of stock on the command line: why it is what it is, what is short, and what does not agree."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click

from infra.cli.client import Shop, path
from infra.cli.connection import FAILED, Connection, as_told, connection_options, run
from infra.cli.output import limit_option, no_headers_option, output_option, show, show_list, show_one
from infra.cli.report import table


@click.command("why")
@click.argument("sku")
@click.option("--shown", type=click.IntRange(1, 500), default=100, show_default=True, help="Of each kind, so many.")
@output_option("json", "yaml", "name")
@connection_options
def explain_stock(connection: Connection, sku: str, shown: int, output: str | None) -> None:
    """What brought each unit of a SKU, to whom it is promised, and what is coming."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            found: dict[str, Any] = (await shop.get(f"{path('v1', 'stock', sku)}/why?shown={shown}")).body
            return found

    found = run(work())
    show_one("stock", found, "\n\n".join(_explained(found)), name="sku", output=output)


def _explained(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['sku']}: {found['on_hand']} on hand, {found['available']} available ({found['status']})"
    for at in found["locations"]:
        rows = [
            *(
                (str(one["quantity"]), "on hand", one["reason"], one["actor"], one["at"], _by(one))
                for one in at["brought_by"]
            ),
            *(
                (
                    str(one["quantity"]),
                    one["status"].lower() + _waits(one),
                    "order",
                    one["order_id"],
                    one["since"],
                    f"until {one['expires_at']}" if one["expires_at"] else "",
                )
                for one in at["promised_to"]
            ),
            *(
                (
                    str(one["quantity"]),
                    "incoming",
                    one["origin"] or "supplier",
                    one["actor"],
                    one["since"],
                    f"transfer {one['transfer']}",
                )
                for one in at["coming_by"]
            ),
        ]
        if at["brought_before"]:
            rows.append((str(at["brought_before"]), "on hand", "earlier entries", "", "", ""))
        if at["also_promised"]["orders"]:
            others = at["also_promised"]
            units, orders = str(others["held"] + others["committed"]), f"{others['orders']} other orders"
            rows.append((units, orders + _waits(others), "", "", "", ""))
        if at["also_coming"]:
            rows.append((str(at["also_coming"]), "incoming", "other transfers", "", "", ""))
        head = f"{at['location']}: {at['on_hand']} on hand, {at['held']} held, {at['committed']} committed"
        short = f", {at['shortfall']} short" if at["shortfall"] else ""
        told = table([("UNITS", "ARE", "BY", "WHO", "SINCE", ""), *rows]) if rows else []
        yield "\n".join([f"{head}{short}", *_remarks(at), *told])


def _waits(one: dict[str, Any]) -> str:
    units = ((one["backordered"], "back-ordered"), (one["short"], "short"))
    told = ", ".join(f"{number} {what}" for number, what in units if number)
    return f" ({told})" if told else ""


def _remarks(at: dict[str, Any]) -> Iterator[str]:
    policy = at["policy"]
    if policy["safety_stock"]:
        yield f"{policy['safety_stock']} are not sold: safety stock, said at {policy['set_at']}"
    if policy["backorder_limit"]:
        yield f"up to {policy['backorder_limit']} may be back-ordered, said at {policy['set_at']}"
    if policy["withdrawn"]:
        yield "nothing more is promised here: the location is closing, or closed"
    if at["short_since"]:
        yield f"short since {at['short_since']}"
    for name, units in at["unexplained"].items():
        if units:
            yield f"{units:+} {name.replace('_', ' ')} are unexplained: kn-shop stock reconcile says why"


def _by(one: dict[str, Any]) -> str:
    if one["order_id"]:
        return f"order {one['order_id']}"
    return f"transfer {one['transfer']}" if one["transfer"] else f"entry {one['entry']}"


@click.command("shortfalls")
@click.option("--location", help="Only at this location.")
@limit_option
@no_headers_option
@output_option("json", "yaml")
@connection_options
def list_shortfalls(
    connection: Connection, *, location: str | None, limit: int, no_headers: bool, output: str | None
) -> None:
    """What is promised and not there, with the orders that must wait."""
    where = f"/v1/shortfalls?{f'location={location}' if location else ''}"

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items(where, at_most=limit)

    columns = (
        ("SKU", lambda item: item["sku"]),
        ("LOCATION", lambda item: item["location"]),
        ("SHORT", lambda item: item["shortfall"]),
        ("ON HAND", lambda item: item["on_hand"]),
        ("SINCE", lambda item: item["since"]),
        ("ORDERS", lambda item: item["orders"]),
        ("FIRST TO WAIT", lambda item: item["waiting"][0]["order_id"] if item["waiting"] else None),
    )
    show_list("shortfall", run(work()), columns, name="sku", output=output, no_headers=no_headers)


@click.command("reconcile")
@click.option(
    "--mend",
    type=click.Choice(("counters", "ledger")),
    help="Let counters be what ledger and holds say; or let the ledger say what is on hand, by an entry.",
)
@click.option("--batch", type=click.IntRange(1, 1_000), default=200, show_default=True, help="SKUs at a time.")
@no_headers_option
@output_option("json", "yaml")
@connection_options
def reconcile_stock(
    connection: Connection, *, mend: str | None, batch: int, no_headers: bool, output: str | None
) -> None:
    """Compare counters, ledger and holds, and print what differs and why; exit code 1 when something does.

    With --mend it is put right, and the exit code is 0 when all of it was. The shop stays open meanwhile, and it is
    safe to stop and to run again.
    """

    async def work() -> tuple[int, list[dict[str, Any]]]:
        async with connection.shop(say=lambda text: click.echo(text, err=True)) as shop:
            return await _gone_through(shop, mend or "none", batch)

    checked, differences = run(work(), when_interrupted="stopped; run it again, it begins anew")
    if output:
        show({"checked": checked, "differences": differences}, output)
    else:
        rows = [
            (
                one["sku"],
                one["location"] or "",
                one["what"],
                str(one["found"]),
                str(one["expected"]),
                f"{one['cause']}: {one['means']}",
                "yes" if one["mended"] else "no",
            )
            for one in differences
        ]
        headings = () if no_headers else (("SKU", "LOCATION", "WHAT", "FOUND", "EXPECTED", "CAUSE", "MENDED"),)
        if rows:
            click.echo("\n".join(table([*headings, *rows])) + "\n")
        click.echo(f"{checked} SKUs compared, {len(differences) or 'none'} differ.")
    if any(not one["mended"] for one in differences):
        sys.exit(FAILED)


async def _gone_through(shop: Shop, mend: str, batch: int) -> tuple[int, list[dict[str, Any]]]:
    checked = 0
    differences: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        request = {"after": after, "limit": batch, "mend": mend}
        answer = (await shop.call("POST", "/v1/admin/stock-reconciliation", request)).body
        checked += answer["checked"]
        differences += answer["differences"]
        after = answer["after"]
    return checked, differences
