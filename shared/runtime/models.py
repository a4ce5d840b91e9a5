"""Base models of what comes in by HTTP and what goes out."""

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails


class Request(BaseModel):
    """Filled from the path, then the query (GET, DELETE) or the JSON body; a field that is not named is a fault.

    From a query a list or tuple takes every value of its repeated parameter. Where other bodies than JSON are taken,
    the query fills the model, and its `media_type` and `body` are the body's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class Paged(Request):
    """The request fields of every list. `limit` counts items; `cursor` is taken from the page before."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(max_length=1024)] | None = None


class View(BaseModel):
    """A representation of a resource; a field named `version` is also its ETag."""

    model_config = ConfigDict(frozen=True)


def faults_in(error: ValidationError) -> list[ErrorDetails]:
    """Every fault, never with the input itself.

    That too few of a tuple's items are left is none where the items themselves are at fault.
    """
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    places = {fault["loc"] for fault in faults}
    above = {place[:depth] for place in places for depth in range(len(place))}
    return [fault for fault in faults if fault["type"] != "too_short" or fault["loc"] not in above]


def repeatable(model: type[BaseModel]) -> frozenset[str]:
    """The fields that hold several values, and so may be repeated in a query."""
    return frozenset(field.alias or name for name, field in model.model_fields.items() if _is_several(field.annotation))


def _is_several(annotation: Any) -> bool:
    origin = get_origin(annotation) or annotation
    if origin in (Annotated, Union, UnionType):
        return any(_is_several(inner) for inner in get_args(annotation))
    return origin in (list, tuple)
