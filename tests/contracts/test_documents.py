"""The documents that clients are generated from: OpenAPI, AsyncAPI, and a schema per event type."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

import pytest
from jsonschema import Draft202012Validator, validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

import functions
from infra.manifests import ROOT
from infra.manifests.openapi import document
from shared.runtime import Request, Stream, Work
from shared.runtime.declare import Declaration, Http
from shared.runtime.events import EVENTS

REFERENCE = ROOT / "docs" / "reference"


def load(name: str) -> Any:
    return json.loads((REFERENCE / name).read_text())


@pytest.fixture(scope="module")
def openapi() -> Any:
    return load("openapi.json")


@pytest.fixture(scope="module")
def asyncapi() -> Any:
    return load("asyncapi.json")


def operations(openapi: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(value: Any) -> Iterator[str]:
    match value:
        case dict():
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inner in value.values():
                yield from references(inner)
        case list():
            for inner in value:
                yield from references(inner)


def resolved(document: Any, reference: str) -> Any:
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def test_openapi_has_every_http_function(openapi: Any, declarations: list[Declaration]) -> None:
    served = {(path, method.upper(), operation["operationId"]) for path, method, operation in operations(openapi)}

    assert served == {
        (one.trigger.path, one.trigger.method, one.name) for one in declarations if isinstance(one.trigger, Http)
    }


def test_openapi_is_in_form(openapi: Any) -> None:
    """The specification's rules that its metaschema would check, and two that it cannot."""
    assert openapi["openapi"].startswith("3.1.")
    assert openapi["info"].keys() >= {"title", "version"}
    for path, _, operation in operations(openapi):
        listed = [resolved(openapi, one["$ref"]) if "$ref" in one else one for one in operation["parameters"]]
        in_path = {one["name"] for one in listed if one["in"] == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", path))
        assert all(one["required"] for one in listed if one["in"] == "path")
        assert len({(one["in"], one["name"]) for one in listed}) == len(listed)
        assert all(re.fullmatch(r"[1-5]\d\d", status) for status in operation["responses"])
        assert all(response["description"] for response in operation["responses"].values())
        for security in operation["security"]:
            assert security.keys() <= openapi["components"]["securitySchemes"].keys()


def test_openapi_refers_to_nothing_that_is_missing(openapi: Any) -> None:
    for reference in references(openapi):
        assert resolved(openapi, reference) is not None


def test_openapi_schemas_are_json_schema(openapi: Any) -> None:
    for name, schema in openapi["components"]["schemas"].items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
        Draft202012Validator.check_schema(schema)


def test_openapi_examples_fit_their_schemas(openapi: Any) -> None:
    registry: Registry[Any] = Registry().with_resource(
        "urn:openapi", Resource.from_contents(openapi, default_specification=DRAFT202012)
    )
    checked = 0
    for _, _, operation in operations(openapi):
        contents = [operation["requestBody"]["content"]] if "requestBody" in operation else []
        contents += [response.get("content", {}) for response in operation["responses"].values()]
        for media in (media for content in contents for media in content.values()):
            if "example" in media:
                whole = json.loads(json.dumps(media["schema"]).replace('"#/', '"urn:openapi#/'))
                Draft202012Validator(whole, registry=registry).validate(media["example"])
                checked += 1
    assert checked > len(openapi["paths"])


class Filtered(Request):
    colours: tuple[str, ...] = ()
    years: list[int] | None = None
    status: str = "any"


def test_openapi_shows_a_repeated_parameter_as_an_array() -> None:
    declared = replace(functions.load("list_products"), message=Filtered)
    (listed,) = document([declared])["paths"].values()
    named = {one["name"]: one for one in listed["get"]["parameters"] if "name" in one}
    for name in ("colours", "years"):
        assert (named[name]["style"], named[name]["explode"]) == ("form", True)
    assert named["colours"]["schema"]["type"] == "array"
    assert "style" not in named["status"]


def test_openapi_shows_a_stream_by_its_media_types() -> None:
    async def export(work: Work) -> Annotated[Stream, "text/csv", "application/x-ndjson"]:
        raise NotImplementedError

    declared = replace(functions.load("list_products"), function=export, message=None)
    (listed,) = document([declared])["paths"].values()
    content = listed["get"]["responses"]["200"]["content"]
    assert content == {kind: {"schema": {"type": "string"}} for kind in ("text/csv", "application/x-ndjson")}


class Upload(Request):
    sku: str
    dry_run: bool = False
    media_type: str
    body: bytes


def test_openapi_shows_a_body_that_is_not_json() -> None:
    declared = functions.load("adjust_stock")
    assert isinstance(declared.trigger, Http)
    trigger = replace(declared.trigger, path="/v1/uploads/{sku}", takes=("text/csv", "application/x-ndjson"))
    listed = document([replace(declared, message=Upload, trigger=trigger)])["paths"]["/v1/uploads/{sku}"]["post"]
    assert listed["requestBody"]["content"].keys() == {"text/csv", "application/x-ndjson"}
    assert [(one["name"], one["in"]) for one in listed["parameters"] if "name" in one] == [
        ("sku", "path"),
        ("dry_run", "query"),
    ]
    assert listed["responses"].keys() >= {"413", "415"}
    assert "malformed-body" not in str(listed)


def test_openapi_documents_the_headers_of_a_function(openapi: Any, declarations: list[Declaration]) -> None:
    by_name = {operation["operationId"]: operation for _, _, operation in operations(openapi)}
    for one in declarations:
        if isinstance(one.trigger, Http):
            named = {parameter.get("$ref", "").rpartition("/")[2] for parameter in by_name[one.name]["parameters"]}
            assert ("IdempotencyKey" in named) == one.trigger.key_required
            assert ("OptionalIdempotencyKey" in named) == (one.trigger.idempotent and not one.trigger.key_required)
            assert ("IfMatch" in named) == one.trigger.if_match
            assert ("LastEventId" in named) == one.trigger.resumes
            waits = one.trigger.wait is not None or one.trigger.follows is not None
            assert ("PreferWait" in named) == waits


def test_openapi_says_what_follows_and_what_is_limited(openapi: Any, declarations: list[Declaration]) -> None:
    by_name = {operation["operationId"]: operation for _, _, operation in operations(openapi)}
    limited = []
    for one in declarations:
        if not isinstance(one.trigger, Http):
            continue
        responses, listed = by_name[one.name]["responses"], by_name[one.name]["parameters"]
        success = next(response for status, response in responses.items() if status < "300").get("headers", {})
        named = {parameter.get("$ref", "").rpartition("/")[2] for parameter in listed}
        assert ("Sequence-Token" in success) == bool(one.emits)
        assert ("SequenceToken" in named, "Stale" in success) == ((one.trigger.follows is not None),) * 2
        assert ("429" in responses, "RateLimit" in success) == ((one.trigger.rate is not None),) * 2
        if "429" in responses:
            assert responses["429"]["headers"].keys() == {"Retry-After", "RateLimit-Policy", "RateLimit"}
            limited.append(one.name)
    assert "place_order" in limited


def test_a_role_is_needed_unless_the_function_is_public(openapi: Any) -> None:
    for _, _, operation in operations(openapi):
        public = "public" in operation["x-kn-shop-roles"]
        assert operation["security"] == ([{}] if public else [{"bearer": []}])
        signed = any("Webhook" in parameter.get("$ref", "") for parameter in operation["parameters"])
        assert ("401" in operation["responses"]) == (not public or signed)


def test_asyncapi_refers_to_nothing_that_is_missing(asyncapi: Any) -> None:
    assert asyncapi["asyncapi"] == "3.0.0"
    for reference in references(asyncapi):
        if reference.startswith("#/"):
            assert resolved(asyncapi, reference) is not None
        else:
            assert (REFERENCE / reference).is_file()


def test_asyncapi_has_every_event_that_is_sent_or_taken(asyncapi: Any, declarations: list[Declaration]) -> None:
    sent = {event.type for one in declarations for event in one.emits}

    assert sent <= asyncapi["components"]["messages"].keys()
    for operation in asyncapi["operations"].values():
        assert operation["action"] in ("send", "receive")
        channel = resolved(asyncapi, operation["channel"]["$ref"])
        for message in operation["messages"]:
            assert message["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")
            assert message["$ref"].rpartition("/")[2] in channel["messages"]


def test_every_command_has_one_consumer(asyncapi: Any) -> None:
    """A fact may have any number of readers; a command that nobody takes would wait for ever."""
    takers: dict[str, int] = {}
    for operation in asyncapi["operations"].values():
        for message in operation["messages"]:
            name = message["$ref"].rpartition("/")[2]
            takers[name] = takers.get(name, 0) + (operation["action"] == "receive")
    commands = {kind: count for kind, count in takers.items() if EVENTS[kind].topic.endswith(".commands")}

    assert commands
    assert set(commands.values()) == {1}


def test_event_schemas_are_json_schema() -> None:
    for file in (REFERENCE / "schemas").glob("*.json"):
        schema = json.loads(file.read_text())
        Draft202012Validator.check_schema(schema)
        assert schema["$id"] == f"urn:kn-shop:event:{file.stem}"
        with pytest.raises(Exception, match="is not of type 'object'"):
            validate([], schema)
