"""What a function needs that takes units off an order before they are shipped."""

from shared.inventory.events import ReleaseHold, ReleasePart
from shared.orders.events import OrderCancelling
from shared.orders.fulfilling import SAID
from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments, refunds, steps
from shared.orders.tables import audit, order_lines, orders, saga_moves, sagas
from shared.payments.events import RefundPayment, VoidPayment

WRITES = (orders, order_lines, sagas, saga_moves, fulfilments, fulfilment_lines, steps, refunds, audit)
EMITS = (ReleasePart, RefundPayment, VoidPayment, OrderCancelling, ReleaseHold, *SAID)
