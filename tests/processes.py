"""A whole shop as `make run` starts it, in real processes that can be killed one by one, and the way to talk to it."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import psycopg
import pytest

from infra.local.embedded import Embedded
from infra.local.processes import wait_until
from infra.local.supervisor import DATABASE

SLOW_S = 0.3
"""How long tok_slow takes."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Shop:
    """One start of `python -m infra.local`, over a Postgres of its own."""

    def __init__(self, home: Path, **environment: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.provider_url = f"http://127.0.0.1:{free_port()}"
        self._home = home
        self._port = port
        inherited = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "PROVIDER_URL")}
        self._environment = {
            **inherited,
            "KN_SHOP_HOME": str(home),
            "PORT": str(port),
            "PROVIDER_URL": self.provider_url,
            "PROVIDER_SLOW_S": str(SLOW_S),
            "RATE_LIMIT_SCALE": "1000",  # the limits are kept, and nobody comes near them
            **environment,
        }

    def start(self) -> None:
        """Returns at READY."""
        output = self._home / "output"  # no pipe: the supervisor would wait for whoever does not read it
        with output.open("wb") as written:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "infra.local"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
            )

        def said() -> bool:
            return self._process.poll() is not None or "\nREADY\n" in output.read_text()

        wait_until(said, timeout_s=120)
        assert "\nREADY\n" in output.read_text(), output.read_text()

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        finally:
            self._process.kill()
            self._process.wait()

    @property
    def directory(self) -> Path:
        """Where it keeps its state; there once it has started."""
        (directory,) = self._home.glob(f"*-{self._port}")
        return directory

    @property
    def owner_url(self) -> str:
        return Embedded(self.directory).url(DATABASE)

    def parts(self) -> dict[str, int]:
        """Which process is which: the supervisor's children by the log they write to, and Postgres."""
        found = {}
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        for pid in map(int, children.split()):
            with suppress(OSError):
                found[Path(f"/proc/{pid}/fd/1").readlink().stem] = pid
        return found

    def strike(self, part: str) -> int:
        """SIGKILL; returns at once, with the id of the process that was."""
        pid = self.parts()[part]
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill(self, part: str) -> None:
        """SIGKILL, as a crash would end it; returns when the supervisor has started it anew."""
        pid = self.strike(part)
        assert wait_until(lambda: self.parts().get(part, pid) != pid, timeout_s=60), f"{part} was not started again"


@contextmanager
def running_shop(**environment: str) -> Iterator[Shop]:
    home = Path(tempfile.mkdtemp(prefix="kn-shop-test-"))
    home.chmod(0o711)  # Postgres' user passes through
    shop = Shop(home, **environment)
    try:
        shop.start()
        yield shop
        shop.end()
    finally:
        shutil.rmtree(home, ignore_errors=True)


EMBEDDED = pytest.param("embedded", marks=pytest.mark.xdist_group("shop"))
KAFKA = pytest.param("kafka", marks=pytest.mark.xdist_group("kafka-shop"))


@pytest.fixture(scope="session", params=[EMBEDDED, KAFKA])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """One shop for all journeys over a carrier: each test has customers and goods of its own."""
    broker = {"BROKER": "kafka"} if request.param == "kafka" else {}
    with running_shop(**broker) as shop:
        yield shop


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: Any
    headers: dict[str, str]


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    """Asks again and again. Raises TimeoutError when it takes three minutes."""
    async with asyncio.timeout(180):
        while not await done():  # noqa: ASYNC110 - what other processes do has no event to wait for
            await asyncio.sleep(0.1)


class Api:
    """The shop's HTTP API as its callers use it: whatever is away for a moment is asked again, under the same key."""

    def __init__(self, shop: Shop, session: aiohttp.ClientSession) -> None:
        self.shop = shop
        self._session = session
        self._tokens: dict[tuple[str, ...], str] = {}
        self.sent_again = 0

    async def token(self, subject: str, *roles: str) -> str:
        if (subject, *roles) not in self._tokens:
            reply = await self._sent("POST", "/dev/tokens", {"subject": subject, "roles": list(roles)}, {})
            self._tokens[subject, *roles] = reply.body["token"]
        return self._tokens[subject, *roles]

    async def ask(
        self, method: str, path: str, body: Any = None, *, role: str = "admin", subject: str = "test", **headers: str
    ) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["authorization"] = f"Bearer {await self.token(subject, role)}"
        named.setdefault("idempotency-key", str(uuid4()))
        return await self._sent(method, path, body, named)

    async def _sent(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Reply:
        async with asyncio.timeout(120):
            while True:
                reply = None
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with self._session.request(
                        method, self.shop.url + path, json=body, headers=headers
                    ) as answer:
                        content = await answer.json(content_type=None) if answer.status != 204 else None
                        reply = Reply(answer.status, content, {n.lower(): v for n, v in answer.headers.items()})
                if reply is not None and reply.status not in (500, 503) and not _still_running(reply):
                    return reply
                assert reply is None or reply.status != 500, reply
                self.sent_again += 1
                await asyncio.sleep(0.05)

    async def stocked(self, on_hand: int, price_minor: int = 1000) -> str:
        """The SKU of a new product with that much of it on hand."""
        sku = f"sku-{uuid4().hex[:12]}"
        product = {"title": sku, "variants": [{"sku": sku, "price_minor": price_minor}]}
        made = await self.ask("POST", "/v1/products", product)
        assert made.status in (201, 409), made  # 409: the answer to the first try was lost
        level = await self.ask("PUT", f"/v1/stock/{sku}/LON", {"on_hand": on_hand, "reason": "recount"})
        assert level.status == 200, level
        return sku

    async def place(
        self, sku: str, quantity: int = 1, card: str = "tok_approve", subject: str = "ann", **headers: str
    ) -> Any:
        body = {"lines": [{"sku": sku, "quantity": quantity}], "payment_token": card, "on_decline": "reject"}
        reply = await self.ask("POST", "/v1/orders", body, role="customer", subject=subject, **headers)
        assert reply.status == 201, reply
        return reply.body

    async def order(self, order_id: str) -> Any:
        return (await self.ask("GET", f"/v1/orders/{order_id}")).body

    async def ended(self, order_id: str) -> Any:
        """The order, once it has come to its end."""
        await until(lambda: self._has_ended(order_id))
        return await self.order(order_id)

    async def _has_ended(self, order_id: str) -> bool:
        return has_ended(await self.order(order_id))

    async def stock(self, sku: str) -> Any:
        return (await self.ask("GET", f"/v1/stock/{sku}")).body

    async def charged(self, order_id: str) -> dict[str, int]:
        """What the provider's own books hold of an order."""
        url = f"{self.shop.provider_url}/v1/authorizations?reference={order_id}"
        async with self._session.get(url) as answer:
            items = (await answer.json())["items"]
        names = ("authorized_minor", "captured_minor", "voided_minor", "refunded_minor")
        return {name.removesuffix("_minor"): sum(item[name] for item in items) for name in names}

    async def violations(self) -> tuple[list[Any], list[str]]:
        """What does not hold, and what could not be looked at."""
        found = (await self.ask("GET", "/v1/invariants", role="operator")).body
        broken = [check for check in found["checks"] if check["violations"]]
        return broken, [check["name"] for check in found["checks"] if check["note"]]

    async def at_rest(self) -> None:
        """Waits until nothing is under way; whatever must hold is held all the while, and is at last all looked at."""

        async def rests() -> bool:
            broken, unseen = await self.violations()
            assert broken == []
            return not unseen and await asyncio.to_thread(self._open_sagas) == 0

        await until(rests)

    def _open_sagas(self) -> int:
        sql = "select count(*) from orders.sagas where deadline is not null"
        try:
            with psycopg.connect(self.shop.owner_url, connect_timeout=5) as connection:
                row = connection.execute(sql).fetchone()
        except psycopg.OperationalError:
            return -1
        assert row is not None
        return int(row[0])


def _still_running(reply: Reply) -> bool:
    return reply.status == 409 and reply.body["type"].endswith("still-running")


def has_ended(order: Any) -> bool:
    return order["status"] in ("rejected", "cancelled", "completed") or (order["status"], order["payment"]) == (
        "confirmed",
        "captured",
    )


@pytest.fixture
async def api_to() -> AsyncIterator[Callable[[Shop], Api]]:
    timeout = aiohttp.ClientTimeout(total=30, connect=5)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=64)) as session:
        yield lambda shop: Api(shop, session)


@pytest.fixture
def api(shop: Shop, api_to: Callable[[Shop], Api]) -> Api:
    return api_to(shop)
