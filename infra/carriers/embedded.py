"""The carrier of one machine: the outbox is the log itself, read by (topic, partition, offset)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from psycopg import AsyncConnection, Connection, sql
from psycopg.rows import TupleRow

from infra.carriers import Batch, Consumer, Lane, Record
from infra.carriers.rows import ENVELOPE, LIVELY, PREPARE_LOCK, envelope
from shared.runtime.db import compiled
from shared.runtime.events import Envelope, partition_of
from shared.runtime.outbox import NOTIFY, REDELIVER

BATCH = 400

# A payload over Postgres's 8,000 bytes is left out: the reader then looks at the heads itself.
_PUBLISH = sql.SQL("""
prepare relay_publish as
with waiting as materialized (
  select row.position, row.topic, row.partition,
         row_number() over (partition by row.topic, row.partition order by row.position desc) as back
  from unnest(current_setting('relay.shards')::smallint[]) as held(shard)
  cross join lateral (
    select position, topic, partition from platform.outbox
    where partition = held.shard and published_at is null order by position limit {batch}
  ) as row
), heads as (
  insert into platform.log_heads as head (topic, partition, next_offset)
  select topic, partition, count(*) from waiting group by topic, partition
  on conflict (topic, partition) do update set next_offset = head.next_offset + excluded.next_offset
  returning topic, partition, next_offset
), published as (
  update platform.outbox as row set log_offset = heads.next_offset - waiting.back, published_at = clock_timestamp()
  from waiting join heads using (topic, partition)
  where row.position = waiting.position
  returning row.partition
), news as (
  select string_agg(concat_ws(' ', topic, partition, next_offset), ',') as payload from heads having count(*) > 0
)
select (select count(*) from published),
       (select coalesce(max(n), 0) from (select count(*) as n from published group by partition) as shards),
       (select pg_notify('log', case when octet_length(payload) < 7900 then payload else '' end) from news)
""").format(batch=sql.Literal(BATCH))


class EmbeddedOutlet:
    """Gives each row its offset inside Postgres: one round trip a pass, and no row travels to the relay."""

    def attach(self, connection: Connection[Any]) -> None:
        # The statements are planned once, while the tables may still be empty: only index probes can be right later.
        connection.execute("set enable_seqscan = off")
        connection.execute("set enable_hashjoin = off")
        connection.execute("set enable_mergejoin = off")
        connection.execute(PREPARE_LOCK)
        connection.execute(_PUBLISH)

    def drain(self, connection: Connection[Any]) -> tuple[int, bool]:
        # Statements sent as one text are one transaction.
        cursor = connection.execute("execute relay_lock; execute relay_publish")
        cursor.nextset()
        row = cursor.fetchone()
        assert row is not None
        return row[0], row[1] >= BATCH

    def close(self) -> None:
        return


# One read of the log serves all consumers; a partition with a long backlog cannot crowd out the others.
_ROWS_EACH = 50
_PARTITIONS_EACH = 64
_POLL_S = 1.0
_LEADER = 0x5E1B

_READ = sql.SQL("""
select log.* from unnest(%s::text[], %s::smallint[], %s::bigint[]) as wanted(topic, partition, next_offset)
cross join lateral (
  select topic, partition, log_offset, {envelope} from platform.outbox
  where topic = wanted.topic and partition = wanted.partition and log_offset >= wanted.next_offset
    and published_at is not null
  order by log_offset limit %s
) as log
""").format(envelope=ENVELOPE)
_HEADS = "select topic, partition, next_offset from platform.log_heads where topic = any(%s)"
_OFFSETS = "select consumer, topic, partition, next_offset from platform.consumer_offsets where consumer = any(%s)"
_COMMIT = """
insert into platform.consumer_offsets as kept (consumer, topic, partition, next_offset)
select * from unnest(%s::text[], %s::text[], %s::smallint[], %s::bigint[])
on conflict (consumer, topic, partition) do update set next_offset = excluded.next_offset
where kept.next_offset < excluded.next_offset
"""


class EmbeddedSource:
    """Reads the log for all consumers at once. One dispatcher reads at a time; another one waits to take over."""

    def __init__(self, url: str) -> None:
        self._url = url

    @asynccontextmanager
    async def session(self, consumers: Sequence[Consumer]) -> AsyncIterator["EmbeddedSession"]:
        async with await self._connect() as asking, await self._connect() as listening:
            await self._lead(asking)
            await listening.execute("listen log")
            session = EmbeddedSession(asking, consumers)
            await session.resume()
            listener = asyncio.create_task(session.listen(listening))
            listener.add_done_callback(session.end)
            try:
                yield session
            finally:
                listener.cancel()
                await asyncio.wait([listener])

    async def _connect(self) -> AsyncConnection[TupleRow]:
        return await AsyncConnection.connect(
            self._url,
            autocommit=True,
            application_name="dispatcher",
            **LIVELY,
            options="-c statement_timeout=5s -c jit=off",
        )

    async def _lead(self, connection: AsyncConnection[TupleRow]) -> None:
        while True:
            cursor = await connection.execute("select pg_try_advisory_lock(%s, 0)", (_LEADER,))
            if (await cursor.fetchone() or (False,))[0]:
                return
            await asyncio.sleep(_POLL_S)


class EmbeddedSession:
    def __init__(self, connection: AsyncConnection[TupleRow], consumers: Sequence[Consumer]) -> None:
        self._connection = connection
        self._consumers = [consumer.name for consumer in consumers]
        self._readers: dict[str, list[str]] = {}
        for consumer in consumers:
            for topic in consumer.topics:
                self._readers.setdefault(topic, []).append(consumer.name)
        self._next: dict[Lane, int] = {}
        self._heads: dict[tuple[str, int], int] = {}
        self._wanted: dict[tuple[str, int], int] = {}
        self._rewound: dict[Lane, int] = {}
        self._news = asyncio.Event()
        self._stale = False
        self._lost: BaseException | None = None

    async def resume(self) -> None:
        """Begins where the consumers' committed offsets say."""
        offsets = await self._connection.execute(_OFFSETS, (self._consumers,))
        self._next = {
            Lane(consumer, topic, partition): offset for consumer, topic, partition, offset in await offsets.fetchall()
        }
        await self._look()

    async def listen(self, connection: AsyncConnection[TupleRow]) -> None:
        async for notification in connection.notifies():
            self._hear(notification.payload)
            self._news.set()

    def end(self, listener: asyncio.Task[None]) -> None:
        """Tells whoever waits in `batches` that nothing is heard any more."""
        self._lost = None if listener.cancelled() else listener.exception()
        self._news.set()

    async def batches(self) -> AsyncIterator[Batch]:
        while True:
            if self._lost:
                raise self._lost
            self._news.clear()
            self._rewind()
            if self._stale:
                await self._look()
            if self._wanted:
                yield Batch(await self._read())
                continue
            try:
                async with asyncio.timeout(_POLL_S):
                    await self._news.wait()
            except TimeoutError:
                self._stale = True

    async def rewind(self, lane: Lane, offset: int) -> None:
        self._rewound[lane] = offset
        self._news.set()

    async def commit(self, offsets: dict[Lane, int]) -> None:
        lanes = sorted(offsets)  # one lock order
        columns = (
            [lane.consumer for lane in lanes],
            [lane.topic for lane in lanes],
            [lane.partition for lane in lanes],
            [offsets[lane] for lane in lanes],
        )
        await self._connection.execute(_COMMIT, columns)

    async def bury(self, topic: str, key: str, letter: Envelope) -> None:
        redeliver = compiled(REDELIVER)
        values = redeliver.bound(
            {
                "id": letter.id,
                "source": letter.source,
                "type": letter.type,
                "subject": letter.subject,
                "topic": topic,
                "partition": partition_of(key),
                "key": key,
                "sequence": letter.sequence,
                "time": letter.time,
                "correlationid": letter.correlationid,
                "causationid": letter.causationid,
                "traceparent": letter.traceparent,
                "extensions": orjson.dumps(dict(letter.extensions)).decode(),
                "content_type": letter.datacontenttype,
                "data": letter.data,
            }
        )
        await self._connection.execute(redeliver.sql, values)
        await self._connection.execute(compiled(NOTIFY).sql)

    def _hear(self, payload: str) -> None:
        if not payload:
            self._stale = True
            return
        for entry in payload.split(","):
            topic, partition, head = entry.split(" ")
            self._advance(topic, int(partition), int(head))

    async def _look(self) -> None:
        self._stale = False
        heads = await self._connection.execute(_HEADS, (list(self._readers),))
        for topic, partition, head in await heads.fetchall():
            self._advance(topic, partition, head)

    def _advance(self, topic: str, partition: int, head: int) -> None:
        if topic not in self._readers or head <= self._heads.get((topic, partition), 0):
            return
        self._heads[topic, partition] = head
        start = min(self._next.get(Lane(consumer, topic, partition), 0) for consumer in self._readers[topic])
        if start < head:
            self._wanted.setdefault((topic, partition), start)

    def _rewind(self) -> None:
        for lane, offset in self._rewound.items():
            self._next[lane] = offset
            place = (lane.topic, lane.partition)
            self._wanted[place] = min(offset, self._wanted.get(place, offset))
        self._rewound.clear()

    async def _read(self) -> list[tuple[Lane, Record]]:
        places = list(self._wanted)[:_PARTITIONS_EACH]
        topics, partitions = [topic for topic, _ in places], [partition for _, partition in places]
        async with self._connection.cursor(binary=True) as cursor:
            await cursor.execute(_READ, (topics, partitions, [self._wanted[place] for place in places], _ROWS_EACH))
            rows = await cursor.fetchall()
        found = [Record(row[0], row[1], row[2], row[3], envelope(row[3:])) for row in rows]
        last = {(record.topic, record.partition): record.offset for record in found}
        for place in places:  # what is left goes to the end of the queue, so that every partition has its turn
            del self._wanted[place]
            if place in last and last[place] + 1 < self._heads[place]:
                self._wanted[place] = last[place] + 1
        news = []
        for record in found:
            for consumer in self._readers[record.topic]:
                lane = Lane(consumer, record.topic, record.partition)
                if lane not in self._rewound and record.offset >= self._next.get(lane, 0):
                    self._next[lane] = record.offset + 1
                    news.append((lane, record))
        return news
