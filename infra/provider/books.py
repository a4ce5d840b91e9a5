"""The provider's own books: one SQLite file, every operation one transaction under its idempotency key.

WAL with synchronous=NORMAL: a committed charge survives kill -9 of the process (not the loss of power).
"""

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from infra.provider import actions
from infra.provider.cards import Answer, Behaviour, Kind, Tell, behaviour, disputes, is_known, is_sequence

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
    told: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A webhook that is to be sent; two of one `id` say the same."""

    number: int
    id: str
    type: str
    data: bytes
    attempts: int


@dataclass(frozen=True, slots=True)
class Charge:
    """A request to authorise; `reference` is the merchant's, and what a token's sequence is counted by."""

    token: str
    amount_minor: int
    currency: str
    reference: str


class Books:
    """One open file of books; every method is one transaction or one read."""

    def __init__(
        self,
        path: Path,
        url: str = "",
        action_s: float = 900.0,
        late_s: float = 1.5,
        *,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: secrets.token_hex(12),
    ) -> None:
        self._url = url
        self._clock = clock
        self._new_id = new_id
        self._action_s = action_s
        self._late_s = late_s
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.execute("pragma busy_timeout = 2000")
        self._db.executescript(SCHEMA)
        self._db.executescript(actions.SCHEMA)

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
            id = f"auth_{self._new_id()}"
            granted = play.code is None and not play.action
            authorized_minor = charge.amount_minor if granted else 0
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
            status = "authorized" if granted else "action_required" if play.action else "declined"
            more = self._ask_customer(id, key) if play.action else {}
            outcome = _outcome(id, Kind.AUTHORIZE, status, play.code, charge.amount_minor, **more)
            self._db.execute(ADD_OPERATION, (key, fingerprint, Kind.AUTHORIZE, id, 201, outcome))
            return Reply(201, outcome, play.answer, self._tell(play, key, charge.reference, outcome))

    def operate(self, kind: Kind, key: str, id: str, amount_minor: int | None) -> Reply:
        """Capture, void or refund; without an amount, all that is left. A refusal is an outcome (200, failed)."""
        fingerprint = orjson.dumps([kind, id, amount_minor])
        with self._transaction():
            if earlier := self._earlier(key, fingerprint):
                return earlier
            row = self._db.execute(ONE_AUTHORIZATION, (id,)).fetchone()
            if row is None:
                return fault(404, "no such authorization")
            step = self._step(row["token"], row["reference"])
            play = behaviour(row["token"], kind, step)
            if not play.booked:
                return _lost(play.answer)
            if kind is Kind.VOID:
                self._end_action(id)
            left = row["captured_minor"] - row["refunded_minor"]
            if kind is not Kind.REFUND:
                left = row["authorized_minor"] - row["captured_minor"] - row["voided_minor"]
            amount = left if amount_minor is None else amount_minor
            code = play.code or _refusal(kind, row, amount, left - self._disputed(id, kind))
            if code is None:
                statement = {Kind.CAPTURE: CHARGE, Kind.VOID: RELEASE, Kind.REFUND: GIVE_BACK}[kind]
                self._db.execute(statement, (amount, id))
            done = {Kind.CAPTURE: "captured", Kind.VOID: "voided", Kind.REFUND: "refunded"}[kind]
            outcome = _outcome(id, kind, done if code is None else "failed", code, amount)
            self._db.execute(ADD_OPERATION, (key, fingerprint, kind, id, 200, outcome))
            if code is None and disputes(row["token"], kind, step):
                self._dispute(row, amount, "fraudulent")
            return Reply(200, outcome, play.answer, self._tell(play, key, row["reference"], outcome))

    def decide(self, id: str, approved: bool) -> Reply:
        """What the customer did about an action; whoever comes second finds it decided."""
        with self._transaction():
            row = self._db.execute("select key, state from actions where id = ?", (id,)).fetchone()
            if row is None:
                return fault(404, "no such action")
            if row["state"] != "pending":
                return fault(409, f"this action is {row['state']}")
            return self._decided(id, row["key"], "done" if approved else "failed", "authentication_failed")

    def action(self, id: str) -> dict[str, Any] | None:
        """What is to be confirmed, while it can be."""
        row = self._db.execute(
            "select z.* from authorizations z join actions using (id) where id = ? and state = 'pending'", (id,)
        ).fetchone()
        return None if row is None else dict(row)

    def expire(self, now: float) -> None:
        """Ends what nobody has confirmed in time."""
        due = "select id, key from actions where state = 'pending' and expires_at <= ?"
        if self._db.execute(due, (now,)).fetchone() is None:
            return
        with self._transaction():
            for row in self._db.execute(due, (now,)).fetchall():
                self._decided(row["id"], row["key"], "ended", "action_expired")

    def dispute(self, id: str, amount_minor: int | None, reason: str) -> Reply:
        """The customer's bank takes back what was captured, or a part of it."""
        with self._transaction():
            row = self._db.execute(ONE_AUTHORIZATION, (id,)).fetchone()
            if row is None:
                return fault(404, "no such authorization")
            left = row["captured_minor"] - row["refunded_minor"] - self._disputed(id, Kind.REFUND)
            amount = left if amount_minor is None else amount_minor
            if not 0 < amount <= left:
                return fault(409, "so much is not captured")
            return Reply(201, self._dispute(row, amount, reason))

    def close_dispute(self, id: str, outcome: str) -> Reply:
        """Says who was right: the merchant has `won` or `lost`."""
        with self._transaction():
            update = "update disputes set outcome = ? where id = ? and outcome is null returning *"
            closed = self._db.execute(update, (outcome, id)).fetchone()
            if closed is None:
                return fault(409, "no open dispute of this id")
            row = self._db.execute(ONE_AUTHORIZATION, (closed["authorization_id"],)).fetchone()
            return Reply(200, self._say_dispute("charge.dispute_closed", row, closed))

    def due(self, now: float) -> list[Told]:
        """What is to be sent, oldest first."""
        rows = self._db.execute(
            "select number, id, type, data, attempts from told where next_at <= ? order by number limit 20", (now,)
        )
        return [Told(**dict(row)) for row in rows]

    def sent(self, number: int, next_at: float | None) -> None:
        """Without a time to try it again it was taken."""
        self._db.execute("update told set attempts = attempts + 1, next_at = ? where number = ?", (next_at, number))

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

    def page(self, after: int, limit: int) -> Reply:
        """All authorizations in the order in which they were made; `next` asks for those that follow."""
        rows = self._db.execute(
            "select rowid as number, * from authorizations where rowid > ? order by rowid limit ?", (after, limit)
        ).fetchall()
        following = rows[-1]["number"] if len(rows) == limit else None
        return Reply(200, orjson.dumps({"items": self._views(rows), "next": following}))

    def of_references(self, references: list[str]) -> Reply:
        """Every authorization under these references."""
        marks = ",".join("?" * len(references))
        rows = self._db.execute(
            f"select * from authorizations where reference in ({marks}) order by rowid",  # noqa: S608 - marks alone
            references,
        ).fetchall()
        return Reply(200, orjson.dumps({"items": self._views(rows)}))

    def totals(self) -> Reply:
        """The sums over all approved authorizations."""
        return Reply(200, orjson.dumps(dict(self._db.execute(TOTALS).fetchone())))

    def _views(self, rows: list[sqlite3.Row]) -> list[dict[str, Any]]:
        found: dict[str, list[dict[str, Any]]] = {}
        marks = ",".join("?" * len(rows))
        ids = [row["id"] for row in rows]
        sql = f"select * from disputes where authorization_id in ({marks}) order by id"  # noqa: S608 - marks alone
        for row in self._db.execute(sql, ids):
            found.setdefault(row["authorization_id"], []).append(
                {
                    "dispute_id": row["id"],
                    "id": row["authorization_id"],
                    "amount_minor": row["amount_minor"],
                    "reason": row["reason"],
                    "outcome": row["outcome"],
                }
            )
        return [{**_view(row), "disputes": found.get(row["id"], [])} for row in rows]

    def _ask_customer(self, id: str, key: str) -> dict[str, Any]:
        expires_at = self._clock() + self._action_s
        self._db.execute("insert into actions values (?, ?, 'pending', ?)", (id, key, expires_at))
        until = datetime.fromtimestamp(expires_at, UTC).isoformat()
        return {"action_url": f"{self._url}/v1/actions/{id}", "expires_at": until}

    def _end_action(self, id: str) -> None:
        row = self._db.execute("select key from actions where id = ? and state = 'pending'", (id,)).fetchone()
        if row is not None:
            self._decided(id, row["key"], "ended", "action_cancelled", tell=False)

    def _decided(self, id: str, key: str, state: str, code: str, *, tell: bool = True) -> Reply:
        done = state == "done"
        self._db.execute("update actions set state = ? where id = ?", (state, id))
        change = "authorized_minor = requested_minor" if done else "code = ?"
        self._db.execute(f"update authorizations set {change} where id = ?", (id,) if done else (code, id))  # noqa: S608
        row = self._db.execute(ONE_AUTHORIZATION, (id,)).fetchone()
        status = "authorized" if done else "declined"
        outcome = _outcome(id, Kind.AUTHORIZE, status, None if done else code, row["requested_minor"])
        self._db.execute("update operations set body = ? where key = ?", (outcome, key))
        if tell:
            self._say("operation.settled", {**orjson.loads(outcome), "key": key, "reference": row["reference"]})
        return Reply(200, outcome, told=tell)

    def _disputed(self, id: str, kind: Kind) -> int:
        """What cannot be refunded, because the customer's bank has it or had it for good."""
        if kind is not Kind.REFUND:
            return 0
        sums = "select coalesce(sum(amount_minor), 0) from disputes where authorization_id = ? and outcome is not 'won'"
        amount: int = self._db.execute(sums, (id,)).fetchone()[0]
        return amount

    def _dispute(self, row: sqlite3.Row, amount: int, reason: str) -> bytes:
        id = f"dp_{self._new_id()}"
        self._db.execute("insert into disputes values (?, ?, ?, ?, null)", (id, row["id"], amount, reason))
        dispute = self._db.execute("select * from disputes where id = ?", (id,)).fetchone()
        return self._say_dispute("charge.disputed", row, dispute)

    def _say_dispute(self, type: str, row: sqlite3.Row, dispute: sqlite3.Row) -> bytes:
        said = {
            "dispute_id": dispute["id"],
            "id": row["id"],
            "reference": row["reference"],
            "amount_minor": dispute["amount_minor"],
            "currency": row["currency"],
            "reason": dispute["reason"],
            "outcome": dispute["outcome"],
        }
        self._say(type, said)
        return orjson.dumps(said)

    def _tell(self, play: Behaviour, key: str, reference: str, outcome: bytes) -> bool:
        """Whether somebody is to be told at once of what is answered here."""
        if play.tell is Tell.NO:
            return False
        said = {**orjson.loads(outcome), "key": key, "reference": reference}
        late_s = self._late_s if play.tell is Tell.LATE else 0.0
        id = self._say("operation.settled", said, late_s)
        if play.tell is Tell.TWICE:
            self._say("operation.settled", said, late_s, id)
        return play.tell is not Tell.LATE

    def _say(self, type: str, data: dict[str, Any], late_s: float = 0.0, id: str = "") -> str:
        id = id or f"evt_{self._new_id()}"
        self._db.execute(
            "insert into told (id, type, data, next_at) values (?, ?, ?, ?)",
            (id, type, orjson.dumps(data), self._clock() + late_s),
        )
        return id

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


def _outcome(id: str | None, kind: Kind, status: str, code: str | None, amount_minor: int, **more: Any) -> bytes:
    said = {"id": id, "operation": kind, "status": status, "code": code, "amount_minor": amount_minor}
    return orjson.dumps({**said, **more})


def _refusal(kind: Kind, row: sqlite3.Row, amount: int, left: int) -> str | None:
    if row["authorized_minor"] == 0:
        # What the customer has not confirmed, or not in time, is given back by saying so.
        return None if kind is Kind.VOID and amount == 0 else "not_authorized"
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
