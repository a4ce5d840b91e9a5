"""Say by which rule locations give what orders need (INV-005)."""

from sqlalchemy import text

from shared.inventory.events import AllocationRule
from shared.inventory.tables import policy
from shared.runtime import Request, View, Work, http

SET = text("update inventory.policy set allocation = :allocation")


class SetAllocationPolicy(Request):
    """The rules.

    - priority: the first location gives what it has of each SKU, then the next.
    - most_stock: each SKU comes from the location that has most of it.
    - fewest_splits: as few locations as can be.
    """

    allocation: AllocationRule


class AllocationPolicy(View):
    allocation: AllocationRule


@http("PUT /v1/inventory-policy", role="admin", writes=[policy])
async def set_allocation_policy(request: SetAllocationPolicy, work: Work) -> AllocationPolicy:
    """For orders that are held from now on."""
    await work.db.send(SET, allocation=request.allocation)
    return AllocationPolicy(allocation=request.allocation)
