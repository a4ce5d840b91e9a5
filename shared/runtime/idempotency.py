"""One effect per Idempotency-Key, and the first answer again (IETF draft httpapi-idempotency-key-header)."""

from collections.abc import Sequence
from hashlib import sha256

import orjson
from sqlalchemy import text

from shared.runtime import following
from shared.runtime.answers import Answer
from shared.runtime.db import Db
from shared.runtime.following import Stream
from shared.runtime.pipeline import Pending, Row
from shared.runtime.problems import IdempotencyKeyMissing, IdempotencyKeyReused, StillRunning

CLAIM = text("select pg_try_advisory_xact_lock(hashtextextended(:lock, 0))")

STORED = text("""
select fingerprint, status, headers, body from platform.idempotency
where function = :function and principal = :principal and route = :route and key = :key and expires_at > now()
""")

_STORE = """
insert into platform.idempotency (function, principal, route, key, fingerprint, status, headers, body, expires_at)
values (:function, :principal, :route, :key, :fingerprint, :status, {headers}, :body,
  now() + make_interval(days => :days))
on conflict (function, principal, route, key) do update
  set fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers, body = excluded.body,
      expires_at = excluded.expires_at
"""

STORE = text(_STORE.format(headers="cast(:headers as jsonb)"))

# The events' rows are enqueued by then, their sequences not known here yet: the database puts them in. It looks each
# stream up by itself: a join's plan, made while there are few streams, would read all of them ever after.
STORE_WITH_TOKEN = text(
    _STORE.format(
        headers="""
  cast(:headers as jsonb) || jsonb_build_object('sequence-token', (
    select string_agg(concat(stream ->> 2, '@', (
      select sequence from platform.streams where topic = stream ->> 0 and key = stream ->> 1
    )), ', ' order by n)
    from json_array_elements(cast(:streams as json)) with ordinality as left_in (stream, n)
  ))"""
    )
)


class Keyed:
    """One request with its key: scope is (function, caller, concrete path, key); `query` where that says more."""

    def __init__(
        self, function: str, principal: str, route: str, key: str | None, body: bytes, query: bytes = b""
    ) -> None:
        if not key or len(key) > 255:
            raise IdempotencyKeyMissing
        self._scope = {"function": function, "principal": principal, "route": route, "key": key}
        digest = sha256(query + b"\0" if query else b"")
        digest.update(body)
        self._fingerprint = digest.digest()
        self._claimed: Pending | None = None

    def claim(self, db: Db) -> Pending:
        """Claims the key for the transaction by an advisory lock, then looks for an earlier answer.

        An uncommitted row would make a second caller wait instead of being told. These are two statements: the second
        must see what was committed until the lock was had.
        """
        self._claimed = db.enqueue(CLAIM, lock=orjson.dumps(self._scope).decode())
        return db.enqueue(STORED, **self._scope)

    async def earlier_answer(self, stored: Row | None) -> Answer | None:
        """Raises StillRunning, IdempotencyKeyReused."""
        assert self._claimed is not None
        if not await self._claimed.value():
            raise StillRunning
        if stored is None:
            return None
        if bytes(stored.fingerprint) != self._fingerprint:
            raise IdempotencyKeyReused
        return Answer(stored.status, stored.headers, bytes(stored.body))

    def store(self, db: Db, answer: Answer, days: int, streams: Sequence[Stream]) -> None:
        """Keeps the answer, with the sequence token of `streams`, whose events are on their way to the outbox."""
        values = {
            **self._scope,
            "fingerprint": self._fingerprint,
            "status": answer.status,
            "headers": orjson.dumps(answer.headers).decode(),
            "body": answer.body,
            "days": days,
        }
        if not streams:
            db.enqueue(STORE, **values)
            return
        named = [(*stream, following.name(stream)) for stream in streams]
        db.enqueue(STORE_WITH_TOKEN, **values, streams=orjson.dumps(named).decode())
