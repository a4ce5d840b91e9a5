"""Prints answers as kn does: a table or a description for people, json, yaml or names for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click
import orjson
import yaml

from infra.cli.report import pounds, table

F = TypeVar("F", bound=Callable[..., Any])

Columns = Sequence[tuple[str, Callable[[Mapping[str, Any]], object]]]


limit_option = click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")


def output_option(*formats: str) -> Callable[[F], F]:
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats),
        help="Print for programs instead of for people.",
        metavar="|".join(formats),
    )


def no_headers_option(command: F) -> F:
    return click.option("--no-headers", is_flag=True, help="Leave out the table's headings.")(command)


def show_list(
    kind: str, items: list[dict[str, Any]], columns: Columns, *, name: str, output: str | None, no_headers: bool
) -> None:
    if output == "name":
        _lines(f"{kind}/{item[name]}" for item in items)
    elif output:
        show({"items": items}, output)
    elif not items:
        click.echo(f"No {kind[:-1]}ies found." if kind.endswith("y") else f"No {kind}s found.")
    else:
        rows = [tuple(_cell(value(item)) for _, value in columns) for item in items]
        headings = () if no_headers else (tuple(heading for heading, _ in columns),)
        _lines(table([*headings, *rows]))


def show_one(kind: str, item: Mapping[str, Any], described: str, *, name: str, output: str | None) -> None:
    if output == "name":
        click.echo(f"{kind}/{item[name]}")
    elif output:
        show(item, output)
    else:
        click.echo(described)


def show(item: Mapping[str, Any], output: str) -> None:
    if output == "yaml":
        click.echo(yaml.safe_dump(item, sort_keys=False, allow_unicode=True), nl=False)
    else:
        click.echo(orjson.dumps(item, option=orjson.OPT_INDENT_2).decode())


def description(pairs: Iterable[tuple[str, object]]) -> str:
    told = [(f"{label}:", _cell(value)) for label, value in pairs if value not in (None, "")]
    return "\n".join(table(told)) if told else ""


def money(amount_minor: int | None, currency: str | None) -> str:
    return "" if amount_minor is None else f"{pounds(amount_minor)} {currency or ''}".strip()


def _cell(value: object) -> str:
    return "" if value is None else " ".join(str(value).split())


def _lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
