"""Show a transfer, with what of each SKU has arrived and what is on its way (INV-012)."""

from uuid import UUID

from shared.inventory.tables import transfer_lines, transfers
from shared.inventory.transfers import Transfer, find_transfer
from shared.runtime import Request, Work, http


class GetTransfer(Request):
    transfer: UUID


@http("GET /v1/transfers/{transfer}", role=("admin", "service"), reads=[transfers, transfer_lines])
async def get_transfer(request: GetTransfer, work: Work) -> Transfer:
    """Raises UnknownTransfer."""
    return await find_transfer(work, request.transfer)
