"""Who is calling: bearer tokens (RFC 9068 profile, RFC 8725 practice), verified against a JWKS."""

import asyncio
from dataclasses import dataclass
from time import monotonic, time
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from shared.runtime.problems import NotAllowed, Unauthenticated, Unavailable
from shared.runtime.settings import Settings

if TYPE_CHECKING:
    from jwt import PyJWK

ALGORITHMS = ["EdDSA", "ES256", "RS256", "PS256"]
REQUIRED = ["exp", "iat", "iss", "aud", "sub"]
TYPES = {"at+jwt", "application/at+jwt"}
REFRESH_S = 10.0
REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Caller:
    subject: str
    roles: frozenset[str]

    def has(self, *roles: str) -> bool:
        return not self.roles.isdisjoint(roles)


ANONYMOUS = Caller("", frozenset({"public"}))


class Verifier:
    """Keeps the issuer's keys, and the verdict on recently seen tokens until the token or the keys are over."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = float("-inf")
        self._fetching = asyncio.Lock()
        self._seen: dict[str, tuple[float, Caller]] = {}

    async def caller(self, authorization: str | None) -> Caller:
        """The caller that the header proves. Raises Unauthenticated, or Unavailable when the issuer cannot be asked."""
        if authorization is None:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated(detail="The Authorization header must be of the form: Bearer TOKEN.")
        await self._refresh(self._settings.jwks_lifetime_s)
        seen = self._seen.get(token)
        if seen and seen[0] > time():
            return seen[1]
        claims = await self._verified(token)
        caller = Caller(claims["sub"], frozenset(_roles(claims)))
        if len(self._seen) >= REMEMBERED:
            self._seen.clear()
        self._seen[token] = (claims["exp"], caller)
        return caller

    async def _verified(self, token: str) -> dict[str, Any]:
        import jwt  # late: many functions are never shown a token

        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS or str(header.get("typ", "")).lower() not in TYPES:
                raise Unauthenticated(detail="The token's algorithm or type is not accepted.")
            key = await self._key(header.get("kid"))
            return jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm_name],
                issuer=self._settings.jwt_issuer,
                audience=self._settings.jwt_audience,
                options={"require": REQUIRED},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated(detail="The token has expired.") from None
        except (jwt.PyJWTError, ValueError):
            raise Unauthenticated(detail="The token is not valid.") from None

    async def _key(self, kid: object) -> "PyJWK":
        if kid not in self._keys:
            await self._refresh(REFRESH_S)  # rotated since? asked at most once per REFRESH_S, whatever strangers send
        if not isinstance(kid, str) or kid not in self._keys:
            raise Unauthenticated(detail="The token's key is not known.")
        return self._keys[kid]

    async def _refresh(self, older_than_s: float) -> None:
        if monotonic() - self._fetched_at < older_than_s:
            return
        async with self._fetching:
            if monotonic() - self._fetched_at < older_than_s:
                return
            if not self._settings.jwks_url:
                raise Unauthenticated(detail="No issuer is configured: only public routes can be used.")
            try:
                keys = await asyncio.to_thread(_published_keys, self._settings.jwks_url)
            except (OSError, ValueError):
                if self._keys:  # the issuer is away: go on with the keys at hand and ask again soon
                    self._fetched_at = monotonic() - self._settings.jwks_lifetime_s + REFRESH_S
                    return
                raise Unavailable(detail="The token issuer cannot be reached.") from None
            self._keys = {key.key_id: key for key in keys if key.key_id and key.public_key_use in (None, "sig")}
            self._fetched_at = monotonic()
            self._seen.clear()


def _published_keys(url: str) -> "list[PyJWK]":
    """The key set at `url`: of an issuer (https), or a mounted file (file). Raises OSError, ValueError."""
    from jwt import PyJWKSet, PyJWTError

    with urlopen(url, timeout=3) as answer:  # noqa: S310 - the operator's setting, never a caller's word
        try:
            return list(PyJWKSet.from_json(answer.read()).keys)
        except PyJWTError as error:
            raise ValueError(str(error)) from error


def _roles(claims: dict[str, Any]) -> list[str]:
    roles = claims.get("roles", [])
    return [role for role in roles if isinstance(role, str)] + ["public"] if isinstance(roles, list) else ["public"]


def authorize(caller: Caller, roles: tuple[str, ...]) -> None:
    """Raises Unauthenticated for an anonymous caller, NotAllowed for one without any of `roles`."""
    if caller.has(*roles):
        return
    if caller is ANONYMOUS:
        raise Unauthenticated
    raise NotAllowed(needed=list(roles))
