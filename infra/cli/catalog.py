"""The catalogue on the command line: whether what is derived in it is what it must be."""

from __future__ import annotations

import sys
from typing import Any

import click

from infra.cli.connection import FAILED, Connection, connection_options, run
from infra.cli.output import no_headers_option, output_option, show
from infra.cli.rebuilding import gone_through, tell

PARTS = ("stock", "sales", "listings", "words")
"""In this order: listings are made of stock and sales, and words of listings."""

PATH = "/v1/admin/catalog-rebuild"


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
            return [await gone_through(shop, PATH, part, mend, batch) for part in PARTS if part in (parts or PARTS)]

    found = run(work(), when_interrupted="stopped; run it again, it begins anew")
    if output:
        show({"mended": mend, "parts": found}, output)
    else:
        tell(found, mend, no_headers)
    if not mend and any(part["differences"] for part in found):
        sys.exit(FAILED)
