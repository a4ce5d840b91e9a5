"""Links for guests: whoever has one may see its order. Signed, so that none can be made up, and over at a time.

The keys are rows, as other secrets of the shop are: only functions that declare `link_keys` may read them. A link has
an expiry and an order's id, and beside them an HMAC-SHA256 of both and of what the link is for.
"""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from shared.orders.problems import InvalidLink
from shared.runtime import Work

LinkToken = Annotated[str, Field(max_length=200)]

LIVES = timedelta(days=90)
"""How long a guest's link is good for."""

KEYS = text("select secret, now() as now from orders.link_keys order by id desc")

_HEAD = struct.Struct(">Q16s")
_TOKEN_BYTES = _HEAD.size + 32


async def sign(work: Work, order_id: UUID, *, purpose: str = "order", lives: timedelta = LIVES) -> tuple[str, datetime]:
    """The token, of 76 letters, digits, `-` and `_`, and until when it is good. The function reads `link_keys`."""
    (newest, *_) = await work.db.all(KEYS)
    expires_at = ((work.clock or newest.now) + lives).replace(microsecond=0)
    head = _HEAD.pack(int(expires_at.timestamp()), order_id.bytes)
    token = urlsafe_b64encode(head + _mac(bytes(newest.secret), purpose, head)).decode().rstrip("=")
    return token, expires_at


async def verify(work: Work, token: str, *, purpose: str = "order") -> UUID:
    """The order that the link is of. Raises InvalidLink, whatever is wrong with it."""
    try:
        content = urlsafe_b64decode((token + "=" * (-len(token) % 4)).encode("ascii"))
    except (Error, UnicodeEncodeError, ValueError):
        raise InvalidLink from None
    # The last letter has bits to spare: only one way to write a token is good.
    if len(content) != _TOKEN_BYTES or urlsafe_b64encode(content).decode().rstrip("=") != token:
        raise InvalidLink
    head, mac = content[: _HEAD.size], content[_HEAD.size :]
    keys = await work.db.all(KEYS)
    good = [hmac.compare_digest(mac, _mac(bytes(key.secret), purpose, head)) for key in keys]
    expires_s, order_id = _HEAD.unpack(head)
    now = work.clock or (keys[0].now if keys else datetime.now(UTC))
    if not any(good) or expires_s <= now.timestamp():
        raise InvalidLink
    return UUID(bytes=order_id)


async def pseudonym(work: Work, email: str) -> str:
    """What stands for a guest where the address must not: for one address the same, while the first key is kept."""
    keys = await work.db.all(KEYS)
    return f"guest:{_mac(bytes(keys[-1].secret), 'guest', email.casefold().encode()).hex()[:32]}"


def _mac(secret: bytes, purpose: str, content: bytes) -> bytes:
    return hmac.digest(secret, b"kn-shop link\0" + purpose.encode() + b"\0" + content, sha256)
