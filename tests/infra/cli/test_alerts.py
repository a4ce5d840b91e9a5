"""Targets of alerts and what was sent to them, over a real shop."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from infra.cli.__main__ import cli

pytestmark = pytest.mark.xdist_group("cli-shop")

Kn = Callable[..., str]


@pytest.fixture
def kn(shop_url: str) -> Kn:
    def kn(*arguments: str, exit_code: int = 0) -> str:
        told = CliRunner().invoke(cli, list(arguments), env={"KN_SHOP_URL": shop_url})
        assert told.exit_code == exit_code, told.output
        return told.stdout

    return kn


def told(kn: Kn, *arguments: str) -> Any:
    return json.loads(kn(*arguments, "-o", "json"))


def test_a_webhook_from_first_to_last(kn: Kn) -> None:
    made = told(kn, "alert", "target", "add", "https://hooks.nowhere.invalid/stock", "--kind", "low", "--kind", "out")
    target = made["id"]
    assert made["secret"].startswith("whsec_")
    listed = kn("alert", "target", "list")
    assert target in listed
    assert "low,out" in listed
    assert made["secret"] not in listed

    rotated = told(kn, "alert", "target", "rotate", target)
    assert rotated["secret"] not in (made["secret"], None)
    begun = told(kn, "alert", "target", "test", target)
    deadline = time.monotonic() + 60
    while not (delivery := told(kn, "alert", "delivery", begun["id"]))["reason"] and time.monotonic() < deadline:
        time.sleep(0.5)
    assert delivery["reason"] == "The host's name is not known."
    assert begun["id"] in kn("alert", "deliveries", "--target", target, "--status", "pending")
    assert "The host's name is not known." in kn("alert", "delivery", begun["id"])
    assert "pending" in kn("alert", "redeliver", begun["id"])

    disabled = told(kn, "alert", "target", "set", target, "--disable", "--name", "Night")
    assert (disabled["enabled"], disabled["name"]) == (False, "Night")
    assert kn("alert", "target", "rm", target) == f"Removed: {target}\n"
    assert target not in kn("alert", "target", "list")
    kn("alert", "target", "rm", target, exit_code=1)


def test_a_mail_address(kn: Kn) -> None:
    made = kn("alert", "target", "add", "buyer@example.com", "--name", "Buying")
    assert "buyer@example.com" in made
    assert "Secret" not in made
    target = next(one["id"] for one in told(kn, "alert", "target", "list")["items"] if one["name"] == "Buying")
    kn("alert", "target", "rm", target)


def test_what_is_refused_says_why(kn: Kn) -> None:
    kn("alert", "target", "add", "https://10.0.0.1/", exit_code=1)
    kn("alert", "target", "add", "https://hooks.example.com", "--kind", "lost", exit_code=2)
    kn("alert", "target", "set", "x", exit_code=2)


def test_lists_may_be_empty(kn: Kn) -> None:
    assert kn("alert", "list", "--sku", "NONE") == "No alerts found.\n"
    assert kn("alert", "deliveries", "--status", "failed", "--alert", "00000000-0000-0000-0000-000000000404") == (
        "No alert-deliveries found.\n"
    )
