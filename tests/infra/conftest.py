"""The carriers for real: the outbox of a cloned database, a Kafka broker of the session's own, relays as processes."""

import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any, Self
from uuid import uuid4

import psycopg
import pytest
from confluent_kafka import Consumer as KafkaReader

from infra.carriers import Outlet, Source
from infra.carriers.chosen import outlet, source
from infra.kafka import Broker
from infra.local.postgres import Cloned
from infra.local.processes import wait_until
from shared.runtime.events import JSON, partition_of

EMIT = """
with stream as (
  insert into platform.streams as s (topic, key, sequence) values (%(topic)s, %(key)s, 1)
  on conflict (topic, key) do update set sequence = s.sequence + 1
  returning sequence
)
insert into platform.outbox (id, source, type, topic, partition, key, sequence, time, content_type, data)
select %(id)s, '/shop/orders/test', %(type)s, %(topic)s, %(partition)s, %(key)s, sequence, clock_timestamp(),
  %(content_type)s, %(data)s
from stream
"""


@dataclass(frozen=True, slots=True)
class Carrier:
    """One carrier around a test's own outbox, with names that no other test uses."""

    kind: str
    database: Cloned
    broker: Broker | None
    suffix: str = field(default_factory=lambda: uuid4().hex[:8])

    @property
    def environ(self) -> dict[str, str]:
        environ = {"CARRIER_DATABASE_URL": self.database.relay_url, "DATABASE_URL": self.database.app_url}
        return environ | ({"KAFKA_BOOTSTRAP": self.broker.bootstrap} if self.broker else {})

    def name(self, name: str) -> str:
        return f"{name}-{self.suffix}" if self.suffix else name

    def outlet(self) -> Outlet:
        return outlet(self.environ)

    def source(self) -> Source:
        return source(self.environ)

    def emit(self, connection: psycopg.Connection[Any], topic: str, key: str, **values: Any) -> str:
        """Writes one event as the runtime does, in the transaction that is open."""
        row = {"id": str(uuid4()), "type": "shop.orders.order.created.v1", "content_type": JSON, "data": b"{}"} | values
        connection.execute(EMIT, row | {"topic": self.name(topic), "key": key, "partition": partition_of(key)})
        connection.execute("notify outbox")
        return str(row["id"])

    def log(self, topic: str) -> dict[int, list[tuple[str, int, str]]]:
        """(key, sequence, id) of every record of the topic, by partition and in order."""
        return self._log_of_kafka(topic) if self.broker else self._log_of_database(topic)

    def _log_of_database(self, topic: str) -> dict[int, list[tuple[str, int, str]]]:
        found: dict[int, list[tuple[str, int, str]]] = defaultdict(list)
        with psycopg.connect(self.database.owner_url) as connection:
            rows = connection.execute(
                "select partition, log_offset, key, sequence, id::text from platform.outbox"
                " where topic = %s and published_at is not null order by partition, log_offset",
                (self.name(topic),),
            )
            for partition, offset, key, sequence, id_ in rows:
                assert offset == len(found[partition]), "offsets are contiguous"
                found[partition].append((key, sequence, id_))
        return found

    def _log_of_kafka(self, topic: str) -> dict[int, list[tuple[str, int, str]]]:
        found: dict[int, list[tuple[str, int, str]]] = defaultdict(list)
        for message in self.messages(topic):
            headers = dict(message.headers())
            place = (message.key().decode(), int(headers["ce_sequence"]), headers["ce_id"].decode())
            found[message.partition()].append(place)
        return found

    def messages(self, topic: str) -> list[Any]:
        """What lies in Kafka, read by another client than ours."""
        assert self.broker
        options = {
            "bootstrap.servers": self.broker.bootstrap,
            "group.id": uuid4().hex,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
        reader = KafkaReader(options)
        reader.subscribe([self.name(topic)])
        found: list[Any] = []
        ended: set[int] = set()
        deadline = time.monotonic() + 30
        while len(ended) < 16 and time.monotonic() < deadline:
            message = reader.poll(1)
            if message is not None and message.error() is None:
                found.append(message)
            elif message is not None:
                ended.add(message.partition() or 0)
        reader.close()
        return found

    def waiting(self) -> int:
        with psycopg.connect(self.database.owner_url) as connection:
            row = connection.execute("select count(*) from platform.outbox where published_at is null").fetchone()
            assert row is not None
            return int(row[0])


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.xdist_group("kafka"))])
def carrier(request: pytest.FixtureRequest, database: Cloned) -> Carrier:
    broker = request.getfixturevalue("kafka") if request.param == "kafka" else None
    return Carrier(request.param, database, broker)


@pytest.fixture
def embedded(database: Cloned) -> Carrier:
    return Carrier("embedded", database, None)


@pytest.fixture
def on_kafka(database: Cloned, kafka: Broker) -> Carrier:
    return Carrier("kafka", database, kafka)


@contextmanager
def spawned(module: str, environ: Mapping[str, str], output: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`python -m module`, killed at the end if it still runs."""
    with output.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module], env={**os.environ, **environ}, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Writers:
    """Threads that commit events of a few hot streams, some slowly, some rolled back."""

    def __init__(self, carrier: Carrier, topic: str, writers: int, transactions: int, seed: int) -> None:
        self._carrier = carrier
        self._topic = topic
        self._transactions = transactions
        self.committed: list[str] = []
        self._threads = [Thread(target=self._write, args=(random.Random(seed + n),)) for n in range(writers)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def finish(self) -> None:
        for thread in self._threads:
            thread.join()

    def _write(self, chance: random.Random) -> None:
        with psycopg.connect(self._carrier.database.owner_url) as connection:
            for _ in range(self._transactions):
                keys = sorted(chance.choices([f"key-{n}" for n in range(24)], k=chance.randint(1, 3)))
                ids = [self._carrier.emit(connection, self._topic, key) for key in keys]
                time.sleep(chance.choice([0, 0, 0.001, 0.02]))
                if chance.random() < 0.1:
                    connection.rollback()
                else:
                    connection.commit()
                    self.committed += ids


def assert_whole_and_in_order(carrier: Carrier, topic: str, committed: list[str]) -> None:
    """Every committed event is in the log, and nothing else; the first occurrences of each stream run 1, 2, 3 ..."""
    last: dict[str, int] = defaultdict(int)
    seen = set()
    for records in carrier.log(topic).values():
        for key, sequence, id_ in records:
            if id_ not in seen:
                assert sequence == last[key] + 1, f"{key}: {sequence} after {last[key]}"
                last[key] = sequence
                seen.add(id_)
    assert seen == set(committed)


def wait_for(done: Callable[[], bool], timeout_s: float) -> None:
    assert wait_until(done, timeout_s), "it did not happen in time"
