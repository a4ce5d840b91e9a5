"""Show for how long personal data and the steps of sagas are kept (ORD-013)."""

from shared.orders.desk_tables import retention
from shared.orders.retention import RetentionView, read_retention
from shared.runtime import Work, http


@http("GET /v1/admin/retention", role=("admin", "operator"), reads=[retention])
async def get_retention(work: Work) -> RetentionView:
    return await read_retention(work)
