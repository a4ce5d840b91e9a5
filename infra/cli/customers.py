"""Customers on the command line: found, shown, and forgotten."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import click

from infra.cli.client import path
from infra.cli.connection import Connection, as_told, connection_options, run
from infra.cli.desk import reason_option
from infra.cli.output import description, limit_option, money, no_headers_option, output_option, show_list, show_one
from infra.cli.stock_changes import said


@click.group()
def customer() -> None:
    """Customers, and what the shop keeps of them."""


@customer.command("list")
@click.option("--email", help="Whose it is.")
@click.option("--name", help="How the name begins.")
@click.option("--country", help="Where they are.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_customers(connection: Connection, *, limit: int, no_headers: bool, output: str | None, **rest: Any) -> None:
    """Customers by id."""

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items(f"/v1/admin/customers?{urlencode(said(**rest))}", at_most=limit)

    columns = (
        ("ID", lambda item: item["id"]),
        ("NAME", lambda item: item["name"]),
        ("E-MAIL", lambda item: item["email"]),
        ("COUNTRY", lambda item: item["country"]),
        ("SINCE", lambda item: item["created_at"]),
        ("ERASED", lambda item: item["erased_at"]),
    )
    show_list("customer", run(work()), columns, name="id", output=output, no_headers=no_headers)


@customer.command("describe")
@click.argument("customer_id", metavar="ID")
@output_option("json", "yaml", "name")
@connection_options
def describe_customer(connection: Connection, customer_id: str, output: str | None) -> None:
    """One customer, with what they have ordered altogether."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            body: dict[str, Any] = (await shop.get(path("v1", "admin", "customers", customer_id))).body
            return body

    found = run(work())
    bought = [
        (one["currency"], f"{money(one['total_minor'], None)} in {one['sold']} of {one['orders']} orders")
        for one in found["bought"]
    ]
    told = [
        ("Customer", found["id"]),
        ("Name", found["name"]),
        ("E-mail", found["email"]),
        ("Country", found["country"]),
        ("Since", found["created_at"]),
        ("Erased", found["erased_at"]),
        *bought,
    ]
    show_one("customer", found, description(told), name="id", output=output)


@customer.command("erase")
@click.argument("who", metavar="ID|EMAIL")
@reason_option
@click.option("--guest", is_flag=True, help="WHO is the e-mail address of a guest.")
@click.option("--sent-too", is_flag=True, help="Also of orders that are paid and still to be sent.")
@click.confirmation_option(prompt="This cannot be taken back. Go on?")
@connection_options
def erase_customer(connection: Connection, *, who: str, reason: str, guest: bool, sent_too: bool) -> None:
    """Forget who a customer is; orders, totals and payments stay."""
    body = {"reason": reason, "sent_too": sent_too}
    where = path("v1", "admin", "guests", "erase") if guest else path("v1", "admin", "customers", who, "erase")

    async def work() -> int:
        erased, more = 0, True
        async with as_told(connection) as shop:
            while more:
                answer = (await shop.call("POST", where, {**body, "email": who} if guest else body)).body
                erased, more = erased + answer["orders"], answer["more"]
        return erased

    click.echo(f"Erased, with what {run(work())} orders said of them.")
