"""For how long is kept what the books do not need."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import text

from shared.runtime import View, Work

READ = text("select rule, days from orders.retention")

Days = Annotated[int, Field(strict=True, ge=1, le=36_500, examples=[730])]


class RetentionView(View):
    """Days after the end of an order; null: for good, until it is erased by hand.

    `personal_data_days`: e-mail, addresses, payment token and notes of every order that has ended;
    `unsold_personal_data_days`: the same of those that ended without a sale, rejected, expired or cancelled;
    `saga_moves_days`: the steps of its saga.
    """

    personal_data_days: int | None
    unsold_personal_data_days: int | None
    saga_moves_days: int | None


async def read_retention(work: Work) -> RetentionView:
    return RetentionView.model_validate({f"{row.rule}_days": row.days for row in await work.db.all(READ)})
