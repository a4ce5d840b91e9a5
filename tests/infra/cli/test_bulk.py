"""Products from a file into a shop of real processes and back, with everything stopped on the way."""

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from infra.cli.__main__ import cli
from infra.cli.client import Shop, Unreachable
from infra.cli.parts import Part, parts_of, survey
from infra.cli.resume import Progress
from infra.cli.upload import Rows, upload
from tests.infra.cli.conftest import Serve

ROOT = str(Path(__file__).parents[3])


def kn_shop(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--url", url, *arguments], catch_exceptions=False)


def sheet(file: Path, slugs: list[str], **cells: str) -> Path:
    """A CSV file of products with two variants each."""
    with file.open("w", newline="") as opened:
        rows = csv.DictWriter(opened, ["slug", "title", "sku", "price_minor", "status", "option:size"])
        rows.writeheader()
        for slug in slugs:
            for size in ("S", "L"):
                row = {"slug": slug, "title": f"A {slug}", "sku": f"{slug}-{size}".upper(), "price_minor": "100"}
                rows.writerow({**row, "option:size": size, **cells})
    return file


class Till:
    """Stands in for the shop's import: remembers what came under which key, and fails as it is told."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.under_way = self.most = 0
        self.before_answer: Callable[[int], Awaitable[web.Response | None]] | None = None

    async def answer(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers["idempotency-key"])
        body = await request.read()
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.before_answer and (other := await self.before_answer(len(self.keys))):
                return other
        finally:
            self.under_way -= 1
        rows = [
            {"rows": [number], "slug": line, "status": "failed" if "bad" in line else "created", "errors": ["no"]}
            for number, line in enumerate(body.decode().splitlines(), 1)
        ]
        return web.json_response({"rows": rows})


async def test_parts_are_acknowledged_in_order_and_a_few_are_under_way(serve: Serve) -> None:
    till = Till()
    acknowledged: list[tuple[int, list[int]]] = []

    def told(part: Part, rows: Rows) -> None:
        acknowledged.append((part.number, [number for row in rows for number in row["rows"]]))

    parts = [Part(number, b"{}\n{}\n", 2 * number - 2, 2) for number in range(1, 11)]
    async with Shop(await serve(till.answer), "token") as shop:
        await upload(shop, "/v1/admin/product-import", parts, "application/x-ndjson", told, run="r", at_a_time=3)

    assert acknowledged == [(number, [2 * number - 1, 2 * number]) for number in range(1, 11)]
    assert sorted(till.keys) == sorted(f"r:{number}" for number in range(1, 11))
    assert till.most <= 3


async def test_what_came_before_a_fault_is_acknowledged_and_nothing_after_it(serve: Serve) -> None:
    till = Till()
    acknowledged: list[int] = []

    async def fail(call: int) -> web.Response | None:
        return web.json_response({"title": "No"}, status=422) if call == 4 else None

    till.before_answer = fail
    parts = [Part(number, b"{}\n", number - 1, 1) for number in range(1, 11)]
    async with Shop(await serve(till.answer), "token") as shop:
        with pytest.raises(Exception, match="No"):
            await upload(
                shop,
                "/v1/admin/product-import",
                parts,
                "application/x-ndjson",
                lambda part, _: acknowledged.append(part.number),
                run="r",
            )

    assert acknowledged == [1, 2, 3]


async def test_a_download_that_breaks_off_is_told(serve: Serve) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"slug,title\n")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with Shop(await serve(broken), "token") as shop:
        pieces = shop.download("/v1/admin/product-export")
        assert await anext(pieces) == b"slug,title\n"
        with pytest.raises(Unreachable, match="broke off after 11 bytes"):
            await anext(pieces)


def test_progress_of_another_file_or_shop_is_none(tmp_path: Path) -> None:
    kept = tmp_path / "state"
    progress = Progress("http://a", "digest", parts=3)
    progress.counts.update(created=5)
    progress.keep(kept)

    assert Progress.of(kept, "http://a", "digest") == progress
    assert Progress.of(kept, "http://a", "digest").counts["failed"] == 0
    assert Progress.of(kept, "http://b", "digest").parts == 0
    assert Progress.of(kept, "http://a", "other").parts == 0
    kept.write_bytes(b'{"shop":')
    assert Progress.of(kept, "http://a", "digest").parts == 0


def test_a_file_is_brought_and_said_to_be_there_already(shop_url: str, tmp_path: Path) -> None:
    file = sheet(tmp_path / "bowls.csv", [f"bowl-{number}" for number in range(5)])
    (packed := tmp_path / "bowls.csv.gz").write_bytes(gzip.compress(file.read_bytes()))

    first = kn_shop(shop_url, "product", "import", str(file), "--part-rows", "2")
    second = kn_shop(shop_url, "product", "import", str(packed), "-o", "json")

    assert (first.exit_code, first.stdout) == (0, "Products: 5 created.\n")
    assert second.exit_code == 0
    assert json.loads(second.stdout) == {
        "rows": 10, "created": 0, "updated": 0, "unchanged": 5, "failed": 0, "failures": [],
    }  # fmt: skip
    assert sorted(tmp_path.iterdir()) == [file, packed]


def test_rows_that_fail_are_named_by_their_number_in_the_whole_file(shop_url: str, tmp_path: Path) -> None:
    lines = [
        {"slug": f"lid-{n}", "title": f"Lid {n}", "variants": [{"sku": f"LID-{n}", "price_minor": 5}]} for n in range(6)
    ]
    lines[4]["variants"] = []
    (file := tmp_path / "lids.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = tmp_path / "report.ndjson"
    arguments = ["product", "import", str(file), "--part-rows", "2", "--report", str(report)]

    told = kn_shop(shop_url, *arguments)

    assert (told.exit_code, told.stdout) == (1, "Products: 5 created, 1 failed.\n")
    assert "NOT BROUGHT: row 5: lid-4: variants:" in told.stderr
    rows = [json.loads(line) for line in report.read_text().splitlines()]
    assert [(row["rows"], row["status"]) for row in rows] == [
        ([number], "failed" if number == 5 else "created") for number in range(1, 7)
    ]


def test_a_file_that_is_none_is_refused_whole(shop_url: str, tmp_path: Path) -> None:
    (file := tmp_path / "other.csv").write_text("name,age\nx,1\n")

    told = kn_shop(shop_url, "product", "import", str(file))

    assert told.exit_code == 1
    assert "Unknown columns: age, name." in told.stderr
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_is_gone_on_with(shop_url: str, tmp_path: Path, sent: signal.Signals) -> None:
    name = sent.name.lower()
    file = sheet(tmp_path / "cups.csv", [f"cup-{name}-{number}" for number in range(60)])
    report = tmp_path / "report.ndjson"
    arguments = ["product", "import", str(file), "--part-rows", "2", "--report", str(report), "-o", "json"]

    command = [sys.executable, "-m", "infra.cli", "--url", shop_url, *arguments]
    stopped = subprocess.Popen(command, env=os.environ, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    kept = tmp_path / "cups.csv.progress"
    while not (kept.exists() and json.loads(kept.read_bytes())["parts"] >= 5):
        assert stopped.poll() is None, stopped.communicate()
    stopped.send_signal(sent)
    _, said = stopped.communicate()
    with report.open("ab") as written:
        written.write(b'{"rows":[99],"slug":"half of a ro')

    assert stopped.returncode == (130 if sent is signal.SIGINT else -9), said
    again = kn_shop(shop_url, *arguments)

    assert again.exit_code == 0
    assert "going on after row" in again.stderr
    told = json.loads(again.stdout)
    assert (told["rows"], told["created"], told["unchanged"]) == (120, 60, 0)
    rows = [json.loads(line) for line in report.read_text().splitlines()]
    assert [number for row in rows for number in row["rows"]] == [*range(1, 121)]
    assert {row["status"] for row in rows} == {"created"}
    assert not kept.exists()


def test_nothing_is_left_behind_where_no_shop_answers(tmp_path: Path, unused_tcp_port: int) -> None:
    file = sheet(tmp_path / "pots.csv", ["pot"])

    told = kn_shop(f"http://127.0.0.1:{unused_tcp_port}", "product", "import", str(file))

    assert told.exit_code == 3
    assert [*tmp_path.iterdir()] == [file]


def test_a_report_that_begins_late_says_so(shop_url: str, tmp_path: Path) -> None:
    file = sheet(tmp_path / "jugs.csv", ["jug-1", "jug-2"])
    command = ["product", "import", str(file), "--part-rows", "2"]
    progress = Progress(shop_url, survey(parts_of(file, "csv", 2, "slug")).digest, parts=1, rows=2)
    progress.keep(tmp_path / "state")

    told = kn_shop(shop_url, *command, "--state", str(tmp_path / "state"), "--report", str(tmp_path / "report"))

    assert told.exit_code == 0
    assert "lacks the rows up to 2" in told.stderr
    assert json.loads((tmp_path / "report").read_text())["rows"] == [3, 4]


def test_what_is_exported_is_what_is_imported(shop_url: str, tmp_path: Path) -> None:
    kn_shop(shop_url, "product", "import", str(sheet(tmp_path / "in.csv", ["vase-1", "vase-2"], status="draft")))

    for name in ("out.csv", "out.ndjson", "out.csv.gz"):
        exported = kn_shop(shop_url, "product", "export", str(tmp_path / name), "--status", "draft")
        assert exported.exit_code == 0, exported.stderr
        again: Any = json.loads(kn_shop(shop_url, "product", "import", str(tmp_path / name), "-o", "json").stdout)
        assert again["unchanged"] >= 2
        assert again["unchanged"] == sum(again[status] for status in ("created", "updated", "unchanged", "failed"))
    piped = kn_shop(shop_url, "product", "export", "--status", "draft")
    assert piped.stdout_bytes == (tmp_path / "out.csv").read_bytes()
    assert b"VASE-1-S" in piped.stdout_bytes


def test_an_export_that_breaks_off_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file := tmp_path / "out.csv").write_text("the export of yesterday")

    async def broken(_shop: Shop, _where: str) -> Any:
        yield b"slug,title\n"
        raise Unreachable("gone")

    monkeypatch.setattr(Shop, "download", broken)

    told = kn_shop("http://127.0.0.1:1", "product", "export", str(file), "--token", "t")

    assert told.exit_code == 3
    assert file.read_text() == "the export of yesterday"
    assert [*tmp_path.iterdir()] == [file]
