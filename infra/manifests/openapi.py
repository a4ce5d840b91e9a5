"""OpenAPI 3.1 of the HTTP functions, from their request models, results and problems."""

import inspect
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from http import HTTPStatus
from typing import get_args, get_type_hints

from pydantic import TypeAdapter

from infra.manifests import Files
from infra.manifests.examples import example
from infra.manifests.openapi_schemas import REF, Schema, Schemas, result, streamed
from shared.runtime import problems as runtime_problems
from shared.runtime.buckets import Rate
from shared.runtime.declare import Declaration, Http
from shared.runtime.events import STRUCTURED
from shared.runtime.limits import POLICY
from shared.runtime.models import repeatable
from shared.runtime.problems import PROBLEMS, Problem
from shared.runtime.serve import BODILESS, WAIT_LIMIT_S

JSON = "application/json"

CLOUDEVENT = {
    "specversion": "1.0",
    "id": "0197f1c4-7a52-7f06-9d5e-2f6c1b0a9e11",
    "source": "/shop/orders/books",
    "type": "shop.inventory.release.v1",
}
"""The attributes that every CloudEvent has."""

HEADERS: dict[str, Schema] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "Names this request: sent again with the same key and body, it has no second effect and gives"
        " the first answer, byte for byte, for 24 hours.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "example": "0197f1c4-7a52-7f06-9d5e-2f6c1b0a9e11",
    },
    "OptionalIdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "May name this request: sent again with the same key and body, it has no second effect and gives"
        " the first answer, byte for byte, for 24 hours.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "example": "0197f1c4-7a52-7f06-9d5e-2f6c1b0a9e11",
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "required": True,
        "description": "The ETag of the version that was read (RFC 9110, section 13.1.1).",
        "schema": {"type": "string"},
        "example": '"3"',
    },
    "WebhookId": {
        "name": "webhook-id",
        "in": "header",
        "required": True,
        "description": "The event's own id, the same at each repetition (Standard Webhooks 1.0.0).",
        "schema": {"type": "string", "maxLength": 255},
        "example": "evt_5f0c9a1be27d",
    },
    "WebhookTimestamp": {
        "name": "webhook-timestamp",
        "in": "header",
        "required": True,
        "description": "When it was sent, in seconds since 1970; what is five minutes off is refused.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,11}$"},
        "example": "1777887000",
    },
    "WebhookSignature": {
        "name": "webhook-signature",
        "in": "header",
        "required": True,
        "description": "`v1,` and the HMAC-SHA256 of id, timestamp and body, parted by dots; several by spaces.",
        "schema": {"type": "string"},
        "example": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    },
    "LastEventId": {
        "name": "Last-Event-ID",
        "in": "header",
        "required": False,
        "description": "The `id` of the last event that was had: the stream goes on after it (HTML, 9.2.4).",
        "schema": {"type": "string", "maxLength": 255},
        "example": "orders=2;payments=1",
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "required": False,
        "description": "The ETag at hand: the answer is 304 while it is still the current one.",
        "schema": {"type": "string"},
        "example": '"3"',
    },
    "PreferWait": {
        "name": "Prefer",
        "in": "header",
        "required": False,
        "description": f"`wait=N` answers when what is waited for is there, or after N seconds, at most"
        f" {WAIT_LIMIT_S:g} (RFC 7240).",
        "schema": {"type": "string"},
        "example": "wait=10",
    },
    "SequenceToken": {
        "name": "Sequence-Token",
        "in": "header",
        "required": False,
        "description": "From the answer to a write: this answer is to show what it led to. Waits up to a second for"
        f" that, or as `Prefer: wait=N` says, at most {WAIT_LIMIT_S:g} seconds.",
        "schema": {"type": "string"},
        "example": "shop.stock/MUG-BLUE@17",
    },
    **{
        f"CloudEvent{name.capitalize()}": {
            "name": f"ce-{name}",
            "in": "header",
            "required": False,
            "description": f"The CloudEvent's {name}, percent-encoded where it is not printable ASCII. In structured"
            " mode it stands in the body.",
            "schema": {"type": "string", "maxLength": 255},
            "example": value,
        }
        for name, value in CLOUDEVENT.items()
    },
    "CorrelationId": {
        "name": "X-Correlation-Id",
        "in": "header",
        "required": False,
        "description": "Carried into logs and into every event that follows.",
        "schema": {"type": "string", "maxLength": 128},
        "example": "checkout-4711",
    },
}


def files(declarations: list[Declaration]) -> Files:
    return {"docs/reference/openapi.json": json.dumps(document(declarations), indent=2, ensure_ascii=False) + "\n"}


def document(declarations: Iterable[Declaration]) -> Schema:
    served = [
        (declaration, declaration.trigger) for declaration in declarations if isinstance(declaration.trigger, Http)
    ]
    schemas = Schemas([declaration for declaration, _ in served])
    paths: dict[str, Schema] = {}
    for declaration, trigger in sorted(served, key=lambda one: (one[1].path, one[1].method)):
        paths.setdefault(trigger.path, {})[trigger.method.lower()] = operation(declaration, trigger, schemas)
    domains = sorted({declaration.domain for declaration, _ in served})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "kn-shop",
            "version": "1",
            "summary": "A commerce backend made of small functions.",
            "description": "Generated from the declarations in functions/ by `python -m infra.manifests generate`.\n\n"
            "Amounts are integers in minor units of their currency. Times are UTC (RFC 3339). Faults are problem"
            " documents (RFC 9457) with a stable `type`. Lists are keyset pages.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "the shop that serves this document"}],
        "tags": [{"name": domain} for domain in domains],
        "paths": paths,
        "components": {
            "schemas": schemas.components(),
            "parameters": HEADERS,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token in the profile of RFC 9068; the claim `roles` lists customer,"
                    " admin, operator or service.",
                }
            },
        },
    }


def operation(declaration: Declaration, trigger: Http, schemas: Schemas) -> Schema:
    return {
        "operationId": declaration.name,
        "tags": [declaration.domain],
        "summary": declaration.summary.rstrip("."),
        "description": _description(declaration, trigger),
        "security": [{}] if "public" in trigger.roles else [{"bearer": []}],
        "parameters": _parameters(declaration, trigger, schemas),
        **_body(declaration, trigger, schemas),
        "responses": _responses(declaration, trigger, schemas),
        "x-kn-shop-roles": list(trigger.roles),
        "x-kn-shop-service": declaration.service,
    }


def _description(declaration: Declaration, trigger: Http) -> str:
    said = [
        inspect.getdoc(declaration.message) if declaration.message else None,
        inspect.getdoc(declaration.function),
    ]
    allowed = "Anybody may call it." if "public" in trigger.roles else f"Roles: {', '.join(trigger.roles)}."
    return "\n\n".join([*(text for text in said if text), allowed])


def _parameters(declaration: Declaration, trigger: Http, schemas: Schemas) -> list[Schema]:
    in_path = _in_path(trigger)
    listed: list[Schema] = []
    if declaration.message is not None:
        model = schemas.request(declaration.message)
        required, several = model.get("required", []), repeatable(declaration.message)
        for name, schema in model.get("properties", {}).items():
            if name in in_path:
                listed.append(_parameter(name, "path", True, schema, schemas))
            elif _in_query(trigger, name):
                parameter = _parameter(name, "query", name in required, schema, schemas)
                listed.append(parameter | ({"style": "form", "explode": True} if name in several else {}))
    used = [] if not trigger.idempotent else ["IdempotencyKey" if trigger.key_required else "OptionalIdempotencyKey"]
    used += ["IfMatch"] if trigger.if_match else []
    used += ["LastEventId"] if trigger.resumes else []
    used += ["WebhookId", "WebhookTimestamp", "WebhookSignature"] if trigger.signed else []
    used += [f"CloudEvent{name.capitalize()}" for name in CLOUDEVENT] if trigger.cloudevent else []
    used += ["SequenceToken"] if trigger.follows is not None else []
    used += ["PreferWait"] if trigger.wait is not None or trigger.follows is not None else []
    used += ["IfNoneMatch"] if trigger.method == "GET" and trigger.cache_s is not None else []
    return [
        *listed,
        *({"$ref": f"#/components/parameters/{name}"} for name in (*used, "CorrelationId")),
    ]


def _parameter(name: str, place: str, required: bool, schema: Schema, schemas: Schemas) -> Schema:
    given = {"name": name, "in": place, "required": required, "schema": schema}
    return given | {"example": example(name, schema, schemas.whole)} if required else given


def _in_query(trigger: Http, name: str) -> bool:
    if trigger.if_match and name == "expected_version":
        return False
    if trigger.cloudevent and name == "event":
        return False
    return name not in ("media_type", "body") if trigger.takes else trigger.method in BODILESS


def _in_path(trigger: Http) -> list[str]:
    return re.findall(r"\{(\w+)\}", trigger.path)


def _body(declaration: Declaration, trigger: Http, schemas: Schemas) -> Schema:
    if declaration.message is None or trigger.method in BODILESS:
        return {}
    if trigger.takes:
        content = {media_type: {"schema": {"type": "string"}} for media_type in trigger.takes}
        return {"requestBody": {"required": True, "content": content}}
    if trigger.cloudevent:
        return {"requestBody": {"required": True, "content": _cloudevent()}}
    model = schemas.request(declaration.message)
    elsewhere = {
        *_in_path(trigger),
        *(["expected_version"] if trigger.if_match else []),
        *(["webhook_id"] if trigger.signed else []),
    }
    properties = {name: schema for name, schema in model.get("properties", {}).items() if name not in elsewhere}
    required = [name for name in model.get("required", []) if name not in elsewhere]
    if not properties:
        return {}
    schema: Schema = {
        "type": "object",
        "title": declaration.message.__name__,
        "properties": properties,
        "additionalProperties": False,
    }
    if required:
        schema["required"] = required
    kind = "application/merge-patch+json" if trigger.method == "PATCH" else JSON
    content = {
        "schema": schemas.refer(f"{declaration.message.__name__}Body", schema),
        "example": example("", schema, schemas.whole),
    }
    return {"requestBody": {"required": bool(required), "content": {kind: content}}}


def _cloudevent() -> Schema:
    """Either mode: which events there are, and what their data is, stands in the AsyncAPI document."""
    data: Schema = {"type": "object", "description": "As the event's type has it."}
    example = {"order_id": "0197f1c4-7a52-7f06-9d5e-2f6c1b0a9e11"}
    structured: Schema = {
        "type": "object",
        "properties": {**{name: {"type": "string"} for name in CLOUDEVENT}, "data": data},
        "required": [*CLOUDEVENT, "data"],
    }
    return {
        JSON: {"schema": data, "example": example},
        STRUCTURED: {"schema": structured, "example": {**CLOUDEVENT, "data": example}},
    }


def problems(declaration: Declaration, trigger: Http) -> list[type[Problem]]:
    """What the function may answer: what its module and its docstring name, and what the runtime adds."""
    said = f"{inspect.getdoc(declaration.function) or ''} {inspect.getdoc(sys.modules[declaration.module]) or ''}"
    own = {
        value
        for name, value in vars(sys.modules[declaration.module]).items()
        if inspect.isclass(value) and issubclass(value, Problem) and value is not Problem
    } | {named[word] for named in [_by_class()] for word in re.findall(r"\b[A-Z]\w+\b", said) if word in named}
    added: set[type[Problem]] = {
        runtime_problems.InternalError,
        runtime_problems.Unavailable,
    }
    if trigger.signed:
        added.add(runtime_problems.SignatureRefused)
    if "public" not in trigger.roles:
        added |= {runtime_problems.Unauthenticated, runtime_problems.NotAllowed}
    if declaration.message is not None:
        added.add(runtime_problems.ValidationFailed)
    if trigger.method not in BODILESS:
        added |= {runtime_problems.BodyTooLarge, runtime_problems.UnsupportedMediaType}
        added |= set() if trigger.takes or trigger.cloudevent else {runtime_problems.MalformedBody}
    if trigger.cloudevent:
        added.add(runtime_problems.NotAnEvent)
    if trigger.idempotent:
        added |= {
            runtime_problems.IdempotencyKeyMissing,
            runtime_problems.IdempotencyKeyReused,
            runtime_problems.StillRunning,
        }
    if trigger.rate is not None:
        added.add(runtime_problems.TooManyRequests)
    if trigger.if_match:
        added |= {runtime_problems.PreconditionRequired, runtime_problems.StaleVersion}
    return sorted(own | added, key=lambda problem: (problem.status, problem.kind))


@cache
def _by_class() -> dict[str, type[Problem]]:
    return {problem.__name__: problem for problem in PROBLEMS.values()}


def _responses(declaration: Declaration, trigger: Http, schemas: Schemas) -> Schema:
    schema = schemas.answer(result(declaration))
    headers = _headers(declaration, trigger, schemas.whole(schema).get("properties", {}))
    success: Schema = {"description": HTTPStatus(trigger.status).phrase}
    if headers:
        success["headers"] = headers
    answered: Schema = {}
    if result(declaration) in (None, type(None)):
        answered["204" if trigger.status == 200 else str(trigger.status)] = success
    else:
        pieces = {media_type: {"schema": {"type": "string"}} for media_type in streamed(result(declaration))}
        success["content"] = pieces or {JSON: {"schema": schema, "example": example("", schema, schemas.whole)}}
        answered[str(trigger.status)] = success
    if trigger.method == "GET" and "ETag" in headers:
        answered["304"] = {"description": "Not changed since the ETag in If-None-Match"}
    by_status: dict[int, list[type[Problem]]] = {}
    for problem in problems(declaration, trigger):
        by_status.setdefault(problem.status, []).append(problem)
    for status, kinds in by_status.items():
        answered[str(status)] = _problem_response(kinds, schemas)
    if trigger.rate is not None:
        answered["429"]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}, **_rate_headers(trigger.rate)}
    return answered


def _headers(declaration: Declaration, trigger: Http, properties: Schema) -> Schema:
    """What a success says beside its body."""
    headers: Schema = {}
    if "version" in properties:
        headers["ETag"] = _header("The version.")
    if "next_cursor" in properties:
        headers["Link"] = _header("The next page, `rel=next` (RFC 8288).")
    if (kept := trigger.cache_control) is not None:
        headers.setdefault("ETag", _header("Changes with the answer."))
        said = {"const": kept} if trigger.follows is None else {"enum": [kept, "no-store"]}
        headers["Cache-Control"] = {"schema": {"type": "string", **said}}
    if declaration.emits:
        headers["Sequence-Token"] = _header("Names the events that it left, for reads that are to show them.")
    if trigger.follows is not None:
        headers["Stale"] = _header("The wait for a Sequence-Token was in vain: so far goes what is shown.")
    if trigger.wait is not None or trigger.follows is not None:
        headers["Preference-Applied"] = _header("The wait that was granted.")
    return headers if trigger.rate is None else headers | _rate_headers(trigger.rate)


def _rate_headers(rate: Rate) -> Schema:
    """IETF draft httpapi-ratelimit-headers."""
    policy = _header("`q` requests at once; in `w` seconds so many come back.") | {"example": rate.policy(POLICY)}
    return {"RateLimit-Policy": policy, "RateLimit": _header("`r` requests are left; in `t` seconds there are more.")}


def _header(description: str) -> Schema:
    return {"description": description, "schema": {"type": "string"}}


def _problem_response(kinds: list[type[Problem]], schemas: Schemas) -> Schema:
    refs = [schemas.refer(kind.__name__, _problem_schema(kind)) for kind in kinds]
    response: Schema = {
        "description": "; or: ".join(kind.title for kind in kinds),
        "content": {"application/problem+json": {"schema": refs[0] if len(refs) == 1 else {"oneOf": refs}}},
    }
    if any(kind.retry_after_s is not None for kind in kinds):
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return response


def _problem_schema(kind: type[Problem]) -> Schema:
    properties: Schema = {
        "type": {"const": f"urn:kn-shop:problem:{kind.kind}"},
        "title": {"const": kind.title},
        "status": {"const": kind.status},
    }
    hints = get_type_hints(kind)
    members = [field.name for field in fields(kind) if field.name != "detail"]
    for name in members:
        properties[name] = TypeAdapter(hints[name]).json_schema(ref_template=REF)
    schema: Schema = {
        "allOf": [{"$ref": "#/components/schemas/Problem"}],
        "title": kind.title,
        "properties": properties,
    }
    required = [name for name in members if type(None) not in get_args(hints[name])]
    return schema | {"required": required} if required else schema
