"""What every function runs on. The runtime knows no commerce."""

from shared.runtime.answers import Answer, Document, Page, Stream, key_of
from shared.runtime.auth import Caller
from shared.runtime.buckets import Rate
from shared.runtime.declare import http, on_event, timer
from shared.runtime.egress import Egress
from shared.runtime.events import Envelope, Event
from shared.runtime.following import Follows
from shared.runtime.models import Paged, Request, View
from shared.runtime.problems import Problem
from shared.runtime.work import Work

__all__ = [
    "Answer",
    "Caller",
    "Document",
    "Egress",
    "Envelope",
    "Event",
    "Follows",
    "Page",
    "Paged",
    "Problem",
    "Rate",
    "Request",
    "Stream",
    "View",
    "Work",
    "http",
    "key_of",
    "on_event",
    "timer",
]
