"""What the provider tells by itself: signed webhooks, sent again until they are taken, kept in its books until then."""

import asyncio
import contextlib
import hmac
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from infra.provider.books import Books, Told

if TYPE_CHECKING:
    import aiohttp

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
TIMEOUT_S = 5.0
IDLE_S = 0.25
"""How often the books are looked at for what the clock alone has brought about."""


class Webhooks:
    """One sender per process. Without an address nothing is sent, and what is to be told stays in the books."""

    def __init__(self, books: Books, url: str, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._books = books
        self._url = url
        self._keys = secret.split()
        self._clock = clock
        self._news = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None

    def news(self) -> None:
        """Something is to be told at once."""
        self._news.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                self._books.expire(self._clock())
                sent = await self.send_due()
                self._news.clear()
                if not sent:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), IDLE_S)
        finally:
            if self._session is not None:
                await self._session.close()

    async def send_due(self) -> int:
        """How many were tried."""
        if not self._url or not self._keys:
            return 0
        due = self._books.due(self._clock())
        for told in due:
            taken = await self._send(told)
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(told.attempts, 10))
            self._books.sent(told.number, None if taken else self._clock() + pause_s)
        return len(due)

    async def _send(self, told: Told) -> bool:
        import aiohttp  # late: most who run this have nobody to tell

        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        at = datetime.fromtimestamp(self._clock(), UTC)
        body = orjson.dumps({"type": told.type, "timestamp": at.isoformat(), "data": orjson.loads(told.data)})
        try:
            headers = self._headers(told.id, str(int(at.timestamp())), body)
            async with self._session.post(self._url, data=body, headers=headers) as answer:
                return answer.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def _headers(self, id: str, timestamp: str, body: bytes) -> dict[str, str]:
        """As the Standard Webhooks specification has it, with a signature by each key."""
        content = b".".join((id.encode(), timestamp.encode(), body))
        keys = [b64decode(key.removeprefix("whsec_")) for key in self._keys]
        return {
            "content-type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(
                f"v1,{b64encode(hmac.digest(key, content, sha256)).decode()}" for key in keys
            ),
        }
