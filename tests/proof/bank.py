"""The payment provider in this very process: its books and its HTTP face are the real ones, only the wire is not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiohttp
import orjson
from yarl import URL

from infra.provider.books import Books, Told
from infra.provider.server import Provider
from infra.provider.webhooks import Webhooks
from tests.functions.payments.webhooks import SECRET
from tests.proof.chance import Clock, Identifiers

ADDRESS = "http://provider.proof"
ACTION_S = 600.0


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes

    async def read(self) -> bytes:
        return self.body


class Bank:
    """It stands where a client's session would: who calls it calls the provider, unless that is `away`."""

    def __init__(self, clock: Clock, identifiers: Identifiers) -> None:
        self._clock = clock
        self.books = Books(Path(":memory:"), ADDRESS, ACTION_S, 1.5, clock=clock.seconds, new_id=identifiers.new_text)
        self._signing = Webhooks(self.books, "", SECRET)
        self._face = Provider(self.books, 0.0, self._signing)
        self.away = False
        self.called: list[str] = []

    @asynccontextmanager
    async def request(
        self, method: str, url: str | URL, *, data: bytes | None = None, headers: Any = None, **limits: Any
    ) -> AsyncIterator[Response]:
        """Raises what the client would: no connection, or no answer in time."""
        assert "timeout" in limits, "whoever calls the provider does not wait for ever"
        self.called.append(f"{method} {URL(url).path}")
        if self.away:
            raise aiohttp.ClientConnectionError
        yield await self._called(method, URL(url), data or b"", headers or {})

    def get(self, url: str | URL, **more: Any) -> Any:
        return self.request("GET", url, **more)

    def post(self, url: str | URL, **more: Any) -> Any:
        return self.request("POST", url, **more)

    async def decide(self, action: str, decision: str) -> int:
        """What a customer does on the page of an action."""
        return (await self._called("POST", URL(f"{ADDRESS}/v1/actions/{action}/{decision}"), b"", {})).status

    async def dispute(self, authorization: str) -> int:
        """The customer's bank takes back all that is captured."""
        url = URL(f"{ADDRESS}/v1/authorizations/{authorization}/disputes")
        return (await self._called("POST", url, b"{}", {})).status

    async def close_dispute(self, dispute: str, outcome: str) -> int:
        url = URL(f"{ADDRESS}/v1/disputes/{dispute}/close")
        return (await self._called("POST", url, orjson.dumps({"outcome": outcome}), {})).status

    def told(self) -> list[Told]:
        """What it wants to tell the shop by now."""
        self.books.expire(self._clock.seconds())
        return self.books.due(self._clock.seconds())

    def letter(self, told: Told, at_s: float) -> tuple[dict[str, str], bytes]:
        """A webhook, signed at a true moment: who takes it looks at a true clock."""
        body = orjson.dumps({"type": told.type, "timestamp": "2020-01-01T12:00:00Z", "data": orjson.loads(told.data)})
        return self._signing._headers(told.id, str(int(at_s)), body), body

    def all(self, statement: str) -> list[Any]:
        """Rows of its own books."""
        return self.books._db.execute(statement).fetchall()

    async def close(self) -> None:
        self.books.close()

    async def _called(self, method: str, url: URL, body: bytes, headers: dict[str, str]) -> Response:
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(url.raw_path),
            "raw_path": url.raw_path.encode(),
            "query_string": url.raw_query_string.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
        heard: list[Any] = []
        waiting = [{"type": "http.disconnect"}, {"type": "http.request", "body": body}]

        async def receive() -> Any:
            return waiting.pop() if len(waiting) > 1 else waiting[0]

        async def send(message: Any) -> None:
            heard.append(message)

        await self._face(scope, receive, send)
        if not heard:
            raise TimeoutError
        return Response(heard[0]["status"], heard[1]["body"])
