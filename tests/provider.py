"""The mock payment provider in a process of its own, and the shortest way to talk to it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any

KEYS = count(1)


@dataclass
class Answer:
    status: int
    raw: bytes
    json: Any = field(init=False)

    def __post_init__(self) -> None:
        self.json = json.loads(self.raw)


class ProviderServer:
    """Its books outlive a kill and a start."""

    def __init__(self, books: Path, **environment: str) -> None:
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._environment = os.environ | {
            "PORT": str(self.port),
            "HOST": "127.0.0.1",
            "PROVIDER_BOOKS": str(books),
            "PROVIDER_SLOW_S": "0.3",
            **environment,
        }
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "infra.provider"], env=self._environment)
        for _ in range(200):
            try:
                assert self.get("/health/ready").status == 200
            except ConnectionRefusedError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the provider did not start")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(5)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(5)

    def call(
        self, method: str, path: str, body: object = None, key: str | None = None, timeout_s: float = 5.0
    ) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        headers = {} if key is None else {"Idempotency-Key": key}
        raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        with closing(connection):
            connection.request(method, path, raw if method == "POST" else None, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())

    def get(self, path: str) -> Answer:
        return self.call("GET", path)

    def post(self, path: str, body: object = None, key: str | None = None, timeout_s: float = 5.0) -> Answer:
        return self.call("POST", path, body, key or f"key-{next(KEYS)}", timeout_s)

    def authorize(
        self,
        token: str,
        amount: int = 1000,
        key: str | None = None,
        reference: str | None = None,
        timeout_s: float = 5.0,
    ) -> Answer:
        reference = reference or f"order-{next(KEYS)}"
        body = {"token": token, "amount_minor": amount, "currency": "GBP", "reference": reference}
        return self.post("/v1/authorizations", body, key, timeout_s)

    def capture(self, id: str, amount: int, key: str | None = None, timeout_s: float = 5.0) -> Answer:
        return self.post(f"/v1/authorizations/{id}/capture", {"amount_minor": amount}, key, timeout_s)

    def refund(self, id: str, amount: int, key: str | None = None) -> Answer:
        return self.post(f"/v1/authorizations/{id}/refund", {"amount_minor": amount}, key)

    def void(self, id: str, amount: int | None = None, key: str | None = None) -> Answer:
        return self.post(f"/v1/authorizations/{id}/void", {} if amount is None else {"amount_minor": amount}, key)

    def decide(self, action_url: str, decision: str) -> Answer:
        """What a customer does at an action's page: complete it or fail it."""
        return self.post(f"/v1/actions/{action_url.rpartition('/')[2]}/{decision}")

    def page(self, url: str) -> str:
        """What a browser is shown."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            connection.request("GET", "/" + url.split("/", 3)[3])
            return connection.getresponse().read().decode()

    def dispute(self, id: str, amount: int | None = None) -> Answer:
        return self.post(f"/v1/authorizations/{id}/disputes", {} if amount is None else {"amount_minor": amount})

    def close_dispute(self, id: str, outcome: str) -> Answer:
        return self.post(f"/v1/disputes/{id}/close", {"outcome": outcome})

    def authorized(self, amount: int = 1000, token: str = "tok_approve") -> str:
        id: str = self.authorize(token, amount).json["id"]
        return id
