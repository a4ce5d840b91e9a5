"""Whatever the API is sent, made from its own description and against it: no 5xx, and answers as described."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from infra.manifests import ROOT
from tests.processes import Shop, running_shop

pytestmark = pytest.mark.xdist_group("shop")

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


def _as_it_is(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


for _kind in ("application/x-ndjson", "text/csv"):
    schemathesis.serializer(_kind)(_as_it_is)


described = schemathesis.openapi.from_dict(json.loads((ROOT / "docs/reference/openapi.json").read_text()))
inventory = described.include(
    path_regex="/v1/(stock|items|locations|availability|inventory-policy|ledger|transfers|holds|shortfalls|alert|admin/stock-)"
)
catalogue = described.include(path_regex="/v1/(products|search|categories|admin/(products|product-|catalog-))")
pricing = described.include(
    path_regex="/v1/(quotes|guest-orders|admin/(orders$|tax-|shipping-|discounts|sku-weights|pricing-))"
)


@pytest.fixture(scope="module")
def tried_shop() -> Iterator[Shop]:
    with running_shop(RATE_LIMIT_SCALE="0") as shop:
        yield shop


@pytest.fixture(scope="module")
def staff(tried_shop: Shop) -> dict[str, str]:
    wanted = {"subject": "fuzz", "roles": ["admin", "operator"]}
    token = requests.post(f"{tried_shop.url}/dev/tokens", json=wanted, timeout=10)
    headers = {"Authorization": f"Bearer {token.json()['token']}"}
    for id in ("0", "LON"):  # some of what is made up then meets a location that there is
        place = {"id": id, "name": id}
        made = requests.post(f"{tried_shop.url}/v1/locations", json=place, headers=headers, timeout=10)
        assert made.status_code in (201, 409), "the demo shop may have it"
    return headers


@catalogue.parametrize()
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_the_catalogue_takes_anything(case: schemathesis.Case[Any], tried_shop: Shop, staff: dict[str, str]) -> None:
    answer = case.call(base_url=tried_shop.url, headers=staff)

    case.validate_response(answer, checks=list(CHECKS))


@inventory.parametrize()
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_the_inventory_takes_anything(case: schemathesis.Case[Any], tried_shop: Shop, staff: dict[str, str]) -> None:
    answer = case.call(base_url=tried_shop.url, headers=staff)

    case.validate_response(answer, checks=list(CHECKS))


@pricing.parametrize()
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_pricing_takes_anything(case: schemathesis.Case[Any], tried_shop: Shop, staff: dict[str, str]) -> None:
    answer = case.call(base_url=tried_shop.url, headers=staff)

    case.validate_response(answer, checks=list(CHECKS))
