"""Trace context (W3C) carried from request to event to event; spans only where an OTLP endpoint is set."""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from shared.runtime.settings import settings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_traceparent = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})").fullmatch


@contextmanager
def span(name: str, parent: str | None, attributes: dict[str, str]) -> Iterator[str]:
    """Opens a span and gives its traceparent, to be carried on by whatever is emitted inside."""
    if (tracer := _tracer()) is None:
        yield child_of(parent)
        return
    from opentelemetry.propagate import extract
    from opentelemetry.trace import SpanKind

    context = extract({"traceparent": parent} if parent else {})
    with tracer.start_as_current_span(name, context=context, kind=SpanKind.SERVER, attributes=attributes) as current:
        ids = current.get_span_context()
        yield f"00-{ids.trace_id:032x}-{ids.span_id:016x}-{int(ids.trace_flags):02x}"


def child_of(parent: str | None) -> str:
    """A new span id in the parent's trace, or in a new trace when there is none or it is malformed."""
    match = _traceparent(parent) if parent else None
    trace_id = match[1] if match else f"{random.getrandbits(128):032x}"
    flags = match[3] if match else "00"
    return f"00-{trace_id}-{random.getrandbits(64):016x}-{flags}"


@cache
def _tracer() -> "Tracer | None":
    if not settings().otlp_endpoint:
        return None
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return trace.get_tracer("kn-shop")
