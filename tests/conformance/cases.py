"""What may come as an event, and what must become of it, whatever carries it: `CASES` is the suite.

An event is written down as the HTTP binding has it, headers and body; each target brings it into its own form.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from uuid import UUID

from shared.runtime.events import percent_encoded

Fate = Literal["applied", "passed by", "refused"]
"""`passed by`: accepted without an effect, as of no concern. `refused`: for good, and kept as a dead letter."""

CONSUMER = "hold-stock"
TOPIC = "shop.inventory.commands"
SOURCE = "/shop/orders/conformance"
TYPE = "shop.inventory.hold.v1"
UNICODE = 'Größe 100 % "漢字" 🛒 \\ ~'


class Sent(NamedTuple):
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Case:
    """`published` is what becomes of it at POST /v1/events, where that differs: there somebody is told at once."""

    sent: Callable[[UUID], Sent]
    fate: Fate
    published: Fate | None = None
    times: int = 1
    correlation: str | None = None
    extensions: tuple[tuple[str, str], ...] = ()


def data(order: UUID, **more: Any) -> dict[str, Any]:
    return {"order_id": str(order), "lines": [{"sku": "MUG", "quantity": 2}], "expires_in_s": 60} | more


def attributes(order: UUID, **given: Any) -> dict[str, Any]:
    """Of one event; those given as None are left out."""
    whole = {
        "specversion": "1.0",
        "id": f"event-{order}",
        "source": SOURCE,
        "type": TYPE,
        "time": "2026-03-01T12:00:00.5Z",
        "subject": f"order/{order}",
        "partitionkey": str(order),
    } | given
    return {name: value for name, value in whole.items() if value is not None}


def binary(
    content: bytes | None = None, content_type: str | None = "application/json", **given: Any
) -> Callable[[UUID], Sent]:
    def sent(order: UUID) -> Sent:
        headers = {f"ce-{name}": percent_encoded(value) for name, value in attributes(order, **given).items()}
        if content_type is not None:
            headers["content-type"] = content_type
        return Sent(headers, json.dumps(data(order)).encode() if content is None else content)

    return sent


def raw(**headers: str) -> Callable[[UUID], Sent]:
    """Headers as they stand on the wire."""
    return lambda order: Sent(
        binary()(order).headers | {f"ce-{name}": value for name, value in headers.items()}, binary()(order).body
    )


def structured(content_type: str = "application/cloudevents+json", **given: Any) -> Callable[[UUID], Sent]:
    def sent(order: UUID) -> Sent:
        event = {**attributes(order), "datacontenttype": "application/json", "data": data(order)} | given
        whole = {name: value for name, value in event.items() if value is not None}
        return Sent({"content-type": content_type}, json.dumps(whole, ensure_ascii=False).encode())

    return sent


def with_data(**more: Any) -> Callable[[UUID], Sent]:
    return lambda order: Sent(binary()(order).headers, json.dumps(data(order, **more), ensure_ascii=False).encode())


def of_size(size_bytes: int) -> Callable[[UUID], Sent]:
    """A field that the function does not know fills it up."""

    def sent(order: UUID) -> Sent:
        bare = len(json.dumps(data(order, note="")).encode())
        return with_data(note="x" * (size_bytes - bare))(order)

    return sent


def batch(order: UUID) -> Sent:
    one = {**attributes(order), "data": data(order)}
    return Sent({"content-type": "application/cloudevents-batch+json"}, json.dumps([one, one]).encode())


CASES: dict[str, Case] = {
    "binary mode": Case(binary(), "applied"),
    "structured mode": Case(structured(), "applied"),
    "structured mode with a charset": Case(structured("application/cloudevents+json; charset=UTF-8"), "applied"),
    "sent twice": Case(binary(), "applied", times=2),
    "unicode in attributes": Case(binary(correlationid=UNICODE), "applied", correlation=UNICODE),
    "unicode in attributes, structured": Case(structured(correlationid=UNICODE), "applied", correlation=UNICODE),
    "percent-encoded where it need not be": Case(raw(correlationid="%41b%c3%BC"), "applied", correlation="Abü"),
    "a quoted header of an older sender": Case(raw(correlationid='"a \\"b\\""'), "applied", correlation='a "b"'),
    "an extension of text": Case(binary(tenant=UNICODE), "applied", extensions=(("tenant", UNICODE),)),
    "an extension that is an integer": Case(structured(priority=7), "applied", extensions=(("priority", "7"),)),
    "an extension that is a truth value": Case(structured(urgent=True), "applied", extensions=(("urgent", "true"),)),
    "unicode in the data": Case(with_data(note=UNICODE), "applied"),
    "a field that nobody knows": Case(with_data(colour="green"), "applied"),
    "64 KiB of data": Case(of_size(65_536), "applied"),
    "no content type": Case(binary(content_type=None), "applied"),
    "a content type with a charset": Case(binary(content_type="application/json; charset=utf-8"), "applied"),
    "no time, no subject": Case(binary(time=None, subject=None), "applied"),
    "no time, no subject, structured": Case(structured(time=None, subject=None), "applied"),
    "another type of the topic": Case(
        lambda order: Sent(
            binary(type="shop.inventory.release.v1")(order).headers, json.dumps({"order_id": str(order)}).encode()
        ),
        "passed by",
    ),
    "a type that nobody knows": Case(binary(type="shop.inventory.gift_wrap.v1"), "passed by", published="refused"),
    "a version that nobody knows": Case(binary(type="shop.inventory.hold.v9"), "refused"),
    "a type of strangers": Case(binary(type="com.example.hold"), "refused"),
    "a source that may not send it": Case(binary(source="/shop/payments/conformance"), "refused"),
    "a batch": Case(batch, "refused"),
    "no CloudEvent": Case(lambda _order: Sent({"content-type": "application/json"}, b"{}"), "refused"),
    "no id": Case(binary(id=None), "refused"),
    "an empty source": Case(binary(source=""), "refused"),
    "another version of CloudEvents": Case(binary(specversion="0.3"), "refused"),
    "a control character in an attribute": Case(raw(correlationid="a%0Ab"), "refused"),
    "data that is no JSON": Case(binary(b"{"), "refused"),
    "data that is not UTF-8": Case(binary(b'{"order_id": "\xff"}'), "refused"),
    "no data": Case(binary(b""), "refused"),
    "data that does not fit": Case(with_data(lines="two mugs"), "refused"),
    "half a character": Case(
        lambda order: Sent(binary()(order).headers, json.dumps(data(order, ship_to="\ud800")).encode()), "refused"
    ),
    "U+0000 in the data": Case(
        lambda order: Sent(binary()(order).headers, json.dumps(data(order, note="\x00")).encode()), "refused"
    ),
    "a number beyond all bounds": Case(
        lambda order: Sent(binary()(order).headers, json.dumps(data(order)).replace("60", "6" + "0" * 400).encode()),
        "refused",
    ),
    "structured mode that is cut off": Case(
        lambda order: Sent(structured()(order).headers, structured()(order).body[:-5]), "refused"
    ),
}
