"""What is promised of every function: the table that recorded objectives, alerts and dashboards are made of.

The kind of trigger says the promise; what is slow by its nature is listed here by name.
"""

from typing import NamedTuple

from shared.runtime.declare import Declaration, Http, OnEvent
from shared.runtime.metrics import DELAY_BOUNDS_S, DURATION_BOUNDS_S

AVAILABLE = {"http": 0.999, "event": 0.99, "timer": 0.99}
"""The share of calls without a fault of ours. An event is sent again after one, a timer ticks again: nobody notices."""
IN_TIME = 0.95
"""The share of calls that are answered within the time."""
PUNCTUAL = 0.99
"""The share of events whose effect follows their emission within `DELAY_S`."""

PUBLIC_READ_S = 0.1
READ_S = 0.25
WRITE_S = 0.5
DELAY_S = 5.0

WITHIN_S = {
    "check_invariants": 10.0,  # reads all books
    "export_products": 20.0,  # streams the whole catalogue as fast as the caller takes it
    "get_customer_figures": 2.5,  # goes through every sale there ever was
    "get_product_figures": 1.0,  # adds up all products of all days of a time
    "get_sales_figures": 1.0,  # the same
    "import_products": 10.0,  # up to 5,000 rows
    "rebuild_catalog": 5.0,  # up to 2,000 products
    "rebuild_figures": 5.0,  # up to 2,000 orders or days
}


class Objective(NamedTuple):
    """`within_s` and `delay_s` are bounds of histogram buckets; None where nothing is promised.

    A `limited` function refuses callers who send too much, which breaks no promise.
    """

    function: str
    domain: str
    kind: str
    available: float
    within_s: float | None
    delay_s: float | None
    limited: bool = False


def objective(declaration: Declaration) -> Objective:
    name, domain = declaration.name, declaration.domain
    match declaration.trigger:
        case Http() as http:
            reads = http.method == "GET"
            default = PUBLIC_READ_S if reads and "public" in http.roles else READ_S if reads else WRITE_S
            within_s, limited = WITHIN_S.get(name, default), http.rate is not None
            return Objective(name, domain, "http", AVAILABLE["http"], within_s, None, limited)
        case OnEvent() as event:
            # Who takes what others could not take comes late by nature.
            return Objective(name, domain, "event", AVAILABLE["event"], None, DELAY_S if event.events else None)
        case _:
            return Objective(name, domain, "timer", AVAILABLE["timer"], None, None)


def objectives(declarations: list[Declaration]) -> list[Objective]:
    """Raises ValueError where the table names no function, or a time that no bucket ends at."""
    found = [objective(declaration) for declaration in declarations]
    if unknown := WITHIN_S.keys() - {one.function for one in found}:
        raise ValueError(f"There are no functions {', '.join(sorted(unknown))}")
    for one in found:
        for promised, bounds in ((one.within_s, DURATION_BOUNDS_S), (one.delay_s, DELAY_BOUNDS_S)):
            if promised is not None and promised not in bounds:
                raise ValueError(f"{one.function}: no bucket ends at {promised} s")
    return found


def le(seconds: float) -> str:
    """A bucket's label, as it is exported."""
    return str(float(seconds))
