"""What orders are priced by, on the command line: taxes, ways of shipping, discounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import click

from infra.cli.client import path
from infra.cli.connection import Connection, as_told, connection_options, run
from infra.cli.output import description, limit_option, money, no_headers_option, output_option, show_list, show_one
from infra.cli.report import table


@click.group()
def discount() -> None:
    """Discounts and how often they were used."""


@discount.command("list")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_discounts(connection: Connection, limit: int, no_headers: bool, output: str | None) -> None:
    """All of them, by code."""
    columns = (
        ("CODE", lambda item: item["code"]),
        ("OFF", _off),
        ("ON", lambda item: item["scope"]),
        ("USES", _uses),
        ("STARTS", lambda item: item["starts_at"]),
        ("ENDS", lambda item: item["ends_at"]),
        ("ENABLED", lambda item: "yes" if item["enabled"] else "no"),
    )
    found = _listed(connection, "/v1/admin/discounts", limit)
    show_list("discount", found, columns, name="code", output=output, no_headers=no_headers)


@discount.command("describe")
@click.argument("code")
@output_option("json", "yaml", "name")
@connection_options
def describe_discount(connection: Connection, code: str, output: str | None) -> None:
    """One discount, with its latest uses."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            found: dict[str, Any] = (await shop.get(path("v1", "admin", "discounts", code))).body
            return found

    found = run(work())
    show_one("discount", found, _described(found), name="code", output=output)


@click.group()
def tax() -> None:
    """Tax rates by destination and class."""


@tax.command("list")
@click.option("--country", help="Only those of one country, such as GB.")
@limit_option
@no_headers_option
@output_option("json", "yaml")
@connection_options
def list_taxes(
    connection: Connection, *, country: str | None, limit: int, no_headers: bool, output: str | None
) -> None:
    """By country, region and class. What is not listed is not taxed."""
    columns = (
        ("COUNTRY", lambda item: item["country"]),
        ("REGION", lambda item: item["region"]),
        ("CLASS", lambda item: item["tax_class"]),
        ("RATE", lambda item: _percent(item["rate_ppm"])),
        ("NAME", lambda item: item["name"]),
    )
    query = f"?{urlencode({'country': country})}" if country else ""
    found = _listed(connection, f"/v1/admin/tax-rates{query}", limit)
    show_list("tax rate", found, columns, name="country", output=output, no_headers=no_headers)


@click.group()
def shipping() -> None:
    """Ways of shipping and their prices."""


@shipping.command("list")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_methods(connection: Connection, limit: int, no_headers: bool, output: str | None) -> None:
    """In the order in which they are offered."""
    columns = (
        ("CODE", lambda item: item["code"]),
        ("NAME", lambda item: item["name"]),
        ("BY", lambda item: item["basis"]),
        ("PRICES", _bands),
        ("FREE FROM", lambda item: money(item["free_from_minor"], item["currency"])),
        ("COUNTRIES", lambda item: ",".join(item["countries"]) if item["countries"] else "all"),
        ("ENABLED", lambda item: "yes" if item["enabled"] else "no"),
    )
    found = _listed(connection, "/v1/admin/shipping-methods", limit)
    show_list("shipping method", found, columns, name="code", output=output, no_headers=no_headers)


def _listed(connection: Connection, where: str, limit: int) -> list[dict[str, Any]]:
    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items(where, at_most=limit)

    return run(work())


def _percent(rate_ppm: int) -> str:
    return f"{rate_ppm / 10_000:.4f}".rstrip("0").rstrip(".") + " %"


def _off(item: Mapping[str, Any]) -> str:
    if item["percent_ppm"] is not None:
        return _percent(item["percent_ppm"])
    return money(item["amount_minor"], item["currency"])


def _uses(item: Mapping[str, Any]) -> str:
    return f"{item['uses']} of {item['most_uses']}" if item["most_uses"] is not None else str(item["uses"])


def _bands(item: Mapping[str, Any]) -> str:
    unit = "g" if item["basis"] == "weight" else item["currency"]
    told = []
    for band in item["bands"]:
        end = band["up_to"]
        amount = f"{end} g" if unit == "g" else money(end, unit)
        reach = "more" if end is None else f"<={amount}"
        told.append(f"{reach}: {money(band['price_minor'], item['currency'])}")
    return "; ".join(told)


def _described(item: Mapping[str, Any]) -> str:
    head = description(
        [
            ("Code", item["code"]),
            ("Name", item["name"]),
            ("Off", f"{_off(item)} on {item['scope']}"),
            ("For SKUs", ", ".join(item["skus"])),
            ("For categories", ", ".join(item["category_ids"])),
            ("Minimum", money(item["minimum_minor"], item["currency"])),
            ("Starts", item["starts_at"]),
            ("Ends", item["ends_at"]),
            ("Uses", _uses(item)),
            ("Per customer", item["most_per_customer"]),
            ("Combines", "yes" if item["combines"] else "no"),
            ("Enabled", "yes" if item["enabled"] else "no"),
        ]
    )
    rows = [
        (one["number"], one["status"], money(one["amount_minor"], None), one["used_at"], one["given_back_at"] or "")
        for one in item["latest_uses"]
    ]
    if not rows:
        return head
    return f"{head}\n\n" + "\n".join(table([("ORDER", "STATUS", "OFF", "USED", "GIVEN BACK"), *rows]))
