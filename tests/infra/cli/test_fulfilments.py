"""Goods shipped and money paid back from the command line, against a shop of real processes."""

import json
from time import monotonic, sleep
from typing import Any

from click.testing import CliRunner, Result

from infra.cli.__main__ import cli


def kn_shop(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--url", url, *arguments], catch_exceptions=False)


def placed(url: str, quantity: int = 3) -> dict[str, Any]:
    result = kn_shop(url, "order", "place", f"MUG-BLUE={quantity}", "-o", "json")
    assert result.exit_code == 0, result.output
    order: dict[str, Any] = json.loads(result.stdout)
    return order


def listed(url: str, order: dict[str, Any]) -> list[dict[str, Any]]:
    """What is to be shipped of the order, which events arrange once it is confirmed."""
    deadline = monotonic() + 60
    while True:
        result = kn_shop(url, "fulfilment", "list", "--order", order["id"], "--status", "pending", "-o", "json")
        found: list[dict[str, Any]] = json.loads(result.stdout)["items"]
        if found or monotonic() > deadline:
            return found
        sleep(0.1)


def test_an_order_is_shipped_in_two_parcels_with_one_unit_short(shop_url: str) -> None:
    order = placed(shop_url)
    (whole,) = listed(shop_url, order)
    shipped = kn_shop(
        shop_url, "fulfilment", "ship", whole["id"], "--carrier", "DHL", "--tracking-number", "JD1", "--line", "1=1"
    )
    assert shipped.stdout == f"Fulfilment {whole['id']} is shipped.\n"
    (rest,) = listed(shop_url, order)
    assert rest["id"] != whole["id"]
    short = kn_shop(shop_url, "fulfilment", "short", rest["id"], "--reason", "broken", "--line", "1=1")
    assert short.exit_code == 0, short.output
    kn_shop(shop_url, "fulfilment", "ship", rest["id"])
    again = kn_shop(shop_url, "fulfilment", "ship", rest["id"])
    assert (again.exit_code, "past that" in again.stderr) == (1, True)
    delivered = kn_shop(shop_url, "fulfilment", "deliver", whole["id"])
    assert delivered.stdout == f"Fulfilment {whole['id']} is delivered.\n"
    told = kn_shop(shop_url, "fulfilment", "describe", whole["id"]).stdout
    assert "DHL" in told
    assert "JD1" in told
    names = kn_shop(shop_url, "fulfilment", "list", "--order", order["id"], "--status", "delivered", "-o", "name")
    assert names.stdout == f"fulfilment/{whole['id']}\n"
    steps = kn_shop(shop_url, "fulfilment", "steps", "--order", order["id"]).stdout
    assert "ship" in steps
    assert "release" in steps


def test_what_is_asked_back_is_granted_or_denied(shop_url: str) -> None:
    order = placed(shop_url)
    given = kn_shop(shop_url, "refund", "give", order["id"], "--amount", "100", "--reason", "came late")
    assert given.exit_code == 0, given.output
    assert "is succeeded" in given.stdout
    refund = given.stdout.split()[2]
    too_much = kn_shop(shop_url, "refund", "give", order["id"], "--amount", "99999999", "--reason", "came late")
    assert (too_much.exit_code, "more than was paid" in too_much.stderr) == (1, True)
    again = kn_shop(shop_url, "refund", "retry", refund, "--reason", "again")
    assert (again.exit_code, "has failed" in again.stderr) == (1, True)
    assert refund in kn_shop(shop_url, "refund", "list", "--order", order["id"], "--status", "succeeded").stdout
    assert kn_shop(shop_url, "refund", "requests", "--order", order["id"]).stdout == "No requests found.\n"
    nobody = "00000000-0000-0000-0000-000000000404"
    for command in (("grant", nobody), ("deny", nobody, "--answer", "no")):
        refused = kn_shop(shop_url, "refund", *command)
        assert (refused.exit_code, "no such request" in refused.stderr) == (1, True)


def test_lines_are_said_as_line_and_units(shop_url: str) -> None:
    result = kn_shop(shop_url, "fulfilment", "ship", "00000000-0000-0000-0000-000000000404", "--line", "1x2")
    assert (result.exit_code, "LINE=UNITS" in result.stderr) == (2, True)
