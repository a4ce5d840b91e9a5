"""The Kubernetes API that a shop on one machine shows, without the rest of the shop."""

import asyncio
import shutil
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from functions import load_all
from infra.health import health_server
from infra.local.issuer import Issuer
from infra.local.kubernetes import PREFIX, kubeconfig
from infra.local.kubernetes.objects import Machine
from infra.local.web import Web
from shared.runtime.settings import Settings
from tests.processes import free_port
from tests.serving import serving


@dataclass
class Shown:
    """The shop's web at a port, and a dispatcher of which the test says whether it is ready."""

    url: str
    home: Path
    session: aiohttp.ClientSession
    dispatcher_ready: bool = True

    async def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Any]:
        async with self.session.request(method, self.url + PREFIX + path, headers=headers) as answer:
            return answer.status, await answer.json()

    async def read(self, path: str, **headers: str) -> Any:
        status, document = await self.ask(path, **headers)
        assert status == 200, document
        return document

    async def kn(self, *arguments: str) -> tuple[int, str, str]:
        kubeconfig.write(self.home, self.url)
        environment = {"KUBECONFIG": str(self.home / "kubeconfig"), "HOME": str(self.home), "PATH": ""}
        running = await asyncio.create_subprocess_exec(
            shutil.which("kn") or "kn", *arguments, stdout=PIPE, stderr=PIPE, env=environment
        )
        told, said = await running.communicate()
        return running.returncode or 0, told.decode(), said.decode()


@asynccontextmanager
async def showing(settings: Settings, home: Path) -> AsyncIterator[Shown]:
    issuer = Issuer.of(home / "issuer.pem", "http://shop.test", settings.jwt_audience)
    health_port = free_port()
    machine = Machine("http://shop.test", datetime.now(UTC), 2, f"http://127.0.0.1:{health_port}")
    web = Web(load_all(), settings, issuer, machine)
    async with serving(web) as port, aiohttp.ClientSession() as session:
        shown = Shown(f"http://127.0.0.1:{port}", home, session)
        with health_server(health_port, live=lambda: True, ready=lambda: shown.dispatcher_ready):
            yield shown
    await web.stop()
