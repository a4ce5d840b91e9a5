"""Say which events a service may publish, and from which sources (PLAT-007)."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import text

from functions import load_all
from shared.orders.audit import record
from shared.orders.tables import audit
from shared.platform.publishing import PublishingRight, faults_in_rights
from shared.platform.tables import publishers
from shared.runtime import Request, View, Work, http
from shared.runtime.problems import ValidationFailed

# Two who set the same at once do so one after the other: what stands is what one of them said.
ALONE = text("select pg_advisory_xact_lock(hashtextextended('publisher ' || :subject, 0))")

SET = text("""
with wanted as (
  select distinct source, type from unnest(cast(:sources as text[]), cast(:types as text[])) as w (source, type)
), ended as (
  delete from platform.publishers p
  where subject = :subject and not exists (select from wanted w where (w.source, w.type) = (p.source, p.type))
)
insert into platform.publishers (subject, source, type, granted_by, granted_at)
select cast(:subject as text), source, type, cast(:actor as text), cast(:now as timestamptz) from wanted
on conflict do nothing
""")


class SetPublisher(Request):
    """The whole of what `subject`, the `sub` of its tokens, `may` publish; nothing, with an empty list."""

    subject: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["books"])]
    may: Annotated[list[PublishingRight], Field(max_length=50)]


class Publisher(View):
    subject: str
    may: list[PublishingRight]


@http("PUT /v1/admin/publishers/{subject}", role="admin", writes=[publishers, audit])
async def set_publisher(request: SetPublisher, work: Work) -> Publisher:
    """Whoever may publish a command makes the shop act on it. The sources of the shop's functions cannot be granted."""
    taken = {declaration.source for declaration in load_all().values()}
    if faults := list(faults_in_rights(request.may, taken)):
        raise ValidationFailed(errors=faults)
    pairs = [(right.source, type) for right in request.may for type in right.types]
    await work.db.send(ALONE, subject=request.subject)
    await work.db.send(
        SET,
        subject=request.subject,
        sources=[source for source, _ in pairs],
        types=[type for _, type in pairs],
        actor=work.caller.subject,
        now=work.now,
    )
    may = [right.model_dump() for right in request.may]
    await record(work, "publisher.set", subject=request.subject, may=may)
    return Publisher(subject=request.subject, may=request.may)
