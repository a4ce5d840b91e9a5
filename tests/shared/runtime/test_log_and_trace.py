"""Lines that tell of one invocation without personal data, and a trace that goes from request to event to event."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from functions.inventory.release_hold import release_hold
from functions.orders.record_order import record_order
from shared.inventory.events import ReleaseHold
from shared.runtime import log
from shared.runtime.serve import Runtime
from shared.runtime.trace import child_of
from tests.conftest import Books, delivered
from tests.issuer import Issuer
from tests.shared.runtime.declared import standing_in
from tests.shared.runtime.test_idempotency import ORDER

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"

Capture = pytest.CaptureFixture[bytes]


def lines(capture: Capture) -> Iterator[dict[str, Any]]:
    for line in capture.readouterr().out.splitlines():
        yield json.loads(line)


def test_personal_data_is_redacted_at_any_depth(capsysbinary: Capture) -> None:
    log.logger().info(
        "said",
        email="ann@example.com",
        order={"Payment_Token": "tok_1", "lines": [{"name": "Ann", "sku": "mug"}], "to": ({"phone": 1},)},
    )
    (line,) = lines(capsysbinary)
    assert line["email"] == "[redacted]"
    assert line["order"] == {
        "Payment_Token": "[redacted]",
        "lines": [{"name": "[redacted]", "sku": "mug"}],
        "to": [{"phone": "[redacted]"}],
    }
    assert (line["message"], line["level"]) == ("said", "info")
    assert line["timestamp"].endswith("Z")


def test_an_invocations_keys_are_on_each_of_its_lines_and_on_no_other(capsysbinary: Capture) -> None:
    with log.invocation(function="one"):
        log.append_keys(event_type="t")
        log.logger().info("inside")
    log.logger().info("outside")
    inside, outside = lines(capsysbinary)
    assert (inside["function"], inside["event_type"]) == ("one", "t")
    assert "function" not in outside
    assert "event_type" not in outside


def test_anything_can_be_logged(capsysbinary: Capture) -> None:
    log.logger().info("odd", id=UUID(int=1), keys={1: object}, raised=ValueError("x"))
    assert next(lines(capsysbinary))["id"] == str(UUID(int=1))


async def test_neither_tokens_nor_names_reach_the_log(
    runtime: Runtime, issuer: Issuer, db: Books, capsysbinary: Capture
) -> None:
    endpoint = standing_in(runtime, record_order, record_order)
    token = issuer.token("canary-subject", "admin")
    for changed in ({"payment_token": "canary-card"}, {"payment_token": ["canary-card"]}):
        headers = {"authorization": f"Bearer {token}", "idempotency-key": "k", "content-type": "application/json"}
        body = json.dumps(ORDER | changed).encode()
        answer = await endpoint.handle("POST", "/v1/admin/orders", b"token=canary-query", headers, body)
        assert b"canary" not in answer.body
    logged = capsysbinary.readouterr().out
    assert b"answered" in logged
    assert b"canary" not in logged
    assert token.encode() not in logged


async def test_an_invocation_logs_what_is_needed_to_find_it(runtime: Runtime, capsysbinary: Capture) -> None:
    endpoint = standing_in(runtime, release_hold, release_hold)
    headers, body = delivered(ReleaseHold(order_id=UUID(int=1)), id="e1")
    headers |= {"ce-correlationid": "c1", "ce-traceparent": PARENT}
    for _ in range(2):
        await endpoint.handle("POST", "/", b"", headers, body)
    first, second = (line for line in lines(capsysbinary) if line["message"] == "answered")
    assert (first["function"], first["correlation_id"], first["causation_id"]) == ("release-hold", "c1", "e1")
    assert (first["trace_id"], first["status"]) == (TRACE, 204)
    assert (first["cold_start"], second["cold_start"]) == (True, False)


def test_a_child_is_of_its_parents_trace() -> None:
    child = child_of(PARENT)
    assert child.startswith(f"00-{TRACE}-")
    assert child.endswith("-01")
    assert child != PARENT


@pytest.mark.parametrize("parent", [None, "", "nonsense", PARENT.upper(), f"01-{PARENT[3:]}", f"{PARENT}-x"])
def test_a_parent_that_is_none_begins_a_trace(parent: str | None) -> None:
    child = child_of(parent)
    assert len(child) == len(PARENT)
    assert TRACE not in child


async def test_a_trace_goes_from_request_to_event_to_event(runtime: Runtime, issuer: Issuer, db: Books) -> None:
    headers = {
        "authorization": f"Bearer {issuer.token('ann', 'admin')}",
        "content-type": "application/json",
        "idempotency-key": "k",
        "traceparent": PARENT,
        "x-correlation-id": "basket-7",
    }
    order = standing_in(runtime, record_order, record_order)
    await order.handle("POST", "/v1/admin/orders", b"", headers, json.dumps(ORDER).encode())
    sent = await db.one("select * from platform.outbox where topic = 'shop.inventory.commands'")
    assert (sent.correlationid, sent.causationid) == ("basket-7", None)
    assert sent.traceparent.startswith(f"00-{TRACE}-")

    release = standing_in(runtime, release_hold, release_hold)
    headers, body = delivered(ReleaseHold(order_id=UUID(sent.key)), id=sent.id)
    headers |= {"ce-correlationid": sent.correlationid, "ce-traceparent": sent.traceparent}
    await release.handle("POST", "/", b"", headers, body)
    answer = await db.one("select * from platform.outbox where topic = 'shop.holds'")
    assert (answer.correlationid, answer.causationid) == ("basket-7", sent.id)
    assert answer.traceparent.startswith(f"00-{TRACE}-")
    assert answer.traceparent != sent.traceparent
