"""What a function gives back, as the bytes of an HTTP answer."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import orjson
from pydantic import BaseModel

from shared.runtime.problems import ValidationFailed
from shared.runtime.work import Work

Item = TypeVar("Item")

OFFSETS = timedelta(hours=16)
"""Postgres knows time zones that are less far from UTC."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`rest` is what comes after `body`, of an answer that is sent while it is read."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    rest: AsyncGenerator[bytes, None] | None = None

    def also(self, headers: dict[str, str]) -> "Answer":
        return Answer(self.status, {**self.headers, **headers}, self.body, self.rest) if headers else self


Pour = Callable[[Answer, AsyncIterator[bytes]], Awaitable[Answer]]
"""Takes an answer and its rest to whoever asked."""


async def gathered(answer: Answer, rest: AsyncIterator[bytes]) -> Answer:
    """The answer in one piece, for callers inside the same process."""
    return Answer(answer.status, answer.headers, b"".join([answer.body, *[piece async for piece in rest]]))


@dataclass(frozen=True, slots=True)
class Document:
    """A body that is JSON already, with the version that is its ETag.

    Where more than the version changes the body, the ETag is the version, a dot and what else tells bodies apart:
    "17.345". If-Match heeds the version alone.
    """

    body: bytes
    version: int | str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One keyset page: `next_key` is the sort key of its last item when more may follow.

    Items are models, or bytes that are JSON already. The members of `about` stand beside the items.
    """

    items: list[Item]
    next_key: tuple[Any, ...] | None = None
    about: BaseModel | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """A body of any length, read and sent piece by piece: nothing is held while the caller is slow.

    `piece(None, work)` gives the first piece and the key that the next is asked for by; the last gives None as key. The
    first is read in the function's own unit of work, each other in a new one that only reads: so keep no `work`, and
    let a key be a sort key, as in pages. Pieces of some 100 kB are a good size. `filename` makes it a download.

    With `pause_s` so many seconds pass before each piece after the first: for what is told as it happens. A piece may
    be empty then, and the stream ends itself before the platform does.
    """

    content_type: str
    piece: Callable[[Any, Work], Awaitable[tuple[bytes, Any]]]
    filename: str | None = None
    pause_s: float = 0.0

    def headers(self) -> dict[str, str]:
        if self.pause_s:  # what is told as it happens is never kept, and not held back by proxies to be packed
            return {"content-type": self.content_type, "cache-control": "no-store, no-transform"}
        if self.filename is None:
            return {"content-type": self.content_type}
        name = re.sub(r"[^A-Za-z0-9._-]", "_", self.filename)
        return {"content-type": self.content_type, "content-disposition": f'attachment; filename="{name}"'}


def cursor_of(key: tuple[Any, ...]) -> str:
    return urlsafe_b64encode(orjson.dumps(key, default=str)).rstrip(b"=").decode()


def key_of(cursor: str | None, *kinds: Callable[[Any], Any]) -> tuple[Any, ...] | None:
    """The sort key in a cursor, each part read by its kind. Raises ValidationFailed for any other."""
    if cursor is None:
        return None
    try:
        parts = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(parts, list):
            raise TypeError(parts)
        key = tuple(kind(part) for kind, part in zip(kinds, parts, strict=True))
        if not all(map(_is_bindable, key)):
            raise ValueError(parts)
        return key
    except (ValueError, TypeError, OverflowError):
        raise ValidationFailed(errors=[{"pointer": "/cursor", "detail": "This is no cursor of this list."}]) from None


def _is_bindable(part: Any) -> bool:
    """Whether Postgres has such a value at all."""
    match part:
        case int():
            return -(2**63) <= part < 2**63
        case str():
            return "\x00" not in part
        case datetime():
            offset = part.utcoffset()
            return offset is not None and abs(offset) < OFFSETS
        case _:
            return True


def json_of(value: Any) -> bytes:
    if isinstance(value, BaseModel):
        return value.model_dump_json(by_alias=True).encode()
    return orjson.dumps(value)


def encode(result: Any, status: int, path: str) -> Answer:
    """The function's result as an answer. A `version` becomes the ETag, a page's `next_key` its Link (RFC 8288)."""
    match result:
        case Answer():
            return result
        case None:
            return Answer(204 if status == 200 else status)
        case Page():
            cursor = None if result.next_key is None else cursor_of(result.next_key)
            items = b",".join(item if isinstance(item, bytes) else json_of(item) for item in result.items)
            about = b"" if result.about is None else b"," + json_of(result.about)[1:-1]
            body = b'{"items":[' + items + b'],"next_cursor":' + orjson.dumps(cursor) + about + b"}"
            link = {} if cursor is None else {"link": f'<{path}{cursor}>; rel="next"'}
            return Answer(status, {"content-type": "application/json", **link}, body)
        case Document():
            body, version = result.body, result.version
        case _:
            body, version = json_of(result), getattr(result, "version", None)
    tag = {} if version is None else {"etag": f'"{version}"'}
    return Answer(status, {"content-type": "application/json", **tag}, body)
