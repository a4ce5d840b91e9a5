"""Place one order with the running shop and follow it, event by event, until it is paid."""

import os
import sys
import time
import uuid
from http.client import HTTPException
from typing import Any

from rich.console import Console
from rich.markup import escape

from infra.local.banner import CUSTOMER
from infra.local.client import Client, Refused

ORDER = {
    "lines": [{"sku": "MUG-BLUE", "quantity": 2}, {"sku": "TEA-TIN", "quantity": 1}],
    "payment_token": "tok_approve",
}
WITHIN_S = 20.0
FINAL = {"rejected", "cancelled"}


def token(url: str, subject: str, *roles: str) -> str:
    answer = Client(url).call("POST", "/dev/tokens", {"subject": subject, "roles": list(roles)})
    return str(answer["token"])


def follow(url: str, console: Console) -> bool:
    """Whether the order was paid in time. Raises Refused, or OSError when nobody answers."""
    client = Client(url, token(url, CUSTOMER, "customer"))
    console.print("[bold]POST /v1/orders[/]  two mugs and a tea tin, paid with tok_approve, Prefer: wait=10")
    began = time.monotonic()
    order = client.call("POST", "/v1/orders", ORDER, Idempotency_Key=str(uuid.uuid4()), Prefer="wait=10")
    console.print(
        f"[green]201[/] after {time.monotonic() - began:.2f} s: order {order['number']},"
        f" {order['total_minor'] / 100:.2f} {order['currency']}, {order['status']}\n"
    )
    shown = 0
    while True:
        moves: list[dict[str, Any]] = client.call("GET", f"/v1/orders/{order['id']}/timeline")["items"]
        for move in moves[shown:]:
            console.print(_line(move), soft_wrap=True)
        shown = len(moves)
        order = client.call("GET", f"/v1/orders/{order['id']}")
        if order["payment"] == "captured" or order["status"] in FINAL or time.monotonic() - began > WITHIN_S:
            break
        time.sleep(0.15)
    paid = bool(order["payment"] == "captured")
    colour = "green" if paid else "red"
    console.print(
        f"\n[{colour}]{order['status']}, payment {order['payment']}[/]  {url}/v1/orders/{order['id']}", soft_wrap=True
    )
    return paid


def _line(move: dict[str, Any]) -> str:
    """One entry of the timeline, its detail cut down to where it came from."""
    detail = move["detail"]
    match move["kind"]:
        case "event":
            said = f"{detail['source'].removeprefix('/shop/')}, {detail['sequence']} of its stream"
        case "move":
            said = f"from {detail['from'] or 'nothing'} by {detail['cause']}"
        case _:
            said = str(detail.get("error", ""))
    clock, kind, what = str(move["at"])[11:23], move["kind"], move["what"]
    return f"  [dim]{escape(clock)}[/]  {escape(kind):<11} [bold]{escape(what):<41}[/] [dim]{escape(said)}[/]"


def main() -> int:
    url = os.environ.get("SHOP_URL") or f"http://127.0.0.1:{os.environ.get('PORT') or 8080}"
    try:
        return 0 if follow(url, Console(highlight=False)) else 1
    except ConnectionRefusedError:
        print(f"No shop answers at {url}. Start one with `make run` in another terminal and wait for READY.")
    except (Refused, OSError, HTTPException) as error:
        print(f"The shop at {url} did not take the order: {error}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
