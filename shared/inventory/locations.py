"""A location as its administrators see it."""

from shared.runtime import View


class Location(View):
    """A location that is not open gives no stock and takes none. A lower `priority` is served first."""

    id: str
    name: str
    priority: int
    open: bool
