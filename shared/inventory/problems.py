"""What the inventory refuses, and why."""

from datetime import datetime
from uuid import UUID

from shared.runtime import Problem


class UnknownLocation(Problem, status=404, title="There is no such open location"):
    location: str


class UnknownItem(Problem, status=404, title="The inventory knows nothing of this SKU"):
    sku: str


class LocationExists(Problem, status=409, title="There is a location of this id already"):
    id: str


class LocationClosed(Problem, status=409, title="The location is closed: it takes no goods"):
    location: str


class LocationInUse(Problem, status=409, title="The location cannot be closed as it is"):
    """`incoming` is on its way there; `waiting` is promised from there and not on hand."""

    location: str
    on_hand: int
    held: int
    committed: int
    incoming: int
    waiting: int


class UnknownTransfer(Problem, status=404, title="There is no such transfer"):
    transfer: str


class TransferEnded(Problem, status=409, title="Nothing of the transfer is on its way any more"):
    transfer: str
    transfer_status: str


class NotFree(Problem, status=409, title="There is less at the origin that is not promised to orders"):
    """`lines` has every SKU of which there is too little."""

    origin: str
    lines: list[dict[str, object]]


class MoreThanOpen(Problem, status=409, title="Less than that is on its way"):
    """`lines` has every SKU of which more is said to have arrived or been lost than is open."""

    transfer: str
    lines: list[dict[str, object]]


class InsufficientStock(Problem, status=409, title="There is less on hand than the adjustment takes away"):
    sku: str
    location: str
    on_hand: int
    delta: int


class UnknownAlertTarget(Problem, status=404, title="There is no such target of alerts"):
    target: str


class AlertTargetExists(Problem, status=409, title="Alerts go to this address already"):
    """`target` is the one that has it."""

    target: str


class AddressRefused(Problem, status=422, title="Alerts are not sent to such an address"):
    """`reason` never repeats the address, which may hold a secret."""

    reason: str


class NotAWebhook(Problem, status=409, title="Only webhooks are signed with a secret"):
    target: str


class UnknownAlertDelivery(Problem, status=404, title="There is no such delivery of an alert"):
    delivery: str


class AlertTargetDisabled(Problem, status=409, title="The target is disabled, or was deleted"):
    target: str


class UnknownHold(Problem, status=404, title="The order has no hold on stock"):
    order_id: UUID


class HoldNotHeld(Problem, status=409, title="The hold does not expire any more"):
    """It is over, paid for, or its time has passed and it is about to be given back."""

    order_id: UUID
    hold_status: str
    expires_at: datetime
