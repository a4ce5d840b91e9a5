"""A real order through the cluster's gateway, from the catalogue to captured money."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import aiohttp

SKU = "SMOKE-1"
LOCATION = "smoke"
STOCK = 1_000


class SmokeFailed(Exception):
    """What was asked, and what came back."""


@dataclass(frozen=True, slots=True)
class Door:
    """How to get in: the gateway's URL, and the ingress's address where the URL's host does not resolve to it."""

    url: str
    ingress: str | None = None

    def place(self, path: str) -> tuple[str, dict[str, str]]:
        host = self.url.partition("://")[2].rstrip("/")
        return (self.ingress or self.url).rstrip("/") + path, {"host": host}


async def smoke(door: Door, admin: str, customer: str, timeout_s: float, say: Callable[[str], None]) -> None:
    """Places an order and follows it until its payment is captured. Raises SmokeFailed."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=70)) as client:
        asked = Asked(client, door)
        product = {"title": "Smoke test", "variants": [{"sku": SKU, "price_minor": 100}]}
        location = {"id": LOCATION, "name": "Smoke test"}
        await asked("POST", "/v1/products", admin, product, accept=(201, 409))
        await asked("POST", "/v1/locations", admin, location, accept=(201, 409))
        level = {"on_hand": STOCK}
        await asked("PUT", f"/v1/stock/{SKU}/{LOCATION}", admin, level, accept=(200,))
        started = monotonic()
        order = await asked(
            "POST",
            "/v1/orders",
            customer,
            {"lines": [{"sku": SKU, "quantity": 1}], "payment_token": "tok_approve"},
            accept=(201,),
            headers={"idempotency-key": str(uuid.uuid4()), "prefer": "wait=10"},
        )
        say(f"placed {order['number']}: {order['status']}, {order['payment']} ({monotonic() - started:.1f} s)")
        while order["payment"] != "captured":
            if monotonic() - started > timeout_s or order["status"] in ("rejected", "cancelled"):
                raise SmokeFailed(f"the order stands at {order['status']}, {order['payment']}: {order.get('reason')}")
            await asyncio.sleep(1)
            order = await asked("GET", f"/v1/orders/{order['id']}", customer, None, accept=(200,))
        say(f"order {order['number']}: {order['status']}, {order['payment']} ({monotonic() - started:.1f} s)")


@dataclass(frozen=True, slots=True)
class Asked:
    """Asks, and asks again while a function is only starting."""

    client: aiohttp.ClientSession
    door: Door

    async def __call__(
        self,
        method: str,
        path: str,
        token: str,
        body: object,
        *,
        accept: tuple[int, ...],
        headers: dict[str, str] | None = None,
    ) -> Any:
        url, host = self.door.place(path)
        said = ""
        for attempt in range(5):
            if attempt:
                await asyncio.sleep(2)
            try:
                async with self.client.request(
                    method, url, json=body, headers={"authorization": f"Bearer {token}", **host, **(headers or {})}
                ) as answer:
                    said = f"{answer.status} {(await answer.text())[:500]}"
                    if answer.status in accept:
                        return await answer.json(content_type=None)
                    if answer.status < 500:
                        break
            except (aiohttp.ClientError, TimeoutError) as error:
                said = f"{type(error).__name__}: {error}"
        raise SmokeFailed(f"{method} {path}: {said}")
