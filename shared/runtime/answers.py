"""What a function gives back, as the bytes of an HTTP answer."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import orjson
from pydantic import BaseModel

from shared.runtime.problems import ValidationFailed

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


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

    Items are models, or bytes that are JSON already.
    """

    items: list[Item]
    next_key: tuple[Any, ...] | None = None


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
        return tuple(kind(part) for kind, part in zip(kinds, parts, strict=True))
    except (ValueError, TypeError):
        raise ValidationFailed(errors=[{"pointer": "/cursor", "detail": "This is no cursor of this list."}]) from None


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
            body = b'{"items":[' + items + b'],"next_cursor":' + orjson.dumps(cursor) + b"}"
            link = {} if cursor is None else {"link": f'<{path}{cursor}>; rel="next"'}
            return Answer(status, {"content-type": "application/json", **link}, body)
        case Document():
            body, version = result.body, result.version
        case _:
            body, version = json_of(result), getattr(result, "version", None)
    tag = {} if version is None else {"etag": f'"{version}"'}
    return Answer(status, {"content-type": "application/json", **tag}, body)
