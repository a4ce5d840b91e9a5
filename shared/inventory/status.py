"""What is told of a SKU's stock to those who sell it: the rule, and the event of every change.

The rule stands here twice, in Python and in SQL; a test holds the one against the other.
"""

from typing import NamedTuple

from shared.inventory.events import StockDepleted, StockLow, StockReplenished, StockStatus
from shared.runtime import Work

LOW_AT = 5
"""So few are low, where the item's policy does not say otherwise."""

STATUS = """
case when not tracked then 'in_stock'
  when available <= 0 then 'out_of_stock'
  when available <= low_at then 'low'
  else 'in_stock'
end
"""


def status_of(*, tracked: bool, low_at: int, available: int) -> StockStatus:
    if not tracked:
        return "in_stock"
    if available <= 0:
        return "out_of_stock"
    return "low" if available <= low_at else "in_stock"


class Standing(NamedTuple):
    """`available` is the sum over all open locations: a shortfall at one takes nothing from the others."""

    sku: str
    tracked: bool
    low_at: int
    available: int

    @property
    def status(self) -> StockStatus:
        return status_of(tracked=self.tracked, low_at=self.low_at, available=self.available)

    def plus(self, gained: int) -> "Standing":
        return self._replace(available=self.available + gained)


def crossing(before: Standing, after: Standing) -> StockLow | StockDepleted | StockReplenished | None:
    """What has happened to the SKU, if its status is another one now."""
    was, status = before.status, after.status
    if was == status:
        return None
    if status == "out_of_stock":
        kind: type[StockLow | StockDepleted | StockReplenished] = StockDepleted
    elif was == "in_stock":
        kind = StockLow
    else:
        kind = StockReplenished
    return kind(sku=after.sku, status=status, was=was, available=after.available, low_at=after.low_at)


def tell(work: Work, before: Standing, after: Standing) -> None:
    """Both are of this transaction, which has locked the SKU: so that nobody tells the same, and nobody else's."""
    if event := crossing(before, after):
        work.emit(event)
