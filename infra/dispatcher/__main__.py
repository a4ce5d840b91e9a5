"""Run the dispatcher: `python -m infra.dispatcher`, with DATABASE_URL, and KAFKA_BOOTSTRAP where Kafka is the carrier.

It calls the functions in this process, or where DELIVER_TO is a URL template with `{consumer}`, over HTTP.
DISPATCH_TIMERS=off leaves the timers to others; HEALTH_PORT serves health and metrics.
"""

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack

import uvloop

import functions
from infra.carriers.chosen import carrier_url, source
from infra.dispatcher.delivery import in_process, over_http
from infra.dispatcher.dispatcher import Dispatcher, Rules
from infra.dispatcher.subscriptions import subscriptions
from infra.dispatcher.timers import Timers, schedules
from infra.health import health_server
from shared.runtime.declare import REGISTRY, OnEvent, Timer


async def run(environ: Mapping[str, str]) -> None:
    """Until SIGTERM or SIGINT."""
    functions.load_all()
    declarations = [
        declaration for declaration in REGISTRY.values() if isinstance(declaration.trigger, OnEvent | Timer)
    ]
    default = Rules()
    rules = Rules(
        retries=int(environ.get("DISPATCH_RETRIES", default.retries)),
        backoff_s=float(environ.get("DISPATCH_BACKOFF_S", default.backoff_s)),
        concurrency=int(environ.get("DISPATCH_CONCURRENCY", default.concurrency)),
        destination=environ.get("DELIVER_TO", default.destination),
    )
    async with AsyncExitStack() as stack:
        delivery = over_http(rules.destination) if "DELIVER_TO" in environ else in_process(declarations)
        deliver = await stack.enter_async_context(delivery)
        dispatcher = Dispatcher(source(environ), deliver, subscriptions(declarations), rules)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, dispatcher.stop)
        port = environ.get("HEALTH_PORT")
        stack.enter_context(
            health_server(int(port) if port else None, live=lambda: dispatcher.live, ready=lambda: dispatcher.ready)
        )
        timers = asyncio.create_task(Timers(carrier_url(environ), deliver, schedules(declarations)).run())
        if environ.get("DISPATCH_TIMERS") == "off":
            timers.cancel()
        await dispatcher.run()
        timers.cancel()
        await asyncio.wait([timers])


def main() -> None:
    uvloop.run(run(os.environ))


if __name__ == "__main__":
    main()
