"""`make run` as a developer meets it: the real processes on a free port."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from infra.local.client import Client
from infra.local.demo_shop import GIFTS
from infra.local.processes import wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes by /proc")

MUG = {"title": "A mug to keep", "variants": [{"sku": "KEPT", "price_minor": 895}]}


class Shop:
    """One start of `python -m infra.local`."""

    def __init__(self, home: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "TEST_TOOLS")},
            "KN_SHOP_HOME": str(home),
            "PORT": str(port),
        }
        self.process: subprocess.Popen[str] | None = None
        self.output = ""

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def start(self) -> float:
        """Returns at READY, with the seconds it took."""
        began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "infra.local"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.output = ""
        patience = Timer(60, self.process.kill)
        patience.start()
        try:
            for line in self.process.stdout:
                self.output += line
                if line == "READY\n":
                    return time.monotonic() - began
        finally:
            patience.cancel()
        raise AssertionError(f"the shop did not start:\n{self.output}")

    def end(self, sign: signal.Signals) -> int:
        """The exit status. Kills what does not end by itself."""
        assert self.process is not None
        process, self.process = self.process, None
        process.send_signal(sign)
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            assert process.stdout is not None
            process.stdout.close()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def client(self, *roles: str) -> Client:
        asked = {"subject": "test", "roles": list(roles)}
        return Client(self.url, Client(self.url).call("POST", "/dev/tokens", asked)["token"])


@pytest.fixture
def shop() -> Iterator[Shop]:
    home = Path(tempfile.mkdtemp(prefix="kn-shop-test-"))
    home.chmod(0o711)
    shop = Shop(home, free_port())
    yield shop
    if shop.process is not None:
        shop.end(signal.SIGTERM)
    shutil.rmtree(home)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> dict[int, str]:
    """Command lines by number."""
    found: dict[int, str] = {}
    with suppress(FileNotFoundError, ProcessLookupError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found[int(child)] = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            found |= descendants(int(child))
    return found


def alive(pids: dict[int, str]) -> dict[int, str]:
    def running(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    return {pid: command for pid, command in pids.items() if running(pid)}


def get(url: str, path: str) -> Any:
    return Client(url).call("GET", path)


def test_it_starts_ends_and_starts_again_with_what_it_knew(shop: Shop) -> None:
    shop.start()
    assert Client(shop.url).status("/health/ready") == 200
    items = get(shop.url, "/v1/products?limit=50")["items"]
    assert {gift.sku for gift in GIFTS} == {variant["sku"] for item in items for variant in item["variants"]}
    shop.client("admin").call("POST", "/v1/products", MUG)
    admin = shop.client("admin")
    admin.call("PUT", "/v1/stock/MUG-BLUE/LON", {"on_hand": 7, "reason": "recount"})
    children = descendants(shop.pid)
    assert len(children) > 6

    assert shop.end(signal.SIGINT) == 0

    assert alive(children) == {}
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(shop.environment["PORT"])))
        listener.listen()
    shop.start()
    assert get(shop.url, "/v1/products/KEPT")["title"] == "A mug to keep"
    assert len(get(shop.url, "/v1/products?limit=50")["items"]) == len(GIFTS) + 1
    # A token from before the restart is still good, and the demo shop did not restock what was counted.
    levels = admin.call("GET", "/v1/stock/MUG-BLUE")["locations"]
    assert {level["location"]: level["on_hand"] for level in levels}["LON"] == 7
    assert shop.end(signal.SIGTERM) == 0


def test_nothing_outlives_a_killed_supervisor(shop: Shop) -> None:
    shop.start()
    children = descendants(shop.pid)

    shop.end(signal.SIGKILL)

    assert wait_until(lambda: not alive(children), timeout_s=10), alive(children)
    shop.start()
    assert Client(shop.url).status("/health/ready") == 200


def test_a_process_that_ends_is_started_again(shop: Shop) -> None:
    shop.start()
    before = descendants(shop.pid)
    for pid in before:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def recovered() -> bool:
        return (
            Client(shop.url, timeout_s=2).status("/health/ready") == 200
            and len(descendants(shop.pid)) >= len(before) - 3
        )

    assert wait_until(recovered, timeout_s=30, every_s=0.3), descendants(shop.pid)


def test_what_is_in_the_way_is_said_in_words(shop: Shop) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(shop.environment["PORT"])))
        other.listen()
        refused = shop.command("infra.local")
    assert refused.returncode == 1
    assert "Take another: make run PORT=" in refused.stderr
    assert "Traceback" not in refused.stderr

    asked = shop.command("infra.local.demo")
    assert asked.returncode == 1
    assert "Start one with `make run`" in asked.stdout


def test_reset_forgets_what_a_stopped_shop_knew(shop: Shop) -> None:
    shop.start()
    shop.client("admin").call("POST", "/v1/products", MUG)
    refused = shop.command("infra.local", "reset")
    assert (refused.returncode, "running already" in refused.stderr) == (1, True)
    shop.end(signal.SIGINT)

    assert shop.command("infra.local", "reset").returncode == 0

    shop.start()
    assert Client(shop.url).status("/v1/products/KEPT") == 404


def test_the_demo_follows_an_order_to_its_payment(shop: Shop) -> None:
    shop.start()

    shown = shop.command("infra.local.demo")

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "captured" in shown.stdout


def test_the_pages_of_a_running_shop(shop: Shop) -> None:
    shop.start()
    statuses = {
        path: Client(shop.url).status(path)
        for path in ("/", "/docs", "/docs/swagger-ui.css", "/openapi.json", "/asyncapi.json", "/metrics", "/nowhere")
    }
    assert statuses == {path: 404 if path == "/nowhere" else 200 for path in statuses}
