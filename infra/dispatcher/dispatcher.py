"""Delivers the log to the functions by KafkaSource's rules: ordered, retried with backoff, then dead-lettered.

One event is in flight per lane (consumer, topic, partition); lanes do not wait for each other.
"""

import asyncio
from base64 import b64encode
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import uniform
from time import monotonic

from prometheus_client import Counter, Gauge
from psycopg import Error as DatabaseError

from infra.carriers import Batch, CarrierError, Lane, Record, Session, Source
from infra.dispatcher.delivery import ANSWER_S, NO_ANSWER, Deliver, http_headers
from infra.dispatcher.subscriptions import Subscription
from shared.runtime.declare import dead_letter_topic
from shared.runtime.events import Envelope
from shared.runtime.log import logger

RETRIED = frozenset({404, 408, 409, 429})
ANSWER_BYTES = 1024  # of a refused event's answer, kept with its dead letter
LANE_RECORDS = 500  # read ahead; the rest of a lane that is held up is read again later
LONGEST_BACKOFF_S = 5.0

DELIVERIES = Counter("shop_dispatcher_deliveries", "Deliveries by the function's answer", ["consumer", "status"])
DEAD_LETTERS = Counter("shop_dispatcher_dead_letters", "Events that went to the dead-letter topic", ["consumer"])
INTERRUPTIONS = Counter("shop_dispatcher_interruptions", "Times that the carrier was lost")
WAITING = Gauge("shop_dispatcher_waiting", "Events read and not yet delivered", multiprocess_mode="mostrecent")
OLDEST = Gauge(
    "shop_dispatcher_oldest_seconds",
    "Age of the oldest event read and not yet delivered",
    ["consumer"],
    multiprocess_mode="mostrecent",
)


@dataclass(frozen=True, slots=True)
class Rules:
    """`retries` and `backoff_s` are KafkaSource's defaults: the n-th retry waits backoff_s * 2^n."""

    retries: int = 10
    backoff_s: float = 0.3
    commit_s: float = 0.5
    concurrency: int = 16
    destination: str = "http://{consumer}.shop.svc.cluster.local"


class Dispatcher:
    """Reads `source` for the `subscriptions` and asks their functions through `deliver`."""

    def __init__(self, source: Source, deliver: Deliver, subscribed: Sequence[Subscription], rules: Rules) -> None:
        self._source = source
        self._deliver = deliver
        self._subscriptions = {subscription.consumer.name: subscription for subscription in subscribed}
        self._rules = rules
        self._stopping = asyncio.Event()
        self._alive_at = monotonic()
        self.ready = False

    @property
    def live(self) -> bool:
        """Whether the event loop still turns; a carrier that is away is no reason to be killed."""
        return monotonic() - self._alive_at < 30

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Returns after `stop`, with what was in flight answered and committed; outlives any outage of the carrier."""
        failures = 0
        consumers = [subscription.consumer for subscription in self._subscriptions.values()]
        beat = asyncio.create_task(self._beat())
        while not self._stopping.is_set():
            try:
                async with self._source.session(consumers) as session:
                    logger().info("dispatcher_ready", consumers=len(consumers))
                    failures = 0
                    await self._spell(session)
            except (CarrierError, DatabaseError, OSError) as error:
                INTERRUPTIONS.inc()
                logger().warning("dispatcher_interrupted", error=type(error).__name__, detail=str(error).strip())
                await _pause(self._stopping, uniform(0.5, 1) * min(LONGEST_BACKOFF_S, 0.1 * 2**failures))
                failures += 1
            finally:
                self.ready = False
        beat.cancel()

    async def _beat(self) -> None:
        while True:
            self._alive_at = monotonic()
            await asyncio.sleep(1)

    async def _spell(self, session: Session) -> None:
        spell = Spell(session, self._deliver, self._subscriptions, self._rules)
        tasks: list[asyncio.Task[None]] = [
            asyncio.create_task(spell.read()),
            asyncio.create_task(self._keep(spell)),
            asyncio.create_task(_until(self._stopping)),
        ]
        self.ready = True
        try:
            await asyncio.wait([*tasks, spell.broken], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await spell.finish()
        for ended in (*tasks, spell.broken):
            if ended.done() and not ended.cancelled():
                ended.result()

    async def _keep(self, spell: "Spell") -> None:
        while True:
            await asyncio.sleep(self._rules.commit_s)
            await spell.commit()


class Spell:
    """One session's lanes. After `finish` nothing is delivered any more and what was done is committed."""

    def __init__(self, session: Session, deliver: Deliver, subscribed: dict[str, Subscription], rules: Rules) -> None:
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._session = session
        self._deliver = deliver
        self._subscriptions = subscribed
        self._rules = rules
        self._slots = asyncio.Semaphore(rules.concurrency)
        self._ending = asyncio.Event()
        self._queues: dict[Lane, deque[Record]] = {}
        self._behind: dict[Lane, int] = {}
        self._done: dict[Lane, int] = {}
        self._tasks: dict[Lane, asyncio.Task[None]] = {}

    async def read(self) -> None:
        async for batch in self._session.batches():
            self._take(batch)

    async def commit(self) -> None:
        self._measure()
        done, self._done = self._done, {}
        if done:
            try:
                await self._session.commit(done)
            except BaseException:
                self._done = {**done, **self._done}  # the newer offset wins
                raise

    def _measure(self) -> None:
        WAITING.set(sum(map(len, self._queues.values())))
        now, oldest = datetime.now(UTC), dict.fromkeys(self._subscriptions, 0.0)
        for lane, queue in self._queues.items():
            if queue and (at := queue[0].envelope.emitted_at):
                oldest[lane.consumer] = max(oldest[lane.consumer], (now - at).total_seconds())
        for consumer, age_s in oldest.items():
            OLDEST.labels(consumer).set(age_s)

    async def finish(self) -> None:
        self._ending.set()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=ANSWER_S)
        if not self.broken.done():
            # Else what was done is delivered again after the restart, and found in the inbox.
            with suppress(CarrierError, DatabaseError, OSError):
                await self.commit()

    def _take(self, batch: Batch) -> None:
        for lane in batch.revoked:
            self._behind.pop(lane, None)
            self._done.pop(lane, None)
            if queue := self._queues.get(lane):
                first = queue.popleft()
                queue.clear()
                queue.append(first)  # in flight: it ends as it ends
        for lane, record in batch.records:
            if lane in self._behind:
                continue
            queue = self._queues.get(lane)
            if queue is None:
                if not self._wanted(lane, record):
                    self._done[lane] = record.offset + 1
                    continue
                self._queues[lane] = deque((record,))
                self._tasks[lane] = task = asyncio.create_task(self._run(lane))
                task.add_done_callback(self._ended)
            elif len(queue) < LANE_RECORDS:
                queue.append(record)
            else:
                self._behind[lane] = record.offset

    async def _run(self, lane: Lane) -> None:
        queue = self._queues[lane]
        while queue:
            record = queue[0]
            if self._wanted(lane, record) and not await self._settle(lane, record):
                return
            queue.popleft()
            self._done[lane] = record.offset + 1
        del self._queues[lane], self._tasks[lane]
        if (offset := self._behind.pop(lane, None)) is not None:
            await self._session.rewind(lane, offset)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Whatever stopped a lane ends the spell: its record stays uncommitted."""
        if (error := task.exception()) and not self.broken.done():
            self.broken.set_exception(error)

    def _wanted(self, lane: Lane, record: Record) -> bool:
        return self._subscriptions[lane.consumer].wants(record.envelope.type)

    async def _settle(self, lane: Lane, record: Record) -> bool:
        """Whether the record is done with: delivered or buried. False when the spell ended first."""
        headers = http_headers(record)
        retry = 0
        while not self._ending.is_set():
            async with self._slots:
                status, answer = await self._deliver(lane.consumer, headers, record.envelope.data)
            DELIVERIES.labels(lane.consumer, str(status)).inc()
            if 200 <= status < 300:
                return True
            if not _retried(status) or retry >= self._rules.retries:
                await self._bury(lane, record, status, answer)
                return True
            retry += 1
            await _pause(self._ending, self._rules.backoff_s * 2**retry)
        return False

    async def _bury(self, lane: Lane, record: Record, status: int, answer: bytes) -> None:
        envelope = record.envelope
        extensions = {
            **envelope.extensions,
            "knativeerrordest": self._rules.destination.format(consumer=lane.consumer),
        }
        if status != NO_ANSWER:
            extensions["knativeerrorcode"] = str(status)
            extensions["knativeerrordata"] = b64encode(answer[:ANSWER_BYTES]).decode()
        letter: Envelope = replace(envelope, extensions=extensions)
        await self._session.bury(dead_letter_topic(lane.consumer), record.key or envelope.id, letter)
        DEAD_LETTERS.labels(lane.consumer).inc()
        logger().warning(
            "event_dead_lettered",
            consumer=lane.consumer,
            type=envelope.type,
            id=envelope.id,
            status=status,
            topic=lane.topic,
            partition=lane.partition,
            offset=record.offset,
        )


def _retried(status: int) -> bool:
    return status == NO_ANSWER or status >= 500 or status in RETRIED


async def _until(event: asyncio.Event) -> None:
    await event.wait()


async def _pause(sooner: asyncio.Event, seconds: float) -> None:
    """Sleeps, but no longer than until `sooner` is set."""
    try:
        async with asyncio.timeout(seconds):
            await sooner.wait()
    except TimeoutError:
        return
