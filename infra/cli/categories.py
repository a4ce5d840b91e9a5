"""Categories on the command line: the tree, and one of them."""

from __future__ import annotations

from typing import Any

import click

from infra.cli.client import PUBLIC, path
from infra.cli.connection import Connection, as_told, connection_options, run
from infra.cli.output import description, no_headers_option, output_option, show, show_one
from infra.cli.report import table


@click.group()
def category() -> None:
    """Categories of the catalogue."""


@category.command("list")
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_categories(connection: Connection, no_headers: bool, output: str | None) -> None:
    """The tree of categories, each with the number of products on sale in it and below it."""

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            found: list[dict[str, Any]] = (await shop.get("/v1/categories?counts=true", roles=PUBLIC)).body[
                "categories"
            ]
            return found

    found = run(work())
    if output == "name":
        for one in found:
            click.echo(f"category/{one['slug']}")
    elif output:
        show({"items": found}, output)
    elif not found:
        click.echo("No categories found.")
    else:
        rows = [(f"{'  ' * one['depth']}{one['name']}", one["slug"], str(one["products"])) for one in found]
        headings = () if no_headers else (("CATEGORY", "SLUG", "PRODUCTS"),)
        click.echo("\n".join(table([*headings, *rows])))


@category.command("describe")
@click.argument("name", metavar="CATEGORY")
@output_option("json", "yaml", "name")
@connection_options
def describe_category(connection: Connection, name: str, output: str | None) -> None:
    """One category, by its slug or id, with the way to it and what stands below it."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            found: dict[str, Any] = (await shop.get(path("v1", "categories", name), roles=PUBLIC)).body
            return found

    found = run(work())
    told = [
        ("Category", found["name"]),
        ("ID", found["id"]),
        ("Slug", found["slug"]),
        ("Stands in", " > ".join(crumb["name"] for crumb in found["breadcrumbs"])),
        ("Has below it", ", ".join(f"{child['name']} ({child['slug']})" for child in found["children"])),
        ("Products", found["products"]),
        ("Version", found["version"]),
    ]
    show_one("category", found, description(told), name="slug", output=output)
