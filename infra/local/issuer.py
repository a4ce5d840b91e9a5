"""A token issuer for development: it signs whatever it is asked for, so it runs on one's own machine only."""

from pathlib import Path
from time import time
from typing import Any, Literal, get_args

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from jwt.algorithms import OKPAlgorithm
from pydantic import BaseModel, ConfigDict, Field

from infra.local.paths import write_secret

Role = Literal["customer", "admin", "operator", "service"]
ROLES: tuple[Role, ...] = get_args(Role)
DAY_S = 86_400


class TokenRequest(BaseModel):
    """Roles default to `customer`; a token lives a day unless told otherwise."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(min_length=1, max_length=255)
    roles: list[Role] = ["customer"]
    expires_in_s: int = Field(default=DAY_S, ge=1, le=30 * DAY_S)


class Issuer:
    """Access tokens in the profile of RFC 9068, signed with Ed25519."""

    def __init__(self, key: Ed25519PrivateKey, url: str, audience: str) -> None:
        self._key = key
        self.url = url
        self._audience = audience
        public: dict[str, Any] = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._key_id = raw.hex()[:16]
        self.jwks = orjson.dumps({"keys": [public | {"kid": self._key_id, "use": "sig", "alg": "EdDSA"}]})

    @classmethod
    def of(cls, file: Path, url: str, audience: str) -> "Issuer":
        """The issuer whose key is in `file`; made up at the first start, so that tokens outlive a restart."""
        if not file.exists():
            new = Ed25519PrivateKey.generate()
            write_secret(file, new.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        key = load_pem_private_key(file.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"{file} holds another kind of key")
        return cls(key, url, audience)

    def token(self, subject: str, *roles: Role, expires_in_s: int = DAY_S) -> str:
        now = int(time())
        claims = {
            "iss": self.url,
            "aud": self._audience,
            "sub": subject,
            "roles": list(roles),
            "iat": now,
            "nbf": now,
            "exp": now + expires_in_s,
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": self._key_id})
