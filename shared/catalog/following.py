"""How far the catalogue has heard the inventory: what a read waits for that is sent a Sequence-Token."""

from typing import Any

from sqlalchemy import text

from shared.runtime import Follows, Work

REACHED = text("select sku, sequence from catalog.stock where sku = any(cast(:skus as text[]))")


async def _reached(_request: Any, skus: list[str], work: Work) -> dict[str, int]:
    return {row.sku: row.sequence for row in await work.db.all(REACHED, skus=skus)}


STOCK = Follows("shop.stock", _reached)
