"""What the catalogue refuses, and why."""

from shared.runtime import Problem


class UnknownProduct(Problem, status=404, title="There is no such product"):
    sku: str


class SkuTaken(Problem, status=409, title="The SKU belongs to another product"):
    sku: str


class SlugTaken(Problem, status=409, title="The slug belongs to another product"):
    slug: str
