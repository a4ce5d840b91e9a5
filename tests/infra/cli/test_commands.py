"""How `kn-shop` behaves as a command: help, exit codes, errors that say what to do."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.cli.__main__ import cli
from tests.infra.cli.test_retail import SAMPLE

COMMANDS = [
    ["import"],
    ["replay"],
    ["order", "place"],
    ["order", "list"],
    ["order", "describe"],
    ["fulfilment", "list"],
    ["function", "list"],
    ["fulfilment", "describe"],
    ["fulfilment", "steps"],
    ["refund", "list"],
    ["refund", "requests"],
    ["saga", "list"],
    ["saga", "describe"],
    ["product", "list"],
    ["product", "describe"],
    ["product", "search"],
    ["product", "import"],
    ["category", "list"],
    ["category", "describe"],
    ["stock", "describe"],
    ["stock", "import"],
    ["stock", "set"],
    ["stock", "adjust"],
    ["stock", "why"],
    ["stock", "shortfalls"],
    ["stock", "ledger"],
    ["stock", "past"],
    ["stock", "reconcile"],
    ["hold", "list"],
    ["hold", "describe"],
    ["transfer", "create"],
    ["transfer", "list"],
    ["transfer", "describe"],
    ["transfer", "arrive"],
    ["transfer", "cancel"],
    ["location", "list"],
    ["location", "describe"],
    ["location", "create"],
    ["location", "update"],
    ["location", "close"],
    ["location", "open"],
    ["catalog", "rebuild"],
    ["alert", "list"],
    ["alert", "deliveries"],
    ["alert", "delivery"],
    ["alert", "redeliver"],
    ["alert", "target", "add"],
    ["alert", "target", "list"],
    ["alert", "target", "set"],
    ["alert", "target", "rotate"],
    ["alert", "target", "test"],
    ["dead-letter", "list"],
    ["dead-letter", "replay"],
    ["invariant", "check"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_and_takes_a_url(command: list[str]) -> None:
    told = CliRunner().invoke(cli, [*command, "--help"])

    assert told.exit_code == 0
    assert "--url" in told.output
    assert "KN_SHOP_URL" in told.output
    assert "-o, --output" in told.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["import", str(SAMPLE)],
        ["replay", str(SAMPLE)],
        ["product", "list"],
        ["product", "export"],
        ["category", "list"],
        ["order", "place", "85123A=2"],
        ["invariant", "check"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_no_shop(arguments: list[str], unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"

    told = CliRunner().invoke(cli, arguments, env={"KN_SHOP_URL": url})

    assert told.exit_code == 3
    assert (
        told.stderr
        == f"Error: no shop answers at {url}; start one with `make run`, or name another by --url or KN_SHOP_URL\n"
    )
    assert told.stdout == ""


def test_the_command_s_own_url_wins(unused_tcp_port_factory: Callable[[], int]) -> None:
    first, second = (f"http://127.0.0.1:{unused_tcp_port_factory()}" for _ in range(2))

    told = CliRunner().invoke(cli, ["--url", first, "product", "list", "--url", second])

    assert second in told.stderr


def test_another_kind_of_file(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("name,age\nx,1\n")

    told = CliRunner().invoke(cli, ["replay", str(other)])

    assert told.exit_code == 2
    assert "the header must name InvoiceNo" in told.stderr


def test_a_file_that_is_not_there() -> None:
    told = CliRunner().invoke(cli, ["import", "absent.csv.gz"])

    assert told.exit_code == 2
    assert "does not exist" in told.stderr


@pytest.mark.parametrize("line", ["MUG", "=2", "MUG=", "MUG=-1", "MUG=two", "MUG=1/x", "MUG=1/2/3"])
def test_a_transfer_s_line_that_is_none(line: str) -> None:
    told = CliRunner().invoke(cli, ["transfer", "arrive", "T", line])

    assert told.exit_code == 2
    assert "SKU=QUANTITY" in told.stderr


@pytest.mark.parametrize("line", ["=2", "MUG=0", "MUG=-1", "MUG=two"])
def test_an_order_line_that_is_none(line: str) -> None:
    told = CliRunner().invoke(cli, ["order", "place", line])

    assert told.exit_code == 2
    assert "SKU=QUANTITY" in told.stderr


def test_replaying_all_dead_letters_must_be_said() -> None:
    told = CliRunner().invoke(cli, ["dead-letter", "replay"])

    assert told.exit_code == 2
    assert "--all" in told.stderr


def test_the_plugin_runs_from_anywhere_through_a_link(tmp_path: Path) -> None:
    plugin = tmp_path / "kn-shop"
    plugin.symlink_to(Path(__file__).parents[3] / "infra" / "cli" / "kn-shop")

    told = subprocess.run([plugin, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert told.stdout.startswith("Usage: kn-shop [OPTIONS] COMMAND [ARGS]...")
