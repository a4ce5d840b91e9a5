"""Locations on the command line: opened, changed, closed and opened again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from infra.cli.client import Shop, path
from infra.cli.connection import Connection, as_told, connection_options, run
from infra.cli.output import description, limit_option, no_headers_option, output_option, show_list, show_one
from infra.cli.progress import Display
from infra.cli.stock_changes import said

F = TypeVar("F", bound=Callable[..., Any])

ADDRESS = ("lines", "city", "region", "postcode", "country")


def place_options(command: F) -> F:
    for option in (
        click.option("--country", help="Of the address, as ISO 3166-1 alpha-2."),
        click.option("--postcode", help="Of the address."),
        click.option("--region", help="Of the address."),
        click.option("--city", help="Of the address."),
        click.option("--line", "lines", multiple=True, help="Of the address, above the city; up to five."),
        click.option(
            "--ships-to", multiple=True, metavar="COUNTRY", help="Serves this country; may be given several times."
        ),
        click.option("--priority", type=click.IntRange(0), help="A lower one is served first."),
    ):
        command = option(command)
    return command


def _place(fields: Mapping[str, Any]) -> dict[str, Any]:
    address = said(**{name: fields[name] or None for name in ADDRESS if name != "lines"})
    if fields["lines"]:
        address["lines"] = list(fields["lines"])
    ships_to = list(fields["ships_to"]) or None
    return said(priority=fields["priority"], ships_to=ships_to, address=address or None)


@click.group()
def location() -> None:
    """Locations that stock is kept at."""


@location.command("list")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_locations(connection: Connection, limit: int, no_headers: bool, output: str | None) -> None:
    """The locations, by their ids."""

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items("/v1/locations", at_most=limit)

    columns = (
        ("LOCATION", lambda item: item["id"]),
        ("NAME", lambda item: item["name"]),
        ("STATE", _state),
        ("PRIORITY", lambda item: item["priority"]),
        ("SHIPS TO", _countries),
        ("COUNTRY", lambda item: (item["address"] or {}).get("country")),
    )
    show_list("location", run(work()), columns, name="id", output=output, no_headers=no_headers)


@location.command("describe")
@click.argument("id", metavar="LOCATION")
@output_option("json", "yaml", "name")
@connection_options
def describe_location(connection: Connection, id: str, output: str | None) -> None:
    """One location."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            found: dict[str, Any] = (await shop.get(path("v1", "locations", id))).body
            return found

    _show(run(work()), output)


@location.command("create")
@click.argument("id", metavar="LOCATION")
@click.argument("name")
@place_options
@output_option("json", "yaml", "name")
@connection_options
def create_location(connection: Connection, *, id: str, name: str, output: str | None, **fields: Any) -> None:
    """Open a location, such as `kn-shop location create LON London --ships-to GB --ships-to IE`."""

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            body = {"id": id, "name": name, **_place(fields)}
            made: dict[str, Any] = (await shop.call("POST", "/v1/locations", body)).body
            return made

    _show(run(work()), output)


@location.command("update")
@click.argument("id", metavar="LOCATION")
@click.option("--name", help="Another name.")
@place_options
@click.option("--ships-anywhere", is_flag=True, help="Serves all countries.")
@click.option("--no-address", is_flag=True, help="Forgets the address.")
@output_option("json", "yaml", "name")
@connection_options
def update_location(
    connection: Connection,
    *,
    id: str,
    name: str | None,
    ships_anywhere: bool,
    no_address: bool,
    output: str | None,
    **fields: Any,
) -> None:
    """Change what is given, and leave the rest as it is."""
    patch = {**said(name=name), **_place(fields)}
    for flag, removed, field in (
        ("--ships-anywhere", ships_anywhere, "ships_to"),
        ("--no-address", no_address, "address"),
    ):
        if removed and field in patch:
            raise click.UsageError(f"{flag} contradicts what else is given")
        if removed:
            patch[field] = None
    if not patch:
        raise click.UsageError("say what to change")

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            where = path("v1", "locations", id)
            found = await shop.get(where)
            changed: dict[str, Any] = (await shop.call("PATCH", where, patch, if_match=found.etag)).body
            return changed

    _show(run(work()), output)


@location.command("close")
@click.argument("id", metavar="LOCATION")
@click.option("--move-to", metavar="LOCATION", help="Where to move what is on hand and not promised.")
@output_option("json", "yaml", "name")
@connection_options
def close_location(connection: Connection, *, id: str, move_to: str | None, output: str | None) -> None:
    """Close a location: it gives no stock and takes none. What is promised to orders is shipped from there.

    It must be empty, or its stock be moved. A closure that was interrupted is gone on with by the same command, and
    taken back by `kn-shop location open`.
    """
    told = run(_all_of(connection, id, "closure", said(move_to=move_to)))
    moved = f" {told['units']} units of {told['moved']} SKUs were moved to {move_to}." if move_to else ""
    show_one("location", told, f"{id} is closed.{moved}", name="location", output=output)


@location.command("open")
@click.argument("id", metavar="LOCATION")
@output_option("json", "yaml", "name")
@connection_options
def open_location(connection: Connection, *, id: str, output: str | None) -> None:
    """Open a location that was closed: what is there can be sold again."""
    told = run(_all_of(connection, id, "opening", None))
    show_one("location", told, f"{id} is open.", name="location", output=output)


async def _all_of(connection: Connection, id: str, what: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
    """Calls until no SKU is left, and adds up what was moved."""
    display = Display()
    async with as_told(connection) as shop:
        told = await _once(shop, id, what, body)
        if not told["left"]:
            return told
        with display.bar("SKUs", told["left"]) as advance:
            while told["left"]:
                more = await _once(shop, id, what, body)
                advance(told["left"] - more["left"])
                for counted in ("moved", "units"):
                    if counted in more:
                        more[counted] += told[counted]
                told = more
    return told


async def _once(shop: Shop, id: str, what: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
    answer: dict[str, Any] = (await shop.call("POST", path("v1", "locations", id, what), body)).body
    return answer


def _state(item: Mapping[str, Any]) -> str:
    return "open" if item["open"] else "closed"


def _countries(item: Mapping[str, Any]) -> str:
    return ", ".join(item["ships_to"]) if item["ships_to"] else "all"


def _show(found: Mapping[str, Any], output: str | None) -> None:
    address = found["address"] or {}
    lines = [*address.get("lines", ()), *(address.get(name) for name in ADDRESS if name != "lines")]
    head = description(
        [
            ("Location", found["id"]),
            ("Name", found["name"]),
            ("State", _state(found)),
            ("Priority", found["priority"]),
            ("Ships to", _countries(found)),
            ("Address", ", ".join(str(line) for line in lines if line)),
            ("Version", found["version"]),
        ]
    )
    show_one("location", found, head, name="id", output=output)
