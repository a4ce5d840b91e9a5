"""Takes the schemas from the API server that kubectl speaks to: `python -m tests.contracts.schemas`.

They come from what the server publishes under /openapi/v3, one object of definitions for each group and version, of
which only what our manifests use is kept, without the descriptions. A field that a schema does not know is a fault
here, as it is with `kubectl apply --validate=strict`.
"""

import json
import subprocess
import sys
from typing import Any

from infra.manifests import ROOT
from tests.contracts.schemas import Schema, file_of
from tests.contracts.test_admission import manifests

KEPT = (
    "type", "properties", "required", "items", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength",
    "minItems", "maxItems", "minProperties", "maxProperties", "additionalProperties",
    "oneOf", "anyOf", "allOf", "not",
)  # fmt: skip


def published(api_version: str) -> dict[str, Schema]:
    path = f"/openapi/v3/api{'s' if '/' in api_version else ''}/{api_version}"
    done = subprocess.run(["kubectl", "get", "--raw", path], capture_output=True, text=True, check=True)
    schemas: dict[str, Schema] = json.loads(done.stdout)["components"]["schemas"]
    return schemas


def kind_of(schema: Schema, api_version: str) -> str | None:
    group, _, version = api_version.rpartition("/")
    for one in schema.get("x-kubernetes-group-version-kind", ()):
        if (one["group"], one["version"]) == (group, version):
            return str(one["kind"])
    return None


def plain(schema: Schema, known: dict[str, Schema], *, within: bool = False) -> Schema:
    """`schema` with its references in place. `within` a condition unknown fields are not this schema's concern."""
    if reference := schema.get("$ref"):
        return plain(known[reference.rpartition("/")[2]], known, within=within)
    if len(schema.get("allOf", ())) == 1 and "properties" not in schema:
        return plain(schema["allOf"][0], known, within=within)
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    kept: Schema = {name: _part(name, value, known, within) for name, value in schema.items() if name in KEPT}
    if "properties" in kept and not within:
        kept.setdefault("additionalProperties", bool(schema.get("x-kubernetes-preserve-unknown-fields")))
    if schema.get("nullable") and "type" in kept:
        kept["type"] = [kept["type"], "null"]
    return kept


def _part(name: str, value: Any, known: dict[str, Schema], within: bool) -> Any:
    match name:
        case "properties":
            return {field: plain(one, known, within=within) for field, one in value.items()}
        case "items" | "additionalProperties" if isinstance(value, dict):
            return plain(value, known, within=within)
        case "not":
            return plain(value, known, within=True)
        case "oneOf" | "anyOf" | "allOf":
            return [plain(one, known, within=True) for one in value]
        case _:
            return value


def main() -> None:
    used: dict[str, set[str]] = {}
    for manifest in manifests():
        used.setdefault(manifest["apiVersion"], set()).add(manifest["kind"])
    for api_version, kinds in sorted(used.items()):
        known = published(api_version)
        found: dict[str, Any] = {}
        for schema in known.values():
            if (kind := kind_of(schema, api_version)) in kinds:
                found[str(kind)] = plain(_without_status(schema), known)
        if lacking := kinds - found.keys():
            sys.exit(f"The server knows no {', '.join(sorted(lacking))} of {api_version}.")
        text = json.dumps(dict(sorted(found.items())), sort_keys=True, separators=(",", ":"))
        file_of(api_version).write_text(text + "\n")
        print(f"{file_of(api_version).relative_to(ROOT)}: {', '.join(sorted(found))}, {len(text):,} bytes")


def _without_status(schema: Schema) -> Schema:
    """A manifest has none, and that is the cluster's to write."""
    return schema | {"properties": {name: one for name, one in schema["properties"].items() if name != "status"}}


if __name__ == "__main__":
    main()
