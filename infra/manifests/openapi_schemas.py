"""The component schemas of the OpenAPI document, each model once."""

import inspect
import json
import re
from collections.abc import Iterable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from shared.runtime.answers import Page, Stream
from shared.runtime.declare import Declaration

Schema = dict[str, Any]
REF = "#/components/schemas/{model}"

PROBLEM: Schema = {
    "type": "object",
    "title": "Problem",
    "description": "A problem document (RFC 9457).",
    "properties": {
        "type": {
            "type": "string",
            "format": "uri",
            "description": "Stable over releases: clients may branch on it.",
        },
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status"],
}


class Schemas:
    """The components of one document, each model once."""

    def __init__(self, declarations: list[Declaration]) -> None:
        models: dict[tuple[type[BaseModel], Any], None] = {}
        self._requests: dict[str, type[BaseModel]] = {}
        for declaration in declarations:
            if declaration.message is not None:
                models[declaration.message, "validation"] = None
            for view in _views(result(declaration)):
                models[view, "serialization"] = None
        self._refs, definitions = models_json_schema(list(models), ref_template=REF)
        self._definitions: dict[str, Schema] = definitions.get("$defs", {})
        self._used: dict[str, Schema] = {"Problem": PROBLEM}

    def components(self) -> dict[str, Schema]:
        """What is referred to, from the operations or from one another."""
        for schema in list(self._used.values()):
            self._use_all_of(schema)
        return dict(sorted(self._used.items()))

    def _use_all_of(self, schema: Schema) -> None:
        """Takes in what `schema` refers to, and what that refers to."""
        for name in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(schema)):
            if name not in self._used:
                self._used[name] = self._definitions[name]
                self._use_all_of(self._definitions[name])

    def request(self, model: type[BaseModel]) -> Schema:
        """The whole model, with its fields as properties."""
        return self._definitions[self._name(model, "validation")]

    def refer(self, name: str, schema: Schema) -> Schema:
        self._used[name] = schema
        return {"$ref": REF.format(model=name)}

    def answer(self, kind: Any) -> Schema:
        """The schema of what a function gives back."""
        about = _about(kind)
        kind = _unwrapped(kind)
        if get_origin(kind) is Page:
            (item,) = get_args(kind)
            more = {} if about is None else self._definitions[self._name(about, "serialization")]
            self._use_all_of(more)
            cursor = {
                "type": ["string", "null"],
                "description": "Asks for the page after this one; null at the end.",
            }
            return {
                "type": "object",
                "properties": {
                    "items": {"type": "array", "items": self.answer(item)},
                    "next_cursor": cursor,
                    **more.get("properties", {}),
                },
                "required": ["items", "next_cursor", *more.get("required", [])],
            }
        if inspect.isclass(kind) and issubclass(kind, BaseModel):
            name = self._name(kind, "serialization")
            return self.refer(name, self._definitions[name])
        return {"type": "object"}

    def whole(self, schema: Schema) -> Schema:
        """`schema` with its references resolved, one level at a time, for making examples."""
        while "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            schema = self._used.get(name) or self._definitions[name]
        return schema

    def _name(self, model: type[BaseModel], mode: Any) -> str:
        return str(self._refs[model, mode]["$ref"].rpartition("/")[2])


def result(declaration: Declaration) -> Any:
    """The return type, with what `Annotated` says of prerendered ones."""
    return get_type_hints(declaration.function, include_extras=True).get("return")


def streamed(kind: Any) -> tuple[str, ...]:
    """The media types of `Annotated[Stream, "text/csv"]`; of what is no stream none."""
    base, *notes = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    return (*notes,) or ("application/octet-stream",) if base is Stream else ()


def _unwrapped(kind: Any) -> Any:
    """`Annotated[Document, Product]` is a Product rendered already; `Page[Annotated[bytes, Product]]` likewise."""
    if _about(kind) is not None:
        return get_args(kind)[0]
    if get_origin(kind) is Annotated:
        base, *notes = get_args(kind)
        return next(
            (note for note in notes if inspect.isclass(note) and issubclass(note, BaseModel)),
            base,
        )
    return kind


def _about(kind: Any) -> type[BaseModel] | None:
    """`Annotated[Page[Product], Found]` is a page with the members of Found beside its items."""
    if get_origin(kind) is Annotated and get_origin(get_args(kind)[0]) is Page:
        model: type[BaseModel] = get_args(kind)[1]
        return model
    return None


def _views(kind: Any) -> Iterable[type[BaseModel]]:
    if (about := _about(kind)) is not None:
        yield about
    kind = _unwrapped(kind)
    if get_origin(kind) is Page:
        yield from _views(get_args(kind)[0])
    elif inspect.isclass(kind) and issubclass(kind, BaseModel):
        yield kind
