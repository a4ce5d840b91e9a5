"""Structured JSON logs: one object per line, with the invocation's keys on every line and personal data redacted."""

import logging
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from shared.runtime.settings import settings

PERSONAL = frozenset(
    {"authorization", "password", "token", "payment_token", "email", "name", "address", "phone", "cookie", "set-cookie"}
)
REDACTED = "[redacted]"

_keys: ContextVar[dict[str, Any] | None] = ContextVar("log_keys", default=None)
_debug: ContextVar[bool] = ContextVar("log_debug", default=False)


@contextmanager
def invocation(**keys: Any) -> Iterator[None]:
    """Puts `keys` on every line logged inside, and decides once whether this invocation's debug lines are kept."""
    rate = _sample_rate()
    held_keys, held_debug = _keys.set(keys), _debug.set(rate > 0 and random.random() < rate)
    try:
        yield
    finally:
        _keys.reset(held_keys)
        _debug.reset(held_debug)


def append_keys(**keys: Any) -> None:
    """Adds keys to all further lines of this invocation."""
    if (current := _keys.get()) is not None:
        current.update(keys)


def logger() -> FilteringBoundLogger:
    _configure()
    return _bound(sys.stdout)


@lru_cache(maxsize=1)
def _bound(_stream: TextIO) -> FilteringBoundLogger:
    """Bound once: structlog's proxy would do so at every line."""
    return structlog.get_logger().bind()  # type: ignore[no-any-return]


def redacted(value: Any) -> Any:
    match value:
        case dict():
            return {key: REDACTED if str(key).lower() in PERSONAL else redacted(inner) for key, inner in value.items()}
        case list() | tuple():
            return [redacted(inner) for inner in value]
        case _:
            return value


def _merge_keys(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {**(_keys.get() or {}), **event}


def _sample_debug(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if method == "debug" and _level() > logging.DEBUG and not _debug.get():
        raise structlog.DropEvent
    return event


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return redacted(event)  # type: ignore[no-any-return]


def _render(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    return orjson.dumps({"message": event.pop("event"), **event}, default=str, option=orjson.OPT_NON_STR_KEYS)


@cache
def _sample_rate() -> float:
    return settings().log_sample_rate


@cache
def _level() -> int:
    return logging.getLevelNamesMapping()[settings().log_level.upper()]


@cache
def _configure() -> None:
    lowest = logging.DEBUG if settings().log_sample_rate > 0 else _level()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        processors=[
            _merge_keys,
            _sample_debug,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact,
            _render,
        ],
        logger_factory=structlog.BytesLoggerFactory(),
    )
