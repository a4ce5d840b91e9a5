"""The catalogue on the command line: whether what is derived in it is what it must be."""

from __future__ import annotations

import sys
from typing import Any

import click

from infra.cli.client import Shop
from infra.cli.connection import FAILED, Connection, connection_options, run
from infra.cli.output import no_headers_option, output_option, show
from infra.cli.report import table

PARTS = ("stock", "sales", "listings", "words")
"""In this order: listings are made of stock and sales, and words of listings."""


@click.group()
def catalog() -> None:
    """What the catalogue derives for its readers."""


@catalog.command("rebuild")
@click.option("--mend", is_flag=True, help="Write what must be in place of what differs.")
@click.option(
    "--part", "parts", type=click.Choice(PARTS), multiple=True, help="Only this part; may be repeated [default: all]."
)
@click.option("--batch", type=click.IntRange(1, 2_000), default=500, show_default=True, help="Keys at a time.")
@no_headers_option
@output_option("json", "yaml")
@connection_options
def rebuild(
    connection: Connection, *, mend: bool, parts: tuple[str, ...], batch: int, no_headers: bool, output: str | None
) -> None:
    """Compare every derived row with its source, and print what differs; exit code 1 when something does.

    With --mend it is put right, and the exit code is 0. The shop stays open meanwhile, and it is safe to stop and to
    run again. A change of stock that is on its way shows as a difference of the part stock, and is none a moment later.
    """

    async def work() -> list[dict[str, Any]]:
        async with connection.shop(say=lambda text: click.echo(text, err=True)) as shop:
            return [await _gone_through(shop, part, mend, batch) for part in PARTS if part in (parts or PARTS)]

    found = run(work(), when_interrupted="stopped; run it again, it begins anew")
    if output:
        show({"mended": mend, "parts": found}, output)
    else:
        _tell(found, mend, no_headers)
    if not mend and any(part["differences"] for part in found):
        sys.exit(FAILED)


async def _gone_through(shop: Shop, part: str, mend: bool, batch: int) -> dict[str, Any]:
    checked, differences, after = 0, [], None
    while True:
        request = {"part": part, "limit": batch, "mend": mend} | ({} if after is None else {"after": after})
        answer = (await shop.call("POST", "/v1/admin/catalog-rebuild", request)).body
        checked += answer["checked"]
        differences += answer["differences"]
        after = answer["after"]
        if after is None:
            return {"part": part, "checked": checked, "differences": differences}


def _tell(found: list[dict[str, Any]], mend: bool, no_headers: bool) -> None:
    rows = [
        (part["part"], difference["key"], ", ".join(difference["what"]))
        for part in found
        for difference in part["differences"]
    ]
    if rows:
        headings = () if no_headers else (("PART", "KEY", "DIFFERS IN"),)
        click.echo("\n".join(table([*headings, *rows])) + "\n")
    for part in found:
        number = len(part["differences"])
        ended = "mended" if mend else "not mended: run it with --mend"
        click.echo(
            f"{part['part']}: {part['checked']} compared, {number or 'none'} differ{f', {ended}' * bool(number)}"
        )
