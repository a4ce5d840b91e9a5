"""A small blocking HTTP client for the shop's own API: no threads, no event loop, so that its user may still fork."""

from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

import orjson


class Refused(Exception):
    """The shop answered with an error; the text says what was asked and what came back."""

    def __init__(self, asked: str, status: int, body: bytes) -> None:
        super().__init__(f"{asked}: {status} {body[:500].decode(errors='replace')}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Client:
    """`url` is that of the shop, `token` a bearer token or empty."""

    url: str
    token: str = ""
    timeout_s: float = 20.0

    def status(self, path: str) -> int:
        """The status of a GET, or 0 when nobody answers."""
        try:
            return self._exchange("GET", path, None, {})[0]
        except (OSError, HTTPException):
            return 0

    def call(self, method: str, path: str, body: Any = None, *, allow: tuple[int, ...] = (), **headers: str) -> Any:
        """The answer's JSON, or None for a status in `allow`. Raises Refused for other errors, OSError for silence."""
        status, answer = self._exchange(method, path, body, {n.replace("_", "-"): v for n, v in headers.items()})
        if status in allow:
            return None
        if status >= 400:
            raise Refused(f"{method} {path}", status, answer)
        return orjson.loads(answer) if answer else None

    def _exchange(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, bytes]:
        if self.token:
            headers = {**headers, "authorization": f"Bearer {self.token}"}
        if body is not None:
            headers = {**headers, "content-type": "application/json"}
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=self.timeout_s)
        try:
            connection.request(method, path, None if body is None else orjson.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
