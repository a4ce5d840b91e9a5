"""Webhooks signed as the Standard Webhooks specification has it (1.0.0, symmetric signatures)."""

import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256

from shared.runtime.problems import SignatureRefused

PREFIX = "whsec_"
SECRET_BYTES = 32
"""The specification wants 24 to 64."""
LONGEST_ID, MOST_SIGNATURES = 255, 8


def new_secret() -> str:
    return PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


TOLERANCE_S = 300
"""How far a webhook's timestamp may lie from our clock: what is older is a replay."""


def verify(headers: Mapping[str, str], body: bytes, keys: str, now_s: float) -> str:
    """The id of a webhook that was signed by one of `keys`, which are parted by spaces. Raises SignatureRefused.

    What is wrong is not said: it would help nobody but who tries.
    """
    id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    in_time = timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12
    named = 0 < len(id) <= LONGEST_ID and id.isascii() and id.isprintable()
    if not (named and in_time and abs(now_s - int(timestamp)) <= TOLERANCE_S):
        raise SignatureRefused
    given = [part.removeprefix("v1,") for part in headers.get("webhook-signature", "").split() if part[:3] == "v1,"]
    made = [_signature(key, id, timestamp, body) for key in keys.split()]
    # Every pair is compared, and in constant time: how long it takes says nothing of how near a guess was.
    pairs = [(one.encode(), other.encode()) for one in given[:MOST_SIGNATURES] for other in made]
    if sum(hmac.compare_digest(*pair) for pair in pairs) == 0:
        raise SignatureRefused
    return id


def signed(id: str, at: datetime, body: bytes, keys: Iterable[str]) -> dict[str, str]:
    """The headers of a webhook, with a signature by each of `keys`: a receiver may know the old one or the new."""
    timestamp = str(int(at.timestamp()))
    return {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_signature(key, id, timestamp, body)}" for key in keys),
    }


def _signature(key: str, id: str, timestamp: str, body: bytes) -> str:
    content = b".".join((id.encode(), timestamp.encode(), body))
    return b64encode(hmac.digest(b64decode(key.removeprefix(PREFIX)), content, sha256)).decode()
