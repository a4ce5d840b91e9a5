"""Events on the wire: the CloudEvents bindings, by the specification's examples and with the SDK as the judge."""

import json
import string
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import from_http
from cloudevents.http.event import CloudEvent
from cloudevents.kafka import KafkaMessage
from cloudevents.kafka import from_binary as from_kafka
from hypothesis import given, settings
from hypothesis import strategies as st

from functions import load_all
from shared.inventory.events import HoldCommitted
from shared.runtime.events import EVENTS, JSON, PARTITIONS, Envelope, family, partition_of, percent_encoded
from shared.runtime.problems import NotAnEvent

ENVELOPE = Envelope(
    id="A234-1234-1234",
    source="/mycontext/subcontext",
    type="com.example.someevent",
    time="2018-04-05T03:56:24.000000Z",
    data=b'{"a":1}',
)

STRUCTURED = {"content-type": "application/cloudevents+json"}

# Any character that a header may have to carry; the specification forbids control characters and surrogates.
texts = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=12)
ascii_texts = st.text(string.ascii_letters + string.digits + string.punctuation + " ", min_size=1, max_size=12)
names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20).map(lambda name: f"x{name}")


def envelopes(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Envelope]:
    return st.builds(
        Envelope,
        id=texts,
        source=texts,
        type=texts,
        time=st.just("2026-03-01T12:00:00.123456Z"),
        data=st.binary(max_size=60),
        subject=st.none() | texts,
        partitionkey=st.none() | texts,
        sequence=st.none() | st.integers(min_value=1, max_value=2**63).map(str),
        correlationid=st.none() | texts,
        extensions=st.dictionaries(names, texts, max_size=3),
    )


def attributes(envelope: Envelope) -> dict[str, str]:
    return dict(envelope.attributes())


@pytest.mark.parametrize(
    ("value", "header"),
    [
        ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"),  # HTTP binding 1.0.2, section 3.1.3.2
        ('a "quoted" 100%', "a%20%22quoted%22%20100%25"),
        ("com.example.someevent", "com.example.someevent"),
        ("!#$&'()*+,-./:;<=>?@[\\]^_`{|}~", "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    ],
)
def test_header_values_are_percent_encoded_as_the_specification_says(value: str, header: str) -> None:
    assert percent_encoded(value) == header
    assert replace(ENVELOPE, subject=value).to_http_headers()["ce-subject"] == header
    read = Envelope.from_http({**ENVELOPE.to_http_headers(), "ce-subject": header}, b"")
    assert read.subject == value


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ('"a quoted string"', "a quoted string"),
        ('"with \\"escapes\\" and \\\\"', 'with "escapes" and \\'),
        ('"100%25"', "100%"),
        ("%2525", "%25"),  # a single round
        ('"', '"'),
    ],
)
def test_quoted_strings_of_older_senders_are_read(header: str, value: str) -> None:
    """Section 3.1.3.2: unescaped as RFC 7230 quoted strings first, then decoded once."""
    read = Envelope.from_http({**ENVELOPE.to_http_headers(), "ce-subject": header}, b"")
    assert read.subject == value


def test_the_http_bindings_binary_example() -> None:
    """Section 3.1.4 of the HTTP binding."""
    headers = {
        "ce-specversion": "1.0",
        "ce-type": "com.example.someevent",
        "ce-time": "2018-04-05T03:56:24Z",
        "ce-id": "1234-1234-1234",
        "ce-source": "/mycontext/subcontext",
        "content-type": "application/json; charset=utf-8",
        "content-length": "7",
    }
    read = Envelope.from_http(headers, b'{"a":1}')

    assert (read.id, read.source, read.type) == ("1234-1234-1234", "/mycontext/subcontext", "com.example.someevent")
    assert (read.datacontenttype, read.data) == ("application/json; charset=utf-8", b'{"a":1}')
    assert read.extensions == {}
    assert read.to_http_headers() == {name: value for name, value in headers.items() if name != "content-length"}


def test_the_http_bindings_structured_example() -> None:
    """Section 3.2.3 of the HTTP binding."""
    document = {
        "specversion": "1.0",
        "type": "com.example.someevent",
        "id": "A234",
        "source": "/mycontext",
        "comexampleextension1": "value",
        "comexampleothervalue": 5,
        "truth": True,
        "datacontenttype": "application/json",
        "data": {"a": [1, 2]},
    }
    headers = {"content-type": "application/cloudevents+json; charset=UTF-8"}
    read = Envelope.from_http(headers, json.dumps(document).encode())

    assert (read.id, read.type, read.source) == ("A234", "com.example.someevent", "/mycontext")
    assert read.extensions == {"comexampleextension1": "value", "comexampleothervalue": "5", "truth": "true"}
    assert json.loads(read.data) == {"a": [1, 2]}


def test_the_kafka_bindings_binary_example() -> None:
    """Section 3.2.5 of the Kafka binding: names with ce_, values in UTF-8 as they are."""
    envelope = replace(ENVELOPE, subject="Euro € 😀", partitionkey="mykey", extensions={"comexampleextension1": "v"})
    headers = dict(envelope.to_kafka_headers())

    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_subject"] == "Euro € 😀".encode()
    assert headers["ce_partitionkey"] == b"mykey"
    assert headers["ce_comexampleextension1"] == b"v"
    assert headers["content-type"] == b"application/json"
    assert "ce_datacontenttype" not in headers


@settings(max_examples=40)
@given(envelopes(texts))
def test_http_carries_everything(envelope: Envelope) -> None:
    headers = envelope.to_http_headers()
    assert all(value.isascii() and value.isprintable() and " " not in value for value in headers.values())
    assert Envelope.from_http(headers, envelope.data) == envelope


@settings(max_examples=40)
@given(envelopes(texts))
def test_kafka_carries_everything(envelope: Envelope) -> None:
    assert Envelope.from_kafka(envelope.to_kafka_headers(), envelope.data) == envelope


@settings(max_examples=40)
@given(envelopes(texts))
def test_the_sdk_reads_what_goes_to_kafka(envelope: Envelope) -> None:
    message = KafkaMessage(dict(envelope.to_kafka_headers()), None, envelope.data)
    read = from_kafka(message, data_unmarshaller=lambda data: data)

    expected: dict[str, Any] = attributes(envelope) | {"datacontenttype": JSON}
    assert {name: value for name, value in read.get_attributes().items() if value is not None} == expected
    assert read.get_data() == envelope.data


@settings(max_examples=40)
@given(envelopes(ascii_texts))
def test_the_sdk_reads_what_goes_over_http(envelope: Envelope) -> None:
    """It leaves percent-encoding alone."""
    read = from_http(envelope.to_http_headers(), envelope.data, data_unmarshaller=lambda data: data)

    for name, value in attributes(envelope).items():
        assert read[name] == percent_encoded(value)


@settings(max_examples=40)
@given(st.dictionaries(names, ascii_texts, max_size=3), st.dictionaries(texts, st.integers(-(2**53), 2**53)))
def test_what_the_sdk_sends_is_read(extensions: dict[str, str], data: dict[str, int]) -> None:
    named = {"id": "1", "source": "/s", "type": "t", "time": "2026-03-01T12:00:00.000000Z", "datacontenttype": JSON}
    event = CloudEvent.create(named | extensions, data)
    headers, body = to_structured(event)
    structured = Envelope.from_http({name.lower(): value for name, value in headers.items()}, body)
    assert structured.extensions == extensions
    assert json.loads(structured.data) == data

    headers, body = to_binary(CloudEvent.create(named, data))
    binary = Envelope.from_http({name.lower(): value for name, value in headers.items()}, body)
    assert replace(binary, data=b"") == replace(structured, data=b"", extensions={})
    assert json.loads(binary.data) == data


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-type": "application/cloudevents-batch+json"}, b"[]"),
        ({"content-type": "application/json"}, b"{}"),
        ({"ce-specversion": "0.3", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}, b""),
        ({"ce-specversion": "1.0", "ce-source": "/s", "ce-type": "t"}, b""),
        ({"ce-specversion": "1.0", "ce-id": "", "ce-source": "/s", "ce-type": "t"}, b""),
        (STRUCTURED, b"not json"),
        (STRUCTURED, b'{"specversion": "1.0", "id": "1"}'),
        (STRUCTURED, b"[]"),
        (STRUCTURED, b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":123456789012345678901}'),
        (STRUCTURED, b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":"\\ud800"}'),
        (STRUCTURED, b'{"specversion":"1.0","id":"\\ud800","source":"/s","type":"t"}'),
        ({"ce-specversion": "1.0", "ce-id": "%00", "ce-source": "/s", "ce-type": "t"}, b""),
    ],
)
def test_what_is_no_event_is_refused(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(NotAnEvent):
        Envelope.from_http(headers, body)


def test_what_is_not_utf8_is_no_event() -> None:
    with pytest.raises(NotAnEvent):
        Envelope.from_kafka(
            [("ce_specversion", b"1.0"), ("ce_id", b"\xff"), ("ce_source", b"/"), ("ce_type", b"t")], b""
        )


def test_partitions_are_those_that_were_always_given() -> None:
    """Another way to hash would reorder the streams of a running shop."""
    assert [partition_of(key) for key in ("123456789", "", "mug", "Tee ß")] == [6, 0, 9, 6]
    assert {partition_of(str(n)) for n in range(1000)} == set(range(PARTITIONS))


def test_an_event_says_where_it_goes() -> None:
    event = HoldCommitted(order_id=UUID(int=7))
    assert (event.type, event.topic) == ("shop.inventory.hold.committed.v1", "shop.holds")
    assert (event.key, event.subject) == (str(UUID(int=7)), f"hold/{UUID(int=7)}")
    assert event.sent_by == ("inventory",)
    assert family(event.type) == "shop.inventory.hold.committed"


def test_all_types_have_a_version_and_one_topic_per_key() -> None:
    load_all()
    for type, event in EVENTS.items():
        if type.startswith("shop."):
            assert family(type), type
            assert type.rpartition(".v")[2].isdigit()
            assert event.key_field in event.model_fields
