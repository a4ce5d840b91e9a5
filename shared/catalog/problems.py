"""What the catalogue refuses, and why."""

from shared.runtime import Problem


class UnknownProduct(Problem, status=404, title="There is no such product"):
    product: str


class UnknownCategory(Problem, status=404, title="There is no such category"):
    category: str


class SkuTaken(Problem, status=409, title="The SKU belongs to another product"):
    sku: str


class SlugTaken(Problem, status=409, title="The slug belongs to another product or category"):
    slug: str


class ProductIsPublished(Problem, status=409, title="A product on sale is not deleted: archive it first"):
    product: str


class CategoryCycle(Problem, status=409, title="A category cannot stand below itself"):
    category: str
    parent: str


class CategoryInUse(Problem, status=409, title="The category has products or categories: say where they go"):
    category: str
    products: int
    categories: int
