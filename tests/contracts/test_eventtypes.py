"""The catalogue of events in the cluster is what the functions declare."""

import json
import re
from typing import Any

import jsonschema
import pytest
import yaml

from functions import load_all
from infra.manifests import ROOT, by_name
from infra.manifests.asyncapi import used_events
from infra.manifests.eventtypes import DIRECTORY, event_type
from shared.inventory.events import HoldLine, HoldStock
from tests.contracts.test_functions_framework import ORDER

DECLARATIONS = by_name(load_all().values())
COMMITTED: list[dict[str, Any]] = [yaml.safe_load(path.read_text()) for path in (ROOT / DIRECTORY).glob("*.yaml")]
SPEC = {"type", "source", "schema", "schemaData", "description", "reference", "broker"}
"""What eventing.knative.dev/v1beta2 knows; it refuses or drops any other field."""


def test_every_event_is_there_once() -> None:
    assert sorted(one["spec"]["type"] for one in COMMITTED) == [event.type for event in used_events(DECLARATIONS)]
    assert len({one["metadata"]["name"] for one in COMMITTED}) == len(COMMITTED)


@pytest.mark.parametrize("one", COMMITTED, ids=lambda one: one["spec"]["type"])
def test_kubernetes_takes_it(one: dict[str, Any]) -> None:
    assert (one["apiVersion"], one["kind"]) == ("eventing.knative.dev/v1beta2", "EventType")
    assert re.fullmatch(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?", one["metadata"]["name"])
    for value in one["metadata"]["labels"].values():
        assert re.fullmatch(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?", value)
    assert one["spec"].keys() <= SPEC
    assert one["spec"]["reference"] == {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "name": "publish-event",
    }


def test_it_tells_who_emits_and_who_consumes_and_what_the_data_is() -> None:
    one = event_type(HoldStock, DECLARATIONS)

    notes = one["metadata"]["annotations"]
    assert "hold-stock" in notes["kn-shop/consumed-by"].split(",")
    assert "place-order" in notes["kn-shop/emitted-by"].split(",")
    assert (notes["kn-shop/topic"], notes["kn-shop/key"]) == ("shop.inventory.commands", "order_id")
    schema = json.loads(one["spec"]["schemaData"])
    event = HoldStock(order_id=ORDER, lines=[HoldLine(sku="MUG", quantity=1)], expires_in_s=60)
    jsonschema.validate(json.loads(event.model_dump_json()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"order_id": str(ORDER)}, schema)
