"""Where the suite's events are given in, and how it is seen what became of them.

A further target, such as a cluster's ingress, is one more `Target`: it is given all cases and says what became of each.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any, Protocol
from uuid import UUID, uuid5

import orjson
import psycopg

from functions import load, load_all
from infra.carriers import Consumer
from infra.dispatcher.dispatcher import Dispatcher, Rules
from infra.dispatcher.subscriptions import Subscription, subscriptions
from infra.local.postgres import Cloned
from infra.relay.relay import Relay
from shared.runtime.declare import dead_letter_topic
from shared.runtime.events import Envelope, partition_of, percent_decoded
from shared.runtime.problems import NotAnEvent
from shared.runtime.serve import Runtime, endpoint
from shared.runtime.settings import Settings
from tests.conformance.cases import CASES, CONSUMER, SOURCE, TOPIC, Case, Fate, Sent, binary
from tests.contracts.test_functions_framework import serving
from tests.infra.conftest import Carrier
from tests.issuer import AUDIENCE, ISSUER, Issuer

NAMES = UUID(int=0xC0)
PUBLISHER = "conformance"
RIGHTS = "insert into platform.publishers values (%s, %s, %s, 'test', now())"

INSERT = """
insert into platform.outbox (id, source, type, subject, topic, partition, key, time, correlationid, extensions,
  content_type, data)
values (%s, %s, %s, %s, %s, %s, %s, coalesce(%s::timestamptz, now()), %s, %s, %s, %s)
"""

EFFECT = """
select o.correlationid, convert_from(o.data, 'UTF8')::json -> 'shortages' from platform.outbox o
where o.causationid = %s and o.type = 'shop.inventory.hold.rejected.v1'
"""


def order_of(name: str) -> UUID:
    """The order that a case is about: its own, and the same at each target."""
    return uuid5(NAMES, name)


@dataclass
class Outcome:
    """`answers` are the function's, by their status. `received` is the event as the function was given it."""

    answers: list[int] = field(default_factory=list)
    received: Envelope | None = None
    effects: list[Any] = field(default_factory=list)
    refused_at_entry: bool = False

    @property
    def fate(self) -> Fate:
        """Every other status, such as one that asks for another try, is a fault of the suite or the shop."""
        assert set(self.answers) <= {204, 422}, self.answers
        if self.refused_at_entry or 422 in self.answers:
            return "refused"
        return "applied" if self.effects else "passed by"


class Target(Protocol):
    database: Cloned

    def give(self, cases: Mapping[str, Case]) -> dict[str, Outcome]:
        """Sends each case as often as it says; returns when it is known what became of all."""


@dataclass
class Alone:
    """One function under functions-framework, as its container runs it."""

    database: Cloned
    issuer: Issuer
    directory: Path

    def give(self, cases: Mapping[str, Case]) -> dict[str, Outcome]:
        outcomes = {name: Outcome() for name in cases}
        with serving("hold_stock", self.database, self.issuer, self.directory) as server:
            for name, case in cases.items():
                sent = case.sent(order_of(name))
                for _ in range(case.times):
                    outcomes[name].answers.append(server.call("POST", "/", sent.body, sent.headers)[0])
                if outcomes[name].answers[0] == 204:
                    outcomes[name].received = Envelope.from_http(sent.headers, sent.body)
        return with_effects(self.database, outcomes)


@dataclass
class Carried:
    """A carrier, its dispatcher and the function behind it; `enter` puts an event where its senders put theirs."""

    database: Cloned
    issuer: Issuer
    directory: Path
    carrier: Carrier
    enter: Callable[["Carried", UUID, Sent, Runtime], Any]

    def give(self, cases: Mapping[str, Case]) -> dict[str, Outcome]:
        return with_effects(self.database, asyncio.run(self._carry(cases)))

    async def _carry(self, cases: Mapping[str, Case]) -> dict[str, Outcome]:
        outcomes = {name: Outcome() for name in cases}
        by_key = {str(order_of(name)): outcome for name, outcome in outcomes.items()}
        last = {str(order): Outcome() for order in one_for_each_partition()}
        settings = Settings(
            database_url=self.database.app_url,
            jwks_url=self.issuer.publish(self.directory / "jwks.json"),
            jwt_issuer=ISSUER,
            jwt_audience=AUDIENCE,
        )
        runtime = Runtime.start(settings)
        async with self._delivering(runtime, by_key | last):
            for name, case in cases.items():
                for _ in range(case.times):
                    outcomes[name].refused_at_entry = not await self.enter(
                        self, order_of(name), case.sent(order_of(name)), runtime
                    )
            for order in last:  # what comes behind all others, in each partition
                assert await self.enter(self, UUID(order), binary()(UUID(order)), runtime)
            async with asyncio.timeout(60):
                while not all(outcome.answers for outcome in last.values()):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
                refused = sum(422 in outcome.answers for outcome in outcomes.values())
                while self._dead_letters() < refused:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        await runtime.stop()
        assert self._dead_letters() == refused
        return outcomes

    def _dead_letters(self) -> int:
        with psycopg.connect(self.database.owner_url) as connection:
            row = connection.execute("select count(*) from platform.dead_letters where status_code = 422").fetchone()
        assert row is not None
        return int(row[0])

    @asynccontextmanager
    async def _delivering(self, runtime: Runtime, outcomes: Mapping[str, Outcome]) -> AsyncIterator[None]:
        consumer, collector = self.carrier.name(CONSUMER), self.carrier.name("collect-dead-letters")
        endpoints = {
            consumer: endpoint(load("hold_stock"), runtime),
            collector: endpoint(load("collect_dead_letters"), runtime),
        }

        async def deliver(called: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
            answer = await endpoints[called].handle("POST", "/", b"", dict(headers), body)
            if called == consumer:
                outcome = outcomes[percent_decoded(headers["ce-key"])]
                outcome.answers.append(answer.status)
                if answer.status == 204:
                    outcome.received = Envelope.from_http(dict(headers), body)
            return answer.status, answer.body

        (declared,) = (one for one in subscriptions(load_all().values()) if one.consumer.name == CONSUMER)
        subscribed = [
            Subscription(Consumer(consumer, (self.carrier.name(TOPIC),)), declared.families),
            Subscription(Consumer(collector, (dead_letter_topic(consumer),)), None),
        ]
        rules = Rules(retries=1, backoff_s=0.01, commit_s=0.1)
        dispatcher = Dispatcher(self.carrier.source(), deliver, subscribed, rules)
        relay = Relay(self.database.relay_url, self.carrier.outlet())
        relaying, dispatching = Thread(target=relay.run), asyncio.create_task(dispatcher.run())
        relaying.start()
        try:
            async with asyncio.timeout(60):
                while not dispatcher.ready:  # noqa: ASYNC110 - before that its topics may not be there
                    await asyncio.sleep(0.02)
            yield
        finally:
            dispatcher.stop()
            relay.stop()
            await dispatching
            await asyncio.to_thread(relaying.join)


async def written(target: Carried, order: UUID, sent: Sent, _runtime: Runtime) -> bool:
    """Into the outbox: what is no CloudEvent cannot stand there at all."""
    try:
        envelope = Envelope.from_http(sent.headers, sent.body)
    except NotAnEvent:
        return False
    row = (
        *(envelope.id, envelope.source, envelope.type, envelope.subject),
        *(target.carrier.name(TOPIC), partition_of(str(order)), str(order), envelope.time, envelope.correlationid),
        *(orjson.dumps(dict(envelope.extensions)).decode(), envelope.datacontenttype, envelope.data),
    )
    with psycopg.connect(target.database.owner_url) as connection:
        connection.execute(INSERT, row)
        connection.execute("notify outbox")
    return True


async def produced(target: Carried, order: UUID, sent: Sent, _runtime: Runtime) -> bool:
    """Into Kafka by another client than ours, as a stranger would: the Kafka binding's form of the same."""
    from confluent_kafka import Producer

    headers: list[tuple[str, str | bytes | None]] = [
        (f"ce_{name[3:]}", percent_decoded(value).encode()) if name.startswith("ce-") else (name, value.encode())
        for name, value in sent.headers.items()
    ]
    producer = Producer({"bootstrap.servers": target.carrier.environ["KAFKA_BOOTSTRAP"]})
    faults: list[object] = []
    producer.produce(
        target.carrier.name(TOPIC),
        sent.body,
        str(order).encode(),
        partition_of(str(order)),
        headers=headers,
        on_delivery=lambda fault, _message: faults.append(fault),
    )
    assert producer.flush(10) == 0
    assert faults == [None]
    return True


async def published(target: Carried, _order: UUID, sent: Sent, runtime: Runtime) -> bool:
    """By POST /v1/events, as another service does."""
    token = target.issuer.token(PUBLISHER, "service")
    headers = {**sent.headers, "authorization": f"Bearer {token}"}
    answer = await endpoint(load("publish_event"), runtime).handle("POST", "/v1/events", b"", headers, sent.body)
    assert answer.status in (202, 403, 415, 422), answer
    return answer.status == 202


def may_publish(database: Cloned) -> None:
    with psycopg.connect(database.owner_url) as connection:
        for type in ("shop.inventory.hold.v1", "shop.inventory.release.v1"):
            connection.execute(RIGHTS, (PUBLISHER, SOURCE, type))


def one_for_each_partition() -> Sequence[UUID]:
    found: dict[int, UUID] = {}
    for n in range(1000):
        order = uuid5(NAMES, f"last {n}")
        found.setdefault(partition_of(str(order)), order)
    return list(found.values())


def with_effects(database: Cloned, outcomes: dict[str, Outcome]) -> dict[str, Outcome]:
    with psycopg.connect(database.owner_url) as connection:
        for name, outcome in outcomes.items():
            outcome.effects = connection.execute(EFFECT, (f"event-{order_of(name)}",)).fetchall()
    return outcomes


__all__ = [
    "CASES",
    "Alone",
    "Carried",
    "Outcome",
    "Target",
    "may_publish",
    "order_of",
    "produced",
    "published",
    "written",
]
