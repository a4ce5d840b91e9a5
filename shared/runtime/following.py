"""Read your writes across events: a write names the events that it left, and a read waits until it shows them.

A sequence token is a comma-separated list of `TOPIC/KEY@SEQUENCE`, topic and key percent-encoded: in each stream, the
last event that the write left.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from shared.runtime.problems import ValidationFailed

if TYPE_CHECKING:
    from shared.runtime.work import Work

HEADER = "sequence-token"
STALE = "stale"

STREAMS_NAMED = 20
"""So many streams are named in one token; a write that touched more names the first of them."""
STREAMS_TAKEN = 100
"""So many are taken from a caller, who may have gathered the tokens of several writes."""

WAIT_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.1

Stream = tuple[str, str]
"""Topic and key."""

_plain = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch
_member = re.compile(r"([^/@\s]+)/([^/@\s]+)@([0-9]{1,18})").fullmatch


@dataclass(frozen=True, slots=True)
class Follows:
    """Whose events a read shows: those of `topic`.

    `reached(request, keys, work)` gives the last sequence that the read model has applied of each key; a key that it
    leaves out has none.
    """

    topic: str
    reached: Callable[[Any, list[str], "Work"], Awaitable[dict[str, int]]]


def name(stream: Stream) -> str:
    return "/".join(part if _plain(part) else quote(part, safe="") for part in stream)


def token(sequences: Iterable[tuple[Stream, int]]) -> str:
    return ", ".join(f"{name(stream)}@{sequence}" for stream, sequence in sequences)


def wanted(header: str, topic: str) -> dict[str, int]:
    """The sequence to be reached of each key of `topic`. Raises ValidationFailed for what is no token."""
    found: dict[str, int] = {}
    members = header.split(",", STREAMS_TAKEN)
    if len(members) > STREAMS_TAKEN:
        raise _malformed(f"More than {STREAMS_TAKEN} streams are not taken.")
    for member in members:
        match = _member(member.strip())
        try:
            named, key = (unquote(part, errors="strict") for part in match.groups()[:2]) if match else ("", "\x00")
        except UnicodeDecodeError:
            key = "\x00"
        if match is None or "\x00" in key:
            raise _malformed("It must be a list of TOPIC/KEY@SEQUENCE, as an answer gave it.")
        if named == topic:
            found[key] = max(found.get(key, 0), int(match[3]))
    return found


def _malformed(detail: str) -> ValidationFailed:
    return ValidationFailed(errors=[{"pointer": "", "detail": f"The header Sequence-Token: {detail}"}])


async def behind(
    follows: Follows,
    sequences: Mapping[str, int],
    request: Any,
    reading: Callable[[], AbstractAsyncContextManager["Work"]],
    wait_s: float,
) -> dict[str, int]:
    """What the keys have reached that are not there when `wait_s` is over; empty as soon as all are.

    Each look is a unit of reading of its own: nothing is held between them.
    """
    deadline, pause = perf_counter() + wait_s, FIRST_PAUSE_S
    late = dict(sequences)
    while late:
        async with reading() as work:
            reached = await follows.reached(request, list(late), work)
        late = {key: sequence for key, sequence in late.items() if reached.get(key, 0) < sequence}
        left = deadline - perf_counter()
        if late and left <= 0:
            return {key: reached.get(key, 0) for key in late}
        if late:
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_PAUSE_S)
    return {}
