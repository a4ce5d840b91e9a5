"""Kafka as the carrier: records in the CloudEvents Kafka binding, as KafkaSource and KafkaSink read and write them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata, TopicPartition
from psycopg import Connection, sql

from infra.carriers import PUBLISHING_S, Batch, CarrierError, Consumer, Lane, Record
from infra.carriers.kafka_client import KafkaSettings, Message, Publisher, ensure_topics
from infra.carriers.rows import ENVELOPE, PREPARE_LOCK, envelope
from shared.runtime.events import STRUCTURED, Envelope, partition_of
from shared.runtime.log import logger
from shared.runtime.problems import NotAnEvent

BATCH = 100
COMMIT_S = 5.0
POLL_MS = 500
SESSION_MS = 10_000

_WAITING = sql.SQL("""
prepare relay_waiting as
select waiting.* from unnest(current_setting('relay.shards')::smallint[]) as held(shard)
cross join lateral (
  select position, topic, partition, {envelope} from platform.outbox
  where partition = held.shard and published_at is null order by position limit {batch}
) as waiting
""").format(envelope=ENVELOPE, batch=sql.Literal(BATCH))
_MARK = "update platform.outbox set published_at = clock_timestamp() where position = any(%s)"


class KafkaOutlet:
    """Sends waiting rows to their partitions and marks of each shard what was acknowledged before a failure."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._publisher = Publisher(settings)

    def attach(self, connection: Connection[Any]) -> None:
        connection.execute("set enable_seqscan = off")
        connection.execute(PREPARE_LOCK)
        connection.execute(_WAITING)

    def drain(self, connection: Connection[Any]) -> tuple[int, bool]:
        started = monotonic()
        with connection.transaction():
            connection.execute("execute relay_lock")
            rows = connection.cursor(binary=True).execute("execute relay_waiting").fetchall()
            if not rows:
                return 0, False
            messages = [Message(row[1], row[2], row[3], envelope(row[3:])) for row in rows]
            acknowledged, error = self._publisher.publish(messages, PUBLISHING_S - (monotonic() - started))
            prefix, held_up = [], set()
            for row, done in zip(rows, acknowledged, strict=True):
                if not done:
                    held_up.add(row[2])
                elif row[2] not in held_up:
                    prefix.append(row[0])
            if prefix:
                connection.execute(_MARK, (prefix,))
        if error:
            raise CarrierError(f"{type(error).__name__}: {error}") from error
        return len(prefix), len(rows) >= BATCH

    def close(self) -> None:
        self._publisher.drop()


class KafkaSource:
    """One consumer group per function, as its KafkaSource would have; each is read by a thread of its own."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def session(self, consumers: Sequence[Consumer]) -> AsyncIterator["KafkaSession"]:
        topics = {topic for consumer in consumers for topic in consumer.topics}
        await asyncio.to_thread(ensure_topics, self._settings, topics)
        session = KafkaSession(self._settings, consumers)
        try:
            yield session
        finally:
            await session.close()


class KafkaSession:
    def __init__(self, settings: KafkaSettings, consumers: Sequence[Consumer]) -> None:
        self._loop = asyncio.get_running_loop()
        self._news: asyncio.Queue[Batch | Lane | Exception] = asyncio.Queue()
        self._rewinding: set[Lane] = set()
        self._publisher = Publisher(settings)
        self._letters: list[tuple[Message, asyncio.Future[None]]] = []
        self._burial: asyncio.Task[None] | None = None
        self._readers = {consumer.name: Reader(settings, consumer, self._hear) for consumer in consumers}
        for reader in self._readers.values():
            reader.start()

    async def batches(self) -> AsyncIterator[Batch]:
        while True:
            match await self._news.get():
                case Batch(records, revoked):
                    self._rewinding -= set(revoked)
                    yield Batch([news for news in records if news[0] not in self._rewinding], revoked)
                case Lane() as lane:
                    self._rewinding.discard(lane)
                case Exception() as error:
                    raise CarrierError(str(error)) from error

    async def rewind(self, lane: Lane, offset: int) -> None:
        self._rewinding.add(lane)
        self._readers[lane.consumer].rewind(lane, offset)

    async def commit(self, offsets: dict[Lane, int]) -> None:
        """Handed to the readers, which commit every few seconds and before a partition goes."""
        for lane, offset in offsets.items():
            self._readers[lane.consumer].done(lane, offset)

    async def bury(self, topic: str, key: str, letter: Envelope) -> None:
        done: asyncio.Future[None] = self._loop.create_future()
        self._letters.append((Message(topic, partition_of(key), key, letter), done))
        if self._burial is None or self._burial.done():
            self._burial = asyncio.create_task(self._bury_all())
        await done

    async def _bury_all(self) -> None:
        """Letters that come while others are on their way share the next batch."""
        while self._letters:
            letters, self._letters = self._letters, []
            try:
                messages = [message for message, _ in letters]
                acknowledged, error = await asyncio.to_thread(self._publisher.publish, messages, PUBLISHING_S)
            except CarrierError as lost:
                acknowledged, error = [False] * len(letters), lost
            for (message, done), arrived in zip(letters, acknowledged, strict=True):
                if done.done():
                    continue
                if arrived:
                    done.set_result(None)
                else:
                    done.set_exception(CarrierError(f"{message.topic}: {error}"))

    async def close(self) -> None:
        for reader in self._readers.values():
            reader.stop()
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        for reader in self._readers.values():
            reader.join()
        self._publisher.drop()

    def _hear(self, news: Batch | Lane | Exception) -> None:
        """Called by the readers' threads."""
        with suppress(RuntimeError):  # the loop has ended: nobody listens any more
            self._loop.call_soon_threadsafe(self._news.put_nowait, news)


class Reader(ConsumerRebalanceListener):  # type: ignore[misc]
    """The thread of one consumer: only it touches the client, which is not made for several."""

    def __init__(self, settings: KafkaSettings, consumer: Consumer, tell: Any) -> None:
        self._settings = settings
        self._consumer = consumer
        self._tell = tell
        self._stopping = Event()
        self._lock = Lock()
        self._offsets: dict[TopicPartition, int] = {}
        self._seeks: dict[TopicPartition, int] = {}
        self._client: Any = None
        self._thread = Thread(target=self._run, name=f"kafka-{consumer.name}", daemon=True)
        self.start, self.join = self._thread.start, self._thread.join

    def stop(self) -> None:
        self._stopping.set()

    def rewind(self, lane: Lane, offset: int) -> None:
        with self._lock:
            self._seeks[TopicPartition(lane.topic, lane.partition)] = offset

    def done(self, lane: Lane, offset: int) -> None:
        with self._lock:
            self._offsets[TopicPartition(lane.topic, lane.partition)] = offset

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """They are read from their committed offsets."""

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self._commit()
        if revoked:
            lanes = [Lane(self._consumer.name, place.topic, place.partition) for place in revoked]
            self._tell(Batch((), lanes))

    def _run(self) -> None:
        try:
            self._client = KafkaConsumer(
                **self._settings.options(),
                group_id=self._consumer.name,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                session_timeout_ms=SESSION_MS,
                fetch_max_wait_ms=POLL_MS,
                metadata_max_age_ms=30_000,
                metrics_enabled=False,
            )
            self._client.subscribe(self._consumer.topics, listener=self)
            try:
                self._read()
            finally:
                self._client.close(autocommit=False, timeout_ms=2_000)
        except (KafkaError, OSError, AssertionError, ValueError) as error:
            logger().warning("kafka_reader_failed", consumer=self._consumer.name, error=type(error).__name__)
            self._tell(error)

    def _read(self) -> None:
        committed_at = monotonic()
        while not self._stopping.is_set():
            self._seek()
            polled = self._client.poll(timeout_ms=POLL_MS)
            records = [
                (Lane(self._consumer.name, place.topic, place.partition), self._record(found))
                for place, all_found in polled.items()
                for found in all_found
            ]
            if records:
                self._tell(Batch(records))
            if monotonic() - committed_at >= COMMIT_S:
                self._commit()
                committed_at = monotonic()
        self._commit()

    def _seek(self) -> None:
        with self._lock:
            seeks, self._seeks = self._seeks, {}
        for place, offset in seeks.items():
            if place in self._client.assignment():
                self._client.seek(place, offset)
            self._tell(Lane(self._consumer.name, place.topic, place.partition))

    def _commit(self) -> None:
        with self._lock:
            offsets, self._offsets = self._offsets, {}
        held = self._client.assignment()
        due = {place: OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items() if place in held}
        if not due:
            return
        try:
            self._client.commit(due, timeout_ms=2_000)
        except KafkaError as error:  # committed with the next ones, or delivered again and found in the inbox
            logger().warning("kafka_commit_failed", consumer=self._consumer.name, error=type(error).__name__)
            with self._lock:
                self._offsets = {place: due[place].offset for place in due} | self._offsets

    def _record(self, found: Any) -> Record:
        key = None if found.key is None else found.key.decode(errors="replace")
        return Record(found.topic, found.partition, found.offset, key, self._envelope(found))

    def _envelope(self, found: Any) -> Envelope:
        """What is no CloudEvent travels as KafkaSource wraps it, for the function to refuse."""
        headers = [(name, value or b"") for name, value in found.headers]
        value = found.value or b""
        try:
            content_type = dict(headers).get("content-type", b"").decode(errors="replace")
            if content_type.startswith(STRUCTURED):
                return Envelope.from_http({"content-type": content_type}, value)
            return Envelope.from_kafka(headers, value)
        except NotAnEvent:
            return Envelope(
                id=f"partition:{found.partition}/offset:{found.offset}",
                source=f"/apis/v1/namespaces/shop/kafkasources/{self._consumer.name}#{found.topic}",
                type="dev.knative.kafka.event",
                time=None,
                data=value,
                datacontenttype=None,
            )
