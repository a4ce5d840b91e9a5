"""A token issuer of the tests' own: what a real identity provider would sign."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ISSUER = "https://issuer.test"
AUDIENCE = "kn-shop"


class Issuer:
    def __init__(self, kid: str = "first") -> None:
        self.kid = kid
        self.key = Ed25519PrivateKey.generate()

    def jwk(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(self.key.public_key()))
        return {**public, "kid": self.kid, "use": "sig", "alg": "EdDSA"}

    def publish(self, path: Path) -> str:
        """Writes the key set and gives its URL."""
        path.write_text(json.dumps({"keys": [self.jwk()]}))
        return path.as_uri()

    def claims(self, subject: str, *roles: str) -> dict[str, Any]:
        now = int(time.time())
        return {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "roles": list(roles), "iat": now, "exp": now + 3600}

    def token(self, subject: str, *roles: str) -> str:
        return self.sign(self.claims(subject, *roles))

    def sign(self, claims: dict[str, Any], **headers: Any) -> str:
        return jwt.encode(claims, self.key, algorithm="EdDSA", headers={"kid": self.kid, "typ": "at+jwt", **headers})
