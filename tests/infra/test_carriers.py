"""Both carriers through the same tests, and Kafka's records byte for byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from threading import Thread
from uuid import uuid4

import psycopg
import pytest

from infra.carriers import Batch, Consumer, Lane, Record, Session
from infra.carriers.kafka_client import KafkaSettings, Message, Publisher
from infra.kafka import Broker
from infra.relay.relay import Relay
from shared.runtime.events import Envelope
from tests.infra.conftest import Carrier, wait_for


def relayed(carrier: Carrier) -> None:
    relay = Relay(carrier.database.relay_url, carrier.outlet())
    running = Thread(target=relay.run)
    running.start()
    try:
        wait_for(lambda: carrier.waiting() == 0, 20)
    finally:
        relay.stop()
        running.join()


def emitted(carrier: Carrier, topic: str, key: str, count: int, **values: object) -> list[str]:
    with psycopg.connect(carrier.database.owner_url) as connection:
        ids = [carrier.emit(connection, topic, key, **values) for _ in range(count)]
    relayed(carrier)
    return ids


@asynccontextmanager
async def reading(carrier: Carrier, *consumers: Consumer) -> AsyncIterator[tuple[Session, AsyncIterator[Batch]]]:
    async with carrier.source().session(consumers) as session:
        batches = session.batches()
        yield session, batches
        with suppress(RuntimeError):
            await batches.aclose()  # type: ignore[attr-defined]


async def take(batches: AsyncIterator[Batch], count: int) -> list[tuple[Lane, Record]]:
    found: list[tuple[Lane, Record]] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found += (await anext(batches)).records
    return found


def order_reader(carrier: Carrier, name: str = "confirm-order") -> Consumer:
    return Consumer(carrier.name(name), (carrier.name("shop.orders"),))


async def test_every_consumer_reads_every_record_in_order(carrier: Carrier) -> None:
    ids = await asyncio.to_thread(emitted, carrier, "shop.orders", "order-1", 120)
    consumers = [order_reader(carrier, name) for name in ("confirm-order", "notify-customer")]

    async with reading(carrier, *consumers) as (_, batches):
        found = await take(batches, 240)

    for consumer in consumers:
        mine = [record for lane, record in found if lane.consumer == consumer.name]
        assert [record.envelope.id for record in mine] == ids
        assert [record.offset for record in mine] == list(range(120))


async def test_an_envelope_arrives_as_it_was_committed(carrier: Carrier) -> None:
    data = '{"name": "Mug, größer"}'.encode()
    [id_] = await asyncio.to_thread(emitted, carrier, "shop.orders", "order-ü", 1, data=data)

    async with reading(carrier, order_reader(carrier)) as (_, batches):
        [(_, record)] = await take(batches, 1)

    with psycopg.connect(carrier.database.owner_url) as connection:
        (time,) = connection.execute(
            "select to_char(time at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') from platform.outbox"
        ).fetchone() or (None,)
    assert record.key == "order-ü"
    assert record.envelope == Envelope(
        id=id_,
        source="/shop/orders/test",
        type="shop.orders.order.created.v1",
        time=time,
        data=data,
        partitionkey="order-ü",
        sequence="1",
    )


async def test_reading_goes_on_at_the_committed_offset(carrier: Carrier) -> None:
    ids = await asyncio.to_thread(emitted, carrier, "shop.orders", "order-1", 10)
    consumer = order_reader(carrier)
    async with reading(carrier, consumer) as (session, batches):
        found = await take(batches, 10)
        await session.commit({found[0][0]: found[6][1].offset + 1})

    async with reading(carrier, consumer) as (_, batches):
        again = await take(batches, 3)

    assert [record.envelope.id for _, record in again] == ids[7:]


async def test_a_rewound_lane_is_read_again_from_there_and_from_nowhere_else(carrier: Carrier) -> None:
    ids = await asyncio.to_thread(emitted, carrier, "shop.orders", "order-1", 10)
    async with reading(carrier, order_reader(carrier)) as (session, batches):
        found = await take(batches, 10)
        await session.rewind(found[0][0], 4)
        again = await take(batches, 6)

    assert [record.envelope.id for _, record in again] == ids[4:]


async def test_a_dead_letter_reaches_its_topic_with_all_its_attributes(carrier: Carrier) -> None:
    letter = Envelope(
        id=str(uuid4()),
        source="/shop/orders/place-order",
        type="shop.orders.order.created.v1",
        time="2026-03-01T12:00:00.000001Z",
        data=b"not json",
        subject="order/1",
        partitionkey="order-1",
        sequence="7",
        correlationid="correlation",
        causationid="causation",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        extensions={"knativeerrorcode": "422"},
    )
    topic = carrier.name("shop.dead.confirm-order")
    consumer = Consumer(carrier.name("collect-dead-letters"), (topic,))
    async with reading(carrier, consumer) as (session, batches):
        await session.bury(topic, "order-1", letter)
        await asyncio.to_thread(relayed, carrier)
        [(_, record)] = await take(batches, 1)

    assert record.envelope == letter
    assert record.key == "order-1"


def test_a_record_is_the_kafka_bindings_example_byte_for_byte(kafka: Broker) -> None:
    """CloudEvents 1.0.2, Kafka protocol binding, section 3.2.6: the binary mode's example."""
    carrier = Carrier("kafka", None, kafka)  # type: ignore[arg-type]
    example = Envelope(
        id="1234-1234-1234",
        source="/mycontext/subcontext",
        type="com.example.someevent",
        time="2018-04-05T03:56:24Z",
        data=b"\x06\x16\x00application data encoded in Avro",
        datacontenttype="application/avro",
        partitionkey="mykey",
        extensions={"comexampleextension1": "value ü"},
    )
    publisher = Publisher(KafkaSettings(kafka.bootstrap, {}))
    acknowledged, error = publisher.publish([Message(carrier.name("mytopic"), 5, "mykey", example)], 5)
    publisher.drop()

    assert (acknowledged, error) == ([True], None)
    [message] = carrier.messages("mytopic")
    assert message.partition() == 5
    assert message.key() == b"mykey"
    assert message.value() == example.data
    assert dict(message.headers()) == {
        "ce_specversion": b"1.0",
        "ce_type": b"com.example.someevent",
        "ce_source": b"/mycontext/subcontext",
        "ce_id": b"1234-1234-1234",
        "ce_time": b"2018-04-05T03:56:24Z",
        "content-type": b"application/avro",
        "ce_partitionkey": b"mykey",
        "ce_comexampleextension1": "value ü".encode(),
    }
    assert len(message.headers()) == 8


STRANGE: dict[str, tuple[list[tuple[str, str | bytes | None]], bytes, str]] = {
    "structured mode": (
        [("content-type", b"application/cloudevents+json; charset=UTF-8")],
        b'{"specversion": "1.0", "id": "1", "source": "/s", "type": "shop.orders.order.created.v1", "data": {"a": 1}}',
        "shop.orders.order.created.v1",
    ),
    "no CloudEvent": ([], b"hello", "dev.knative.kafka.event"),
    "no source": ([("ce_specversion", b"1.0"), ("ce_id", b"1")], b"{}", "dev.knative.kafka.event"),
    "not UTF-8": (
        [("ce_specversion", b"1.0"), ("ce_id", b"\xff"), ("ce_source", b"/s"), ("ce_type", b"t")],
        b"{}",
        "dev.knative.kafka.event",
    ),
}


@pytest.mark.parametrize("case", STRANGE)
async def test_strange_records_are_read_as_kafka_source_reads_them(on_kafka: Carrier, case: str) -> None:
    from confluent_kafka import Producer

    headers, value, type_ = STRANGE[case]
    async with reading(on_kafka, order_reader(on_kafka)) as (_, batches):
        producer = Producer({"bootstrap.servers": on_kafka.environ["KAFKA_BOOTSTRAP"]})
        producer.produce(on_kafka.name("shop.orders"), value, headers=list(headers), partition=2)
        producer.flush(5)
        [(lane, record)] = await take(batches, 1)

    assert lane.partition == 2
    assert record.envelope.type == type_
    if type_ == "dev.knative.kafka.event":
        assert record.envelope.id == "partition:2/offset:0"
        assert record.envelope.data == value
