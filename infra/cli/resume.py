"""How far an upload has come, in a small file beside the one that is uploaded."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import orjson


@dataclass(slots=True)
class Progress:
    """Of one file at one shop. `run` is what idempotency keys are made of; `reported_bytes` are of the report."""

    shop: str
    digest: str
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    parts: int = 0
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    reported_bytes: int = 0

    @classmethod
    def of(cls, kept: Path, shop: str, digest: str) -> Progress:
        """What is kept, where it is about this file at this shop; else a fresh start."""
        try:
            found = cls(**orjson.loads(kept.read_bytes()))
            found.counts = Counter(found.counts)
        except (FileNotFoundError, orjson.JSONDecodeError, TypeError, ValueError):
            return cls(shop, digest)
        return found if (found.shop, found.digest) == (shop, digest) else cls(shop, digest)

    def keep(self, where: Path) -> None:
        """In one step: whoever reads it finds what was kept before or what is kept now."""
        fresh = where.with_name(f"{where.name}.new")
        fresh.write_bytes(orjson.dumps(self))
        fresh.replace(where)
