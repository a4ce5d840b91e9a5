"""Each function alone under functions-framework, as its container runs it: the whole behaviour is there."""

import json
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from functions import load_all
from infra.local.paths import CHECKOUT
from infra.local.postgres import Cloned, SharedServer
from infra.local.processes import wait_until
from shared.inventory.events import (
    CommitHold,
    ExtendHold,
    HoldLine,
    HoldStock,
    PartLine,
    ReleaseHold,
    ReleasePart,
    RestockGoods,
    ShipHold,
    StockDepleted,
    StockHeld,
)
from shared.orders.events import OrderConfirmed, OrderRejected
from shared.payments.events import AuthorizePayment, CapturePayment, RefundPayment, RefundSucceeded, VoidPayment
from shared.runtime import Event
from shared.runtime.declare import Declaration, Http, OnEvent, Timer
from tests.conftest import NOW, delivered
from tests.issuer import AUDIENCE, ISSUER, Issuer
from tests.processes import free_port

ORDER = UUID(int=0x0FF)
LINE = {"sku": "MUG", "title": "A mug", "quantity": 1, "unit_price_minor": 5}
RECORD = {"reference": "1", "placed_at": "2026-03-01T12:00:00Z", "currency": "GBP", "payment_token": "tok_approve"}
RETURN = {"customer_id": "ann", "sku": "MUG", "quantity": 1, "unit_price_minor": 5, "reason": "chipped"}
STEER = {"state": "voiding", "reason": "the bank says so"}
SHIPPING = {"name": "Post", "basis": "weight", "currency": "GBP", "bands": [{"price_minor": 5}], "enabled": False}
GUEST = {
    "payment_token": "tok_approve",
    "email": "ann@example.com",
    "shipping_address": {"lines": ["1 High Street"], "city": "Leeds", "country": "GB"},
}
HOLD = {"order_id": str(ORDER), "lines": [{"sku": "MUG", "quantity": 1}], "expires_in_s": 60}
HOLD_SENT = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "/shop/orders/books",
    "ce-type": "shop.inventory.hold.v1",
}
VERSION_1 = {"if-match": '"1"'}
PAYMENT: dict[str, Any] = {"order_id": ORDER, "amount_minor": 5}


class Called(NamedTuple):
    """A call over HTTP and the status of its answer, in a shop that is still empty."""

    path: str
    status: int
    body: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


HTTP: dict[str, Called] = {
    "create_product": Called("/v1/products", 201, {"title": "A mug", "variants": [{"sku": "MUG", "price_minor": 5}]}),
    "get_product": Called("/v1/products/NONE", 404),
    "list_products": Called("/v1/products?limit=5", 200),
    "update_product": Called("/v1/products/NONE", 404, {"title": "Mug"}, VERSION_1),
    "delete_product": Called("/v1/products/NONE", 404, headers=VERSION_1),
    "inspect_product": Called("/v1/admin/products/NONE", 404),
    "inspect_products": Called("/v1/admin/products?status=draft", 200),
    "import_products": Called(
        "/v1/admin/product-import", 200, "slug,title,sku,price_minor", {"content-type": "text/csv"}
    ),
    "export_products": Called("/v1/admin/product-export", 200),
    "rebuild_catalog": Called("/v1/admin/catalog-rebuild", 200, {"part": "listings"}),
    "search_products": Called("/v1/search?q=mug&facets=true", 200),
    "suggest_searches": Called("/v1/search/suggestions?q=mug", 200),
    "create_category": Called("/v1/categories", 201, {"name": "Mugs"}),
    "list_categories": Called("/v1/categories?counts=true", 200),
    "get_category": Called("/v1/categories/none", 404),
    "update_category": Called("/v1/categories/none", 404, {"name": "Cups"}, VERSION_1),
    "move_category": Called("/v1/categories/none/place", 404, {"parent": None}, VERSION_1),
    "delete_category": Called("/v1/categories/none", 404, headers=VERSION_1),
    "create_location": Called("/v1/locations", 201, {"id": "LON", "name": "London"}),
    "list_locations": Called("/v1/locations", 200),
    "get_location": Called("/v1/locations/NONE", 404),
    "update_location": Called("/v1/locations/NONE", 404, {"name": "Leeds"}, VERSION_1),
    "close_location": Called("/v1/locations/NONE/closure", 404, {"move_to": "LON"}),
    "open_location": Called("/v1/locations/NONE/opening", 404),
    "create_transfer": Called("/v1/transfers", 404, {"destination": "NONE", "lines": [{"sku": "MUG", "quantity": 1}]}),
    "receive_transfer": Called(f"/v1/transfers/{ORDER}/arrivals", 404, {"note": "late"}),
    "cancel_transfer": Called(f"/v1/transfers/{ORDER}/cancellation", 404, {"note": "late"}),
    "get_transfer": Called(f"/v1/transfers/{ORDER}", 404),
    "list_transfers": Called("/v1/transfers?status=in_transit", 200),
    "import_stock": Called("/v1/admin/stock-import", 200, "sku,location,on_hand", {"content-type": "text/csv"}),
    "set_item_policy": Called("/v1/items/GIFT", 200, {"tracked": False}),
    "set_stock_level": Called("/v1/stock/MUG/NOWHERE", 404, {"on_hand": 1, "reason": "recount"}),
    "adjust_stock": Called("/v1/stock/MUG/NOWHERE/adjustments", 404, {"delta": 1, "reason": "found"}),
    "set_level_policy": Called("/v1/stock/MUG/NOWHERE/policy", 404, {"safety_stock": 1}),
    "set_allocation_policy": Called("/v1/inventory-policy", 200, {"allocation": "priority"}),
    "get_stock": Called("/v1/stock/NONE", 404),
    "check_stock": Called("/v1/stock?sku=MUG&sku=NONE", 200),
    "check_availability": Called("/v1/availability?sku=MUG", 200),
    "list_ledger": Called("/v1/stock/NONE/ledger", 200),
    "search_ledger": Called("/v1/ledger?reason=stolen", 200),
    "get_past_stock": Called("/v1/stock/NONE/past?as_of=2026-03-01T12:00:00Z", 404),
    "explain_stock": Called("/v1/stock/NONE/why", 404),
    "list_shortfalls": Called("/v1/shortfalls", 200),
    "reconcile_stock": Called("/v1/admin/stock-reconciliation", 200, {"mend": "counters"}),
    "list_holds": Called("/v1/holds?status=HELD", 200),
    "get_hold": Called(f"/v1/holds/{UUID(int=404)}", 404),
    "set_hold_expiry": Called(f"/v1/holds/{UUID(int=404)}/expiry", 404, {"expires_in_s": 60}),
    "create_alert_target": Called("/v1/alert-targets", 201, {"channel": "mail", "address": "stock@example.com"}),
    "list_alert_targets": Called("/v1/alert-targets", 200),
    "get_alert_target": Called(f"/v1/alert-targets/{ORDER}", 404),
    "update_alert_target": Called(f"/v1/alert-targets/{ORDER}", 404, {"enabled": False}, VERSION_1),
    "delete_alert_target": Called(f"/v1/alert-targets/{ORDER}", 404),
    "rotate_alert_secret": Called(f"/v1/alert-targets/{ORDER}/secret", 404),
    "send_test_alert": Called(f"/v1/alert-targets/{ORDER}/test", 404),
    "list_alerts": Called("/v1/alerts?state=open", 200),
    "list_alert_deliveries": Called("/v1/alert-deliveries", 200),
    "get_alert_delivery": Called(f"/v1/alert-deliveries/{ORDER}", 404),
    "redeliver_alert": Called(f"/v1/alert-deliveries/{ORDER}/redelivery", 404),
    "place_order": Called(
        "/v1/orders", 422, {"lines": [{"sku": "NONE", "quantity": 1}], "payment_token": "tok_approve"}
    ),
    "record_order": Called("/v1/admin/orders", 201, RECORD | {"lines": [LINE]}),
    "get_order": Called(f"/v1/orders/{ORDER}", 404),
    "quote_order": Called("/v1/quotes", 422, {"lines": [{"sku": "NONE", "quantity": 1}]}),
    "place_guest_order": Called("/v1/guest-orders", 422, GUEST | {"lines": [{"sku": "NONE", "quantity": 1}]}),
    "get_guest_order": Called("/v1/guest-orders/none", 404),
    "cancel_guest_order": Called("/v1/guest-orders/none/cancel", 404, {"reason": "changed my mind"}),
    "pay_guest_order": Called("/v1/guest-orders/none/pay", 404, {"payment_token": "tok_approve"}),
    "set_pricing_terms": Called("/v1/admin/pricing-terms", 200, {"prices_include_tax": True}),
    "get_pricing_terms": Called("/v1/admin/pricing-terms", 200),
    "set_tax_rate": Called("/v1/admin/tax-rates/GB/standard", 200, {"rate_ppm": 200_000, "name": "VAT"}),
    "list_tax_rates": Called("/v1/admin/tax-rates?country=GB", 200),
    "remove_tax_rate": Called("/v1/admin/tax-rates/FR/standard", 404),
    "set_shipping_method": Called("/v1/admin/shipping-methods/post", 200, SHIPPING),
    "list_shipping_methods": Called("/v1/admin/shipping-methods", 200),
    "remove_shipping_method": Called("/v1/admin/shipping-methods/none", 404),
    "set_weights": Called("/v1/admin/sku-weights", 200, {"items": [{"sku": "MUG", "weight_g": 350}]}),
    "list_weights": Called("/v1/admin/sku-weights", 200),
    "set_discount": Called("/v1/admin/discounts/SPRING", 200, {"name": "Spring", "percent_ppm": 100_000}),
    "list_discounts": Called("/v1/admin/discounts", 200),
    "get_discount": Called("/v1/admin/discounts/NONE", 404),
    "remove_discount": Called("/v1/admin/discounts/NONE", 404),
    "follow_order": Called(f"/v1/orders/{ORDER}/events", 404),
    "get_timeline": Called(f"/v1/orders/{ORDER}/timeline", 404),
    "list_my_orders": Called("/v1/orders", 200),
    "cancel_order": Called(f"/v1/orders/{ORDER}/cancel", 404, {"reason": "changed my mind"}),
    "pay_order": Called(f"/v1/orders/{ORDER}/pay", 404, {"payment_token": "tok_approve"}),
    "list_sagas": Called("/v1/admin/sagas?state=needs_attention", 200),
    "get_saga": Called(f"/v1/admin/sagas/{ORDER}", 404),
    "retry_saga": Called(f"/v1/admin/sagas/{ORDER}/retry", 404, STEER),
    "skip_saga_step": Called(f"/v1/admin/sagas/{ORDER}/skip", 404, STEER),
    "compensate_saga": Called(f"/v1/admin/sagas/{ORDER}/compensate", 404, STEER),
    "search_orders": Called("/v1/admin/orders?status=pending&sku=MUG&email=ann%40example.com&tag=gift", 200),
    "describe_order": Called("/v1/admin/orders/NONE", 404),
    "note_order": Called(f"/v1/admin/orders/{ORDER}/notes", 404, {"text": "Ring twice."}),
    "tag_order": Called(f"/v1/admin/orders/{ORDER}/tags", 404, {"add": ["gift"]}),
    "change_address": Called(f"/v1/admin/orders/{ORDER}/addresses", 404, {"email": "a@example.com", "reason": "typo"}),
    "review_order": Called(f"/v1/admin/orders/{ORDER}/review", 404, {"reason": "odd"}),
    "release_order": Called(f"/v1/admin/orders/{ORDER}/review/release", 404, {"reason": "fine"}),
    "complete_order": Called(f"/v1/admin/orders/{ORDER}/complete", 404, {"reason": "picked up"}),
    "export_orders": Called("/v1/admin/order-export?rows=lines", 200),
    "list_audit": Called("/v1/admin/audit?action=order.", 200),
    "list_customers": Called("/v1/admin/customers?name=ann", 200),
    "get_customer": Called("/v1/admin/customers/nobody", 404),
    "erase_customer": Called("/v1/admin/customers/nobody/erase", 404, {"reason": "asked for"}),
    "erase_guest": Called("/v1/admin/guests/erase", 200, {"email": "a@example.com", "reason": "asked for"}),
    "export_my_data": Called("/v1/me/data", 200),
    "get_retention": Called("/v1/admin/retention", 200),
    "set_retention": Called("/v1/admin/retention", 200, {"personal_data_days": 730}),
    "list_fulfilments": Called("/v1/admin/fulfilments?status=pending&ready=true", 200),
    "get_fulfilment": Called(f"/v1/admin/fulfilments/{ORDER}", 404),
    "get_order_fulfilment": Called(f"/v1/orders/{ORDER}/fulfilment", 404),
    "ship_fulfilment": Called(f"/v1/admin/fulfilments/{ORDER}/ship", 404, {"carrier": "DHL"}),
    "deliver_fulfilment": Called(f"/v1/admin/fulfilments/{ORDER}/deliver", 404, {}),
    "short_fulfilment": Called(f"/v1/admin/fulfilments/{ORDER}/short", 404, {"reason": "broken"}),
    "cancel_line": Called(f"/v1/orders/{ORDER}/lines/1/cancel", 404, {"reason": "one too many"}),
    "list_steps": Called("/v1/admin/steps?state=needs_attention", 200),
    "retry_step": Called(f"/v1/admin/steps/{ORDER}/retry", 404, {"reason": "again"}),
    "give_up_step": Called(f"/v1/admin/steps/{ORDER}/give-up", 404, {"reason": "by hand"}),
    "request_refund": Called(f"/v1/orders/{ORDER}/refund-requests", 404, {"reason": "broken"}),
    "list_refund_requests": Called("/v1/admin/refund-requests", 200),
    "grant_refund": Called(f"/v1/admin/refund-requests/{ORDER}/grant", 404, {}),
    "deny_refund": Called(f"/v1/admin/refund-requests/{ORDER}/deny", 404, {"answer": "used"}),
    "refund_order": Called(f"/v1/admin/orders/{ORDER}/refunds", 404, {"amount_minor": 5, "reason": "late"}),
    "list_refunds": Called("/v1/admin/refunds?status=failed", 200),
    "retry_refund": Called(f"/v1/admin/refunds/{ORDER}/retry", 404, {"reason": "new card"}),
    "authorize_return": Called(
        f"/v1/admin/orders/{ORDER}/returns", 404, {"lines": [{"line_no": 1, "quantity": 1}], "reason": "too big"}
    ),
    "receive_return": Called(
        f"/v1/admin/goods-returns/{ORDER}/receipts",
        404,
        {"location": "LON", "lines": [{"line_no": 1, "quantity": 1, "condition": "restock"}]},
    ),
    "close_return": Called(f"/v1/admin/goods-returns/{ORDER}/close", 404, {"reason": "never came"}),
    "list_goods_returns": Called("/v1/admin/goods-returns", 200),
    "return_goods": Called("/v1/admin/returns", 201, RETURN | {"returned_at": "2026-03-01T12:00:00Z"}),
    "get_sales_figures": Called("/v1/figures/sales?by=week&split=country", 200),
    "get_product_figures": Called("/v1/figures/products?order=units", 200),
    "get_customer_figures": Called("/v1/figures/customers", 200),
    "get_order_figures": Called("/v1/figures/orders", 200),
    "rebuild_figures": Called("/v1/admin/figures-rebuild", 200, {"part": "facts"}),
    "set_figures_policy": Called("/v1/figures-policy", 200, {"time_zone": "Europe/London"}),
    "set_customer": Called("/v1/admin/customers/ann", 200, {"country": "GB"}),
    "get_payment": Called(f"/v1/payments/{UUID(int=404)}", 404),
    "get_order_payment": Called(f"/v1/orders/{UUID(int=404)}/payment", 404),
    "list_payments": Called("/v1/payments?status=unknown&status=declined&older_than_s=60", 200),
    "receive_provider_event": Called("/v1/provider-webhooks", 401, {"type": "operation.settled", "data": {}}),
    "reconcile_payments": Called("/v1/admin/payment-reconciliation", 503, {"books": "theirs"}),
    "check_invariants": Called("/v1/invariants", 200),
    "list_findings": Called("/v1/invariants/history?state=open", 200),
    "group_dead_letters": Called("/v1/dead-letters/groups", 200),
    "list_dead_letters": Called("/v1/dead-letters", 200),
    "publish_event": Called("/v1/events", 403, HOLD, HOLD_SENT),
    "set_publisher": Called(
        "/v1/admin/publishers/books",
        200,
        {"may": [{"source": "/shop/orders/books", "types": ["shop.inventory.hold.v1"]}]},
    ),
    "list_functions": Called("/v1/functions?domain=orders", 503),
    "get_function": Called("/v1/functions/place-order", 503),
    "list_publishers": Called("/v1/admin/publishers?type=shop.inventory.hold.v1", 200),
    "replay_dead_letters": Called("/v1/dead-letters/replay", 200, {"consumer": "hold-stock"}),
}

EVENTS: dict[str, Event] = {
    "hold_stock": HoldStock(order_id=ORDER, lines=[HoldLine(sku="MUG", quantity=1)], expires_in_s=60),
    "commit_hold": CommitHold(order_id=ORDER),
    "release_hold": ReleaseHold(order_id=ORDER),
    "extend_hold": ExtendHold(order_id=ORDER, expires_in_s=60),
    "release_hold_part": ReleasePart(order_id=ORDER, part_id=ORDER, lines=[PartLine(sku="MUG", quantity=1)]),
    "ship_hold": ShipHold(order_id=ORDER, part_id=ORDER),
    "advance_order": StockHeld(order_id=ORDER, expires_at=NOW),
    "give_back_discounts": OrderRejected(order_id=ORDER, reason="out_of_stock"),
    "count_figures": OrderConfirmed(order_id=ORDER, currency="GBP", total_minor=5),
    "count_sales": OrderConfirmed(order_id=ORDER, currency="GBP", total_minor=5),
    "track_stock": StockDepleted(sku="MUG", status="out_of_stock", was="low", available=0, low_at=5),
    "raise_alerts": StockDepleted(sku="MUG", status="out_of_stock", was="low", available=0, low_at=5),
    "arrange_fulfilments": OrderConfirmed(order_id=ORDER, currency="GBP", total_minor=5),
    "restock_goods": RestockGoods(
        order_id=ORDER, part_id=ORDER, location="LON", lines=[HoldLine(sku="MUG", quantity=1)], reason="chipped"
    ),
    "settle_steps": RefundSucceeded(refund_id=ORDER, command_key="k", currency="GBP", **PAYMENT),
    "authorize_payment": AuthorizePayment(currency="GBP", payment_token="tok_approve", command_key="k1", **PAYMENT),
    "capture_payment": CapturePayment(order_id=ORDER, command_key="k2"),
    "void_payment": VoidPayment(order_id=ORDER, command_key="k3"),
    "refund_payment": RefundPayment(refund_id=ORDER, reason="r", command_key="k4", **PAYMENT),
}

DECLARATIONS = load_all()


@pytest.fixture(scope="module")
def shared_database(server: SharedServer) -> Iterator[Cloned]:
    cloned = server.create_database_from_template()
    yield cloned
    server.drop_database(cloned)


class Server:
    """One function's own process."""

    def __init__(self, port: int, issuer: Issuer) -> None:
        self._port = port
        self._issuer = issuer

    def call(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] = MappingProxyType({}),
        roles: tuple[str, ...] = (),
    ) -> tuple[int, bytes]:
        sent = dict(headers)
        if roles:
            sent["authorization"] = f"Bearer {self._issuer.token('ann', *roles)}"
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=20)) as connection:
            connection.request(method, path, body or None, sent)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def answers(self) -> bool:
        try:
            return self.call("GET", "/health/live")[0] == 200
        except OSError:
            return False


FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["functions_framework._cli", "functions_framework.aio", "uvicorn.workers", "main"])
"""What all functions load is loaded once; a function itself, and its Runtime, in a process of its own."""


def serve(name: str, port: int, environment: Mapping[str, str], log: Path) -> None:
    """In the new process: what `python -m functions_framework` does."""
    os.chdir(CHECKOUT)
    os.environ.update(environment)
    with log.open("wb") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    sys.argv = ["functions_framework", *SERVED, "--target", name, "--port", str(port)]
    runpy.run_module("functions_framework", run_name="__main__", alter_sys=True)


SERVED = ("--source", "main.py", "--asgi", "--host", "127.0.0.1")


@contextmanager
def serving(name: str, database: Cloned, issuer: Issuer, directory: Path) -> Iterator[Server]:
    port, log = free_port(), directory / "output"
    environment = {
        "DATABASE_URL": database.app_url,
        "JWKS_URL": issuer.publish(directory / "jwks.json"),
        "JWT_ISSUER": ISSUER,
        "JWT_AUDIENCE": AUDIENCE,
        "PROVIDER_URL": f"http://127.0.0.1:{free_port()}",
    }
    process = FORKS.Process(target=serve, args=(name, port, environment, log))
    process.start()
    try:
        server = Server(port, issuer)
        wait_until(lambda: not process.is_alive() or server.answers(), timeout_s=60, every_s=0.05)
        assert process.is_alive(), log.read_text()
        yield server
        process.terminate()
        process.join(20)
        assert process.exitcode in (0, -15), "it ends when it is asked to"
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize("name", sorted(DECLARATIONS))
def test_a_function_alone(name: str, shared_database: Cloned, issuer: Issuer, tmp_path: Path) -> None:
    declaration = DECLARATIONS[name]
    with serving(name, shared_database, issuer, tmp_path) as server:
        assert server.call("GET", "/health/ready") == (200, b"ready\n")
        status, exposition = server.call("GET", "/metrics")
        assert (status, b"shop_function_invocations" in exposition) == (200, True)
        match declaration.trigger:
            case Http():
                http(server, declaration, declaration.trigger)
            case OnEvent():
                event(server, declaration)
            case Timer():
                assert server.call("POST", "/", b"{}", {"content-type": "application/json"}) == (204, b"")
                assert server.call("GET", "/")[0] == 405


def http(server: Server, declaration: Declaration, trigger: Http) -> None:
    called, roles = HTTP[declaration.name], trigger.roles[:1]
    said = called.body if isinstance(called.body, str) else json.dumps(called.body)
    body = b"" if called.body is None else said.encode()
    headers = {"content-type": "application/json", "idempotency-key": "k", **called.headers}
    assert server.call(trigger.method, called.path, body, headers, roles)[0] == called.status
    wrong = "DELETE" if trigger.method != "DELETE" else "PUT"
    assert server.call(wrong, called.path, roles=roles)[0] == 405
    assert server.call(trigger.method, "/elsewhere", body, headers, roles)[0] == 404
    if trigger.roles != ("public",):
        assert server.call(trigger.method, called.path, body, headers)[0] == 401
        assert server.call(trigger.method, called.path, body, headers, ("nobody",))[0] == 403
    if body:
        nonsense = b'{"nonsense": 1}'
        assert server.call(trigger.method, called.path, nonsense, headers, roles)[0] == (401 if trigger.signed else 422)
        assert too_large(server, trigger.method, called.path, trigger.limit_bytes) == 413


def event(server: Server, declaration: Declaration) -> None:
    if declaration.name == "collect_dead_letters":
        headers, body = delivered(EVENTS["hold_stock"])
        headers["ce-knativeerrordest"] = "http://hold-stock.shop.svc.cluster.local"
    else:
        headers, body = delivered(EVENTS[declaration.name])
        assert server.call("POST", "/", b'{"order_id": 1}', headers)[0] == 422
        structured = {
            **{name.removeprefix("ce-"): value for name, value in headers.items() if name.startswith("ce-")},
            "data": json.loads(body),
        }
        content = json.dumps(structured).encode()
        assert server.call("POST", "/", content, {"content-type": "application/cloudevents+json"}) == (204, b"")
    for _ in range(2):
        assert server.call("POST", "/", body, headers) == (204, b"")
    assert server.call("GET", "/")[0] == 405
    assert server.call("POST", "/", body, {"content-type": "application/json"})[0] == 422
    assert too_large(server, "POST", "/", 2_097_152) == 413


def too_large(server: Server, method: str, path: str, limit_bytes: int) -> int:
    """The status when one byte too many is announced; the body itself need not be sent."""
    return server.call(method, path, b"x", {"content-length": str(limit_bytes + 1)})[0]


def test_every_function_is_called_here() -> None:
    called = HTTP.keys() | EVENTS.keys() | {"collect_dead_letters"}
    timers = {name for name, declaration in DECLARATIONS.items() if isinstance(declaration.trigger, Timer)}
    assert called | timers == DECLARATIONS.keys()


def test_a_function_that_is_none_cannot_be_started(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "functions_framework", *SERVED, "--target", "no_such"]
    ended = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "no_such" in ended.stderr
