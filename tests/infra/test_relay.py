"""The relay under writers, kills and outages: nothing lost, no order broken."""

import time
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from infra.carriers import CarrierError
from infra.carriers.kafka_client import RECORD_BYTES
from infra.kafka import start
from infra.local.postgres import Cloned
from infra.relay.relay import Relay
from tests.infra.conftest import Carrier, Writers, assert_whole_and_in_order, spawned, wait_for


def test_eight_writers_and_relays_that_are_killed(carrier: Carrier, tmp_path: Path) -> None:
    with Writers(carrier, "shop.orders", writers=8, transactions=60, seed=7) as writers:
        for _ in range(3):
            with ExitStack() as relays:
                for number in range(2):
                    relays.enter_context(spawned("infra.relay", carrier.environ, tmp_path / f"relay-{number}.log"))
                time.sleep(1.3)
        with spawned("infra.relay", carrier.environ, tmp_path / "relay.log"):
            wait_for(lambda: len(writers.committed) > 0 and carrier.waiting() == 0, 30)
            writers.finish()
            wait_for(lambda: carrier.waiting() == 0, 30)

    assert_whole_and_in_order(carrier, "shop.orders", writers.committed)


def test_the_second_relay_takes_over_within_five_seconds(carrier: Carrier, tmp_path: Path) -> None:
    with ExitStack() as stack:
        first, _ = (
            stack.enter_context(spawned("infra.relay", carrier.environ, tmp_path / f"relay-{number}.log"))
            for number in range(2)
        )
        writers = stack.enter_context(Writers(carrier, "shop.orders", writers=4, transactions=60, seed=11))
        wait_for(lambda: len(writers.committed) > 20 and carrier.waiting() == 0, 20)
        first.kill()
        killed_at = time.monotonic()
        with psycopg.connect(carrier.database.owner_url) as connection:
            id_ = carrier.emit(connection, "shop.orders", "after the kill")
            connection.commit()
            writers.committed.append(id_)
            published = "select published_at is not null from platform.outbox where id = %s"
            wait_for(lambda: connection.execute(published, (id_,)).fetchone() == (True,), 5)
        assert time.monotonic() - killed_at < 5
        writers.finish()
        wait_for(lambda: carrier.waiting() == 0, 20)

    assert_whole_and_in_order(carrier, "shop.orders", writers.committed)


def test_an_idle_relay_publishes_what_is_committed_at_once(embedded: Carrier) -> None:
    relay = Relay(embedded.database.relay_url, embedded.outlet(), poll_s=60)
    running = Thread(target=relay.run)
    running.start()
    with psycopg.connect(embedded.database.owner_url, autocommit=True) as connection:
        try:
            wait_for(lambda: relay.ready, 20)
            embedded.emit(connection, "shop.orders", "order-1")
            wait_for(lambda: embedded.waiting() == 0, 10)
        finally:
            relay.stop()
            connection.execute("notify outbox")
            running.join()


def test_a_lost_database_connection_is_made_anew(embedded: Carrier) -> None:
    relay = Relay(embedded.database.relay_url, embedded.outlet())
    running = Thread(target=relay.run)
    running.start()
    try:
        with psycopg.connect(embedded.database.owner_url, autocommit=True) as connection:
            for round_ in range(3):
                wait_for(lambda: relay.ready, 10)
                ended = connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where application_name = 'relay' and datname = current_database()"
                ).fetchall()
                assert ended == [(True,)]
                embedded.emit(connection, "shop.orders", f"order-{round_}")
                wait_for(lambda: embedded.waiting() == 0, 5)
    finally:
        relay.stop()
        running.join()


def test_only_the_prefix_that_the_broker_acknowledged_is_marked(on_kafka: Carrier) -> None:
    """A record that is too large for the broker holds up its own shard and no other."""
    too_large = b"x" * (RECORD_BYTES + 1)
    with psycopg.connect(on_kafka.database.owner_url) as connection:
        first = on_kafka.emit(connection, "shop.orders", "order-1")
        refused = on_kafka.emit(connection, "shop.orders", "order-1", data=too_large)
        after = on_kafka.emit(connection, "shop.orders", "order-1")
        elsewhere = on_kafka.emit(connection, "shop.orders", "order-2")
        connection.commit()
    outlet = on_kafka.outlet()
    with psycopg.connect(on_kafka.database.relay_url, autocommit=True) as connection:
        outlet.attach(connection)
        with pytest.raises(CarrierError, match="MessageSizeTooLarge"):
            outlet.drain(connection)
    outlet.close()

    with psycopg.connect(on_kafka.database.owner_url) as connection:
        rows = connection.execute("select id::text, published_at is not null from platform.outbox").fetchall()
    marked: dict[str, bool] = dict(rows)
    assert marked[first] is True
    assert marked[refused] is False
    assert marked[after] is False
    assert {first, elsewhere} >= {id_ for id_, done in marked.items() if done}


def test_the_broker_killed_and_restarted(database: Cloned, tmp_path: Path) -> None:
    with start(tmp_path / "kafka") as broker:
        carrier = Carrier("kafka", database, broker)
        with (
            spawned("infra.relay", carrier.environ, tmp_path / "relay.log"),
            Writers(carrier, "shop.orders", writers=4, transactions=80, seed=3) as writers,
        ):
            wait_for(lambda: len(writers.committed) > 20, 20)
            for _ in range(2):
                broker.kill()
                time.sleep(1)
                broker.start()
            writers.finish()
            wait_for(lambda: carrier.waiting() == 0, 120)

        assert_whole_and_in_order(carrier, "shop.orders", writers.committed)
