"""Sends many rows in parts that the shop takes at once, and adds up what became of them."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from infra.cli.client import Reply, Shop
from infra.cli.parts import Part

Rows = list[dict[str, Any]]


@dataclass(slots=True)
class Uploaded:
    """What became of them, by count; `failed` has the rows of each that was refused."""

    counts: Counter[str] = field(default_factory=Counter)
    failed: Rows = field(default_factory=list)

    def add(self, rows: Rows) -> None:
        self.counts.update(row["status"] for row in rows)
        self.failed += (row for row in rows if row["status"] == "failed")


async def upload(
    shop: Shop,
    where: str,
    parts: Iterable[Part],
    media_type: str,
    acknowledged: Callable[[Part, Rows], None],
    *,
    run: str,
    at_a_time: int = 1,
) -> None:
    """Sends each part under a key made of `run` and its number: what is sent again has no second effect.

    `acknowledged` is told the statuses of each part's rows, by their numbers in the whole file, the parts in order.
    """
    under_way: deque[tuple[Part, asyncio.Task[Reply]]] = deque()

    async def first() -> None:
        part, sent = under_way[0]
        rows: Rows = (await sent).body["rows"]
        under_way.popleft()
        for row in rows:
            row["rows"] = [number + part.before for number in row["rows"]]
        acknowledged(part, rows)

    try:
        for part in parts:
            if len(under_way) == at_a_time:
                await first()
            call = shop.call("POST", where, part.body, media_type=media_type, key=f"{run}:{part.number}")
            under_way.append((part, asyncio.create_task(call)))
        while under_way:
            await first()
    finally:
        left = [sent for _, sent in under_way]
        for sent in left:
            sent.cancel()
        await asyncio.gather(*left, return_exceptions=True)
