"""A transfer: goods on their way from one location to another, or from a supplier.

They leave the origin at once, and arrive, or get lost, in parts. Its row is locked before any stock.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from shared.inventory.levels import Note
from shared.inventory.problems import TransferEnded, UnknownTransfer
from shared.runtime import View, Work
from shared.vocabulary import Line

TransferStatus = Literal["in_transit", "arrived", "cancelled"]
Reference = Annotated[Line, Field(examples=["PO-1042"])]


class Head(View):
    """Without an origin the goods come from a supplier. `expected_at` is when they should arrive.

    It is `arrived` when nothing is open any more, `cancelled` when somebody ended it before.
    """

    id: UUID
    origin: str | None
    destination: str
    status: TransferStatus
    reference: Reference | None
    note: Note | None
    expected_at: datetime | None
    actor: str
    created_at: datetime
    updated_at: datetime


class TransferLine(View):
    """Of the quantity so much has arrived, got lost on the way or was returned; the rest is `open`."""

    sku: str
    quantity: int
    arrived: int
    lost: int
    returned: int
    open: int


class Transfer(Head):
    """Its lines are in the order of their SKUs."""

    lines: list[TransferLine]


HEAD = ", ".join(Head.model_fields)
OPEN = "l.quantity - l.arrived - l.lost - l.returned"

FIND = text(f"select {HEAD} from inventory.transfers where id = :id")  # noqa: S608 - of constants
LOCK = text(f"{FIND.text} for update")

LINES = text(f"""
select l.sku, l.quantity, l.arrived, l.lost, l.returned, {OPEN} as open
from inventory.transfer_lines l where l.transfer_id = :id order by l.sku
""")  # noqa: S608 - of constants

RECORD = text("""
with recorded as (
  insert into inventory.transfers
    (id, origin, destination, status, reference, note, expected_at, actor, created_at, updated_at)
  values (:id, :origin, :destination, :status, :reference, :note, :expected_at, :actor, :now, :now)
)
insert into inventory.transfer_lines (transfer_id, sku, quantity, arrived)
select :id, sku, quantity, case when :status = 'arrived' then quantity else 0 end
from unnest(cast(:skus as text[]), cast(:quantities as bigint[])) as l (sku, quantity)
""")

SETTLE = text("""
with settled as (
  update inventory.transfer_lines l
  set arrived = l.arrived + s.arrived, lost = l.lost + s.lost, returned = l.returned + s.returned
  from unnest(cast(:skus as text[]), cast(:arrived as bigint[]), cast(:lost as bigint[]), cast(:returned as bigint[]))
    as s (sku, arrived, lost, returned)
  where l.transfer_id = :id and l.sku = s.sku
)
update inventory.transfers set status = :status, updated_at = :now where id = :id
""")


async def find_transfer(work: Work, id: UUID) -> Transfer:
    """Raises UnknownTransfer."""
    head = work.db.enqueue(FIND, id=id)
    lines = await work.db.all(LINES, id=id)
    return _transfer(id, await head.one(), lines)


async def lock_open_transfer(work: Work, id: UUID) -> Transfer:
    """A transfer in transit, locked. Raises UnknownTransfer, TransferEnded."""
    head = work.db.enqueue(LOCK, id=id)
    lines = await work.db.all(LINES, id=id)  # a statement of its own: it sees what was changed while LOCK waited
    found = _transfer(id, await head.one(), lines)
    if found.status != "in_transit":
        raise TransferEnded(transfer=str(id), transfer_status=found.status)
    return found


def _transfer(id: UUID, head: Any, lines: Iterable[Any]) -> Transfer:
    if head is None:
        raise UnknownTransfer(transfer=str(id))
    return Transfer(**head._asdict(), lines=[TransferLine(**line._asdict()) for line in lines])


async def record_transfer(
    work: Work,
    quantities: Mapping[str, int],
    *,
    origin: str | None,
    destination: str,
    status: TransferStatus = "in_transit",
    reference: str | None = None,
    note: str | None = None,
    expected_at: datetime | None = None,
) -> Transfer:
    """The caller is the actor. One that has arrived already is complete."""
    ordered = sorted(quantities.items())
    head = Head(
        id=work.new_id(),
        origin=origin,
        destination=destination,
        status=status,
        reference=reference,
        note=note,
        expected_at=expected_at,
        actor=work.caller.subject,
        created_at=work.now,
        updated_at=work.now,
    )
    await work.db.send(
        RECORD,
        **head.model_dump(exclude={"created_at", "updated_at"}),
        skus=[sku for sku, _ in ordered],
        quantities=[quantity for _, quantity in ordered],
        now=work.now,
    )
    arrived = status == "arrived"
    lines = [
        TransferLine(
            sku=sku,
            quantity=quantity,
            arrived=quantity if arrived else 0,
            lost=0,
            returned=0,
            open=0 if arrived else quantity,
        )
        for sku, quantity in ordered
    ]
    return Transfer(**head.model_dump(), lines=lines)


async def settle(work: Work, before: Transfer, after: Iterable[TransferLine], status: TransferStatus) -> Transfer:
    """Keeps what has become of a transfer that is locked: of all of its lines, or of some."""
    changed = {line.sku: line for line in after}
    lines = [changed.get(line.sku, line) for line in before.lines]
    moves = [(new, old) for new, old in zip(lines, before.lines, strict=True) if new != old]
    await work.db.send(
        SETTLE,
        id=before.id,
        skus=[new.sku for new, _ in moves],
        arrived=[new.arrived - old.arrived for new, old in moves],
        lost=[new.lost - old.lost for new, old in moves],
        returned=[new.returned - old.returned for new, old in moves],
        status=status,
        now=work.now,
    )
    return before.model_copy(update={"lines": lines, "status": status, "updated_at": work.now})
