"""Orders looked for and looked after from the command line, against a shop of real processes."""

import json
from typing import Any

from tests.infra.cli.test_sagas import kn_shop, placed


def say(url: str, *arguments: str) -> str:
    result = kn_shop(url, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def names(url: str, *arguments: str) -> list[str]:
    return [line for line in say(url, "order", *arguments, "-o", "name").split() if line.startswith("order/")]


def test_orders_are_searched(shop_url: str) -> None:
    order = placed(shop_url)
    name = f"order/{order['id']}"
    assert names(shop_url, "search", order["number"]) == [name]
    assert names(shop_url, "search", order["number"].lower()) == [name]
    assert name in names(shop_url, "search", "--sku", "MUG-BLUE", "--status", "confirmed", "--status", "completed")
    assert name in names(
        shop_url, "search", "--customer", "walk-in", "--min-total", "1", "--since", "2020-01-01T00:00:00Z"
    )
    assert names(shop_url, "search", "nobody@example.com") == []
    assert "No orders found." in say(shop_url, "order", "search", "NO-SUCH")
    assert name in names(shop_url, "list", "--sku", "MUG-BLUE")
    assert names(shop_url, "list", "--status", "expired") == []
    wrong = kn_shop(shop_url, "order", "search", "a", "b")
    assert wrong.exit_code == 2


def test_an_order_is_looked_after_and_described(shop_url: str) -> None:
    order = placed(shop_url)
    number, order_id = order["number"], order["id"]
    assert "is kept" in say(shop_url, "order", "note", number, "Ring twice.")
    assert say(shop_url, "order", "tag", order_id, "gift", "late") == "Tags: gift late\n"
    assert say(shop_url, "order", "tag", number, "late-", "gift-") == "Tags: none\n"
    assert say(shop_url, "order", "review", number, "--reason", "odd") == "It is held for review.\n"
    assert f"order/{order_id}" in names(shop_url, "search", "--review")
    told = say(shop_url, "order", "describe", number)
    for word in (
        "Under review", "odd", "MUG-BLUE", "orders.order.created.v1", "holding", "authorize succeeded", "Ring twice.",
        "order.review_started", "captured", "completed",
    ):  # fmt: skip
        assert word in told, told
    assert "tok_approve" not in told
    assert say(shop_url, "order", "review", number, "--reason", "fine", "--release") == "It is released.\n"
    whole: dict[str, Any] = json.loads(say(shop_url, "order", "describe", order_id, "-o", "json"))
    assert (whole["number"], whole["review"], len(whole["correlations"])) == (number, None, 3)
    refused = kn_shop(shop_url, "order", "complete", number, "--reason", "picked up")
    assert (refused.exit_code, "still open" in refused.stderr) == (1, True)
    listed = say(shop_url, "order", "audit", number, "--action", "order")
    assert listed.index("order.review_ended") < listed.index("order.review_started") < listed.index("order.noted")
    nobody = kn_shop(shop_url, "order", "describe", "NO-SUCH")
    assert (nobody.exit_code, "has this number" in nobody.stderr) == (1, True)


def test_customers_are_shown_and_forgotten(shop_url: str) -> None:
    placed(shop_url)
    assert "orders" in say(shop_url, "customer", "describe", "walk-in")
    assert "No customers found." in say(shop_url, "customer", "list", "--name", "nobody")
    refused = kn_shop(shop_url, "customer", "erase", "nobody", "--reason", "asked for", "--yes")
    assert (refused.exit_code, "knows nothing" in refused.stderr) == (1, True)
    done = say(shop_url, "customer", "erase", "nobody@example.com", "--guest", "--reason", "asked for", "--yes")
    assert done == "Erased, with what 0 orders said of them.\n"
    unsure = kn_shop(shop_url, "customer", "erase", "walk-in", "--reason", "asked for")
    assert unsure.exit_code == 1
