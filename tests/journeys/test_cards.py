"""An order per test card comes to its right end over both carriers, and the provider's books say the same."""

import asyncio

from tests.processes import Api

PRICE = 1250
SOLD = ("confirmed", "captured", None)
DECLINED = ("rejected", "declined", "payment_declined")
NOT_CAPTURED = ("cancelled", "voided", "capture_failed")

ENDS: dict[str, tuple[str, str, str | None]] = {
    # the card: how the order, its payment and the reason stand at last
    "tok_approve": SOLD,
    "tok_slow": SOLD,
    "tok_timeout_after_charge": SOLD,
    "tok_error_after_charge": SOLD,
    "tok_webhook_early": SOLD,
    "tok_webhook_twice": SOLD,
    "tok_webhook_late": SOLD,
    "tok_decline": DECLINED,
    "tok_insufficient_funds": DECLINED,
    "tok_capture_fails": NOT_CAPTURED,
    "tok_seq:error,approve,approve": SOLD,
    "tok_seq:approve,error_after_charge": SOLD,
    "tok_seq:timeout,approve,capture_fails": NOT_CAPTURED,
    "tok_seq:approve,capture_fails,error_after_charge": NOT_CAPTURED,
    "tok_seq:error,decline": DECLINED,
    "tok_seq:timeout,slow,webhook_twice": SOLD,
    "tok_seq:webhook_late,webhook_early": SOLD,
    "tok_seq:insufficient_funds": DECLINED,
}

BOOKED = {
    SOLD: {"authorized": PRICE, "captured": PRICE, "voided": 0, "refunded": 0},
    DECLINED: {"authorized": 0, "captured": 0, "voided": 0, "refunded": 0},
    NOT_CAPTURED: {"authorized": PRICE, "captured": 0, "voided": PRICE, "refunded": 0},
}


async def test_every_card_leads_to_its_end(api: Api) -> None:
    sku = await api.stocked(len(ENDS), PRICE)
    placed = await asyncio.gather(*(api.place(sku, card=card) for card in ENDS))
    orders = await asyncio.gather(*(api.ended(order["id"]) for order in placed))

    found = {
        card: (order["status"], order["payment"], order["reason"]) for card, order in zip(ENDS, orders, strict=True)
    }
    assert found == ENDS
    for card, order in zip(ENDS, orders, strict=True):
        assert await api.charged(order["id"]) == BOOKED[ENDS[card]], card
    sold = list(ENDS.values()).count(SOLD)
    stock = await api.stock(sku)
    assert (stock["on_hand"], stock["held"], stock["committed"]) == (len(ENDS), 0, sold)
    await api.at_rest()
