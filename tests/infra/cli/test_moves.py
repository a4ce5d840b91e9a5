"""Stock counted, brought by file and moved on the command line, against a shop of real processes."""

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from infra.cli.__main__ import cli
from infra.cli.stock_changes import REASONS
from shared.inventory import ledger

ROOT = str(Path(__file__).parents[3])


def kn_shop(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--url", url, *arguments], catch_exceptions=False)


def done(result: Result) -> str:
    assert result.exit_code == 0, result.stderr
    return result.stdout


def told(result: Result) -> Any:
    return json.loads(done(result))


@pytest.fixture
def places(shop_url: str) -> tuple[str, str]:
    """Two locations of the test's own."""
    made = f"A-{uuid4().hex[:8]}", f"B-{uuid4().hex[:8]}"
    for place in made:
        done(kn_shop(shop_url, "location", "create", place, f"Place {place}"))
    return made


@pytest.fixture
def sku(shop_url: str, places: tuple[str, str]) -> str:
    """Ten units at the first location."""
    made = f"S/{uuid4().hex[:8]}"
    done(kn_shop(shop_url, "stock", "set", made, places[0], "10"))
    return made


def test_the_reasons_are_those_of_the_shop() -> None:
    assert REASONS == ledger.REASONS


def test_stock_is_counted_and_corrected(shop_url: str, places: tuple[str, str], sku: str) -> None:
    here, _ = places
    assert done(kn_shop(shop_url, "stock", "set", sku, here, "8", "--note", "shelf 4")) == (
        f"{sku} at {here}: 8 on hand, 8 available.\n"
    )
    taken = [
        "stock",
        "adjust",
        sku,
        here,
        "-3",
        "--reason",
        "damaged",
        "--key",
        uuid4().hex,
        "--at",
        "2026-01-01T00:00:00Z",
    ]
    for _ in range(2):
        assert done(kn_shop(shop_url, *taken)) == f"{sku} at {here}: -3 (damaged), 5 on hand.\n"
    entry = told(kn_shop(shop_url, "stock", "adjust", sku, here, "2", "--reason", "found", "-o", "json"))
    assert (entry["delta"], entry["on_hand"], entry["note"]) == (2, 7, None)

    short = kn_shop(shop_url, "stock", "adjust", sku, here, "-8", "--reason", "lost")
    assert short.exit_code == 1
    assert "There is less on hand" in short.stderr
    assert kn_shop(shop_url, "stock", "adjust", sku, here, "1", "--reason", "because").exit_code == 2
    assert kn_shop(shop_url, "stock", "set", sku, here, "-1").exit_code == 2


def test_stock_is_described_with_all_its_counts(shop_url: str, places: tuple[str, str], sku: str) -> None:
    here, there = places
    done(kn_shop(shop_url, "transfer", "create", f"{sku}=4", "--from", here, "--to", there))
    lines = [" ".join(line.split()) for line in done(kn_shop(shop_url, "stock", "describe", sku)).splitlines()]

    assert {f"SKU: {sku}", "Tracked: yes", "Status: in_stock", "Low at: 5"} <= {*lines}
    assert lines[-4:] == [
        "LOCATION ON HAND HELD COMMITTED INCOMING SAFETY STOCK BACKORDER LIMIT AVAILABLE SHORTFALL",
        "all locations 6 0 0 4 0 0 6 0",
        f"{here} 6 0 0 0 0 0 6 0",
        f"{there} 0 0 0 4 0 0 0 0",
    ]


def test_goods_are_sent_received_and_called_back(shop_url: str, places: tuple[str, str], sku: str) -> None:
    here, there = places
    create = ["transfer", "create", f"{sku}=6", "--from", here, "--to", there, "--reference", "T 1", "--note", "by van"]
    sent = told(kn_shop(shop_url, *create, "--expected", "2026-05-01T08:00:00+01:00", "-o", "json"))
    id = sent["id"]
    assert (sent["status"], sent["expected_at"]) == ("in_transit", "2026-05-01T07:00:00Z")

    listed = kn_shop(shop_url, "transfer", "list", "--location", there, "--status", "in_transit", "--sku", sku)
    heads, row = [line.split() for line in done(listed).splitlines()]
    assert heads[:7] == ["TRANSFER", "STATUS", "FROM", "TO", "SKUS", "UNITS", "OPEN"]
    assert row[:9] == [id, "in_transit", here, there, "1", "6", "6", "T", "1"]
    assert done(kn_shop(shop_url, "transfer", "list", "--location", here, "-o", "name")) == f"transfer/{id}\n"

    some = kn_shop(shop_url, "transfer", "arrive", id, f"{sku}=2/1", "-o", "json")
    assert [told(some)["lines"][0][name] for name in ("arrived", "lost", "open")] == [2, 1, 3]
    more = kn_shop(shop_url, "transfer", "arrive", id, f"{sku}=4")
    assert (more.exit_code, "Less than that is on its way" in more.stderr) == (1, True)
    ended = done(kn_shop(shop_url, "transfer", "cancel", id, "--note", "van broke down"))
    lines = [" ".join(line.split()) for line in ended.splitlines()]
    assert {f"Transfer: {id}", "Status: cancelled", f"From: {here}", "Reference: T 1", "By: kn-shop"} <= {*lines}
    assert lines[-2:] == ["SKU QUANTITY ARRIVED LOST RETURNED OPEN", f"{sku} 6 2 1 3 0"]
    assert done(kn_shop(shop_url, "transfer", "describe", id)) == ended


def test_a_supplier_s_goods_arrive_once(shop_url: str, places: tuple[str, str]) -> None:
    here, _ = places
    sku, key = f"N-{uuid4().hex[:8]}", uuid4().hex
    made = kn_shop(shop_url, "transfer", "create", f"{sku}=5", "--to", here, "-o", "name")
    id = done(made).strip().removeprefix("transfer/")
    arrive = ["transfer", "arrive", id, "--key", key, "--at", "2026-01-01T08:00:00Z", "-o", "json"]
    assert told(kn_shop(shop_url, *arrive)) == told(kn_shop(shop_url, *arrive))
    assert "supplier" in done(kn_shop(shop_url, "transfer", "describe", id))
    again = kn_shop(shop_url, "transfer", "arrive", id)
    assert (again.exit_code, "Nothing of the transfer is on its way" in again.stderr) == (1, True)


def test_a_location_is_changed(shop_url: str) -> None:
    id = f"C-{uuid4().hex[:8]}"
    create = ["location", "create", id, "Leeds", "--priority", "7", "--ships-to", "GB", "--ships-to", "IE"]
    address = ["--line", "1 Dock St", "--line", "Gate 4", "--city", "Leeds", "--postcode", "LS1", "--country", "GB"]
    made = done(kn_shop(shop_url, *create, *address))
    lines = [" ".join(line.split()) for line in made.splitlines()]
    assert lines == [
        f"Location: {id}", "Name: Leeds", "State: open", "Priority: 7", "Ships to: GB, IE",
        "Address: 1 Dock St, Gate 4, Leeds, LS1, GB", "Version: 1",
    ]  # fmt: skip
    changed = told(kn_shop(shop_url, "location", "update", id, "--city", "York", "--ships-anywhere", "-o", "json"))
    assert (changed["ships_to"], changed["version"]) == (None, 2)
    assert changed["address"] == {
        "lines": ["1 Dock St", "Gate 4"], "city": "York", "region": None, "postcode": "LS1", "country": "GB",
    }  # fmt: skip
    changed = told(kn_shop(shop_url, "location", "update", id, "--name", "York", "--no-address", "-o", "json"))
    assert (changed["name"], changed["address"], changed["priority"]) == ("York", None, 7)
    assert kn_shop(shop_url, "location", "update", id).exit_code == 2
    assert kn_shop(shop_url, "location", "update", id, "--no-address", "--city", "X").exit_code == 2
    assert kn_shop(shop_url, "location", "update", id, "--ships-to", "gb").exit_code == 1
    listed = done(kn_shop(shop_url, "location", "list"))
    assert [id, "York", "open", "7", "all"] in [line.split() for line in listed.splitlines()]
    assert kn_shop(shop_url, "location", "describe", "NONE").exit_code == 1


def test_a_location_is_closed_and_opened(shop_url: str, places: tuple[str, str], sku: str) -> None:
    here, there = places
    full = kn_shop(shop_url, "location", "close", here)
    assert full.exit_code == 1
    assert "The location cannot be closed as it is" in full.stderr
    assert '"on_hand":10' in full.stderr

    closed = done(kn_shop(shop_url, "location", "close", here, "--move-to", there))
    assert closed == f"{here} is closed. 10 units of 1 SKUs were moved to {there}.\n"
    assert "State:      closed" in done(kn_shop(shop_url, "location", "describe", here))
    assert told(kn_shop(shop_url, "location", "close", here, "-o", "json"))["closed"] is True
    assert done(kn_shop(shop_url, "location", "open", here)) == f"{here} is open.\n"


def test_a_large_location_is_closed_call_by_call(shop_url: str, places: tuple[str, str], tmp_path: Path) -> None:
    here, there = places
    skus = [f"L-{uuid4().hex[:6]}-{number}" for number in range(2_100)]
    (file := tmp_path / "counts.csv").write_text(
        "sku,location,on_hand\n" + "".join(f"{sku},{here},2\n" for sku in skus)
    )
    assert done(kn_shop(shop_url, "stock", "import", str(file))) == "Rows: 2,100 changed.\n"

    told_of = kn_shop(shop_url, "location", "close", here, "--move-to", there, "-o", "json")
    assert told(told_of) == {"location": here, "moved": 2_100, "units": 4_200, "left": 0, "closed": True}
    assert "SKUs: 100 of 100" in told_of.stderr
    assert told(kn_shop(shop_url, "location", "open", here, "-o", "json")) == {"location": here, "left": 0}
    assert told(kn_shop(shop_url, "invariant", "check", "-o", "json"))["violations"] == 0


def test_a_file_is_booked_and_its_faults_are_named(shop_url: str, places: tuple[str, str], tmp_path: Path) -> None:
    here, _ = places
    sku = f"F-{uuid4().hex[:6]}"
    rows = [
        f"{sku},{here},,5,received",
        f"{sku},{here},,-9,damaged",
        f"{sku},{here},3,,",
        f"{sku},{here},3,,",
        "x,y z,1,,",
    ]
    (file := tmp_path / "counts.csv").write_text("\n".join(["sku,location,on_hand,delta,reason", *rows]))
    report = tmp_path / "report.ndjson"

    brought = kn_shop(shop_url, "stock", "import", str(file), "--part-rows", "2", "--report", str(report))
    assert (brought.exit_code, brought.stdout) == (1, "Rows: 2 changed, 1 unchanged, 2 failed.\n")
    assert f"NOT BROUGHT: row 2: {sku} at {here}: delta: there are only 5 on hand" in brought.stderr
    assert "NOT BROUGHT: row 5: x at y z: location: " in brought.stderr
    kept = [json.loads(line) for line in report.read_text().splitlines()]
    assert [(row["rows"], row["status"], row["on_hand"]) for row in kept] == [
        ([1], "changed", 5), ([2], "failed", None), ([3], "changed", 3), ([4], "unchanged", 3), ([5], "failed", None),
    ]  # fmt: skip
    assert sorted(tmp_path.iterdir()) == [file, report]


def test_a_file_is_booked_once_under_a_key(shop_url: str, places: tuple[str, str], tmp_path: Path) -> None:
    here, _ = places
    sku, key = f"K-{uuid4().hex[:6]}", uuid4().hex
    line = json.dumps({"sku": sku, "location": here, "delta": 4, "reason": "received"})
    (file := tmp_path / "delivery.ndjson.gz").write_bytes(gzip.compress(f"{line}\n{line}\n".encode()))
    command = ["stock", "import", str(file), "--part-rows", "1"]
    for _ in range(2):
        assert told(kn_shop(shop_url, *command, "--key", key, "-o", "json"))["changed"] == 2
    assert told(kn_shop(shop_url, "stock", "describe", sku, "-o", "json"))["on_hand"] == 8
    done(kn_shop(shop_url, *command))
    assert told(kn_shop(shop_url, "stock", "describe", sku, "-o", "json"))["on_hand"] == 16
    other = kn_shop(shop_url, "stock", "import", str(file), "--key", key)
    assert other.exit_code == 1
    assert "Idempotency-Key was used with another request" in other.stderr


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_is_gone_on_with_and_books_nothing_twice(
    shop_url: str, places: tuple[str, str], tmp_path: Path, sent: signal.Signals
) -> None:
    here, _ = places
    sku = f"G-{uuid4().hex[:6]}"
    rows = "".join(f"{sku},{here},1,received\n" for _ in range(120))
    (file := tmp_path / "received.csv").write_text(f"sku,location,delta,reason\n{rows}")
    arguments = ["stock", "import", str(file), "--part-rows", "2", "-o", "json"]

    command = [sys.executable, "-m", "infra.cli", "--url", shop_url, *arguments]
    stopped = subprocess.Popen(command, env=os.environ, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    kept = tmp_path / "received.csv.progress"
    while not (kept.exists() and json.loads(kept.read_bytes())["parts"] >= 5):
        assert stopped.poll() is None, stopped.communicate()
    stopped.send_signal(sent)
    _, said = stopped.communicate()
    assert stopped.returncode == (130 if sent is signal.SIGINT else -9), said

    again = kn_shop(shop_url, *arguments)
    assert "going on after row" in again.stderr
    assert told(again)["changed"] == 120
    assert told(kn_shop(shop_url, "stock", "describe", sku, "-o", "json"))["on_hand"] == 120
    assert not kept.exists()


def test_another_kind_of_file_is_refused_whole(shop_url: str, tmp_path: Path) -> None:
    (file := tmp_path / "other.csv").write_text("slug,title\na,b\n")
    refused = kn_shop(shop_url, "stock", "import", str(file))
    assert refused.exit_code == 1
    assert "Unknown columns: slug, title." in refused.stderr
    assert [*tmp_path.iterdir()] == [file]
