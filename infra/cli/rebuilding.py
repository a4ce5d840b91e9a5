"""What is derived compared with its source, part by part, in batches, and what differs told."""

from __future__ import annotations

from typing import Any

import click

from infra.cli.client import Shop
from infra.cli.report import table


async def gone_through(shop: Shop, path: str, part: str, mend: bool, batch: int) -> dict[str, Any]:
    checked, differences, after = 0, [], None
    while True:
        request = {"part": part, "limit": batch, "mend": mend} | ({} if after is None else {"after": after})
        answer = (await shop.call("POST", path, request)).body
        checked += answer["checked"]
        differences += answer["differences"]
        after = answer["after"]
        if after is None:
            return {"part": part, "checked": checked, "differences": differences}


def tell(found: list[dict[str, Any]], mend: bool, no_headers: bool) -> None:
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
