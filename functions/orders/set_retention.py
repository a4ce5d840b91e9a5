"""Say for how long personal data and the steps of sagas are kept (ORD-013)."""

from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.desk_tables import retention
from shared.orders.retention import Days, RetentionView
from shared.orders.tables import audit
from shared.runtime import Request, Work, http

KEEP = text("""
update orders.retention r set days = n.days, actor = :actor, updated_at = :now
from unnest(cast(:rules as text[]), cast(:days as int[])) as n (rule, days)
where r.rule = n.rule
""")


class SetRetention(Request):
    """The whole of it: what is null or left out is kept for good."""

    personal_data_days: Days | None = None
    unsold_personal_data_days: Days | None = None
    saga_moves_days: Days | None = None


@http("PUT /v1/admin/retention", role="admin", writes=[retention, audit])
async def set_retention(request: SetRetention, work: Work) -> RetentionView:
    """What is older by then goes within minutes to hours, a batch a minute, and does not come back."""
    said = request.model_dump()
    rules = [name.removesuffix("_days") for name in said]
    await work.db.send(KEEP, rules=rules, days=[*said.values()], actor=work.caller.subject, now=work.now)
    await record(work, "retention.set", **said)
    return RetentionView(**said)
