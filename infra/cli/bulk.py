"""Many products at once on the command line: from a file into the shop, and from the shop into a file."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import dropwhile
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

import click
import orjson

from infra.cli.client import Refused, Shop
from infra.cli.connection import FAILED, Connection, as_told, connection_options, run
from infra.cli.output import output_option, show
from infra.cli.parts import MEDIA_TYPES, ROWS_AT_MOST, NotProducts, Part, Survey, format_of, parts_of, survey
from infra.cli.progress import Display
from infra.cli.resume import Progress
from infra.cli.upload import Rows, upload

PATIENCE_S = 120.0
FAILURES_AT_MOST = 1_000
"""So many are kept for --output; the report has them all."""

AGAIN = "stopped; run the same command again to go on where it was"

format_option = click.option(
    "--format", type=click.Choice(tuple(MEDIA_TYPES)), help="The file's format [default: as FILE's name ends, or csv]."
)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@format_option
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Write each row's status to this file, as NDJSON."
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to remember how far it is [default: FILE.progress].",
)
@click.option(
    "--part-rows",
    type=click.IntRange(1, ROWS_AT_MOST),
    default=1_000,
    show_default=True,
    help="Rows sent at once; one product's rows stay together.",
)
@click.option(
    "--concurrency", type=click.IntRange(1, 8), default=2, show_default=True, help="Parts under way at a time."
)
@output_option("json", "yaml")
@connection_options
def import_products(
    connection: Connection,
    *,
    file: Path,
    format: str | None,
    report: Path | None,
    state: Path | None,
    part_rows: int,
    concurrency: int,
    output: str | None,
) -> None:
    """Create and change the products of FILE, CSV or NDJSON, packed by gzip where its name ends in .gz.

    A product is found by its slug, or else by its first SKU; what FILE does not say of it stays as it is. A row that
    fails keeps no other out. When it is stopped, or the shop goes away, the same command goes on where it was. Exit
    code 1 means that a row failed.
    """
    chosen = format or format_of(file) or "csv"
    try:
        whole = survey(parts_of(file, chosen, part_rows))
    except (NotProducts, OSError) as fault:
        raise click.BadParameter(str(fault), param_hint="FILE") from fault
    kept = state or file.with_name(f"{file.name}.progress")
    display = Display()

    async def bring() -> Import:
        async with connection.shop(patience_s=PATIENCE_S, connections=concurrency, say=display.say) as shop:
            await shop.get("/v1/admin/products?limit=1")  # whoever may not do this is told before anything is begun
            done = Import(Progress.of(kept, shop.url, whole.digest), kept, display)
            await done.bring(shop, parts_of(file, chosen, part_rows), MEDIA_TYPES[chosen], whole, report, concurrency)
            return done

    done = run(bring(), when_interrupted=AGAIN)
    if output:
        show(done.as_json(), output)
    else:
        click.echo(done.as_text())
    sys.exit(FAILED if done.progress.counts["failed"] else 0)


class Import:
    """One run, which may go on where an earlier one ended."""

    def __init__(self, progress: Progress, kept: Path, display: Display) -> None:
        self.progress = progress
        self._kept = kept
        self._display = display
        self._failures: Rows = []

    async def bring(
        self, shop: Shop, parts: Iterator[Part], media_type: str, whole: Survey, report: Path | None, at_a_time: int
    ) -> None:
        progress = self.progress
        if progress.parts:
            self._display.say(f"going on after row {progress.rows} of {whole.rows}")
        left = dropwhile(lambda part: part.number <= progress.parts, parts)
        progress.keep(self._kept)
        try:
            with self._reporting(report) as write, self._display.bar("rows", whole.rows) as advance:
                advance(progress.rows)

                def acknowledged(part: Part, rows: Rows) -> None:
                    progress.reported_bytes = write(rows)
                    self._acknowledged(part, rows)
                    advance(part.rows)

                await upload(shop, left, media_type, acknowledged, run=progress.run, at_a_time=at_a_time)
        except Refused:
            if not progress.parts:
                self._kept.unlink()
            raise
        self._kept.unlink()

    def _acknowledged(self, part: Part, rows: Rows) -> None:
        progress = self.progress
        progress.parts, progress.rows = part.number, part.before + part.rows
        progress.counts.update(row["status"] for row in rows)
        progress.keep(self._kept)
        for row in rows:
            if row["status"] == "failed":
                self._display.say(_failure(row))
                if len(self._failures) < FAILURES_AT_MOST:
                    self._failures.append(row)

    @contextmanager
    def _reporting(self, report: Path | None) -> Iterator[Callable[[Rows], int]]:
        """Writes statuses and gives the report's length; what a killed run wrote beyond its progress is cut off."""
        if report is None:
            yield lambda _: 0
            return
        with report.open("ab") as file:
            if file.tell() < self.progress.reported_bytes or (self.progress.parts and not self.progress.reported_bytes):
                self._display.say(f"{report} lacks the rows up to {self.progress.rows}, of which an earlier run told")
            file.truncate(min(self.progress.reported_bytes, file.tell()))

            def write(rows: Rows) -> int:
                file.writelines(orjson.dumps(row) + b"\n" for row in rows)
                file.flush()
                return file.tell()

            yield write

    def as_json(self) -> dict[str, Any]:
        counts = {status: self.progress.counts[status] for status in ("created", "updated", "unchanged", "failed")}
        return {"rows": self.progress.rows, **counts, "failures": self._failures}

    def as_text(self) -> str:
        counts = self.progress.counts
        told = ", ".join(
            f"{counts[how]:,} {how}" for how in ("created", "updated", "unchanged", "failed") if counts[how]
        )
        return f"Products: {told or 'none'}."


def _failure(row: dict[str, Any]) -> str:
    first, last = row["rows"][0], row["rows"][-1]
    where = f"row {first}" if first == last else f"rows {first} to {last}"
    return f"NOT BROUGHT: {where}{': ' if row['slug'] else ''}{row['slug']}: {'; '.join(row['errors'])}"


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
