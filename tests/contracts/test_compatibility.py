"""What breaks those who wrote or read an event at the last release is found, and whom it breaks is named."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from functions import load_all
from infra.manifests import ROOT, by_name, compatibility
from infra.manifests.__main__ import cli

HELD = "shop.inventory.hold.held.v1"
HOLD = "shop.inventory.hold.v1"
DECLARATIONS = by_name(load_all().values())
Document = dict[str, Any]


@pytest.fixture(scope="module")
def released() -> Document:
    return compatibility.snapshot(DECLARATIONS, "9.9.9")


def payload(document: Document, type: str) -> Document:
    found: Document = document["components"]["messages"][type]["payload"]
    return found


def fields(document: Document, type: str) -> Document:
    found: Document = payload(document, type)["properties"]
    return found


def line(document: Document) -> Document:
    found: Document = payload(document, HOLD)["$defs"]["HoldLine"]["properties"]
    return found


def moved(document: Document) -> None:
    message = document["channels"]["shop.inventory.commands"]["messages"].pop(HOLD)
    document["channels"]["shop.holds"]["messages"][HOLD] = message


def keyed_otherwise(document: Document) -> None:
    document["components"]["messages"][HOLD]["bindings"]["kafka"]["key"]["description"] = "`sku`"


def taken_from_fewer(document: Document) -> None:
    document["components"]["messages"][HOLD]["x-kn-shop-sent-by"] = ["/shop/catalog/"]


BREAKING: dict[str, tuple[Callable[[Document], Any], str, str]] = {
    "the event is gone": (lambda now: now["components"]["messages"].pop(HOLD), "", "is no more"),
    "another topic": (moved, "", "moved from the topic shop.inventory.commands to shop.holds"),
    "another key": (keyed_otherwise, "", "its key is sku and was order_id"),
    "fewer sources": (taken_from_fewer, "", "not taken from /shop/orders/"),
    "a field is gone": (lambda now: fields(now, HOLD).pop("partial"), "/partial", "removed"),
    "a field inside is gone": (lambda now: line(now).pop("sku"), "/lines/*/sku", "removed"),
    "made required": (lambda now: payload(now, HOLD)["required"].append("partial"), "/partial", "made required"),
    "a new field is required": (
        lambda now: (payload(now, HOLD)["required"].append("gift"), fields(now, HOLD).update(gift={"type": "string"})),
        "/gift",
        "give it a default",
    ),
    "another type": (
        lambda now: fields(now, HOLD)["partial"].update(type="string"),
        "/partial",
        "its type was changed",
    ),
    "a lower limit": (lambda now: fields(now, HOLD)["expires_in_s"].update(maximum=60), "/expires_in_s", "narrowed"),
    "a higher limit": (lambda now: fields(now, HOLD)["expires_in_s"].pop("maximum"), "/expires_in_s", "widened"),
    "a limit inside": (lambda now: line(now)["quantity"].update(minimum=5), "/lines/*/quantity", "narrowed"),
    "a format": (lambda now: fields(now, HOLD)["order_id"].pop("format"), "/order_id", "widened"),
    "null no more": (
        lambda now: fields(now, HOLD).update(ship_to=fields(now, HOLD)["ship_to"]["anyOf"][0]),
        "/ship_to",
        "narrowed",
    ),
    "null, too": (
        lambda now: fields(now, HOLD).update(partial={"anyOf": [{"type": "boolean"}, {"type": "null"}]}),
        "/partial",
        "widened",
    ),
    "another pattern": (
        lambda now: fields(now, HOLD)["ship_to"]["anyOf"][0].update(pattern="^[A-Z]{3}$"),
        "/ship_to",
        "pattern",
    ),
    "one more value": (lambda now: rule(now)["enum"].append("nearest"), "/allocation", "widened"),
    "one value less": (lambda now: rule(now)["enum"].pop(), "/allocation", "narrowed"),
    "a number of any kind": (
        lambda now: line(now)["quantity"].update(type="number"),
        "/lines/*/quantity",
        "widened",
    ),
}


def rule(document: Document) -> Document:
    """The choices of `allocation`, wherever the schema has them."""
    whole = payload(document, HOLD)
    (choice,) = (one for one in fields(document, HOLD)["allocation"]["anyOf"] if one.get("type") != "null")
    found: Document = whole["$defs"][choice["$ref"].rpartition("/")[2]] if "$ref" in choice else choice
    return found


@pytest.mark.parametrize("case", BREAKING)
def test_a_break_is_found_and_whom_it_breaks(case: str, released: Document) -> None:
    change, pointer, what = BREAKING[case]
    now = copy.deepcopy(released)
    change(now)

    (found,) = compatibility.breaks(released, now)

    assert (found.type, found.pointer) == (HOLD, pointer)
    assert what in found.what
    assert found.consumers == ("hold_stock",)
    assert str(found).endswith("Breaks: hold_stock")


HARMLESS: dict[str, Callable[[Document], Any]] = {
    "nothing": lambda _now: None,
    "a field with a default": lambda now: fields(now, HOLD).update(gift={"type": "boolean", "default": False}),
    "a field inside with a default": lambda now: line(now).update(gift={"type": "boolean", "default": False}),
    "other words": lambda now: payload(now, HOLD).update(description="Hold it.", title="Hold"),
    "another default": lambda now: fields(now, HOLD)["partial"].update(default=True),
    "no longer required, and always said": lambda now: payload(now, HOLD)["required"].remove("expires_in_s"),
    "a new event": lambda now: now["components"]["messages"].update({"shop.inventory.hold.v2": {}}),
    "one more source": lambda now: now["components"]["messages"][HOLD]["x-kn-shop-sent-by"].append("/shop/catalog/"),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_breaks_nobody_is_let_pass(case: str, released: Document) -> None:
    now = copy.deepcopy(released)
    HARMLESS[case](now)

    assert compatibility.breaks(released, now) == []


def test_an_event_without_a_consumer_here_may_have_readers_elsewhere(released: Document) -> None:
    now = copy.deepcopy(released)
    fields(now, "shop.platform.invariant.violated.v1").pop("sentence")

    (found,) = compatibility.breaks(released, now)

    assert "readers of the topic elsewhere" in str(found)


def test_the_command_names_each_break_and_fails(tmp_path: Path, released: Document) -> None:
    before = copy.deepcopy(released)
    fields(before, HELD)["colour"] = {"type": "string"}
    file = tmp_path / "asyncapi-9.9.9.json"
    file.write_text(json.dumps(before))

    ended = CliRunner().invoke(cli, ["compatibility", "--against", str(file)])

    assert ended.exit_code == 1
    assert f"{HELD} /colour: the field was removed. Breaks: advance_order" in ended.output


def test_what_is_declared_now_breaks_nothing_that_was_released() -> None:
    ended = CliRunner().invoke(cli, ["compatibility"])

    assert ended.exit_code == 0, ended.output
    assert (ROOT / "docs/reference/released").is_dir()
    assert compatibility.latest() is not None


def test_a_release_is_written_once_and_the_newest_is_the_highest(tmp_path: Path) -> None:
    for release in ("0.9.0", "0.10.0", "0.2.0"):
        compatibility.keep(DECLARATIONS, release, tmp_path)
    kept = compatibility.keep(DECLARATIONS, "0.10.0", tmp_path)

    assert compatibility.latest(tmp_path) == kept
    with pytest.raises(compatibility.ReleaseChanged):
        compatibility.keep(DECLARATIONS[1:20], "0.10.0", tmp_path)
