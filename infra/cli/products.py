"""Products on the command line: listed, described and searched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import click

from infra.cli.client import PUBLIC, NoToken, Refused, Shop, path
from infra.cli.connection import Connection, as_told, connection_options, run
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

F = TypeVar("F", bound=Callable[..., Any])

SORTS = ("newest", "price", "title", "best_selling")
TO_BE_HAD = ("in_stock", "low", "backorder")

STAFF_STOCK, PUBLIC_STOCK = ("ON HAND", "HELD", "COMMITTED", "AVAILABLE", "STATUS"), ("AVAILABILITY",)


def _price(item: Mapping[str, Any]) -> str:
    prices = [variant["price_minor"] for variant in item["variants"]]
    return ("from " if len(set(prices)) > 1 else "") + money(min(prices), item["variants"][0]["currency"])


def _few(skus: Sequence[str], at_most: int = 3) -> str:
    return ", ".join(skus[:at_most]) + (f" and {len(skus) - at_most} more" if len(skus) > at_most else "")


COLUMNS = (
    ("SLUG", lambda item: item["slug"]),
    ("TITLE", lambda item: item["title"]),
    ("SKUS", lambda item: _few([variant["sku"] for variant in item["variants"]])),
    ("PRICE", _price),
    ("AVAILABILITY", lambda item: item["availability"]),
)


def filter_options(*more_sorts: str) -> Callable[[F], F]:
    sorts = [*more_sorts, *SORTS, *(f"-{name}" for name in SORTS)]

    def add(command: F) -> F:
        for option in (
            click.option(
                "--available", is_flag=True, help="Only what can be had: in stock, low, or to be backordered."
            ),
            click.option(
                "--attribute",
                multiple=True,
                metavar="NAME:VALUE",
                help="Only those with it; may be given several times.",
            ),
            click.option("--sort", type=click.Choice(sorts), help="A minus turns the order round."),
            click.option("--category", help="Only those in this category, by its slug or id, and below it."),
        ):
            command = option(command)
        return command

    return add


def asked(where: str, category: str | None, sort: str | None, attribute: Sequence[str], available: bool) -> str:
    said = [("category", category), ("sort", sort), *(("attribute", one) for one in attribute)]
    if available:
        said += [("availability", one) for one in TO_BE_HAD]
    query = urlencode([(name, value) for name, value in said if value])
    return f"{where}{'&' if '?' in where else '?'}{query}" if query else where


@click.group()
def product() -> None:
    """Products of the catalogue."""


@product.command("list")
@filter_options()
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_products(
    connection: Connection,
    *,
    category: str | None,
    sort: str | None,
    attribute: tuple[str, ...],
    available: bool,
    limit: int,
    no_headers: bool,
    output: str | None,
) -> None:
    """The products on sale, the newest first."""

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            where = asked("/v1/products", category, sort, attribute, available)
            return await shop.items(where, roles=PUBLIC, at_most=limit)

    show_list("product", run(work()), COLUMNS, name="slug", output=output, no_headers=no_headers)


@product.command("search")
@click.argument("words", nargs=-1, required=True)
@filter_options("relevance")
@click.option("--facets", is_flag=True, help="Count what further filters would find.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def search_products(
    connection: Connection,
    *,
    words: tuple[str, ...],
    category: str | None,
    sort: str | None,
    attribute: tuple[str, ...],
    available: bool,
    facets: bool,
    limit: int,
    no_headers: bool,
    output: str | None,
) -> None:
    """Products on sale by WORDS, the best match first.

    "A phrase" stands in quotes that the shell leaves alone; OR stands between words; -word, after --, leaves out.
    """
    q = " ".join(words)
    where = asked(f"/v1/search?{urlencode({'q': q})}", category, sort, attribute, available)

    async def work() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        async with as_told(connection) as shop:
            about = (await shop.get(f"{where}&limit=1&facets={'true' if facets else 'false'}", roles=PUBLIC)).body
            return about, await shop.items(where, roles=PUBLIC, at_most=limit)

    about, items = run(work())
    if output in ("json", "yaml"):
        told = {name: value for name, value in about.items() if name not in ("items", "next_cursor")}
        show({**told, "items": items}, output)
        return
    if output is None:
        if about["did_you_mean"]:
            click.echo(f"Nothing was found for {q!r}; this is for {about['did_you_mean']!r}.")
        count = f"{about['total']:,}" if about["total_is_exact"] else f"more than {about['total']:,}"
        click.echo(f"Found: {count}, shown: {len(items)}.\n" if items else f"Found: {count}.")
    if items or output:
        show_list("product", items, COLUMNS, name="slug", output=output, no_headers=no_headers)
    if about["facets"] and output is None:
        for one in _facets(about["facets"]):
            click.echo(f"\n{one}")


def _facets(facets: Mapping[str, Any]) -> Iterator[str]:
    counted = {
        "CATEGORY": [(one["slug"], one["count"]) for one in facets["category"]],
        "AVAILABILITY": [(one["value"], one["count"]) for one in facets["availability"]],
        "PRICE": [(_range(one), one["count"]) for one in facets["price"]],
        **{
            f"ATTRIBUTE {name}": [(one["value"], one["count"]) for one in values]
            for name, values in facets["attribute"].items()
        },
    }
    for heading, values in counted.items():
        if values:
            yield "\n".join(table([(heading, "PRODUCTS"), *((value, str(count)) for value, count in values)]))


def _range(one: Mapping[str, Any]) -> str:
    below, currency = one["below_minor"], one["currency"]
    if below is None:
        return f"{money(one['from_minor'], currency)} and more"
    return f"{money(one['from_minor'], '')} to {money(below - 1, currency)}"


@product.command("describe")
@click.argument("name", metavar="PRODUCT")
@output_option("json", "yaml", "name")
@connection_options
def describe_product(connection: Connection, name: str, output: str | None) -> None:
    """One product, by its id, slug or SKU: for staff all there is, on sale or not; for others what is on sale."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            try:
                return await _for_staff(shop, name)
            except NoToken:
                pass
            except Refused as refused:
                if refused.status != 403:
                    raise
            found: dict[str, Any] = (await shop.get(path("v1", "products", name), roles=PUBLIC)).body
            return found

    found = run(work())
    show_one("product", found, _product(found), name="slug", output=output)


async def _for_staff(shop: Shop, name: str) -> dict[str, Any]:
    """With `breadcrumbs` as the public sees them, and `stock` by SKU in units."""
    found: dict[str, Any] = (await shop.get(path("v1", "admin", "products", name))).body

    async def level(sku: str) -> Any:
        try:
            return (await shop.get(path("v1", "stock", sku))).body
        except Refused as refused:
            if refused.status != 404:
                raise
            return None

    skus = [variant["sku"] for variant in found["variants"]]
    levels = await asyncio.gather(*map(level, skus))
    return {**found, "breadcrumbs": await _breadcrumbs(shop, found), "stock": dict(zip(skus, levels, strict=True))}


async def _breadcrumbs(shop: Shop, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    if found["category_id"] is None:
        return []
    own = (await shop.get(path("v1", "categories", found["category_id"]), roles=PUBLIC)).body
    return [*own["breadcrumbs"], {name: own[name] for name in ("id", "slug", "name")}]


def _product(found: Mapping[str, Any]) -> str:
    head = description(
        [
            ("Product", found["title"]),
            ("ID", found["id"]),
            ("Slug", found["slug"]),
            ("Status", found.get("status")),
            ("Availability", found.get("availability")),
            ("Price", _price(found)),
            ("Category", " > ".join(crumb["name"] for crumb in found["breadcrumbs"])),
            ("Attributes", _pairs(found["attributes"])),
            ("Tax class", found["tax_class"]),
            ("Media", len(found["media"]) or None),
            ("Description", found["description"]),
            ("Version", found["version"]),
            ("To be published", found.get("publish_at")),
            ("Published", found["published_at"]),
            ("Updated", found["updated_at"]),
        ]
    )
    headings = STAFF_STOCK if "status" in found else PUBLIC_STOCK
    rows = [
        (
            variant["sku"],
            _pairs(variant["options"]),
            money(variant["price_minor"], variant["currency"]),
            *_stock(found["stock"].get(variant["sku"]), headings),
        )
        for variant in found["variants"]
    ]
    return f"{head}\n\n" + "\n".join(table([("SKU", "OPTIONS", "PRICE", *headings), *rows]))


def _stock(level: Mapping[str, Any] | None, headings: Sequence[str]) -> Sequence[str]:
    if level is None:
        return ["-"] * len(headings)
    if headings == PUBLIC_STOCK:
        return [level["status"]]
    if not level["tracked"]:
        return ["-", "-", "-", "untracked", level["status"]]
    return [str(level[heading.lower().replace(" ", "_")]) for heading in headings]


def _pairs(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in values.items())
