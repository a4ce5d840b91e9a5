"""Change where an order goes, before anything of it has left (ORD-013)."""

from typing import Any
from uuid import UUID

import orjson
from pydantic import model_validator
from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.desk import Reason, changed, taken
from shared.orders.desk_events import OrderAddressChanged
from shared.orders.desk_problems import CannotChangeAddress, OtherCountry
from shared.orders.finding import Email
from shared.orders.tables import audit, orders
from shared.runtime import Request, View, Work, http
from shared.vocabulary import Address

KEEP = text("""
update orders.orders set email = :email, shipping_address = cast(:shipping_address as jsonb),
  billing_address = cast(:billing_address as jsonb), country = coalesce(country, :country), erased_at = null,
  version = version + 1
where id = :order_id
""")

CHANGEABLE = frozenset({"pending", "awaiting_customer", "confirmed"})


class ChangeAddress(Request):
    """What is left out stays as it is."""

    order_id: UUID
    shipping_address: Address | None = None
    billing_address: Address | None = None
    email: Email | None = None
    reason: Reason

    @model_validator(mode="after")
    def _says_something(self) -> "ChangeAddress":
        if self.shipping_address is None and self.billing_address is None and self.email is None:
            raise ValueError("nothing is to be changed")
        return self


class AddressesView(View):
    order_id: UUID
    email: str | None
    shipping_address: Address | None
    billing_address: Address | None


@http(
    "PATCH /v1/admin/orders/{order_id}/addresses",
    role=("admin", "operator"),
    writes=[orders, audit],
    emits=[OrderAddressChanged],
)
async def change_address(request: ChangeAddress, work: Work) -> AddressesView:
    """Nothing is reckoned anew: what is to be paid stays.

    Tax and shipping are those of the country that it was placed for, so that must stay too: for another country, cancel
    the order and place it anew.

    Raises UnknownOrder; OtherCountry; CannotChangeAddress when it has ended, or a shipment has begun.
    """
    order = await taken(work, request.order_id)
    if order.status not in CHANGEABLE or order.fulfilment != "unfulfilled":
        raise CannotChangeAddress(order_id=order.id, status_now=order.status, fulfilment_now=order.fulfilment)
    goes_to = request.shipping_address
    if goes_to is not None and order.country not in (None, goes_to.country):
        raise OtherCountry(order_id=order.id, country=order.country)
    said = request.model_dump(include={"email", "shipping_address", "billing_address"}, exclude_none=False)
    kept: dict[str, Any] = {name: getattr(order, name) if value is None else value for name, value in said.items()}
    if names := changed(order, kept):
        await work.db.send(
            KEEP,
            order_id=order.id,
            email=kept["email"],
            shipping_address=_json(kept["shipping_address"]),
            billing_address=_json(kept["billing_address"]),
            country=goes_to and goes_to.country,
        )
        await record(work, "order.address_changed", order.id, reason=request.reason, changed=names)
        work.emit(OrderAddressChanged(order_id=order.id))
    return AddressesView(order_id=order.id, **kept)


def _json(address: dict[str, Any] | None) -> str | None:
    return None if address is None else orjson.dumps(address).decode()
