"""What of the events breaks those who wrote or read them at the last release, and which functions that are.

During an upgrade both releases run, and a topic keeps events for days: each must take what the other one says.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from infra.manifests import ROOT
from infra.manifests.asyncapi import asyncapi, schema
from shared.runtime.declare import Declaration
from shared.runtime.events import EVENTS

Schema = dict[str, Any]

RELEASED = ROOT / "docs/reference/released"
SAID_ONLY = frozenset({"title", "description", "default", "examples", "$id", "$schema", "$comment", "$defs"})
"""What a schema says beside what it demands."""
LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


class Break(NamedTuple):
    """`pointer` is where in the event's data, empty for the event as a whole."""

    type: str
    pointer: str
    what: str
    consumers: tuple[str, ...]

    def __str__(self) -> str:
        place = f"{self.type} {self.pointer}" if self.pointer else self.type
        broken = ", ".join(self.consumers) or "no function of the shop; readers of the topic elsewhere"
        return f"{place}: {self.what}. Breaks: {broken}"


class ReleaseChanged(Exception):
    """A release is what it was."""


def version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def snapshot(declarations: list[Declaration], release: str) -> Schema:
    """The AsyncAPI document with the schemas in it: one file that says all of a release's events."""
    document = asyncapi(declarations)
    document["info"] = {**document["info"], "version": release}
    for type, message in document["components"]["messages"].items():
        message["payload"] = schema(EVENTS[type])
    return document


def latest(directory: Path = RELEASED) -> Path | None:
    """The file of the newest release."""
    found = directory.glob("asyncapi-*.json")
    return max(found, key=lambda path: _order(path.stem.removeprefix("asyncapi-")), default=None)


def keep(declarations: list[Declaration], release: str, directory: Path = RELEASED) -> Path:
    """Writes down what is released. Raises ReleaseChanged where it was released otherwise."""
    path = directory / f"asyncapi-{release}.json"
    text = json.dumps(snapshot(declarations, release), indent=2, ensure_ascii=False) + "\n"
    if path.exists() and path.read_text() != text:
        raise ReleaseChanged(f"{release} was released with other events: raise the version in pyproject.toml.")
    directory.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def breaks(released: Schema, now: Schema) -> list[Break]:
    """Both are documents as `snapshot` makes them."""
    before, after = released["components"]["messages"], now["components"]["messages"]
    channels = _channels(released), _channels(now)
    found = []
    for type, message in sorted(before.items()):
        readers = tuple(sorted({*_consumers(released, type), *_consumers(now, type)}))
        if type not in after:
            found.append(Break(type, "", "the event is no more", readers))
            continue
        found += [Break(type, "", what, readers) for what in _moved(type, message, after[type], *channels)]
        found += [
            Break(type, pointer, what, readers)
            for pointer, what in _compared(message["payload"], after[type]["payload"])
        ]
    return found


def additions(released: Schema, now: Schema) -> list[str]:
    """The types that are new."""
    return sorted(now["components"]["messages"].keys() - released["components"]["messages"].keys())


def _order(release: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part) if part.isdigit() else -1, part) for part in release.split("."))


def _channels(document: Schema) -> dict[str, str]:
    return {type: name for name, channel in document["channels"].items() for type in channel["messages"]}


def _consumers(document: Schema, type: str) -> Iterator[str]:
    for name, operation in document["operations"].items():
        if operation["action"] == "receive" and any(one["$ref"].endswith(f"/{type}") for one in operation["messages"]):
            yield name.partition(".")[0]


def _moved(type: str, old: Schema, new: Schema, was: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    if was[type] != now[type]:
        yield f"it moved from the topic {was[type]} to {now[type]}"
    keys = [message["bindings"]["kafka"]["key"]["description"].strip("`") for message in (old, new)]
    if keys[0] != keys[1]:
        yield f"its key is {keys[1]} and was {keys[0]}: its order is another"
    if gone := sorted({*old["x-kn-shop-sent-by"]} - {*new["x-kn-shop-sent-by"]}):
        yield f"it is not taken from {', '.join(gone)} any more"


def _compared(old: Schema, new: Schema) -> Iterator[tuple[str, str]]:
    yield from _differences(old, new, "", old.get("$defs", {}), new.get("$defs", {}))


def _differences(old: Schema, new: Schema, at: str, old_defs: Schema, new_defs: Schema) -> Iterator[tuple[str, str]]:
    old, new = _demands(old, old_defs), _demands(new, new_defs)
    if "properties" in old and "properties" in new:
        yield from _fields(old, new, at, old_defs, new_defs)
    for name, below in (("items", "/*"), ("additionalProperties", "/*")):
        inner = old.get(name), new.get(name)
        if isinstance(inner[0], dict) and isinstance(inner[1], dict):
            yield from _differences(inner[0], inner[1], at + below, old_defs, new_defs)
            old, new = _without(old, name), _without(new, name)
    if "anyOf" in old or "anyOf" in new:
        yield from _choices(old, new, at, old_defs, new_defs)
        return
    old, new = _without(old, "properties", "required"), _without(new, "properties", "required")
    if (told := _verdict(_resolved(old, old_defs), _resolved(new, new_defs))) is not None:
        yield at, told


def _fields(old: Schema, new: Schema, at: str, old_defs: Schema, new_defs: Schema) -> Iterator[tuple[str, str]]:
    before, after = old["properties"], new["properties"]
    needed, needs = {*old.get("required", ())}, {*new.get("required", ())}
    for name in before:
        if name not in after:
            yield f"{at}/{name}", "the field was removed"
            continue
        if name in needs and name not in needed:
            yield f"{at}/{name}", "the field was made required: events of the last release may lack it"
        yield from _differences(before[name], after[name], f"{at}/{name}", old_defs, new_defs)
    for name in sorted(needs - before.keys()):
        yield f"{at}/{name}", "a required field was added, which events of the last release lack: give it a default"


def _choices(old: Schema, new: Schema, at: str, old_defs: Schema, new_defs: Schema) -> Iterator[tuple[str, str]]:
    """`X | None` and the like. Where one choice of each has changed it is compared, or they are counted."""
    before = {_canonical(one, old_defs): one for one in old.get("anyOf", [old])}
    after = {_canonical(one, new_defs): one for one in new.get("anyOf", [new])}
    gone = [before[key] for key in before.keys() - after.keys()]
    came = [after[key] for key in after.keys() - before.keys()]
    if len(gone) == len(came) == 1:
        yield from _differences(gone[0], came[0], at, old_defs, new_defs)
    elif gone:
        yield at, f"its type was narrowed: {_named(gone)} is not taken any more"
    elif came:
        yield at, f"its type was widened: functions of the last release do not take {_named(came)}"


def _verdict(old: Schema, new: Schema) -> str | None:
    """What has become of the demands on one value."""
    if old == new:
        return None
    directions: dict[str, list[str]] = {"narrowed": [], "widened": []}
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        ways = _of_values(old, new) if name in ("enum", "const") else _of_bound(name, was, now)
        if not ways:
            return f"its {name} was changed from {_short(was)} to {_short(now)}"
        for way in ways:
            directions[way].append("values" if name in ("enum", "const") else name)
    if narrowed := dict.fromkeys(directions["narrowed"]):
        return f"its type was narrowed ({', '.join(narrowed)}): events of the last release may not fit"
    if widened := dict.fromkeys(directions["widened"]):
        return f"its type was widened ({', '.join(widened)}): functions of the last release may not take it"
    return None


def _of_bound(name: str, was: Any, now: Any) -> list[str]:
    """Whether one demand is stricter than before; nothing where the two cannot be compared."""
    if was is None or now is None:
        return ["narrowed" if was is None else "widened"]
    if name in LOWER or name in UPPER:
        return ["narrowed" if (now > was) == (name in LOWER) else "widened"]
    if name == "type" and {was, now} == {"integer", "number"}:
        return ["narrowed" if now == "integer" else "widened"]
    return []


def _of_values(old: Schema, new: Schema) -> list[str]:
    """Of a list of values, which may have lost some and gained others; a side without one takes every value."""
    was, now = ({json.dumps(one) for one in _values(side)} for side in (old, new))
    if not was or not now:
        return ["narrowed" if now else "widened"]
    return [way for way, moved in (("narrowed", was - now), ("widened", now - was)) if moved]


def _values(side: Schema) -> list[Any]:
    return [side["const"]] if "const" in side else list(side.get("enum", []))


def _demands(node: Schema, defs: Schema) -> Schema:
    """One level of it, its reference followed."""
    while "$ref" in node:
        node = defs[node["$ref"].rpartition("/")[2]]
    return _without(node, *SAID_ONLY)


def _resolved(node: Any, defs: Schema) -> Any:
    """The whole of it: a name that was changed in `$defs` is no change."""
    if isinstance(node, dict):
        inner = _demands(node, defs)
        fields = inner.get("properties")
        whole = {name: _resolved(value, defs) for name, value in inner.items() if name != "properties"}
        return whole if fields is None else whole | {"properties": {n: _resolved(f, defs) for n, f in fields.items()}}
    return [_resolved(one, defs) for one in node] if isinstance(node, list) else node


def _canonical(node: Schema, defs: Schema) -> str:
    return json.dumps(_resolved(node, defs), sort_keys=True)


def _without(node: Schema, *names: str) -> Schema:
    return {name: value for name, value in node.items() if name not in names}


def _named(choices: Iterable[Schema]) -> str:
    return " or ".join(
        sorted(str(one.get("title") or one.get("type") or one.get("$ref", "").rpartition("/")[2]) for one in choices)
    )


def _short(value: Any) -> str:
    said = json.dumps(value)
    return said if len(said) < 60 else f"{said[:57]}..."
