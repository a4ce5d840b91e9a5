"""Base models of what comes in by HTTP and what goes out."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Request(BaseModel):
    """Filled from the path, then the query (GET, DELETE) or the JSON body; a field that is not named is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Paged(Request):
    """The request fields of every list. `limit` counts items; `cursor` is taken from the page before."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(max_length=1024)] | None = None


class View(BaseModel):
    """A representation of a resource; a field named `version` is also its ETag."""

    model_config = ConfigDict(frozen=True)
