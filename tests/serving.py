"""An ASGI application behind a real socket, in the test's own process and event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from tests.processes import free_port


@asynccontextmanager
async def serving(application: Any) -> AsyncIterator[int]:
    """The port at which it is served."""
    port = free_port()
    config = uvicorn.Config(
        application, host="127.0.0.1", port=port, lifespan="off", log_level="critical", ws="none", proxy_headers=False
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (the server gives no event of it)
        await asyncio.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        await running
