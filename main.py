"""The entry for functions-framework: `functions-framework --source main.py --target place_order --asgi`.

Every function, whatever its trigger, is handed over as one of HTTP signature; shared.runtime.serve does the rest.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from functions import load
from shared.runtime.serve import Endpoint, Runtime, endpoint, serve
from shared.runtime.settings import settings


def __getattr__(name: str) -> Callable[[Request], Awaitable[Response]]:
    try:
        declaration = load(name)
    except LookupError as error:
        raise AttributeError(str(error)) from None
    ready: list[Endpoint[Any]] = []  # made by the first request, in the process and event loop that serve it

    async def function(_request: Request) -> Response:
        if not ready:
            ready.append(endpoint(declaration, Runtime.start(settings())))
        return Exchange(ready[0])

    return function


class Exchange(Response):
    """Answers on the raw ASGI channels: the body is read within its limit and nothing is encoded twice."""

    def __init__(self, endpoint: Endpoint[Any]) -> None:
        self.endpoint = endpoint
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await serve(self.endpoint, scope, receive, send)
