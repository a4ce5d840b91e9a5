"""The way out: one HTTP client per process, made when first used, with deadlines on everything."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.runtime.settings import Settings

if TYPE_CHECKING:
    from aiohttp import ClientSession


@dataclass(slots=True)
class Egress:
    settings: Settings
    _session: "ClientSession | None" = field(default=None)
    _loop: asyncio.AbstractEventLoop | None = field(default=None)

    @property
    def http(self) -> "ClientSession":
        """The session of the running loop."""
        from aiohttp import ClientSession, ClientTimeout, TCPConnector  # late: most functions call nobody

        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._session = ClientSession(connector=TCPConnector(limit=64), timeout=ClientTimeout(total=10, connect=2))
            self._loop = loop
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
