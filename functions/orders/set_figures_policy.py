"""Say by which clock the days of figures are told (ORD-014)."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import text

from shared.orders.figures_tables import figures_policy
from shared.orders.problems import UnknownTimeZone
from shared.runtime import Request, View, Work, http

SET = text("""
update orders.figures_policy set time_zone = z.name from (
  select name from pg_timezone_names where name = :time_zone
) z returning time_zone
""")


class SetFiguresPolicy(Request):
    """A name of the IANA time zone database."""

    time_zone: Annotated[str, Field(min_length=1, max_length=64, examples=["Europe/London"])]


class FiguresPolicy(View):
    time_zone: str


@http("PUT /v1/figures-policy", role="admin", writes=[figures_policy])
async def set_figures_policy(request: SetFiguresPolicy, work: Work) -> FiguresPolicy:
    """For what is counted from now on; the rebuild of figures moves what was counted before.

    Raises UnknownTimeZone.
    """
    if await work.db.one(SET, time_zone=request.time_zone) is None:
        raise UnknownTimeZone(time_zone=request.time_zone)
    return FiguresPolicy(time_zone=request.time_zone)
