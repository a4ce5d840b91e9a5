"""Events: what a domain says (Event), and how it travels as a CloudEvent (Envelope).

Binary mode follows the CloudEvents 1.0.2 HTTP protocol binding (section 3.1) and Kafka protocol binding (section 3.2).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Self
from urllib.parse import unquote
from zlib import crc32

import orjson
from pydantic import BaseModel, ConfigDict

from shared.runtime.problems import NotAnEvent

PARTITIONS = 16
JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch"
EVENTS: dict[str, type["Event"]] = {}


class Event(BaseModel):
    """One fact or command. A subclass says its CloudEvents type, its topic, and which field is the partition key.

    `sent_by` lists the domains whose functions may emit it; by default the domain in its type.
    Consumers ignore fields they do not know: within a version, fields are only added.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    topic: ClassVar[str]
    key_field: ClassVar[str]
    subject_template: ClassVar[str]
    sent_by: ClassVar[tuple[str, ...]]

    def __init_subclass__(
        cls, *, type: str, topic: str, key: str, subject: str, sent_by: tuple[str, ...] | None = None
    ) -> None:
        super().__init_subclass__()
        cls.type, cls.topic, cls.key_field, cls.subject_template = type, topic, key, subject
        cls.sent_by = sent_by or (type.split(".")[1],)
        EVENTS[type] = cls

    @property
    def key(self) -> str:
        return str(getattr(self, self.key_field))

    @property
    def subject(self) -> str:
        return self.subject_template.format_map(self.__dict__)


def partition_of(key: str) -> int:
    return crc32(key.encode()) % PARTITIONS


def family(type: str) -> str:
    """The type without its version: `shop.orders.order.created.v1` is of the family `shop.orders.order.created`."""
    return type.rpartition(".v")[0]


CORE = ("id", "source", "type", "time", "subject")
TRACED = ("partitionkey", "sequence", "correlationid", "causationid", "traceparent")
ATTRIBUTES = (*CORE, *TRACED)

_plain = re.compile(r"[!#$&-~]*").fullmatch  # U+0021 to U+007E but '"' and '%': no percent-encoding needed
_forbidden = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search  # in attributes: CloudEvents 1.0.2, type system
_escaped = re.compile(r"\\(.)").sub


def percent_encoded(value: str) -> str:
    """HTTP binding, section 3.1.3.2: space, double quote, percent and all outside printable ASCII are encoded."""
    if _plain(value):
        return value
    return "".join(
        character if _plain(character) else "".join(f"%{byte:02X}" for byte in character.encode())
        for character in value
    )


def percent_decoded(value: str) -> str:
    """The same section: the quoted strings of older senders are unescaped, then one round of percent-decoding."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = _escaped(r"\1", value[1:-1])
    return unquote(value) if "%" in value else value


@dataclass(frozen=True, slots=True)
class Envelope:
    """A CloudEvent as it stands in the outbox and on the wire; `data` is bytes and never re-encoded."""

    id: str
    source: str
    type: str
    time: str | None
    data: bytes
    subject: str | None = None
    partitionkey: str | None = None
    sequence: str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None
    datacontenttype: str | None = JSON
    extensions: Mapping[str, str] = field(default_factory=dict)

    @property
    def position(self) -> int:
        """The `sequence` as a number, 0 where there is none."""
        return int(self.sequence) if self.sequence and self.sequence.isascii() and self.sequence.isdigit() else 0

    @property
    def emitted_at(self) -> datetime | None:
        """The `recordedtime` or the `time`, None where there is none (RFC 3339: with an offset)."""
        try:
            at = datetime.fromisoformat(self.extensions.get("recordedtime") or self.time or "")
        except ValueError:
            return None
        return at if at.tzinfo else None

    def attributes(self) -> Iterable[tuple[str, str]]:
        yield "specversion", "1.0"
        for name in ATTRIBUTES:
            if (value := getattr(self, name)) is not None:
                yield name, value
        yield from self.extensions.items()

    def to_http_headers(self) -> dict[str, str]:
        headers = {f"ce-{name}": percent_encoded(value) for name, value in self.attributes()}
        if self.datacontenttype is not None:
            headers["content-type"] = self.datacontenttype
        return headers

    def to_kafka_headers(self) -> list[tuple[str, bytes]]:
        headers = [(f"ce_{name}", value.encode()) for name, value in self.attributes()]
        if self.datacontenttype is not None:
            headers.append(("content-type", self.datacontenttype.encode()))
        return headers

    @classmethod
    def from_http(cls, headers: Mapping[str, str], body: bytes) -> Self:
        """Reads binary or structured mode; header names in lower case. Raises NotAnEvent."""
        content_type = headers.get("content-type")
        media_type = (content_type or "").partition(";")[0].strip().lower()
        if media_type.startswith(BATCH):
            raise NotAnEvent(detail="Batches are not taken: send one event per request.")
        if media_type == STRUCTURED:
            return cls._from_structured(headers, body)
        return cls._from_attributes(
            {name[3:]: percent_decoded(value) for name, value in headers.items() if name[:3] == "ce-"},
            content_type,
            body,
        )

    @classmethod
    def from_kafka(cls, headers: Iterable[tuple[str, bytes]], value: bytes) -> Self:
        """Reads the Kafka binding's binary mode. Raises NotAnEvent."""
        named = {name.lower(): content for name, content in headers}
        content_type = named.pop("content-type", None)
        try:
            attributes = {name[3:]: content.decode() for name, content in named.items() if name[:3] == "ce_"}
            return cls._from_attributes(attributes, None if content_type is None else content_type.decode(), value)
        except UnicodeDecodeError:
            raise NotAnEvent(detail="An attribute is not UTF-8.") from None

    @classmethod
    def _from_attributes(cls, attributes: dict[str, str], content_type: str | None, data: bytes) -> Self:
        if attributes.pop("specversion", None) != "1.0":
            raise NotAnEvent(detail="The attribute specversion must be 1.0.")
        if any(map(_forbidden, attributes.values())):
            raise NotAnEvent(detail="An attribute holds a control character or half a character.")
        known = {name: attributes.pop(name, None) for name in ATTRIBUTES}
        if missing := [name for name in ("id", "source", "type") if not known[name]]:
            raise NotAnEvent(detail=f"Attributes are missing: {', '.join(missing)}.")
        return cls(**known, data=data, datacontenttype=content_type, extensions=attributes)  # type: ignore[arg-type]

    @classmethod
    def _from_structured(cls, headers: Mapping[str, str], body: bytes) -> Self:
        from cloudevents.http import from_http  # the SDK: rarely needed, so imported late

        try:
            event, said = from_http(dict(headers), body), orjson.loads(body)  # the SDK makes up what is not said
            data = event.get_data()
            if not isinstance(data, bytes):
                data = b"" if data is None else orjson.dumps(data)
        except Exception:  # noqa: BLE001 - the SDK raises many kinds for a malformed document
            raise NotAnEvent(detail="The structured CloudEvent cannot be read.") from None
        attributes = {
            name: _text(value) for name, value in event.get_attributes().items() if said.get(name) is not None
        }
        content_type = attributes.pop("datacontenttype", JSON)
        return cls._from_attributes(attributes, content_type, data)


def _text(value: object) -> str:
    """An attribute's string form (CloudEvents 1.0.2, type system)."""
    return str(value).lower() if isinstance(value, bool) else str(value)
