"""Webhooks signed as the Standard Webhooks specification has it (1.0.0, symmetric signatures)."""

import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

PREFIX = "whsec_"
SECRET_BYTES = 32
"""The specification wants 24 to 64."""


def new_secret() -> str:
    return PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed(id: str, at: datetime, body: bytes, keys: Iterable[str]) -> dict[str, str]:
    """The headers of a webhook, with a signature by each of `keys`: a receiver may know the old one or the new."""
    timestamp = str(int(at.timestamp()))
    content = b".".join((id.encode(), timestamp.encode(), body))
    signatures = (hmac.digest(b64decode(key.removeprefix(PREFIX)), content, sha256) for key in keys)
    return {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{b64encode(signature).decode()}" for signature in signatures),
    }
