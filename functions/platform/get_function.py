"""Show one function: where it is called, whether it can work, which revision answers (PLAT-004)."""

from typing import Annotated

from pydantic import Field

from shared.platform.discovery import FunctionView, discovered
from shared.platform.problems import FunctionNotFound
from shared.runtime import Egress, Request, Work, http


class GetFunction(Request):
    name: Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$", examples=["place-order"])]


async def prepare(request: GetFunction, _work: Work) -> GetFunction:
    return request


async def call(request: GetFunction, egress: Egress) -> list[FunctionView]:
    return await discovered(egress, name=request.name)


@http("GET /v1/functions/{name}", role=("operator", "admin", "service"), prepare=prepare, call=call, discovers=True)
async def get_function(_request: GetFunction, outcome: list[FunctionView], _work: Work) -> FunctionView:
    if not outcome:
        raise FunctionNotFound
    return outcome[0]
