"""A small gift shop to play with, put on sale through the public API: running it again changes nothing."""

from typing import NamedTuple

from infra.local.client import Client

LOCATIONS = {"LON": ("London shop", 10), "LEEDS": ("Leeds warehouse", 20)}
REASON = "opening"


CATEGORIES = (
    # name, slug, the parent's slug
    ("Kitchen", "kitchen", None),
    ("Mugs and tea", "mugs-and-tea", "kitchen"),
    ("Baking", "baking", "kitchen"),
    ("Home", "home", None),
    ("Candles and lights", "candles-and-lights", "home"),
    ("Paper and party", "paper-and-party", None),
)


class Gift(NamedTuple):
    sku: str
    title: str
    price_minor: int
    london: int
    leeds: int
    category: str
    attributes: dict[str, str]
    description: str


GIFTS = (
    Gift("MUG-BLUE", "Blue stoneware mug", 895, 24, 120, "mugs-and-tea", {"colour": "blue", "material": "stoneware"},
         "Hand-glazed, holds 350 ml."),
    Gift("MUG-ROBIN", "Robin on a branch mug", 995, 18, 80, "mugs-and-tea", {"colour": "red", "material": "china"},
         "Fine bone china, dishwasher safe."),
    Gift("TEA-TIN", "Vintage tea tin", 1250, 12, 60, "mugs-and-tea", {"material": "tin"},
         "Keeps 250 g of loose tea dry."),
    Gift("TLIGHT-HEART", "Hanging heart T-light holder", 295, 60, 400, "candles-and-lights",
         {"colour": "white", "material": "metal"}, "White metal, 12 cm."),
    Gift("LUNCH-BAG", "Red retrospot lunch bag", 1165, 20, 150, "kitchen", {"colour": "red"},
         "Insulated, wipes clean."),
    Gift("BUNTING", "Party bunting", 495, 30, 200, "paper-and-party", {"material": "cotton"},
         "Five metres of cotton flags."),
    Gift("CAKE-STAND", "Regency three-tier cake stand", 2495, 4, 25, "baking", {"material": "porcelain"},
         "Porcelain, 36 cm high."),
    Gift("ALARM-CLOCK", "Bakelike alarm clock, green", 1575, 6, 40, "home", {"colour": "green"},
         "Rings loud enough."),
    Gift("DOORMAT", "Home sweet home doormat", 1495, 8, 50, "home", {"material": "coir"}, "Coir, 40 by 60 cm."),
    Gift("CANDLE-FIG", "Fig candle", 1850, 10, 45, "candles-and-lights", {"scent": "fig"}, "Burns for 40 hours."),
    Gift("CARD-SET", "Set of ten note cards", 650, 40, 300, "paper-and-party", {"material": "paper"},
         "With envelopes."),
    Gift("JAM-SET", "Jam making set", 1095, 9, 70, "baking", {"material": "paper"}, "Printed labels, lids and string."),
)  # fmt: skip


def load(client: Client) -> int:
    """Puts on sale what is missing, and gives the number of products that were. Needs the role admin."""
    for id, (name, priority) in LOCATIONS.items():
        client.call("POST", "/v1/locations", {"id": id, "name": name, "priority": priority}, allow=(409,))
    for name, slug, parent in CATEGORIES:
        client.call("POST", "/v1/categories", {"name": name, "slug": slug, "parent": parent}, allow=(409,))
    return sum(_put_on_sale(client, gift) for gift in GIFTS)


def _put_on_sale(client: Client, gift: Gift) -> bool:
    wanted = {
        "title": gift.title,
        "description": gift.description,
        "category": gift.category,
        "attributes": gift.attributes,
        "variants": [{"sku": gift.sku, "price_minor": gift.price_minor, "currency": "GBP"}],
    }
    made = client.call("POST", "/v1/products", wanted, allow=(409,))
    # Stock that is there already has been sold from since: only an empty place is filled.
    stock = client.call("GET", f"/v1/stock/{gift.sku}", allow=(404,))
    filled = {level["location"] for level in stock["locations"]} if stock else set()
    for location, on_hand in (("LON", gift.london), ("LEEDS", gift.leeds)):
        if location not in filled:
            client.call("PUT", f"/v1/stock/{gift.sku}/{location}", {"on_hand": on_hand, "reason": REASON})
    return made is not None
