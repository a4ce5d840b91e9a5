"""Settle what was asked beyond the checkout, by what inventory and payments answered (ORD-005, ORD-007, ORD-011)."""

from collections.abc import Sequence
from typing import get_args

from shared.inventory.events import ReleasePart
from shared.orders.fulfilling import SAID
from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments, refunds, steps
from shared.orders.settling import settle
from shared.orders.steps import Answered, is_of_a_step
from shared.orders.tables import order_lines, orders, return_lines, sagas
from shared.payments.events import CapturePayment, RefundPayment, VoidPayment
from shared.runtime import Work, on_event


@on_event(
    *get_args(Answered),
    writes=[orders, order_lines, sagas, fulfilments, fulfilment_lines, steps, refunds, return_lines],
    emits=[ReleasePart, CapturePayment, VoidPayment, RefundPayment, *SAID],
    together=64,
    concerns=is_of_a_step,
)
async def settle_steps(events: Sequence[Answered], work: Work) -> None:
    """Each step is settled by one answer: one that comes again, or to a command that was given up, changes nothing.

    Answers to orders' sagas are none of its business.
    """
    await settle(events, work)
