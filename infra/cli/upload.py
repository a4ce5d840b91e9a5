"""Sends many products in parts that the shop takes at once, and adds up what became of them."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from infra.cli.client import Shop

WHERE = "/v1/admin/product-import"


class Part(NamedTuple):
    """A piece of a file that is a file itself; `before` counts the rows that went before it, without headers."""

    body: bytes
    before: int


@dataclass(slots=True)
class Uploaded:
    """What became of the products, by count; `failed` names each that was refused, by its rows in the whole file."""

    counts: Counter[str] = field(default_factory=Counter)
    failed: list[dict[str, Any]] = field(default_factory=list)

    def add(self, report: dict[str, Any], before: int) -> None:
        for row in report["rows"]:
            self.counts[row["status"]] += 1
            if row["status"] == "failed":
                self.failed.append({**row, "rows": [number + before for number in row["rows"]]})


async def upload(shop: Shop, parts: Iterable[Part], media_type: str, told: Callable[[Part, int], None]) -> Uploaded:
    """Part after part, each under a key of its own, so that a lost answer is asked for again without a second effect.

    `told` is called after each part with the number of products in it.
    """
    done = Uploaded()
    for part in parts:
        reply = await shop.call("POST", WHERE, part.body, media_type=media_type, key=str(uuid.uuid4()))
        done.add(reply.body, part.before)
        told(part, len(reply.body["rows"]))
    return done
