"""Functions on the command line: which there are, where they are called, and whether they can work."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import click

from infra.cli.connection import Connection, as_told, connection_options, run
from infra.cli.output import description, no_headers_option, output_option, show_list, show_one

HEALTH = {"healthy": "true", "unhealthy": "false"}


@click.group()
def function() -> None:
    """The functions that are deployed."""


@function.command("list")
@click.option("--domain", help="Only of this domain.")
@click.option("--trigger", type=click.Choice(["http", "event", "timer"]), help="Only those that it starts.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="May be repeated: all have to fit.")
@click.option("--health", type=click.Choice([*HEALTH]), help="Only those that can work, or that cannot.")
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_functions(
    connection: Connection,
    *,
    domain: str | None,
    trigger: str | None,
    labels: tuple[str, ...],
    health: str | None,
    no_headers: bool,
    output: str | None,
) -> None:
    """Functions by name, with their readiness."""
    given = {"domain": domain, "trigger": trigger, "healthy": HEALTH.get(health or "")}
    asked = [(name, value) for name, value in given.items() if value] + [("label", label) for label in labels]

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            items: list[dict[str, Any]] = (await shop.get(f"/v1/functions?{urlencode(asked)}")).body["items"]
            return items

    columns = (
        ("NAME", lambda item: item["name"]),
        ("DOMAIN", lambda item: item["domain"]),
        ("STARTED BY", lambda item: item["route"] or item["schedule"] or " ".join(item["consumes"])),
        ("REVISION", lambda item: item["revision"]),
        ("INSTANCES", lambda item: item["replicas"]),
        ("READY", lambda item: item["ready"]),
        ("REASON", lambda item: item["reason"]),
    )
    show_list("function", run(work()), columns, name="name", output=output, no_headers=no_headers)


@function.command("describe")
@click.argument("name", metavar="FUNCTION")
@output_option("json", "yaml", "name")
@connection_options
def describe_function(connection: Connection, name: str, output: str | None) -> None:
    """All of one function."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            found: dict[str, Any] = (await shop.get(f"/v1/functions/{quote(name, safe='')}")).body
            return found

    found = run(work())
    told = description(
        [
            ("Name", found["name"]),
            ("Use case", found["use_case"]),
            ("Domain", found["domain"]),
            ("Started by", found["route"] or found["schedule"] or "events"),
            ("Roles", ", ".join(found["roles"]) or None),
            ("Consumes", ", ".join(found["consumes"]) or None),
            ("Emits", ", ".join(found["emits"]) or None),
            ("URL", found["url"]),
            ("Ready", "yes" if found["ready"] else f"no: {found['reason']}, {found['message']}"),
            ("Since", found["since"]),
            ("Revision", found["revision"]),
            ("Traffic", ", ".join(f"{part['percent']} % {part['revision']}" for part in found["traffic"])),
            ("Image", found["image"]),
            ("Instances", f"{found['replicas']} of {found['min_scale']} to {found['max_scale']}"),
            ("Because", found["scale_reason"]),
            ("Registered", found["registered_at"]),
        ]
    )
    show_one("function", found, told, name="name", output=output)
