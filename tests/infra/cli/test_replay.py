"""Import and replay against a whole shop: what its books say afterwards, and that a second run changes nothing."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infra.cli.__main__ import cli
from tests.infra.cli.test_retail import SAMPLE


def kn_shop(shop_url: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--url", shop_url, *arguments], catch_exceptions=False)


def told(result: Result) -> Any:
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def first(shop_url: str) -> tuple[Any, Any]:
    """The reports of the first import and the first replay; an earlier replay was killed on its way."""
    imported = kn_shop(shop_url, "import", str(SAMPLE), "-o", "json")
    assert imported.exit_code == 0, imported.output
    command = [sys.executable, "-m", "infra.cli", "replay", str(SAMPLE), "--concurrency", "1"]
    root = str(Path(__file__).parents[3])
    killed = subprocess.Popen(
        command, env={**os.environ, "KN_SHOP_URL": shop_url}, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert killed.stderr is not None
    killed.stderr.readline()  # it has a token now, and goes on to its first orders
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    replayed = kn_shop(shop_url, "replay", str(SAMPLE), "-o", "json")
    assert replayed.exit_code == 0, replayed.output
    return told(imported), told(replayed)


def test_the_import_says_what_it_did(first: tuple[Any, Any]) -> None:
    assert first[0] == {
        "products": {"created": 12, "updated": 0, "unchanged": 0},
        "untracked": ["B", "D", "POST"],
        "customers": 4,
        "opening_stock": {"skus": 9, "units": 74288},
        "merged": {"85123A": ["85123A", "85123a"]},
        "unreadable_lines": 4,
        "failed": [],
    }


def test_all_sales_are_taken_and_the_rest_is_named(first: tuple[Any, Any]) -> None:
    report = first[1]

    assert report["taken"] == {
        "invoices": 12,
        "lines": 20,
        "sales_minor_by_month": {"2010-12": 18509, "2011-01": 1280, "2011-02": 52686396},
        "refunds_minor_by_month": {"2010-12": 765 + 9000, "2011-02": 51579425},
    }
    assert report["invariants"] == {"violations": 0}
    assert {entry["line"]: (entry["invoice"], entry["amount_minor"]) for entry in report["not_taken"]} == {
        13: ("936590", 0),
        15: ("C936380", -762),
        16: ("C936381", -2250),
        17: ("C936382", -2750),
        23: ("A963186", -1106206),
        24: ("940003", 0),
        25: ("940003", 425),
        26: ("940003", 0),
        28: ("940005", 0),
        29: ("940006", 85),
    }


def test_running_both_again_changes_nothing(first: tuple[Any, Any], shop_url: str) -> None:
    before = told(kn_shop(shop_url, "stock", "describe", "22197", "-o", "json"))

    imported = told(kn_shop(shop_url, "import", str(SAMPLE), "-o", "json"))
    replayed = told(kn_shop(shop_url, "replay", str(SAMPLE), "-o", "json"))

    assert imported == {**first[0], "products": {"created": 0, "updated": 0, "unchanged": 12}}
    assert replayed == first[1]
    assert told(kn_shop(shop_url, "stock", "describe", "22197", "-o", "json")) == before


def test_the_report_for_people(first: tuple[Any, Any], shop_url: str) -> None:
    report = kn_shop(shop_url, "replay", str(SAMPLE))

    lines = [" ".join(line.split()) for line in report.stdout.splitlines()]
    assert "2010-12 185.09 185.09 0.00 97.65 185.09 97.65" in lines
    assert "Invariants: 0 violation(s)." in lines
    assert "C936382 17 -27.50 no earlier sale to this customer with quantity left: 1 of 1 of SKU D" in lines


def test_stock_is_what_the_invoices_leave(first: tuple[Any, Any], shop_url: str) -> None:
    written_off = told(kn_shop(shop_url, "stock", "describe", "21777", "-o", "json"))
    found = told(kn_shop(shop_url, "stock", "describe", "22139", "-o", "json"))
    carriage = told(kn_shop(shop_url, "stock", "describe", "POST", "-o", "json"))

    assert (written_off["tracked"], written_off["on_hand"]) == (True, 0)
    assert found["available"] == 56
    assert carriage["tracked"] is False


def test_an_order_of_today(shop_url: str) -> None:
    placed = told(kn_shop(shop_url, "order", "place", "MUG-BLUE=2", "--customer", "ada", "-o", "json"))
    assert (placed["status"], placed["payment"]) == ("confirmed", "captured")

    listed = kn_shop(shop_url, "order", "list", "--customer", "ada", "-o", "name")
    described = kn_shop(shop_url, "order", "describe", placed["id"])

    assert listed.stdout == f"order/{placed['id']}\n"
    assert "Blue stoneware mug" in described.stdout
    assert "HoldStock" in described.stdout


def test_a_declined_card_ends_with_one(shop_url: str) -> None:
    declined = kn_shop(shop_url, "order", "place", "MUG-BLUE", "--card", "tok_decline", "--customer", "ada")

    assert declined.exit_code == 1
    assert "rejected" in declined.stdout


def test_no_dead_letters(shop_url: str) -> None:
    assert kn_shop(shop_url, "dead-letter", "list").stdout == "No dead-letters found.\n"


def test_the_invariants_hold(shop_url: str) -> None:
    checked = kn_shop(shop_url, "invariant", "check")

    assert checked.exit_code == 0
    assert checked.stdout.startswith("INVARIANT")
