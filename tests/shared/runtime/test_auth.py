"""Who is calling: only what the issuer signed for us, and only while it holds."""

import base64
import hmac
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from functions.catalog.create_product import create_product
from functions.orders.list_my_orders import list_my_orders
from shared.runtime.auth import ANONYMOUS, Verifier, authorize
from shared.runtime.problems import NotAllowed, Unauthenticated, Unavailable
from shared.runtime.settings import Settings
from tests.conftest import Ask
from tests.issuer import AUDIENCE, ISSUER, Issuer


def verifier_of(url: str, lifetime_s: float = 300.0) -> Verifier:
    return Verifier(Settings(jwks_url=url, jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwks_lifetime_s=lifetime_s))


@pytest.fixture
def verifier(issuer: Issuer, tmp_path: Path) -> Verifier:
    return verifier_of(issuer.publish(tmp_path / "jwks.json"))


async def test_a_good_token_names_its_caller(verifier: Verifier, issuer: Issuer) -> None:
    for _ in range(2):  # the second time from memory
        caller = await verifier.caller(f"Bearer {issuer.token('ann', 'admin', 'operator')}")
        assert (caller.subject, set(caller.roles)) == ("ann", {"admin", "operator", "public"})


async def test_nobody_is_anonymous(verifier: Verifier) -> None:
    assert await verifier.caller(None) is ANONYMOUS


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer not.a.token", "Bearer a.b.c.d"])
async def test_what_is_no_bearer_token_is_refused(header: str, verifier: Verifier) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.caller(header)


DAY_S = 86_400  # longer than a run of all tests takes

WRONG: dict[str, dict[str, Any]] = {
    "issuer": {"iss": "https://issuer.evil"},
    "audience": {"aud": "another-shop"},
    "no issuer": {"iss": None},
    "no audience": {"aud": None},
    "no expiry": {"exp": None},
    "no issue time": {"iat": None},
    "no subject": {"sub": None},
    "expired": {"exp": int(time.time()) - 1},
    "not yet valid": {"nbf": int(time.time()) + DAY_S},
    "issued in the future": {"iat": int(time.time()) + DAY_S},
    "subject is a number": {"sub": 7},
    "expiry is a word": {"exp": "never"},
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_token_with_a_wrong_claim_is_refused(name: str, verifier: Verifier, issuer: Issuer) -> None:
    claims = issuer.claims("ann", "admin") | WRONG[name]
    token = issuer.sign({claim: value for claim, value in claims.items() if value is not None})
    with pytest.raises(Unauthenticated):
        await verifier.caller(f"Bearer {token}")


@pytest.mark.parametrize("typ", ["JWT", "id_token", "", "at+jwt;x"])
async def test_a_token_of_another_type_is_refused(typ: str, verifier: Verifier, issuer: Issuer) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.caller(f"Bearer {issuer.sign(issuer.claims('ann', 'admin'), typ=typ)}")


async def test_the_long_form_of_the_type_is_taken(verifier: Verifier, issuer: Issuer) -> None:
    token = issuer.sign(issuer.claims("ann"), typ="application/at+JWT")
    assert (await verifier.caller(f"bearer {token}")).subject == "ann"


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def forged(claims: dict[str, Any], secret: bytes | None, **header: Any) -> str:
    signed = f"{encoded({'typ': 'at+jwt', **header})}.{encoded(claims)}"
    signature = b"" if secret is None else hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
async def test_a_token_without_a_signature_is_refused(alg: str, verifier: Verifier, issuer: Issuer) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.caller(f"Bearer {forged(issuer.claims('ann', 'admin'), None, alg=alg, kid=issuer.kid)}")


async def test_a_public_key_is_no_secret(verifier: Verifier, issuer: Issuer) -> None:
    """HMAC with what everybody can read: the confusion of RFC 8725, section 2.1."""
    public = issuer.key.public_key()
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (raw, pem, issuer.jwk()["x"].encode()):
        with pytest.raises(Unauthenticated):
            await verifier.caller(
                f"Bearer {forged(issuer.claims('ann', 'admin'), secret, alg='HS256', kid=issuer.kid)}"
            )


async def test_another_algorithm_than_the_keys_is_refused(verifier: Verifier, issuer: Issuer) -> None:
    rsa = generate_private_key(65537, 2048)
    for kid in (issuer.kid, "unknown"):
        headers = {"kid": kid, "typ": "at+jwt"}
        with pytest.raises(Unauthenticated):
            await verifier.caller(f"Bearer {jwt.encode(issuer.claims('ann'), rsa, algorithm='RS256', headers=headers)}")


async def test_a_foreign_key_is_refused_under_any_name(verifier: Verifier, issuer: Issuer) -> None:
    for kid in (issuer.kid, "foreign"):
        stranger = Issuer(kid)
        with pytest.raises(Unauthenticated):
            await verifier.caller(f"Bearer {stranger.token('ann', 'admin')}")
    own_key_inside = stranger.sign(issuer.claims("ann"), jwk=stranger.jwk())
    with pytest.raises(Unauthenticated):
        await verifier.caller(f"Bearer {own_key_inside}")


async def test_keys_rotate_without_an_error_and_old_ones_end(tmp_path: Path) -> None:
    file, old, new = tmp_path / "jwks.json", Issuer("old"), Issuer("new")
    verifier = verifier_of(old.publish(file), lifetime_s=0)
    assert (await verifier.caller(f"Bearer {old.token('ann')}")).subject == "ann"

    file.write_text(json.dumps({"keys": [old.jwk(), new.jwk()]}))
    for issuer in (old, new):
        assert (await verifier.caller(f"Bearer {issuer.token('ann')}")).subject == "ann"

    new.publish(file)
    assert (await verifier.caller(f"Bearer {new.token('ann')}")).subject == "ann"
    with pytest.raises(Unauthenticated):
        await verifier.caller(f"Bearer {old.token('ann')}")


async def test_a_verdict_does_not_outlive_its_key(tmp_path: Path) -> None:
    file, issuer = tmp_path / "jwks.json", Issuer()
    verifier, token = verifier_of(issuer.publish(file), lifetime_s=0), issuer.token("ann")
    await verifier.caller(f"Bearer {token}")
    Issuer("another").publish(file)
    with pytest.raises(Unauthenticated):
        await verifier.caller(f"Bearer {token}")


async def test_an_issuer_that_is_away_is_no_reason_to_refuse_what_is_known(tmp_path: Path, issuer: Issuer) -> None:
    file = tmp_path / "jwks.json"
    verifier = verifier_of(file.as_uri(), lifetime_s=0)
    with pytest.raises(Unavailable):
        await verifier.caller(f"Bearer {issuer.token('ann')}")
    issuer.publish(file)
    await verifier.caller(f"Bearer {issuer.token('ann')}")
    file.unlink()
    assert (await verifier.caller(f"Bearer {issuer.token('ben')}")).subject == "ben"


async def test_roles_that_are_no_list_are_no_roles(verifier: Verifier, issuer: Issuer) -> None:
    for roles in ("admin", {"admin": True}, None, [1, None]):
        caller = await verifier.caller(f"Bearer {issuer.sign(issuer.claims('ann') | {'roles': roles})}")
        assert caller.roles == {"public"}


async def test_who_may_not_is_told_apart_from_who_is_not_known(verifier: Verifier, issuer: Issuer) -> None:
    with pytest.raises(Unauthenticated):
        authorize(ANONYMOUS, ("admin",))
    with pytest.raises(NotAllowed):
        authorize(await verifier.caller(f"Bearer {issuer.token('ann', 'customer')}"), ("admin",))
    authorize(ANONYMOUS, ("public",))


async def test_refusals_are_answers(ask: Ask) -> None:
    unknown = await ask(list_my_orders, "/v1/orders")
    assert (unknown.status, unknown.headers["www-authenticate"]) == (401, "Bearer")
    bad = await ask(list_my_orders, "/v1/orders", authorization="Bearer x.y.z")
    assert bad.status == 401
    refused = await ask(create_product, "/v1/products", {}, roles=("customer",))
    assert (refused.status, json.loads(refused.body)["needed"]) == (403, ["admin"])
