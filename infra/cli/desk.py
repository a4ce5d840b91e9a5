"""Orders looked for and looked after on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import uuid4

import click

from infra.cli.client import path
from infra.cli.connection import Connection, as_told, connection_options, run
from infra.cli.output import description, limit_option, money, no_headers_option, output_option, show_list, show_one
from infra.cli.report import table
from infra.cli.stock_changes import said

F = TypeVar("F", bound=Callable[..., Any])

reason_option = click.option("--reason", required=True, help="Why; it is kept with who did it, so name nobody in it.")

STATUSES = (
    "pending", "awaiting_customer", "confirmed", "completed", "rejected", "expired", "cancelling", "cancelled",
)  # fmt: skip


MINOR = click.IntRange(0)


def filter_options(command: F) -> F:
    """What customers may look for among their own orders, and staff among all."""
    for option in (
        click.option("--max-total", "max_total_minor", type=MINOR, metavar="MINOR", help="At most so much."),
        click.option("--min-total", "min_total_minor", type=MINOR, metavar="MINOR", help="At least so much."),
        click.option("--until", metavar="TIME", help="Placed before, such as 2026-03-02T00:00:00Z."),
        click.option("--since", metavar="TIME", help="Placed then or later."),
        click.option("--sku", help="With a line of it."),
        click.option("--status", multiple=True, type=click.Choice(STATUSES), help="May be repeated."),
    ):
        command = option(command)
    return command


def query(status: Iterable[str], **rest: object) -> str:
    return urlencode([*(("status", one) for one in status), *said(**rest).items()])


@click.command("search")
@click.argument("words", nargs=-1, metavar="[NUMBER|EMAIL|REFERENCE]")
@filter_options
@click.option("--customer", "customer_id", metavar="ID", help="The customer's id.")
@click.option("--tag", help="With this tag.")
@click.option("--country", metavar="XX", help="Where it goes.")
@click.option("--review", is_flag=True, default=None, help="Held for review.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def search_orders(
    connection: Connection,
    *,
    words: tuple[str, ...],
    status: tuple[str, ...],
    limit: int,
    no_headers: bool,
    output: str | None,
    **rest: Any,
) -> None:
    """Orders by number, e-mail, reference and more, the newest first: `kn-shop order search ann@example.com`."""
    if len(words) > 1:
        raise click.UsageError("give one number, e-mail or reference")
    asked = query(status, **rest)

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            for name in _kinds(words):
                named = urlencode({name: words[0]}) if words else ""
                if found := await shop.items(f"/v1/admin/orders?{asked}&{named}", at_most=limit):
                    return found
            return []

    columns = (
        ("NUMBER", lambda item: item["number"]),
        ("STATUS", lambda item: item["status"]),
        ("PAYMENT", lambda item: item["payment"]),
        ("FULFILMENT", lambda item: item["fulfilment"]),
        ("TOTAL", lambda item: money(item["total_minor"], item["currency"])),
        ("CUSTOMER", lambda item: item["email"] or item["customer_id"] or "guest"),
        ("PLACED", lambda item: item["placed_at"]),
        ("TAGS", lambda item: " ".join(item["tags"])),
        ("REVIEW", lambda item: item["review"]),
    )
    show_list("order", run(work()), columns, name="id", output=output, no_headers=no_headers)


def _kinds(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words:
        return ("",)
    if "@" in words[0]:
        return ("email",)
    return ("number", "reference") if len(words[0]) <= 20 else ("reference",)


@click.command("describe")
@click.argument("order", metavar="NUMBER|ID")
@output_option("json", "yaml", "name")
@connection_options
def describe_order(connection: Connection, order: str, output: str | None) -> None:
    """One order, where it stands, and everything that happened to it, in the order of time."""
    found = _found(connection, order)
    show_one("order", found, "\n\n".join(filter(None, _sheet(found))), name="id", output=output)


def _found(connection: Connection, order: str) -> dict[str, Any]:
    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            body: dict[str, Any] = (await shop.get(path("v1", "admin", "orders", order))).body
            return body

    return run(work())


def _sheet(found: Mapping[str, Any]) -> Iterable[str]:
    currency, saga, paid = found["currency"], found["saga"], found["money"] or {}
    waits = saga["waits_for"] and f"{saga['waits_for']}, sent {saga['asked']} times, again at {saga['deadline']}"
    sums = {name: money(paid[f"{name}_minor"], currency) for name in SUMS if paid.get(f"{name}_minor")}
    yield description(
        [
            ("Order", found["id"]),
            ("Number", found["number"]),
            ("Reference", found["reference"]),
            ("Customer", found["customer_id"] or "guest"),
            ("E-mail", found["email"]),
            ("Ships to", _address(found["shipping_address"])),
            ("Bill to", _address(found["billing_address"])),
            ("Erased", found["erased_at"]),
            ("Placed", found["placed_at"]),
            ("Status", found["status"]),
            ("Reason", found["reason"]),
            ("Fulfilment", found["fulfilment"]),
            ("Under review", found["review"]),
            ("Tags", " ".join(found["tags"])),
            ("Total", money(found["total_minor"], currency)),
            ("Refunded", money(found["refunded_minor"], currency) if found["refunded_minor"] else None),
            ("Payment", ", ".join([paid.get("status", found["payment"]), *(f"{n} {v}" for n, v in sums.items())])),
            ("Saga", saga["state"] + (f", stuck: {saga['stuck']}" if saga["stuck"] else "")),
            ("Waits for", waits),
            ("Dead letters", found["dead_letters"] or None),
            ("Correlation", " ".join(found["correlations"])),
        ]
    )
    headings = ("LINE", "SKU", "TITLE", "QUANTITY", "SHIPPED", "CANCELLED", "RETURNED", "PRICE", "TOTAL")
    counts = ("quantity", "shipped_quantity", "cancelled_quantity", "returned_quantity")
    lines = [
        (
            str(line["line_no"]),
            line["sku"],
            line["title"],
            *(str(line[name]) for name in counts),
            money(line["unit_price_minor"], currency),
            money(line["total_minor"], currency),
        )
        for line in found["lines"]
    ]
    yield "\n".join(table([headings, *lines]))
    yield from _parcels_and_money(found)
    told = [
        (item["at"], item["kind"], _what(item), str(item["detail"].get("trace") or "")[:8], _said(item, found["id"]))
        for item in found["story"]
    ]
    yield "\n".join(table([("AT", "KIND", "WHAT", "TRACE", "DETAIL"), *told])) if told else ""


def _parcels_and_money(found: Mapping[str, Any]) -> Iterable[str]:
    """What leaves for it, what is paid back of it, and what is still asked for: a table each, where there is any."""
    for name, columns in PARTS.items():
        rows = [tuple(str(tell(one) or "") for tell in columns.values()) for one in found[name]]
        if rows:
            yield "\n".join(table([tuple(columns), *rows]))


PARTS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "fulfilments": {
        "FULFILMENT": itemgetter("id"),
        "LOCATION": itemgetter("location"),
        "STATUS": itemgetter("status"),
        "UNITS": lambda one: " ".join(f"{line['quantity']}x{line['sku']}" for line in one["lines"]),
        "CARRIER": itemgetter("carrier"),
        "TRACKING": itemgetter("tracking_number"),
        "REFUSED": itemgetter("refused"),
    },
    "refunds": {
        "REFUND": itemgetter("id"),
        "FOR": itemgetter("source"),
        "AMOUNT": lambda one: money(one["amount_minor"], one["currency"]),
        "STATUS": itemgetter("status"),
        "FAILURE": itemgetter("failure"),
        "REASON": itemgetter("reason"),
    },
    "open_steps": {
        "OPEN STEP": itemgetter("id"),
        "KIND": itemgetter("kind"),
        "STATE": itemgetter("state"),
        "ASKED": itemgetter("asked"),
        "AGAIN AT": itemgetter("deadline"),
        "ANSWER": itemgetter("answer"),
    },
}

SUMS = ("authorized", "captured", "voided", "refunded", "disputed")

LEFT_OUT = {
    "event": {"id", "source", "topic", "sequence", "correlation", "because", "trace"},
    "move": {"event_id"},
}


def _what(item: Mapping[str, Any]) -> str:
    what = str(item["what"])
    return what.removeprefix("shop.") if item["kind"] == "event" else what


def _said(item: Mapping[str, Any], order_id: str) -> str:
    """What there is to say beside the name: of an event its data, without the order that all of it is about."""
    detail = {name: value for name, value in item["detail"].items() if name not in LEFT_OUT.get(item["kind"], ())}
    detail |= {name: value for name, value in detail.pop("data", {}).items() if name != "order_id"}
    parts = [f"{name}={value}" for name, value in detail.items() if value not in (None, "", [], {}, 0)]
    text = " ".join(" ".join(parts).split()).replace(f"{order_id}/", "")
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."


WIDTH = 110
"""The rest of an event is in `-o json`."""


def _address(address: Mapping[str, Any] | None) -> str | None:
    if address is None:
        return None
    parts = (*address["lines"], address["city"], address.get("region"), address.get("postcode"), address["country"])
    return ", ".join(part for part in parts if part)


def _post(connection: Connection, order: str, *more: str, **body: Any) -> dict[str, Any]:
    """Sends `body` about the order, which may be named by its number."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            order_id = order
            if len(order) != len("00000000-0000-0000-0000-000000000000"):
                order_id = (await shop.get(path("v1", "admin", "orders", order))).body["id"]
            where = path("v1", "admin", "orders", order_id, *more)
            answer: dict[str, Any] = (await shop.call("POST", where, body, key=str(uuid4()))).body
            return answer

    return run(work())


@click.command("note")
@click.argument("order", metavar="NUMBER|ID")
@click.argument("text")
@connection_options
def note_order(connection: Connection, order: str, text: str) -> None:
    """Write TEXT down for those who look after the order later."""
    note = _post(connection, order, "notes", text=text)
    click.echo(f"Note {note['id']} is kept.")


@click.command("tag")
@click.argument("order", metavar="NUMBER|ID")
@click.argument("tags", nargs=-1, required=True, metavar="TAG|TAG-...")
@connection_options
def tag_order(connection: Connection, order: str, tags: tuple[str, ...]) -> None:
    """Put tags on an order, and take off those with a minus behind: `kn-shop order tag NUMBER gift late-`."""
    add = [tag for tag in tags if not tag.endswith("-")]
    answer = _post(connection, order, "tags", add=add, remove=[tag[:-1] for tag in tags if tag.endswith("-")])
    click.echo(f"Tags: {' '.join(answer['tags']) or 'none'}")


@click.command("review")
@click.argument("order", metavar="NUMBER|ID")
@reason_option
@click.option("--release", is_flag=True, help="Let it go on.")
@connection_options
def review_order(connection: Connection, order: str, reason: str, release: bool) -> None:
    """Hold an order for review: nothing of it is shipped until it is released."""
    _post(connection, order, *(("review", "release") if release else ("review",)), reason=reason)
    click.echo("It is released." if release else "It is held for review.")


@click.command("complete")
@click.argument("order", metavar="NUMBER|ID")
@reason_option
@connection_options
def complete_order(connection: Connection, order: str, reason: str) -> None:
    """Complete an order by hand, of which nothing is open any more."""
    click.echo(f"Order {order} is {_post(connection, order, 'complete', reason=reason)['status']}.")


@click.command("audit")
@click.argument("order", required=False, metavar="[NUMBER|ID]")
@click.option("--actor", help="Who did it.")
@click.option("--action", help="What was done, or how that begins, such as `order`.")
@click.option("--since", metavar="TIME", help="Done then or later.")
@limit_option
@no_headers_option
@output_option("json", "yaml")
@connection_options
def list_audit(
    connection: Connection, *, order: str | None, limit: int, no_headers: bool, output: str | None, **rest: Any
) -> None:
    """What people did to an order, or to all of them, the newest first."""
    order_id = None if order is None else _found(connection, order)["id"]

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items(f"/v1/admin/audit?{urlencode(said(order_id=order_id, **rest))}", at_most=limit)

    columns = (
        ("AT", lambda item: item["at"]),
        ("ACTOR", lambda item: item["actor"]),
        ("ACTION", lambda item: item["action"]),
        ("ORDER", lambda item: item["number"]),
        ("REASON", lambda item: item["reason"]),
        ("DETAIL", lambda item: " ".join(f"{name}={value}" for name, value in item["detail"].items())),
    )
    show_list("entry", run(work()), columns, name="id", output=output, no_headers=no_headers)
