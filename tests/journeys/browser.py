"""A real browser without a window, spoken to by the Chrome DevTools Protocol."""

import asyncio
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from infra.local.tools import BROWSERS

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TALL = "--window-size=1200,40000"
"""Pages draw only what is in sight."""
WITHIN_S = 60


async def shown(url: str, profile: Path, until: Callable[[str], bool]) -> str:
    """The page's document as soon as its scripts have made of it what is waited for, or as it is after a minute."""
    program = next(found for name in BROWSERS if (found := shutil.which(name)))
    options = [*QUIET, TALL, f"--user-data-dir={profile}", "--remote-debugging-port=0", url]
    browser = await asyncio.create_subprocess_exec(
        program, *options, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(2 * WITHIN_S), aiohttp.ClientSession() as client:
            async with client.get(f"http://{await _address(browser)}/json/list") as answer:
                (page,) = [one for one in await answer.json() if one["type"] == "page"]
            async with client.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as devtools:
                return await _document(devtools, until)
    finally:
        browser.kill()
        await browser.wait()


async def _address(browser: asyncio.subprocess.Process) -> str:
    """Where the browser listens, which it says on its error output."""
    assert browser.stderr is not None
    async for line in browser.stderr:
        if found := re.search(rb"DevTools listening on ws://([^/]+)/", line):
            return found[1].decode()
    raise AssertionError("the browser ended")


async def _document(devtools: aiohttp.ClientWebSocketResponse, until: Callable[[str], bool]) -> str:
    asked = {"method": "Runtime.evaluate", "params": {"expression": "document.documentElement.outerHTML"}}
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WITHIN_S
    while True:
        await devtools.send_json({"id": 1, **asked})
        answer: dict[str, Any] = await devtools.receive_json()
        document = str(answer["result"]["result"].get("value", ""))
        if until(document) or loop.time() > deadline:
            return document
        await asyncio.sleep(0.2)
