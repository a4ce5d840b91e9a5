"""Functions from the command line, against a shop of real processes."""

import json

from click.testing import CliRunner, Result

from functions import load_all
from infra.cli.__main__ import cli


def kn_shop(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--url", url, *arguments], catch_exceptions=False)


def test_all_functions_are_listed_with_their_readiness(shop_url: str) -> None:
    names = kn_shop(shop_url, "function", "list", "-o", "name").stdout.splitlines()
    assert names == sorted(f"function/{one.service}" for one in load_all().values())

    told = kn_shop(shop_url, "function", "list", "--domain", "orders", "--trigger", "http").stdout.splitlines()
    (line,) = [line for line in told if line.startswith("place-order ")]
    assert line.split()[1:4] == ["orders", "POST", "/v1/orders"]
    assert "yes" in line.lower() or "true" in line.lower()
    assert kn_shop(shop_url, "function", "list", "--health", "unhealthy").stdout == "No functions found.\n"
    label = ("--label", "app.kubernetes.io/name=hold-stock")
    assert kn_shop(shop_url, "function", "list", *label, "-o", "name").stdout == "function/hold-stock\n"


def test_one_function_is_described(shop_url: str) -> None:
    told = kn_shop(shop_url, "function", "describe", "place-order").stdout
    assert "POST /v1/orders" in told
    assert "100 % place-order-00001" in told
    found = json.loads(kn_shop(shop_url, "function", "describe", "hold-stock", "-o", "json").stdout)
    assert (found["domain"], found["trigger"]) == ("inventory", "event")
    missing = kn_shop(shop_url, "function", "describe", "sell-ice")
    assert (missing.exit_code, "There is no function of this name" in missing.stderr) == (1, True)
