"""Our books of payments against the provider's, authorisation by authorisation: what differs, and why it might."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.payments.attempts import BY_AUTHORIZATION
from shared.payments.chargebacks import Dispute
from shared.payments.provider import TIMEOUT_S, said
from shared.payments.terms import Sums
from shared.runtime import Egress, View, Work

Figure = Literal["authorized", "captured", "voided", "refunded", "disputed"]
FIGURES: tuple[Figure, ...] = ("authorized", "captured", "voided", "refunded", "disputed")

CAUSES = {
    "never_asked_for": "the provider has an authorisation of this order that is of none of its attempts: another "
    "system uses the account, or our books are of an older backup",
    "not_at_provider": "the provider knows no such authorisation: another account or address is set, or its books were "
    "lost",
    "refused_here": "an attempt of this amount was booked as failed here, and the provider carried it out",
    "only_there": "it was done at the provider without us, such as at its console, or our books are of an older backup",
    "only_here": "we booked what the provider has not, or has taken back",
    "dispute_not_told": "the provider's webhook about a dispute has not come, or was refused",
    "no_order": "the provider has money under a reference that is no payment of this shop",
}
MENDABLE = frozenset({"never_asked_for", "refused_here", "only_there", "only_here", "dispute_not_told"})
"""By entries of ours. Where the provider knows nothing, or nothing is known here, a person must look first."""

OPERATIONS = {"authorized": "authorize", "captured": "capture", "voided": "void", "refunded": "refund"}

PAGE = text("""
select order_id, updated_at, provider_id,
  exists (select from payments.attempts a where a.order_id = p.order_id and a.finished_at is null) as under_way
from payments.payments p where order_id > :after order by order_id limit :count
""")
SOME = text("""
select order_id, updated_at, provider_id,
  exists (select from payments.attempts a where a.order_id = p.order_id and a.finished_at is null) as under_way
from payments.payments p where order_id = any(:order_ids) order by order_id
""")
FAILED = text("""
select order_id, operation, amount_minor from payments.attempts
where order_id = any(:order_ids) and state = 'failed' and provider_id is not null
""")


class Difference(View):
    """Of one authorisation, in minor units; `means` says what the cause is likely to be."""

    order_id: UUID
    authorization_id: str
    figure: Figure
    ours_minor: int
    theirs_minor: int
    cause: str
    means: str
    mended: bool = False


@dataclass(frozen=True, slots=True)
class Ours:
    """A batch of our payments as they were before the provider was asked."""

    order_ids: Sequence[UUID]
    at: Mapping[UUID, datetime]
    sums: Mapping[tuple[UUID, str], Sums]
    ended: bool


@dataclass(frozen=True, slots=True)
class Theirs:
    """What the provider's books say of the same; None where it gave no answer."""

    ours: Ours
    sums: Mapping[tuple[str, str], Sums] | None
    disputes: Sequence[Dispute] = ()
    after: str | None = None


async def ours_after(after: str, count: int, work: Work) -> Ours:
    rows = await work.db.all(PAGE, after=UUID(after) if after else UUID(int=0), count=count)
    return await _ours(rows, work, ended=len(rows) < count)


async def ours_of(order_ids: Iterable[UUID], work: Work) -> Ours:
    rows = await work.db.all(SOME, order_ids=sorted(set(order_ids)))
    return await _ours(rows, work, ended=True)


async def ask_of(ours: Ours, egress: Egress) -> Theirs:
    """Asks for what the provider has under these orders."""
    if not ours.order_ids:
        return Theirs(ours, {})
    body = orjson.dumps({"references": [str(id) for id in ours.order_ids]})
    return _theirs(ours, await _read(egress, "POST", "/v1/books/search", body))


async def ask_after(after: str, count: int, egress: Egress) -> Theirs:
    """Asks for a page of all that the provider has."""
    nothing = Ours((), {}, {}, ended=True)
    query = f"/v1/books/authorizations?after={after or 0}&limit={count}"
    return _theirs(nothing, await _read(egress, "GET", query))


async def differences(theirs: Theirs, work: Work) -> list[Difference]:
    """What differed before the provider was asked and still does, where nothing moved in the meantime."""
    if theirs.sums is None:
        return []
    now = await ours_of(theirs.ours.order_ids, work)
    still = [id for id, at in now.at.items() if theirs.ours.at.get(id) == at]
    failed = {(row.order_id, row.operation, row.amount_minor) for row in await work.db.all(FAILED, order_ids=still)}
    found = []
    for order_id in still:
        mine = {id: sums for (order, id), sums in now.sums.items() if order == order_id}
        other = {id: sums for (order, id), sums in theirs.sums.items() if order == str(order_id)}
        for id in sorted(mine.keys() | other.keys()):
            found += _compared(order_id, mine.get(id), other.get(id), failed)
    return found


async def strangers(theirs: Theirs, work: Work) -> list[Difference]:
    """Money at the provider under references that are no payment of ours."""
    ids = {reference: _uuid(reference) for reference, _ in theirs.sums or {}}
    known = await work.db.all(SOME, order_ids=sorted(id for id in ids.values() if id is not None))
    ours = {row.order_id for row in known}
    return [
        _difference(ids[reference] or UUID(int=0), id, "authorized", 0, sums.authorized, "no_order")
        for (reference, id), sums in (theirs.sums or {}).items()
        if sums.authorized > 0 and ids[reference] not in ours
    ]


async def _ours(rows: Sequence[Any], work: Work, *, ended: bool) -> Ours:
    order_ids = [row.order_id for row in rows if not row.under_way]
    sums = {}
    for row in await work.db.all(BY_AUTHORIZATION, order_ids=order_ids) if order_ids else ():
        sums[row.order_id, row.id or ""] = Sums(row.id, *(int(row[n] or 0) for n in range(2, 7)))
    at = {row.order_id: row.updated_at for row in rows if not row.under_way}
    return Ours([row.order_id for row in rows], at, sums, ended)


def _compared(
    order_id: UUID, mine: Sums | None, theirs: Sums | None, failed: set[tuple[UUID, str, int]]
) -> list[Difference]:
    found = []
    one = mine or theirs
    assert one is not None
    for figure in FIGURES:
        ours_minor = 0 if mine is None else getattr(mine, figure)
        theirs_minor = 0 if theirs is None else getattr(theirs, figure)
        if ours_minor == theirs_minor:
            continue
        if theirs is None:
            cause = "not_at_provider"
        elif figure == "disputed":
            cause = "dispute_not_told"
        elif (order_id, OPERATIONS[figure], theirs_minor - ours_minor) in failed:
            cause = "refused_here"
        elif mine is None:
            cause = "never_asked_for"
        else:
            cause = "only_there" if theirs_minor > ours_minor else "only_here"
        found.append(_difference(order_id, one.id or "", figure, ours_minor, theirs_minor, cause))
    return found


def _difference(order_id: UUID, id: str, figure: Figure, ours: int, theirs: int, cause: str) -> Difference:
    return Difference(
        order_id=order_id,
        authorization_id=id,
        figure=figure,
        ours_minor=ours,
        theirs_minor=theirs,
        cause=cause,
        means=CAUSES[cause],
    )


async def _read(egress: Egress, method: str, path: str, body: bytes | None = None) -> dict[str, Any] | None:
    from aiohttp import ClientError, ClientTimeout  # late, as egress itself: only those who call need it

    if not egress.settings.provider_url:
        return None
    try:
        async with egress.http.request(
            method, f"{egress.settings.provider_url}{path}", data=body, timeout=ClientTimeout(total=2 * TIMEOUT_S)
        ) as answer:
            return said(await answer.read()) if answer.status == 200 else None
    except (ClientError, TimeoutError, OSError):
        return None


def _theirs(ours: Ours, document: dict[str, Any] | None) -> Theirs:
    items = None if document is None else document.get("items")
    if document is None or not isinstance(items, list):
        return Theirs(ours, None)
    disputes = []
    sums = {}
    for item in items:
        taken = [one for one in item.get("disputes", ()) if one.get("outcome") != "won"]
        sums[str(item["reference"]), str(item["id"])] = Sums(
            id=str(item["id"]),
            authorized=int(item["authorized_minor"]),
            captured=int(item["captured_minor"]),
            voided=int(item["voided_minor"]),
            refunded=int(item["refunded_minor"]),
            disputed=sum(int(one["amount_minor"]) for one in taken),
        )
        order_id = _uuid(item["reference"])
        known = [Dispute.of(order_id, one) for one in item.get("disputes", ())] if order_id else []
        disputes += [dispute for dispute in known if dispute is not None]
    following = document.get("next")
    return Theirs(ours, sums, disputes, None if following is None else str(following))


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
