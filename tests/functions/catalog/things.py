"""Random products with many ties, as Python knows them: what the shop filters in SQL is filtered here by hand."""

import random
from collections.abc import Callable
from typing import Any

import orjson

from tests.conftest import Books
from tests.functions.catalog.conftest import NDJSON, Catalogue

COLOURS, SIZES = ("red", "blue", "green"), ("S", "M", "L")
CATEGORIES = {"kitchen": None, "mugs": "kitchen", "pans": "kitchen", "garden": None}


class Thing:
    """A product as this test knows it, to filter and sort in Python what the shop filters and sorts in SQL."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.slug = f"thing-{number:02}"
        self.title = chance.choice(["Mug", "mug", "Éclair", "Zebra", "apple pie", "Tea"])
        self.price = chance.choice([100, 100, 250, 250, 999])
        self.currency = chance.choice(["GBP", "GBP", "EUR"])
        self.category = chance.choice([None, *CATEGORIES])
        self.colour = chance.choice([None, *COLOURS])
        self.sizes = chance.sample(SIZES, chance.randint(1, 3))
        self.sold = chance.choice([0, 0, 3, 8])
        self.stock = chance.choice(["in_stock", "low", "backorder", "out_of_stock"])

    def body(self) -> dict[str, Any]:
        variants = [
            {
                "sku": f"{self.slug}-{size}",
                "options": {"size": size},
                "price_minor": self.price + 50 * place,
                "currency": self.currency,
            }
            for place, size in enumerate(self.sizes)
        ]
        attributes = {"colour": self.colour} if self.colour else {}
        fields = {"slug": self.slug, "title": self.title, "category": self.category}
        return {**fields, "attributes": attributes, "variants": variants}

    def stands_in(self, category: str) -> bool:
        return self.category is not None and category in (self.category, CATEGORIES[self.category])


def expected(things: list[Thing], query: str) -> list[str]:
    """What a query should find: values of one attribute, and availabilities, are alternatives."""
    given: dict[str, set[str]] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name == "attribute":
            name, _, value = value.partition(":")
        given.setdefault(name, set()).add(value)
    tests: dict[str, Callable[[Thing, set[str]], bool]] = {
        "category": lambda thing, values: all(thing.stands_in(value) for value in values),
        "price_min": lambda thing, values: thing.price >= int(min(values)),
        "price_max": lambda thing, values: thing.price <= int(min(values)),
        "currency": lambda thing, values: thing.currency in values,
        "availability": lambda thing, values: thing.stock in values,
        "colour": lambda thing, values: thing.colour in values,
        "size": lambda thing, values: bool(values & set(thing.sizes)),
    }
    return [t.slug for t in things if all(tests[name](t, values) for name, values in given.items())]


async def put_on_sale(catalogue: Catalogue, db: Books) -> list[Thing]:
    """32 products on sale with many ties, and four that are not."""
    chance = random.Random(11)
    for slug, parent in CATEGORIES.items():
        await catalogue.category(slug, parent)
    things = [Thing(number, chance) for number in range(32)]
    await catalogue.bring(b"\n".join(orjson.dumps(thing.body()) for thing in things), NDJSON)
    for number, status in enumerate(("draft", "archived") * 2):
        await catalogue.create(f"hidden-{number}", title="Mug", status=status, category="mugs")
    for thing in things:
        about = {"sku": f"{thing.slug}-{thing.sizes[0]}", "status": thing.stock, "sold": thing.sold}
        await db.run("update catalog.stock set status = %(status)s where sku = %(sku)s", **about)
        await db.run("insert into catalog.sales values (%(sku)s, %(sold)s, true)", **about)
    await db.run(
        """update catalog.listings l set stock = n.stock
        from catalog.listings_now n where n.product_id = l.product_id"""
    )
    await db.run(
        """update catalog.search_entries s set availability = n.availability, units_sold = n.units_sold
        from catalog.listings_now n where n.product_id = s.product_id"""
    )
    return things
