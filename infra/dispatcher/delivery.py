"""How an event reaches its function: the same bytes in and out, in this process or over HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

import aiohttp

from infra.carriers import Record
from shared.runtime.declare import Declaration
from shared.runtime.events import percent_encoded
from shared.runtime.serve import Runtime, endpoint
from shared.runtime.settings import settings

# (consumer, headers, body) -> (status, body); status 0 means that there was no answer
Deliver = Callable[[str, Mapping[str, str], bytes], Awaitable[tuple[int, bytes]]]

ANSWER_S = 30.0  # KafkaSource's delivery.timeout
NO_ANSWER = 0


def http_headers(record: Record) -> dict[str, str]:
    """Binary mode, with the extensions that KafkaSource adds."""
    headers = record.envelope.to_http_headers()
    headers["ce-knativekafkapartition"] = str(record.partition)
    headers["ce-knativekafkaoffset"] = str(record.offset)
    if record.key is not None:
        headers["ce-key"] = percent_encoded(record.key)
    return headers


@asynccontextmanager
async def in_process(declarations: Iterable[Declaration]) -> AsyncIterator[Deliver]:
    """Calls the functions in this process, as their servers would."""
    runtime = Runtime.start(settings())
    endpoints = {declaration.service: endpoint(declaration, runtime) for declaration in declarations}

    async def deliver(consumer: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        answer = await endpoints[consumer].handle("POST", "/", b"", dict(headers), body)
        return answer.status, answer.body

    try:
        yield deliver
    finally:
        await runtime.stop()


@asynccontextmanager
async def over_http(template: str) -> AsyncIterator[Deliver]:
    """Posts to the URL that `template` makes of the consumer: `http://{consumer}.shop.svc.cluster.local`."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_S)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as client:

        async def deliver(consumer: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
            try:
                url = template.format(consumer=consumer)
                async with client.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                    return answer.status, await answer.read()
            except (TimeoutError, aiohttp.ClientError, OSError):
                return NO_ANSWER, b""

        yield deliver
