"""What those who watch the shop are shown of shipments, refunds and steps."""

from datetime import timedelta

from prometheus_client import REGISTRY

from functions.orders.measure_fulfilments import measure_fulfilments
from functions.orders.request_refund import RequestRefund, request_refund
from functions.orders.short_fulfilment import ShortFulfilment, short_fulfilment
from shared.inventory.events import ReleasePart
from tests.conftest import CUSTOMER, Books
from tests.functions.orders.shipping import Flow


def measured(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def test_what_waits_is_measured_and_what_is_gone_is_0_again(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 3, 100), ("plate", 1, 100))
    await db.run("update orders.fulfilments set created_at = now() - interval '2 days' where location = 'LEEDS'")
    await flow.do(request_refund, RequestRefund(order_id=order, reason="late", amount_minor=10), CUSTOMER)
    flow.held_up = {ReleasePart}
    places = await flow.fulfilments(order)
    before = measured("shop_order_units_short_total") or 0
    short = {"fulfilment_id": places["LON"], "reason": "broken", "lines": [{"line_no": 1, "quantity": 2}]}
    await flow.do(short_fulfilment, ShortFulfilment.model_validate(short))
    await flow.run(measure_fulfilments)

    assert measured("shop_order_fulfilments_open", status="pending", age="3d") == 1
    oldest = measured("shop_order_fulfilments_oldest_seconds")
    assert oldest is not None
    assert oldest >= timedelta(days=2).total_seconds()
    assert measured("shop_order_steps_open", kind="release", state="asked") == 1
    assert measured("shop_order_refund_requests_open") == 1
    assert measured("shop_order_units_short_total") == before + 2

    await flow.let_go()
    for id in (await flow.fulfilments(order)).values():
        await flow.ship(id)
    await flow.run(measure_fulfilments)
    assert measured("shop_order_fulfilments_open", status="pending", age="3d") == 0
    assert measured("shop_order_fulfilments_oldest_seconds") == 0
    assert measured("shop_order_steps_open", kind="release", state="asked") == 0
