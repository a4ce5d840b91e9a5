"""A shop whose events lie on a table: whoever holds it says which is delivered next, to whom and how often."""

import json
from typing import Any

from psycopg import sql

from functions import load_all
from infra.carriers.rows import ENVELOPE, envelope
from infra.dispatcher.subscriptions import subscriptions
from shared.runtime.answers import Answer
from shared.runtime.declare import OnEvent
from shared.runtime.ids import new_id
from shared.runtime.serve import Endpoint, Runtime, endpoint
from tests.conftest import Books
from tests.issuer import Issuer

NEWS = sql.SQL(
    "select position, topic, {envelope} from platform.outbox where position > %(seen)s order by position"
).format(envelope=ENVELOPE)

Delivery = tuple[str, Any]
"""The name of the function that takes it, and the row of the outbox."""


class Shop:
    """All of its functions, each behind its endpoint; `waiting` is what was said and nobody has heard yet."""

    def __init__(self, runtime: Runtime, issuer: Issuer, db: Books) -> None:
        self.endpoints: dict[str, Endpoint[Any]] = {
            name: endpoint(declaration, runtime) for name, declaration in load_all().items()
        }
        self._readers = subscriptions(
            declaration for declaration in load_all().values() if isinstance(declaration.trigger, OnEvent)
        )
        self._tokens: dict[tuple[str, str], str] = {}
        self._issuer, self.db = issuer, db
        self.seen = 0
        self.waiting: list[Delivery] = []

    async def answer(
        self,
        name: str,
        path: str,
        body: Any = None,
        role: str = "admin",
        subject: str = "ann",
        key: str = "",
        query: str = "",
    ) -> Answer:
        """What the function answers, whatever it is."""
        target = self.endpoints[name]
        token = self._tokens.setdefault((subject, role), self._issuer.token(subject, role))
        headers = {
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "idempotency-key": key or str(new_id()),
        }
        content = b"" if body is None else json.dumps(body).encode()
        return await target.handle(target.trigger.method, path, query.encode(), headers, content)

    async def ask(self, name: str, path: str, body: Any = None, role: str = "admin", query: str = "") -> Any:
        answer = await self.answer(name, path, body, role, query=query)
        assert answer.status < 300, answer
        return json.loads(answer.body)

    async def look(self) -> list[Any]:
        """Lays down what was said since the last look, once for each who takes it."""
        rows = await self.db.all(NEWS.as_string(), seen=self.seen)
        for row in rows:
            self.seen = row.position
            for reader in self._readers:
                if row.topic in reader.consumer.topics and reader.wants(row.type):
                    self.waiting.append((reader.consumer.name.replace("-", "_"), row))
        return rows

    async def deliver(self, consumer: str, row: Any) -> Answer:
        said = envelope(row[2:])
        return await self.endpoints[consumer].handle("POST", "/", b"", said.to_http_headers(), said.data)

    async def tick(self, timer: str) -> Answer:
        return await self.endpoints[timer].handle("POST", "/", b"", {}, b"{}")

    async def broken_invariants(self) -> list[Any]:
        """What does not hold; the log and the offsets are the carriers', which are not here."""
        found = await self.ask("check_invariants", "/v1/invariants", role="operator")
        return [check for check in found["checks"] if check["violations"]]

    async def catalogue_differences(self) -> list[Any]:
        """Where the catalogue's derived rows are not what their sources say."""
        found = []
        for part in ("stock", "sales", "listings", "words"):
            rebuilt = await self.ask("rebuild_catalog", "/v1/admin/catalog-rebuild", {"part": part}, "operator")
            found += rebuilt["differences"]
        return found

    async def figures_differences(self) -> list[Any]:
        """Where the figures of sales are not what the books say."""
        found = []
        for part in ("facts", "days"):
            rebuilt = await self.ask("rebuild_figures", "/v1/admin/figures-rebuild", {"part": part}, "operator")
            found += rebuilt["differences"]
        return found
