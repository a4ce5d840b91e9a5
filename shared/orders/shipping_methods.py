"""A way of shipping as administrators see it."""

from shared.orders.shipping import Band
from shared.runtime import View


class ShippingMethod(View):
    """Offered by `position`; what is not enabled is not offered."""

    code: str
    name: str
    basis: str
    currency: str
    bands: list[Band]
    countries: list[str] | None
    free_from_minor: int | None
    tax_class: str
    position: int
    enabled: bool
