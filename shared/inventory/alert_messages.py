"""What an alert says: as the body of a webhook, and as a mail that people read."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

TYPES = {
    "low": "inventory.stock.low",
    "out": "inventory.stock.out",
    "back_in_stock": "inventory.stock.back_in_stock",
    "shortfall": "inventory.stock.shortfall",
    "made_good": "inventory.stock.made_good",
    None: "inventory.alert.test",
}
"""By the alert's kind; a test has none."""

SUBJECTS = {
    "low": "Low stock: {sku}{place}, {available} left",
    "out": "Out of stock: {sku}{place}",
    "back_in_stock": "Back in stock: {sku}{place}, {available} available",
    "shortfall": "More is promised than is there: {sku}{place}, {shortfall} short",
    "made_good": "Shortfall made good: {sku}{place}",
    None: "A test of stock alerts",
}

SENTENCES = {
    "low": "{available} of {sku} are left{place}; it is low at {low_at}.",
    "out": "Nothing of {sku} is available any more{place}. {orderable}",
    "back_in_stock": "{available} of {sku} are available again{place}; it is low at {low_at}.",
    "shortfall": "{shortfall} of {sku} are promised{place} and not there.{waiting}",
    "made_good": "All that is promised of {sku}{place} is there again.",
    None: "Nothing is wrong with the stock. Alerts reach this address.",
}


def body_of(kind: str | None, at: datetime, data: Mapping[str, Any]) -> bytes:
    """The same bytes at each attempt."""
    stamp = at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return orjson.dumps({"type": TYPES[kind], "timestamp": stamp, "data": dict(data)})


def subject_of(kind: str | None, data: Mapping[str, Any]) -> str:
    return SUBJECTS[kind].format_map(_words(data))


def text_of(kind: str | None, at: datetime, data: Mapping[str, Any]) -> str:
    facts = [
        ("SKU", data.get("sku")),
        ("Location", data.get("location") or ("all together" if kind else None)),
        ("Status", data.get("status")),
        ("Available", data.get("available")),
        ("Low at", data.get("low_at")),
        ("Shortfall", data.get("shortfall")),
        ("Since", f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"),
    ]
    table = "\n".join(f"{name + ':':<11}{value}" for name, value in facts if value is not None)
    return f"{SENTENCES[kind].format_map(_words(data))}\n\n{table}\n"


def _words(data: Mapping[str, Any]) -> dict[str, Any]:
    orders = data.get("orders") or []
    return {
        **data,
        "place": f" at {data['location']}" if data.get("location") else "",
        "orderable": "It can still be ordered." if data.get("status") == "backorder" else "It cannot be ordered.",
        "waiting": f" These orders must wait: {', '.join(map(str, orders))}." if orders else "",
    }
