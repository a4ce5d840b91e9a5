"""What the dashboards and alerts rely on: what is counted, when, and what is there as 0 before."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from functions.catalog.create_product import create_product
from functions.inventory.list_locations import list_locations
from functions.inventory.release_hold import release_hold
from functions.orders.place_order import place_order
from shared.inventory.events import HoldReleased, ReleaseHold
from shared.runtime import Event
from shared.runtime.answers import Answer
from shared.runtime.db import Database
from shared.runtime.events import Envelope
from shared.runtime.metrics import Answered
from shared.runtime.serve import Endpoint, Runtime, endpoint
from shared.runtime.work import Work
from tests.conftest import Ask, declaration_of, delivered
from tests.shared.runtime.declared import standing_in

COMMAND = ReleaseHold(order_id=UUID(int=1))


def value(name: str, **labels: str) -> float:
    """What is counted by now, and -1 where there is no such series."""
    found = REGISTRY.get_sample_value(name, labels)
    return -1 if found is None else found


@pytest.fixture
def delays() -> Callable[[], tuple[float, float]]:
    """How many delays of release_hold there are, and their sum, since the test began."""

    def now() -> tuple[float, float]:
        name = "shop_event_delay_seconds"
        return tuple(max(0, value(f"{name}_{end}", function="release_hold")) for end in ("count", "sum"))  # type: ignore[return-value]

    before = now()
    return lambda: (now()[0] - before[0], now()[1] - before[1])


async def send(endpoint: Endpoint[Any], time: str | None, id: str = "e1") -> Answer:
    headers, body = delivered(COMMAND, id=id)
    headers.pop("ce-time")
    return await endpoint.handle("POST", "/", b"", headers | ({} if time is None else {"ce-time": time}), body)


async def test_the_delay_is_from_the_emission_to_the_effect(
    runtime: Runtime, delays: Callable[[], tuple[float, float]]
) -> None:
    receiver = endpoint(declaration_of(release_hold), runtime)
    emitted = datetime.now(UTC) - timedelta(seconds=30)

    assert (await send(receiver, emitted.isoformat())).status == 204
    count, seconds = delays()
    assert count == 1
    assert 30 <= seconds < 60
    assert (await send(receiver, emitted.isoformat())).status == 204, "the same again, which has no effect"
    assert delays() == (count, seconds)


@pytest.mark.parametrize("time", [None, "yesterday", "2026-03-01", "2026-03-01T12:00:00"])
async def test_an_event_without_a_time_has_its_effect_and_no_delay(
    time: str | None, runtime: Runtime, delays: Callable[[], tuple[float, float]]
) -> None:
    assert (await send(endpoint(declaration_of(release_hold), runtime), time)).status == 204
    assert delays() == (0, 0)


async def test_a_clock_that_runs_ahead_takes_no_time_away(
    runtime: Runtime, delays: Callable[[], tuple[float, float]]
) -> None:
    ahead = datetime.now(UTC) + timedelta(minutes=5)

    await send(endpoint(declaration_of(release_hold), runtime), ahead.isoformat())
    assert delays() == (1, 0)


async def test_an_effect_that_failed_has_no_delay(runtime: Runtime, delays: Callable[[], tuple[float, float]]) -> None:
    async def fails(_event: Event, _work: Work) -> None:
        raise RuntimeError("a defect")

    answer = await send(standing_in(runtime, release_hold, fails), datetime.now(UTC).isoformat())
    assert answer.status == 503
    assert delays() == (0, 0)


async def test_what_alerts_watch_is_there_before_it_happens(runtime: Runtime) -> None:
    named = replace(declaration_of(release_hold), name="never_called")
    endpoint(named, runtime)

    for status in ("500", "503"):
        assert value("shop_function_invocations_total", function="never_called", status=status) == 0
    assert value("shop_events_parked_total", function="never_called") == 0
    assert value("shop_events_duplicate_total", function="never_called") == 0
    assert value("shop_event_delay_seconds_count", function="never_called") == 0
    assert value("shop_events_emitted_total", function="never_called", type=HoldReleased.type) == 0


def test_answers_are_counted_by_status() -> None:
    answered = Answered("counted_here")
    for status in (200, 200, 503):
        answered[status].inc()

    counts = {
        status: value("shop_function_invocations_total", function="counted_here", status=str(status))
        for status in (200, 500, 503, 404)
    }
    assert counts == {200: 2, 500: 0, 503: 1, 404: -1}


async def test_statements_are_counted_for_their_function(ask: Ask) -> None:
    before = max(0, value("shop_statements_total", function="list_locations"))
    for _ in range(2):
        assert (await ask(list_locations, "/v1/locations", roles=("admin",))).status == 200

    assert value("shop_statements_total", function="list_locations") == before + 2


async def test_what_the_caller_asked_to_wait_for_is_no_duration(ask: Ask) -> None:
    mug = {"title": "Mug", "variants": [{"sku": "MUG", "price_minor": 100}]}
    order = {"lines": [{"sku": "MUG", "quantity": 1}], "payment_token": "tok_approve"}
    await ask(create_product, "/v1/products", mug, roles=("admin",))
    name = "shop_function_duration_seconds_sum"
    before, began = max(0, value(name, function="place_order")), perf_counter()

    waited = await ask(place_order, "/v1/orders", order, roles=("customer",), prefer="wait=1", idempotency_key="one")
    took_s = perf_counter() - began
    assert waited.headers["preference-applied"] == "wait=1"
    assert value(name, function="place_order") - before < took_s - 0.9


async def test_waits_for_a_connection_are_counted(runtime: Runtime) -> None:
    before = value("shop_connection_waits_total")
    small = Database(runtime.settings.database_url, 1)
    try:
        async with small.reading("fn_list_locations"):
            waiting = asyncio.create_task(_use(small))
            await asyncio.sleep(0.05)
            assert value("shop_connection_waits_total") == before + 1
        await waiting
        await _use(small)
        assert value("shop_connection_waits_total") == before + 1
    finally:
        await small.close()


async def _use(database: Database) -> None:
    async with database.reading("fn_list_locations"):
        pass


@pytest.mark.parametrize("time", ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00.000+01:00"])
def test_the_time_of_an_event_has_an_offset(time: str) -> None:
    event = Envelope(id="e", source="/s", type="t", time=time, data=b"")

    assert event.emitted_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
