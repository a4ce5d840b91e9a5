"""What the inventory refuses, and why."""

from shared.runtime import Problem


class UnknownLocation(Problem, status=404, title="There is no such open location"):
    location: str


class UnknownItem(Problem, status=404, title="The inventory knows nothing of this SKU"):
    sku: str


class LocationExists(Problem, status=409, title="There is a location of this id already"):
    id: str


class InsufficientStock(Problem, status=409, title="There is less on hand than the adjustment takes away"):
    sku: str
    location: str
    on_hand: int
    delta: int
