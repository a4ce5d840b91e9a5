"""A whole shop of real processes, for the tools that talk to it."""

import asyncio
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from functions import load_all
from infra.local.issuer import Issuer
from infra.local.web import Web
from infra.manifests import ROOT
from shared.runtime.settings import Settings
from tests.serving import serving

READY_WITHIN_S = 90.0

KN_SHOP = ROOT / "infra/cli/kn-shop"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]
Commanded = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Handler], Awaitable[str]]]:
    servers: list[TestServer] = []

    async def serve(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        return str(server.make_url("")).rstrip("/")

    yield serve
    for server in servers:
        await server.close()


@pytest.fixture
async def kn_shop(settings: Settings, tmp_path: Path) -> AsyncIterator[Commanded]:
    """The command against a shop of the test's own, over its database: gives exit code, output and messages."""
    issuer = Issuer.of(tmp_path / "issuer.pem", "http://shop.test", settings.jwt_audience)
    (tmp_path / "keys.json").write_bytes(issuer.jwks)
    chosen = replace(settings, jwks_url=(tmp_path / "keys.json").as_uri(), jwt_issuer=issuer.url)
    web = Web(load_all(), chosen, issuer)
    async with serving(web) as port:

        async def kn_shop(*arguments: str) -> tuple[int, str, str]:
            command = ("--url", f"http://127.0.0.1:{port}", *arguments)
            running = await asyncio.create_subprocess_exec(KN_SHOP, *command, stdout=PIPE, stderr=PIPE)
            told, said = await running.communicate()
            return running.returncode or 0, told.decode(), said.decode()

        yield kn_shop
    await web.stop()


@pytest.fixture(scope="session")
def shop_url() -> Iterator[str]:
    """The address of a shop that is ended after the session's tests."""
    with whole_shop() as url:
        yield url


@contextmanager
def whole_shop() -> Iterator[str]:
    """The address of a shop with an embedded Postgres and the demo's products."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Postgres' user must be able to pass through, which pytest's own directories do not allow.
    with tempfile.TemporaryDirectory(prefix="kn-shop-cli-") as home:
        Path(home).chmod(0o711)
        kept = {
            name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "KAFKA_BROKERS", "BROKER")
        }
        shop = subprocess.Popen(
            [sys.executable, "-m", "infra.local"],
            env={**kept, "KN_SHOP_HOME": home, "PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            _await_ready(shop)
            yield f"http://127.0.0.1:{port}"
        finally:
            shop.terminate()
            shop.communicate(timeout=30)


def _await_ready(shop: subprocess.Popen[bytes]) -> None:
    assert shop.stdout is not None
    told, ends_at = b"", time.monotonic() + READY_WITHIN_S
    while b"\nREADY\n" not in told:
        readable, _, _ = select.select([shop.stdout], [], [], max(0.0, ends_at - time.monotonic()))
        more = os.read(shop.stdout.fileno(), 65536) if readable else b""
        assert more, f"the shop did not start:\n{told.decode()}"
        told += more
