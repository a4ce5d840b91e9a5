"""Example values for schemas: by the field's name where the shop has a word for it, else by the schema."""

from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]

NAMED: dict[str, Any] = {
    "actor": "storekeeper-7",
    "amount_minor": 2590,
    "consumer": "hold-stock",
    "country": "GB",
    "currency": "GBP",
    "cursor": None,
    "description": "Stoneware, 350 ml, safe in the dishwasher.",
    "email": "ada@example.com",
    "fingerprint": "5f0c9a1be27d",
    "limit": 20,
    "location": "london",
    "name": "London",
    "next_cursor": None,
    "number": "S-100042",
    "payment_token": "tok_approve",
    "placed_at": "2026-05-04T09:30:00Z",
    "price_minor": 1295,
    "quantity": 2,
    "reason": "counted",
    "reference": "536365",
    "returned_at": "2026-05-11T14:00:00Z",
    "sku": "MUG-BLUE",
    "slug": "blue-mug",
    "status": "published",
    "title": "Blue mug",
    "total_minor": 2590,
    "unit_price_minor": 1295,
    "version": 1,
}
FORMATS = {
    "uuid": "0197f1c4-7a52-7f06-9d5e-2f6c1b0a9e11",
    "date-time": "2026-05-04T09:30:00Z",
    "date": "2026-05-04",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "binary": "",
}


def example(name: str, schema: Schema, resolve: Callable[[Schema], Schema]) -> Any:
    """A value that fits. `resolve` follows a reference."""
    schema = resolve(schema)
    if "const" in schema:
        return schema["const"]
    if schema.get("examples"):
        return schema["examples"][0]
    choices = schema.get("enum", [])
    if name in NAMED and (not choices or NAMED[name] in choices) and _fits(NAMED[name], schema, resolve):
        return NAMED[name]
    if choices:
        return choices[0]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return example(name, schema[several][0], resolve)
    return _by_type(name, schema, resolve)


def _by_type(name: str, schema: Schema, resolve: Callable[[Schema], Schema]) -> Any:
    kind = schema.get("type")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            return {key: example(key, inner, resolve) for key, inner in schema.get("properties", {}).items()}
        case "array":
            singular = name.removesuffix("s")
            return [example(singular, schema["items"], resolve)] if "items" in schema else []
        case "string":
            return FORMATS.get(schema.get("format", ""), name.replace("_", " ") or "text")
        case "integer":
            return max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
        case "number":
            return schema.get("minimum", 1.5)
        case "boolean":
            return True
    return None


def _fits(value: Any, schema: Schema, resolve: Callable[[Schema], Schema]) -> bool:
    """Whether the value has the schema's type."""
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return any(_fits(value, resolve(choice), resolve) for choice in schema[several])
    kinds = {str: "string", int: "integer", bool: "boolean", type(None): "null"}
    kind = schema.get("type")
    return kinds.get(type(value)) in (kind if isinstance(kind, list) else [kind])
