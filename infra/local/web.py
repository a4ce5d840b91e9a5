"""Every HTTP function on one port, with the documentation, the health checks and the development issuer beside them."""

import mimetypes
import os
import socket
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from pydantic import ValidationError

from infra.local.console import console
from infra.local.issuer import Issuer, TokenRequest
from infra.local.kubernetes import PREFIX
from infra.local.kubernetes.api import KubernetesApi
from infra.local.kubernetes.objects import Machine
from infra.local.paths import CHECKOUT
from infra.local.routes import NoRoute, OtherMethods, Routes
from shared.runtime.answers import Answer
from shared.runtime.asgi import Receive, Scope, Send, path_of, read_body, send_answer
from shared.runtime.declare import Declaration, Http
from shared.runtime.metrics import exposition
from shared.runtime.problems import BodyTooLarge, MethodNotAllowed, RouteNotFound, ValidationFailed
from shared.runtime.serve import Endpoint, Runtime, answer_to, endpoint, faults_of, serve
from shared.runtime.settings import Settings, settings

Page = Callable[[bytes], Awaitable[Answer]]
"""What is not a function: takes the body and answers."""

REFERENCE = CHECKOUT / "docs" / "reference"
# Found, not imported: of the package only the page's own files are wanted.
SWAGGER = Path(find_spec("flask_swagger_ui").origin).parent / "dist"  # type: ignore[union-attr, arg-type]
TOKEN_REQUEST_BYTES = 16_384

HTML = "text/html; charset=utf-8"
JSON = "application/json"


class Web:
    """The ASGI application of one process. Make it after the fork, inside the event loop.

    Without a `machine` there is nothing that `kn` could be shown.
    """

    def __init__(
        self, declarations: dict[str, Declaration], chosen: Settings, issuer: Issuer, machine: Machine | None = None
    ) -> None:
        self._issuer = issuer
        self._runtime = Runtime.start(chosen)
        self._routes: Routes[Endpoint[Any] | Page] = Routes()
        self._some: Endpoint[Any] | None = None
        for declaration in declarations.values():
            if isinstance(declaration.trigger, Http):
                self._some = endpoint(declaration, self._runtime)
                self._routes.add(declaration.trigger.method, declaration.trigger.path, self._some)
        self._console = console(declarations, issuer.url)
        self._kubernetes = None if machine is None else KubernetesApi(CHECKOUT, machine, lambda: self._ready(b""))
        self._add_pages()

    def _add_pages(self) -> None:
        pages: dict[str, Page] = {
            "GET /": self._home,
            "GET /docs": _swagger,
            "GET /openapi.json": lambda _: _reference("openapi.json"),
            "GET /asyncapi.json": lambda _: _reference("asyncapi.json"),
            "GET /health/live": self._live,
            "GET /health/ready": self._ready,
            "GET /metrics": self._metrics,
            "GET /.well-known/jwks.json": self._jwks,
            "POST /dev/tokens": self._token,
        }
        for route, page in pages.items():
            method, _, path = route.partition(" ")
            self._routes.add(method, path, page)
        for name in ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"):
            self._routes.add("GET", f"/docs/{name}", _file(SWAGGER / name))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._kubernetes is not None and f"{scope['path']}/".startswith(f"{PREFIX}/"):
            await self._kubernetes(scope, receive, send)
            return
        try:
            target = self._routes.find(scope["method"], path_of(scope))
        except NoRoute:
            await send_answer(answer_to(RouteNotFound()), scope, send)
        except OtherMethods as other:
            await send_answer(answer_to(MethodNotAllowed(allowed=other.allowed)), scope, send)
        else:
            if isinstance(target, Endpoint):
                await serve(target, scope, receive, send)
            else:
                await _serve_page(target, scope, receive, send)

    async def _home(self, _body: bytes) -> Answer:
        return Answer(200, {"content-type": HTML}, self._console)

    async def _live(self, _body: bytes) -> Answer:
        return Answer(200, {"content-type": "text/plain"}, b"live\n")

    async def _ready(self, _body: bytes) -> Answer:
        if self._some is None:
            return await self._live(b"")
        return await self._some.handle("GET", "/health/ready", b"", {}, b"")

    async def _metrics(self, _body: bytes) -> Answer:
        body, content_type = exposition()
        return Answer(200, {"content-type": content_type}, body)

    async def _jwks(self, _body: bytes) -> Answer:
        return Answer(200, {"content-type": JSON}, self._issuer.jwks)

    async def _token(self, body: bytes) -> Answer:
        try:
            asked = TokenRequest.model_validate_json(body or b"{}")
        except ValidationError as error:
            return answer_to(ValidationFailed(errors=faults_of(error)))
        token = self._issuer.token(asked.subject, *asked.roles, expires_in_s=asked.expires_in_s)
        answer = {"token": token, "token_type": "Bearer", "expires_in": asked.expires_in_s}
        return Answer(201, {"content-type": JSON, "cache-control": "no-store"}, orjson.dumps(answer))

    async def stop(self) -> None:
        await self._runtime.stop()


async def _serve_page(page: Page, scope: Scope, receive: Receive, send: Send) -> None:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    try:
        answer = await page(await read_body(receive, headers, TOKEN_REQUEST_BYTES))
    except BodyTooLarge as problem:
        answer = answer_to(problem)
    await send_answer(answer, scope, send)


_SWAGGER_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>kn-shop API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#api", deepLinking: true, persistAuthorization: true, validatorUrl: null
});
</script>
</body>
</html>
"""


async def _swagger(_body: bytes) -> Answer:
    return Answer(200, {"content-type": HTML}, _SWAGGER_PAGE.encode())


async def _reference(name: str) -> Answer:
    file = REFERENCE / name
    if not file.exists():
        return answer_to(RouteNotFound(detail=f"{name} has not been generated: run `make generate`."))
    return Answer(200, {"content-type": JSON}, file.read_bytes())


def _file(path: Path) -> Page:
    content = path.read_bytes()
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"

    async def page(_body: bytes) -> Answer:
        headers = {"content-type": content_type, "cache-control": "public, max-age=86400"}
        return Answer(200, headers, content)

    return page


def main(
    declarations: dict[str, Declaration], listener: socket.socket, issuer: Issuer, machine: Machine | None = None
) -> None:
    """Serves on `listener` until SIGTERM."""
    web: Web | None = None

    async def shop(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal web
        if scope["type"] == "lifespan":
            await receive()
            web = Web(declarations, settings(), issuer, machine)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await web.stop()
            await send({"type": "lifespan.shutdown.complete"})
        elif web is not None:
            await web(scope, receive, send)

    config = uvicorn.Config(
        shop,
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level=os.environ.get("LOG_LEVEL", "warning").lower(),
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
    )
    uvicorn.Server(config).run(sockets=[listener])
