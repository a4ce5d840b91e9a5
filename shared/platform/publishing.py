"""Events that other services publish: which there are, what is taken of them, and who may publish what (PLAT-007)."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import shared.catalog.events
import shared.inventory.events
import shared.orders.events
import shared.orders.fulfilment_events
import shared.payments.events
import shared.platform.events
from shared.platform.problems import UnknownEventType
from shared.runtime import Envelope, Event
from shared.runtime.events import CORE, JSON, STRUCTURED, TRACED, family, percent_encoded
from shared.runtime.problems import UnsupportedMediaType, ValidationFailed
from shared.runtime.serve import faults_of

MODULES = (
    shared.catalog.events,
    shared.inventory.events,
    shared.orders.events,
    shared.orders.fulfilment_events,
    shared.payments.events,
    shared.platform.events,
)
PUBLISHABLE: dict[str, type[Event]] = {
    event.type: event
    for event in sorted(
        {
            value
            for module in MODULES
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Event) and value is not Event
        },
        key=lambda event: event.type,
    )
}
"""Every event that the shop's domains declare, by its type."""

ATTRIBUTES_BYTES = 8192
"""All attributes together travel as headers to each function that is given the event: servers take no more of them."""

_EXTENSION = re.compile(r"[a-z0-9]{1,20}").fullmatch  # CloudEvents 1.0.2, naming conventions
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)").fullmatch
_GIVEN_HERE = frozenset({"key", "recordedtime"})
_NUMBER_DIGITS = 19

Fault = dict[str, str]


class PublishingRight(BaseModel):
    """Events of these `types` may come from `source`, which is nobody else's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Annotated[str, Field(pattern=r"^/shop/[a-z]+/[a-z0-9-]+$", max_length=255, examples=["/shop/orders/books"])]
    types: Annotated[
        list[Annotated[str, Field(max_length=255, examples=["shop.inventory.hold.v1"])]],
        Field(min_length=1, max_length=200),
    ]


def understood(envelope: Envelope) -> Event:
    """The event that `envelope` carries. Raises UnknownEventType, UnsupportedMediaType, ValidationFailed."""
    model = PUBLISHABLE.get(envelope.type)
    if model is None:
        versions = [known for known in PUBLISHABLE if family(known) == family(envelope.type)]
        raise UnknownEventType(event_type=envelope.type[:255], known_versions=versions)
    if (envelope.datacontenttype or JSON).partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaType(taken=[JSON, STRUCTURED])
    faults = list(_faults_of_attributes(envelope))
    event = None
    try:
        _judge(envelope.data)
        event = model.model_validate_json(envelope.data)
    except ValidationError as error:
        faults += ({**fault, "pointer": f"/data{fault['pointer']}"} for fault in faults_of(error))
    except (ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, _Refused) else "This is no JSON document."
        faults.append({"pointer": "/data", "detail": said})
    if event is not None:
        follow = (("subject", envelope.subject, event.subject), ("partitionkey", envelope.partitionkey, event.key))
        faults += (
            {"pointer": f"/{name}", "detail": f"This follows from the data: leave it out, or say {right}."}
            for name, said, right in follow
            if said not in (None, right)
        )
    if faults or event is None:
        raise ValidationFailed(errors=faults)
    return event


def fingerprint(envelope: Envelope) -> bytes:
    """Of the type and the data, whatever their layout: a repetition in the other mode is a repetition."""
    document = orjson.dumps(orjson.loads(envelope.data), option=orjson.OPT_SORT_KEYS)
    return sha256(envelope.type.encode() + b"\0" + document).digest()


def faults_in_rights(may: Sequence[PublishingRight], taken: Collection[str]) -> Iterator[Fault]:
    """What cannot be granted: sources that are `taken` by functions, types that there are not, or not from there."""
    for n, right in enumerate(may):
        if right.source in taken:
            yield {"pointer": f"/may/{n}/source", "detail": "This is the source of one of the shop's own functions."}
        for m, type in enumerate(right.types):
            event = PUBLISHABLE.get(type)
            if event is None:
                yield {"pointer": f"/may/{n}/types/{m}", "detail": "The shop knows no event of this type."}
            elif not right.source.startswith(places := tuple(f"/shop/{domain}/" for domain in event.sent_by)):
                said = f"Those who consume it take it from {' or '.join(places)} only."
                yield {"pointer": f"/may/{n}/types/{m}", "detail": said}


def _faults_of_attributes(envelope: Envelope) -> Iterator[Fault]:
    if envelope.sequence is not None:
        yield {"pointer": "/sequence", "detail": "This is given by the shop: leave it out."}
    if envelope.time is not None and not _is_time(envelope.time):
        yield {"pointer": "/time", "detail": "This is no time with an offset (RFC 3339)."}
    for name in envelope.extensions:
        if not _EXTENSION(name) or name in (*CORE, *TRACED):
            yield {
                "pointer": f"/{name[:40]}",
                "detail": "An extension's name is of 1 to 20 lower-case letters or digits.",
            }
        elif name in _GIVEN_HERE or name.startswith("knative"):
            yield {"pointer": f"/{name}", "detail": "This is given on the way: leave it out."}
    if sum(len(name) + len(percent_encoded(value)) for name, value in envelope.attributes()) > ATTRIBUTES_BYTES:
        yield {"pointer": "", "detail": f"All attributes together are longer than {ATTRIBUTES_BYTES} bytes, encoded."}
    if max(len(envelope.id), len(envelope.source)) > 255:
        yield {"pointer": "/id", "detail": "Of id and source neither is longer than 255 characters."}


def _is_time(said: str) -> bool:
    try:
        return bool(_RFC_3339(said)) and datetime.fromisoformat(said).tzinfo is not None
    except ValueError:
        return False


class _Refused(ValueError):
    pass


def _judge(data: bytes) -> None:
    """Raises ValueError for what no consumer could keep, whether the event's type names the field or not."""
    if not isinstance(orjson.loads(data), dict):
        raise _Refused("This is no JSON object.")
    if b"\\u0000" in data:
        raise _Refused("The character U+0000 is not taken.")
    json.loads(data, parse_int=_small)


def _small(digits: str) -> Any:
    if len(digits.lstrip("-")) > _NUMBER_DIGITS or not -(2**63) <= int(digits) < 2**63:
        raise _Refused("A whole number has more than 64 bits.")
    return 0
