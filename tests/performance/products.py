"""Made-up products of a large shop, the same for the same seed: `make products COUNT=1000000 OUT=FILE` writes NDJSON.

Words follow Zipf's law: a few stand in every tenth product, most in a handful. Descriptions have 20 to 60 of them.
"""

import argparse
import json
import math
import random
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

COLOURS = """black white red blue green pink grey cream silver gold ivory yellow purple navy turquoise orange brown teal
lilac coral beige mint burgundy charcoal peach""".split()  # noqa: SIM905 - words read better as text
MATERIALS = """cotton wood glass metal ceramic paper leather steel linen wicker enamel felt porcelain bamboo wool brass
silk plastic copper slate velvet rubber marble jute cork""".split()  # noqa: SIM905 - words read better as text
STYLES = """vintage large small classic hanging retro mini round decorated modern striped painted folding spotty rustic
personalised floral giant antique square handmade star heart embroidered polka slim quilted carved scented woven
reversible stackable insulated portable glazed hooded""".split()  # noqa: SIM905 - words read better as text
NOUNS = """mug bag box lamp candle holder clock frame cushion bowl plate set card cup tin basket lantern mirror vase
bottle jar teapot tray blanket towel apron hook bell sign stand rug kettle spoon jug ornament wreath garland bunting
stool chair table shelf drawer cabinet bench umbrella scarf glove hat purse wallet necklace bracelet ring earrings
notebook pencil pen eraser sticker stamp ribbon parcel tape ruler calendar diary puzzle game doll bear train kite ball
whistle drum torch bucket spade pot planter watering trowel birdhouse feeder doormat curtain pillow sheet duvet quilt
napkin coaster placemat tablecloth whisk ladle grater peeler strainer colander thermometer timer scale rack hanger
toolbox hammer wrench charger cable speaker headphones radio fan heater humidifier diffuser soap sponge brush comb
slippers robe pyjamas socks jumper cardigan raincoat boots sandals backpack suitcase satchel pouch keyring magnet badge
money bank moneybox cracker bauble stocking tinsel sledge lunchbox flask cooler hamper picnic deckchair hammock parasol
barbecue firepit""".split()  # noqa: SIM905 - words read better as text
THEMES = """christmas garden kitchen travel birthday wedding baby easter party home office school bathroom bedroom beach
winter summer picnic nursery pet camping halloween valentine festival""".split()  # noqa: SIM905 - words read better as text
COMMON = """the and a of with in for to is this your it or from made by on as that are can be any all perfect gift ideal
lovely design quality hand beautiful finish great size comes use every day easy clean safe dishwasher available
matching range collection room style touch add soft strong light natural traditional features long wide high cm
detail present friends family special occasion love adds charm display set inspired simple bright practical""".split()  # noqa: SIM905 - words read better as text
SIZES = ["small", "medium", "large", "extra large"]
STATUSES = ["in_stock", "low", "backorder", "out_of_stock"]

ROOTS, BELOW_ROOT, BELOW_THAT = 10, 5, 5


class Zipf:
    """Draws words: the one at rank n with a frequency of about 1 / n."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self._weights = list(accumulate(1 / (rank + 2) for rank in range(len(words))))

    def draw(self, by: random.Random, count: int) -> list[str]:
        return by.choices(self.words, cum_weights=self._weights, k=count)

    def one(self, by: random.Random) -> str:
        return self.draw(by, 1)[0]


def coined(count: int, by: random.Random) -> list[str]:
    """Words that nobody knows, of two to four syllables."""
    starts = ("b", "br", "c", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "st", "t", "tr", "v", "w", "z")
    syllables = [start + vowel for start in starts for vowel in "aeiou"]
    ends = ["", "", "n", "r", "s", "l", "x", "nd"]
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(by.choices(syllables, k=by.choice((2, 2, 3, 3, 4)))) + by.choice(ends)] = None
    return list(found)


def category_slugs() -> list[str]:
    """A tree of 310: each slug begins with its parent's."""
    roots = [f"c{n}" for n in range(ROOTS)]
    middle = [f"{root}-{n}" for root in roots for n in range(BELOW_ROOT)]
    return roots + middle + [f"{parent}-{n}" for parent in middle for n in range(BELOW_THAT)]


def products(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """As the import takes them."""
    by = random.Random(seed)
    brands = [word.title() for word in coined(3_000, by)]
    rare = coined(60_000, by)
    told = NOUNS + STYLES + COLOURS + MATERIALS + THEMES
    by.shuffle(told)
    talk = Zipf([word for pair in zip(COMMON, told, strict=False) for word in pair] + told[len(COMMON) :] + rare)
    colours, materials, styles, nouns, themes = map(Zipf, (COLOURS, MATERIALS, STYLES, NOUNS + rare[:2_000], THEMES))
    brand_names, odd, leaves = Zipf(brands), Zipf(rare), Zipf(category_slugs()[ROOTS + ROOTS * BELOW_ROOT :])
    for number in range(1, count + 1):
        brand, colour, material, style, noun, theme = (
            drawn.one(by) for drawn in (brand_names, colours, materials, styles, nouns, themes)
        )
        words = [colour] if by.random() < 0.6 else []
        words += [style] if by.random() < 0.6 else []
        words += [material] if by.random() < 0.4 else []
        words += [noun]
        words += [odd.one(by)] if by.random() < 0.3 else []
        words = [brand, *words] if by.random() < 0.4 else words
        words += ["for", theme] if by.random() < 0.2 else []
        title = " ".join(words).capitalize()
        price = min(5_000_000, 25 + int(math.exp(by.gauss(7.3, 0.9))))
        pieces = by.choice((1, 1, 1, 2, 3, 4))
        yield {
            "slug": f"made-up-{number}",
            "title": title,
            "description": " ".join(talk.draw(by, by.randint(20, 60))).capitalize() + ".",
            "category": leaves.one(by),
            "attributes": {"brand": brand, "colour": colour, "material": material, "style": style, "theme": theme},
            "variants": [
                {
                    "sku": f"L{number:07}-{piece}" if pieces > 1 else f"L{number:07}",
                    "options": {"size": SIZES[piece]} if pieces > 1 else {},
                    "price_minor": price + piece * price // 10,
                    "currency": "GBP",
                }
                for piece in range(pieces)
            ],
        }


def queries(count: int, seed: int = 2) -> list[str]:
    """Two words each, as shoppers would type them: drawn as titles draw theirs, so that the frequent come often."""
    by = random.Random(seed)
    rare = coined(500, by)
    before = [Zipf(words) for words in (COLOURS, MATERIALS, STYLES, THEMES)]
    nouns, odd = Zipf(NOUNS), Zipf(rare)
    found: dict[str, None] = {}
    while len(found) < count:
        first = by.choice(before).one(by)
        found[f"{first} {odd.one(by) if by.random() < 0.02 else nouns.one(by)}"] = None
    return list(found)


def _id(number: int, of: int) -> UUID:
    """In the order of their making, as the ids of real products are."""
    return UUID(int=(0x019A << 112) | (of << 104) | (number << 80) | (7 << 76) | (2 << 62) | number)


def load(url: str, count: int, seed: int = 1, writers: int = 2) -> None:
    """Fills an empty catalogue: sources by COPY, then what is derived from them by the view that says so."""
    by = random.Random(seed)
    with psycopg.connect(url, autocommit=True) as books:
        _load_categories(books)
        _load_sources(books, islice(products(count, seed), count), by)
        _derive(books, url, count, writers)


def _load_categories(books: psycopg.Connection) -> None:
    ids: dict[str, UUID] = {}
    ancestors: dict[str, list[UUID]] = {"": []}
    now = datetime.now(UTC)
    with books.cursor().copy("""copy catalog.categories
            (id, slug, name, parent_id, ancestors, position, version, created_at, updated_at) from stdin""") as copy:
        for number, slug in enumerate(category_slugs()):
            parent = slug.rpartition("-")[0]
            ids[slug] = _id(number, 1)
            ancestors[slug] = [*ancestors[parent], *([ids[parent]] if parent else [])]
            name = f"{(THEMES + NOUNS + MATERIALS + STYLES + COLOURS * 9)[number].title()} {slug}"
            copy.write_row((ids[slug], slug, name, ids.get(parent), ancestors[slug], number, 1, now, now))


def _load_sources(books: psycopg.Connection, made: Iterator[dict[str, Any]], by: random.Random) -> None:
    found = books.execute("select slug, id from catalog.categories").fetchall()
    categories: dict[str, UUID] = dict(found)
    since = datetime.now(UTC) - timedelta(days=1000)
    number = 0
    while batch := list(islice(made, 20_000)):
        skus: list[tuple[str, UUID]] = []
        with books.cursor().copy("""copy catalog.products (id, slug, title, description, status, version, created_at,
                updated_at, attributes, category_id, published_at) from stdin""") as copy:
            for product in batch:
                number += 1
                product["id"], at = _id(number, 2), since + timedelta(seconds=number * 60)
                copy.write_row(
                    (product["id"], product["slug"], product["title"], product["description"], "published", 1, at, at,
                     json.dumps(product["attributes"]), categories[product["category"]], at)
                )  # fmt: skip
        with books.cursor().copy("""copy catalog.variants (sku, product_id, position, options, price_minor, currency)
                from stdin""") as copy:
            for product in batch:
                for position, variant in enumerate(product["variants"]):
                    options = json.dumps(variant["options"])
                    skus.append((variant["sku"], product["id"]))
                    copy.write_row(
                        (variant["sku"], product["id"], position, options, variant["price_minor"], variant["currency"])
                    )
        with books.cursor().copy("copy catalog.stock (sku, product_id, status, sequence) from stdin") as copy:
            for sku, id in skus:
                copy.write_row((sku, id, by.choices(STATUSES, (80, 8, 4, 8))[0], 1))
        with books.cursor().copy("copy catalog.sales (sku, units, ranked) from stdin") as copy:
            for sku, _ in skus:
                if by.random() < 0.2:
                    copy.write_row((sku, int(by.paretovariate(0.8)), True))


def _derive(books: psycopg.Connection, url: str, count: int, writers: int) -> None:
    """The indexes are made when the rows are there, as a restored dump makes them."""
    books.execute("vacuum analyze catalog.products, catalog.variants, catalog.stock, catalog.sales, catalog.categories")
    indexes = books.execute("""select indexname, indexdef from pg_indexes where schemaname = 'catalog'
      and tablename = 'search_entries' and indexname <> 'search_entries_pkey'""").fetchall()
    for name, _ in indexes:
        books.execute(f"drop index catalog.{name}".encode())
    listed = "product_id, version, document, stock, stock_at"
    sought = ", ".join(
        name for (name,) in books.execute("""select attname from pg_attribute
          where attrelid = 'catalog.search_entries'::regclass and attnum > 0 and not attisdropped and attgenerated = ''
          order by attnum""")
    )  # fmt: skip
    statement = f"""
      with now as materialized (select * from catalog.listings_now where product_id between %s and %s),
      listed as (insert into catalog.listings ({listed}) select {listed} from now)
      insert into catalog.search_entries ({sought}) select {sought} from now""".encode()  # noqa: S608
    cuts = [*range(1, count + 1, 10_000), count + 1]
    hands = [psycopg.connect(url, autocommit=True) for _ in range(writers)]

    def write(hand: int) -> None:
        with hands[hand] as connection:
            for n in range(hand, len(cuts) - 1, writers):
                connection.execute(statement, (_id(cuts[n], 2), _id(cuts[n + 1] - 1, 2)))

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    books.execute("set maintenance_work_mem = '1GB'")
    for _, definition in indexes:
        books.execute(definition.encode())
    books.execute("""insert into catalog.words (word, deletions)
      select word, catalog.deletions(word)
      from (select distinct catalog.words_of(title_key, attributes) as word from catalog.search_entries) as every
      on conflict do nothing""")
    books.execute("vacuum analyze catalog.listings, catalog.search_entries, catalog.words")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with options.out.open("w") if str(options.out) != "-" else sys.stdout as out:
        for product in products(options.count, options.seed):
            out.write(json.dumps(product) + "\n")


if __name__ == "__main__":
    main()
