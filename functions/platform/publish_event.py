"""Publish an event of another service: checked, allowed, and taken once (PLAT-007)."""

from sqlalchemy import text

from shared.platform.problems import EventIdReused, PublishingNotAllowed
from shared.platform.publishing import PUBLISHABLE, fingerprint, understood
from shared.platform.tables import publications, publishers
from shared.runtime import Envelope, Request, View, Work, http

# First come, first written: whoever else sends the same event meanwhile waits here, and then finds it taken.
TAKE = text("""
with allowed as (
  select from platform.publishers where subject = :caller and source = :source and type = :type
), first as (
  insert into platform.publications (source, event_id, type, fingerprint, published_by, at)
  select cast(:source as text), cast(:event_id as text), cast(:type as text), cast(:fingerprint as bytea),
    cast(:caller as text), cast(:now as timestamptz)
  from allowed
  on conflict do nothing returning true
)
select exists (select from allowed) as allowed, exists (select from first) as first
""")

EARLIER = text("select fingerprint from platform.publications where source = :source and event_id = :event_id")


class PublishEvent(Request):
    """A CloudEvent in binary mode (`ce-` headers, the data as the body) or in structured mode; never a batch.

    Its `id` and `source` tell repetitions. `subject` and `partitionkey` follow from the data and may be left out,
    `sequence` is given by the shop. A `correlationid`, a `causationid` and extensions travel along.
    """

    event: Envelope


class PublishedEvent(View):
    """`duplicate`: an event of this source and id was taken before, and nothing more has happened."""

    id: str
    source: str
    type: str
    topic: str
    key: str
    duplicate: bool


@http(
    "POST /v1/events",
    role=("service", "admin"),
    status=202,
    cloudevent=True,
    reads=[publishers],
    writes=[publications],
    emits=[*PUBLISHABLE.values()],
)
async def publish_event(request: PublishEvent, work: Work) -> PublishedEvent:
    """Raises UnknownEventType. Consumers are given it as it was sent, at least once, those of a key in order."""
    sent, event = request.event, understood(request.event)
    mark = fingerprint(sent)
    found = await work.db.one(
        TAKE,
        caller=work.caller.subject,
        source=sent.source,
        type=sent.type,
        event_id=sent.id,
        fingerprint=mark,
        now=work.now,
    )
    assert found is not None
    if not found.allowed:
        raise PublishingNotAllowed(source=sent.source, event_type=sent.type)
    if found.first:
        work.pass_on(event, sent)
    elif (earlier := await work.db.value(EARLIER, source=sent.source, event_id=sent.id)) and bytes(earlier) != mark:
        raise EventIdReused(source=sent.source, event_id=sent.id)
    return PublishedEvent(
        id=sent.id, source=sent.source, type=sent.type, topic=event.topic, key=event.key, duplicate=not found.first
    )
