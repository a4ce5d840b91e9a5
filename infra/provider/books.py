"""The provider's own books: one SQLite file, every operation one transaction under its idempotency key.

WAL with synchronous=NORMAL: a committed charge survives kill -9 of the process (not the loss of power).
"""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from infra.provider.cards import Answer, Kind, behaviour, is_known, is_sequence

SCHEMA = """
create table if not exists authorizations (
  id text primary key, reference text not null, token text not null, currency text not null, code text,
  requested_minor integer not null check (requested_minor > 0),
  authorized_minor integer not null check (authorized_minor in (0, requested_minor)),
  captured_minor integer not null default 0 check (captured_minor >= 0),
  voided_minor integer not null default 0 check (voided_minor >= 0),
  refunded_minor integer not null default 0 check (refunded_minor between 0 and captured_minor),
  check (captured_minor + voided_minor <= authorized_minor)
) strict;
create index if not exists authorizations_reference on authorizations (reference);
create table if not exists operations (
  key text primary key, fingerprint blob not null, kind text not null, authorization_id text,
  status integer not null, body blob not null
) strict, without rowid;
create table if not exists steps (
  token text, reference text, played integer not null, primary key (token, reference)
) strict, without rowid;
"""
ADD_AUTHORIZATION = """
insert into authorizations (id, reference, token, currency, code, requested_minor, authorized_minor)
values (?, ?, ?, ?, ?, ?, ?)
"""
ADD_OPERATION = """
insert into operations (key, fingerprint, kind, authorization_id, status, body) values (?, ?, ?, ?, ?, ?)
"""
NEXT_STEP = """
insert into steps (token, reference, played) values (?, ?, 1)
on conflict (token, reference) do update set played = played + 1 returning played - 1
"""
CHARGE = "update authorizations set captured_minor = captured_minor + ? where id = ?"
RELEASE = "update authorizations set voided_minor = voided_minor + ? where id = ?"
GIVE_BACK = "update authorizations set refunded_minor = refunded_minor + ? where id = ?"
ONE_AUTHORIZATION = "select * from authorizations where id = ?"
TOTALS = """
select coalesce(sum(authorized_minor), 0) as authorized_minor, coalesce(sum(captured_minor), 0) as captured_minor,
  coalesce(sum(refunded_minor), 0) as refunded_minor, coalesce(sum(voided_minor), 0) as voided_minor,
  count(*) as authorizations
from authorizations where authorized_minor > 0
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the caller is to hear, and how."""

    status: int
    body: bytes
    answer: Answer = Answer.NOW


@dataclass(frozen=True, slots=True)
class Charge:
    """A request to authorise; `reference` is the merchant's, and what a token's sequence is counted by."""

    token: str
    amount_minor: int
    currency: str
    reference: str


class Books:
    """One open file of books; every method is one transaction or one read."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.execute("pragma busy_timeout = 2000")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    def authorize(self, key: str, charge: Charge) -> Reply:
        """Reserve money on a card."""
        fingerprint = orjson.dumps(["authorize", charge])
        with self._transaction():
            if earlier := self._earlier(key, fingerprint):
                return earlier
            if not is_known(charge.token):
                outcome = _outcome(None, Kind.AUTHORIZE, "declined", "unknown_token", charge.amount_minor)
                self._db.execute(ADD_OPERATION, (key, fingerprint, Kind.AUTHORIZE, None, 422, outcome))
                return Reply(422, outcome)
            play = behaviour(charge.token, Kind.AUTHORIZE, self._step(charge.token, charge.reference))
            if not play.booked:
                return _lost(play.answer)
            id = f"auth_{secrets.token_hex(12)}"
            authorized_minor = charge.amount_minor if play.code is None else 0
            self._db.execute(
                ADD_AUTHORIZATION,
                (
                    id,
                    charge.reference,
                    charge.token,
                    charge.currency,
                    play.code,
                    charge.amount_minor,
                    authorized_minor,
                ),
            )
            status = "authorized" if play.code is None else "declined"
            outcome = _outcome(id, Kind.AUTHORIZE, status, play.code, charge.amount_minor)
            self._db.execute(ADD_OPERATION, (key, fingerprint, Kind.AUTHORIZE, id, 201, outcome))
            return Reply(201, outcome, play.answer)

    def operate(self, kind: Kind, key: str, id: str, amount_minor: int | None) -> Reply:
        """Capture, void or refund; without an amount, all that is left. A refusal is an outcome (200, failed)."""
        fingerprint = orjson.dumps([kind, id, amount_minor])
        with self._transaction():
            if earlier := self._earlier(key, fingerprint):
                return earlier
            row = self._db.execute(ONE_AUTHORIZATION, (id,)).fetchone()
            if row is None:
                return fault(404, "no such authorization")
            play = behaviour(row["token"], kind, self._step(row["token"], row["reference"]))
            if not play.booked:
                return _lost(play.answer)
            left = row["captured_minor"] - row["refunded_minor"]
            if kind is not Kind.REFUND:
                left = row["authorized_minor"] - row["captured_minor"] - row["voided_minor"]
            amount = left if amount_minor is None else amount_minor
            code = play.code or _refusal(kind, row, amount, left)
            if code is None:
                statement = {Kind.CAPTURE: CHARGE, Kind.VOID: RELEASE, Kind.REFUND: GIVE_BACK}[kind]
                self._db.execute(statement, (amount, id))
            done = {Kind.CAPTURE: "captured", Kind.VOID: "voided", Kind.REFUND: "refunded"}[kind]
            outcome = _outcome(id, kind, done if code is None else "failed", code, amount)
            self._db.execute(ADD_OPERATION, (key, fingerprint, kind, id, 200, outcome))
            return Reply(200, outcome, play.answer)

    def operation(self, key: str) -> Reply:
        """The outcome under a key, as it was answered or would have been."""
        row = self._db.execute("select body from operations where key = ?", (key,)).fetchone()
        return Reply(200, row["body"]) if row else fault(404, "no operation under this key")

    def authorization(self, id: str) -> Reply:
        """One authorization as it stands."""
        row = self._db.execute(ONE_AUTHORIZATION, (id,)).fetchone()
        return Reply(200, orjson.dumps(_view(row))) if row else fault(404, "no such authorization")

    def authorizations(self, reference: str) -> Reply:
        """Every authorization under a merchant's reference, oldest first."""
        rows = self._db.execute("select * from authorizations where reference = ? order by rowid", (reference,))
        return Reply(200, orjson.dumps({"items": [_view(row) for row in rows]}))

    def totals(self) -> Reply:
        """The sums over all approved authorizations."""
        return Reply(200, orjson.dumps(dict(self._db.execute(TOTALS).fetchone())))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def _earlier(self, key: str, fingerprint: bytes) -> Reply | None:
        row = self._db.execute("select fingerprint, status, body from operations where key = ?", (key,)).fetchone()
        if row is None:
            return None
        if row["fingerprint"] != fingerprint:
            return fault(422, "this idempotency key was used for another request")
        return Reply(row["status"], row["body"])

    def _step(self, token: str, reference: str) -> int:
        if not is_sequence(token):
            return 0
        step: int = self._db.execute(NEXT_STEP, (token, reference)).fetchone()[0]
        return step


def fault(status: int, detail: str) -> Reply:
    """An answer that is no outcome of an operation."""
    return Reply(status, orjson.dumps({"error": detail}))


def _lost(answer: Answer) -> Reply:
    status, body = 500, orjson.dumps({"error": "internal error"})
    return Reply(status, body, answer)


def _outcome(id: str | None, kind: Kind, status: str, code: str | None, amount_minor: int) -> bytes:
    return orjson.dumps({"id": id, "operation": kind, "status": status, "code": code, "amount_minor": amount_minor})


def _refusal(kind: Kind, row: sqlite3.Row, amount: int, left: int) -> str | None:
    if row["authorized_minor"] == 0:
        return "not_authorized"
    if kind is Kind.VOID and amount == 0:
        # Voiding what is voided already is done; what is captured can only be refunded.
        return "already_captured" if row["captured_minor"] else None
    if amount <= left and amount > 0:
        return None
    if kind is Kind.REFUND:
        return "exceeds_captured"
    return "voided" if row["voided_minor"] == row["authorized_minor"] else "exceeds_authorized"


def _view(row: sqlite3.Row) -> dict[str, Any]:
    if row["authorized_minor"] == 0:
        status = "declined"
    elif row["captured_minor"]:
        status = "captured"
    else:
        status = "voided" if row["voided_minor"] == row["authorized_minor"] else "authorized"
    view = {name: row[name] for name in row.keys() if name != "token"}  # noqa: SIM118 - sqlite3.Row iterates values
    return {**view, "status": status}
