"""A file of many rows brought into the shop: in parts, with a status for each row, and gone on with after a stop."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson

from infra.cli.client import Refused, Shop
from infra.cli.connection import FAILED, Connection, run
from infra.cli.output import show
from infra.cli.parts import MEDIA_TYPES, ROWS_AT_MOST, NotRows, Part, Survey, format_of, parts_of, survey
from infra.cli.progress import Display
from infra.cli.resume import Progress
from infra.cli.upload import Rows, upload

F = TypeVar("F", bound=Callable[..., Any])

PATIENCE_S = 120.0
FAILURES_AT_MOST = 1_000
"""So many are kept for --output; the report has them all."""

AGAIN = "stopped; run the same command again to go on where it was"

format_option = click.option(
    "--format", type=click.Choice(tuple(MEDIA_TYPES)), help="The file's format [default: as FILE's name ends, or csv]."
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file is of. `where` takes it, and whoever may not read `probe` may not send it either.

    Rows of one `together` stay in one part. `called` is how a row is named to people.
    """

    noun: str
    where: str
    probe: str
    statuses: tuple[str, ...]
    called: Callable[[dict[str, Any]], str]
    together: str | None = None


def file_options(command: F) -> F:
    """FILE and what is common to all imports."""
    for option in (
        click.option(
            "--part-rows", type=click.IntRange(1, ROWS_AT_MOST), default=1_000, show_default=True,
            help="Rows sent at once; what belongs together stays together.",
        ),
        click.option(
            "--state", type=click.Path(dir_okay=False, path_type=Path),
            help="Where to remember how far it is [default: FILE.progress].",
        ),
        click.option(
            "--report", type=click.Path(dir_okay=False, path_type=Path),
            help="Write each row's status to this file, as NDJSON.",
        ),
        format_option,
        click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    ):  # fmt: skip
        command = option(command)
    return command


def bring_file(
    connection: Connection,
    kind: Kind,
    *,
    file: Path,
    format: str | None,
    report: Path | None,
    state: Path | None,
    part_rows: int,
    output: str | None,
    concurrency: int = 1,
    key: str | None = None,
) -> None:
    """Sends the file and says what became of it; leaves with FAILED where a row failed."""
    chosen = format or format_of(file) or "csv"

    def parts() -> Iterator[Part]:
        return parts_of(file, chosen, part_rows, kind.together)

    try:
        whole = survey(parts())
    except (NotRows, OSError) as fault:
        raise click.BadParameter(str(fault), param_hint="FILE") from fault
    kept = state or file.with_name(f"{file.name}.progress")
    display = Display()

    async def bring() -> Import:
        async with connection.shop(patience_s=PATIENCE_S, connections=concurrency, say=display.say) as shop:
            await shop.get(kind.probe)  # whoever may not do this is told before anything is begun
            progress = Progress.of(kept, shop.url, whole.digest)
            progress.run = key or progress.run
            done = Import(kind, progress, kept, display)
            await done.bring(shop, parts(), MEDIA_TYPES[chosen], whole, report, concurrency)
            return done

    done = run(bring(), when_interrupted=AGAIN)
    if output:
        show(done.as_json(), output)
    else:
        click.echo(done.as_text())
    sys.exit(FAILED if done.progress.counts["failed"] else 0)


class Import:
    """One run, which may go on where an earlier one ended."""

    def __init__(self, kind: Kind, progress: Progress, kept: Path, display: Display) -> None:
        self.progress = progress
        self._kind = kind
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

                where, key = self._kind.where, progress.run
                await upload(shop, where, left, media_type, acknowledged, run=key, at_a_time=at_a_time)
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
                self._display.say(self._failure(row))
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
        counts = {status: self.progress.counts[status] for status in self._kind.statuses}
        return {"rows": self.progress.rows, **counts, "failures": self._failures}

    def as_text(self) -> str:
        counts = self.progress.counts
        told = ", ".join(f"{counts[how]:,} {how}" for how in self._kind.statuses if counts[how])
        return f"{self._kind.noun}: {told or 'none'}."

    def _failure(self, row: dict[str, Any]) -> str:
        first, last = row["rows"][0], row["rows"][-1]
        where = f"row {first}" if first == last else f"rows {first} to {last}"
        called = self._kind.called(row)
        return f"NOT BROUGHT: {where}{': ' if called else ''}{called}: {'; '.join(row['errors'])}"
