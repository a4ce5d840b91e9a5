"""Collect dead letters from the dead-letter topics of all functions onto the operators' workbench."""

from base64 import b64decode
from urllib.parse import urlsplit

import orjson

from shared.platform.tables import dead_letters
from shared.runtime import Envelope, Work, on_event
from shared.runtime.declare import dead_letter_topic
from shared.runtime.inbox import park

NOTHING_SAID = "The function gave no answer."


@on_event(topics=[dead_letter_topic("*")], writes=[dead_letters])
async def collect_dead_letters(letter: Envelope, work: Work) -> None:
    """Raises ValueError for a letter that does not say where it was refused: it is parked as this function's own."""
    code = letter.extensions.get("knativeerrorcode", "")
    park(
        work.db,
        refused_by(letter),
        letter,
        reason="dead-lettered",
        status_code=int(code) if code.isascii() and code.isdigit() and len(code) < 4 else None,
        error=answer(letter.extensions.get("knativeerrordata", "")),
    )


def refused_by(letter: Envelope) -> str:
    """The function's name, which is the first label of the host that refused the event."""
    host = urlsplit(letter.extensions.get("knativeerrordest", "")).hostname
    if not host:
        raise ValueError("knativeerrordest is missing")
    return host.partition(".")[0]


def answer(said: str) -> str:
    """What the function answered, in a line if it was a problem. It comes in Base64, cut off at 1,024 bytes."""
    try:
        body = b64decode(said, validate=True)
    except ValueError:
        body = said.encode()
    try:
        problem = orjson.loads(body)
        told = [problem[name] for name in ("title", "detail") if name in problem]
        return ": ".join(told) or NOTHING_SAID
    except (orjson.JSONDecodeError, TypeError):
        return body.decode(errors="replace").replace("\x00", "") or NOTHING_SAID
