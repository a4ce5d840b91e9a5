"""List the functions that are deployed, by domain, trigger, label and health (PLAT-003, PLAT-004, PLAT-005)."""

from typing import Annotated, Literal

from pydantic import Field

from shared.platform.discovery import FunctionView, discovered
from shared.runtime import Egress, Request, View, Work, http

WORD = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DNS = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
LABEL = rf"^({DNS}(\.{DNS}){{0,5}}/)?{NAME}=({NAME})?$"
"""As Kubernetes takes a label."""


class ListFunctions(Request):
    """`label` is name=value, and may be repeated: all have to fit. `healthy`: only those that are ready, or not."""

    domain: Annotated[str, Field(pattern=WORD, examples=["orders"])] | None = None
    trigger: Literal["http", "event", "timer"] | None = None
    label: Annotated[
        tuple[
            Annotated[str, Field(pattern=LABEL, max_length=300, examples=["app.kubernetes.io/name=place-order"])], ...
        ],
        Field(max_length=4),
    ] = ()
    healthy: bool | None = None


class Functions(View):
    items: list[FunctionView]


async def prepare(request: ListFunctions, _work: Work) -> ListFunctions:
    return request


async def call(request: ListFunctions, egress: Egress) -> list[FunctionView]:
    chosen = [*request.label]
    chosen += [f"kn-shop/domain={request.domain}"] if request.domain else []
    chosen += [f"kn-shop/trigger={request.trigger}"] if request.trigger else []
    found = await discovered(egress, ",".join(chosen))
    return [one for one in found if request.healthy in (None, one.ready)]


@http("GET /v1/functions", role=("operator", "admin", "service"), prepare=prepare, call=call, discovers=True)
async def list_functions(_request: ListFunctions, outcome: list[FunctionView], _work: Work) -> Functions:
    """All at once, in the order of their names: there are as many as the shop has use cases."""
    return Functions(items=outcome)
