"""Sagas listed, told and led on from the command line, against a shop of real processes."""

import json
from typing import Any

from click.testing import CliRunner, Result

from infra.cli.__main__ import cli


def kn_shop(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--url", url, *arguments], catch_exceptions=False)


def placed(url: str) -> dict[str, Any]:
    result = kn_shop(url, "order", "place", "MUG-BLUE", "-o", "json")
    assert result.exit_code == 0, result.output
    order: dict[str, Any] = json.loads(result.stdout)
    return order


def test_an_order_is_cancelled_and_its_saga_told(shop_url: str) -> None:
    order = placed(shop_url)
    cancelled = kn_shop(shop_url, "order", "cancel", order["id"], "--reason", "changed my mind")
    assert cancelled.stdout == f"Order {order['number']} is cancelled, its payment refunded.\n"
    again = kn_shop(shop_url, "order", "cancel", order["id"], "--reason", "changed my mind")
    assert (again.exit_code, "cannot be cancelled" in again.stderr) == (1, True)

    told = kn_shop(shop_url, "saga", "describe", order["id"]).stdout
    for word in ("holding", "HoldStock", "StockHeld", "refunding", "RefundPayment", "RefundSucceeded", "cancelled"):
        assert word in told
    listed = kn_shop(shop_url, "saga", "list", "--state", "cancelled", "-o", "name")
    assert f"saga/{order['id']}" in listed.stdout.split()


def test_what_has_ended_is_not_steered(shop_url: str) -> None:
    order = placed(shop_url)
    for how in ("retry", "skip", "compensate"):
        result = kn_shop(shop_url, "saga", how, order["id"], "--reason", "a try")
        assert result.exit_code == 1
        assert "Nothing of the kind" in result.stderr
    moved = kn_shop(shop_url, "saga", "retry", order["id"], "--reason", "a try", "--state", "holding")
    assert (moved.exit_code, "moved on" in moved.stderr) == (1, True)
