"""The carrier of one machine: the outbox is the log itself, read by (topic, partition, offset)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from psycopg import AsyncConnection, Connection, sql
from psycopg.rows import TupleRow

from infra.carriers import Batch, Consumer, Lane, Record
from shared.runtime.events import PARTITIONS, Envelope, partition_of

LOCKS = 0x5E1A  # the class of the relay's advisory locks, one per shard
BATCH = 400

# Read Committed: the second statement takes its snapshot after the locks are held, so no shard's predecessor is missed.
_LOCK = sql.SQL(
    "prepare relay_lock as select set_config('relay.shards', coalesce(array_agg(shard)::text, '{{}}'), true)"
    " from generate_series(0, {last}) shard where pg_try_advisory_xact_lock({locks}, shard)"
).format(last=sql.Literal(PARTITIONS - 1), locks=sql.Literal(LOCKS))

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
        connection.execute(_LOCK)
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
