"""Many products at once on the command line: from a file into the shop, and from the shop into a file."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

import click

from infra.cli.bulk import Kind, bring_file, file_options, format_option
from infra.cli.connection import Connection, as_told, connection_options, run
from infra.cli.output import output_option
from infra.cli.parts import format_of

PRODUCTS = Kind(
    noun="Products",
    where="/v1/admin/product-import",
    probe="/v1/admin/products?limit=1",
    statuses=("created", "updated", "unchanged", "failed"),
    called=lambda row: str(row["slug"]),
    together="slug",
)


@click.command("import")
@file_options
@click.option(
    "--concurrency", type=click.IntRange(1, 8), default=2, show_default=True, help="Parts under way at a time."
)
@output_option("json", "yaml")
@connection_options
def import_products(connection: Connection, **options: Any) -> None:
    """Create and change the products of FILE, CSV or NDJSON, packed by gzip where its name ends in .gz.

    A product is found by its slug, or else by its first SKU; what FILE does not say of it stays as it is. A row that
    fails keeps no other out. When it is stopped, or the shop goes away, the same command goes on where it was. Exit
    code 1 means that a row failed.
    """
    bring_file(connection, PRODUCTS, **options)


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), default="-")
@format_option
@click.option(
    "--status",
    multiple=True,
    type=click.Choice(("draft", "published", "archived")),
    help="Only products of this status; may be given several times.",
)
@connection_options
def export_products(connection: Connection, *, file: Path, format: str | None, status: tuple[str, ...]) -> None:
    """Write the products to FILE, or to the standard output, as `kn-shop product import` reads them.

    FILE is packed by gzip where its name ends in .gz. It is there when it is whole, and not before.
    """
    asked = [("format", format or format_of(file) or "csv"), *(("status", one) for one in status)]

    async def work() -> None:
        async with as_told(connection) as shop:
            with _whole(file) as written:
                async for piece in shop.download(f"/v1/admin/product-export?{urlencode(asked)}"):
                    written.write(piece)

    run(work())


@contextmanager
def _whole(file: Path) -> Iterator[IO[bytes]]:
    """A file that takes its name when it is complete."""
    if str(file) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with gzip.open(unfinished, "wb") if file.suffix == ".gz" else unfinished.open("wb") as written:
            yield written  # type: ignore[misc]
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
