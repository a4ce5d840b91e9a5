"""`kn-shop catalog rebuild` goes through all parts in batches, prints what differs, and mends it when asked."""

import json
from collections.abc import Awaitable, Callable
from typing import get_args

import pytest

from functions.catalog.create_product import create_product
from infra.cli.catalog import PARTS
from shared.catalog.rebuilding import PartName
from tests.conftest import Ask, Books
from tests.infra.cli.conftest import Commanded

Rebuild = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def rebuild(kn_shop: Commanded) -> Rebuild:
    async def rebuild(*options: str) -> tuple[int, str]:
        code, told, said = await kn_shop("catalog", "rebuild", *options)
        assert "Error" not in said
        return code, told

    return rebuild


@pytest.fixture
async def mugs(ask: Ask) -> list[str]:
    made = []
    for number in range(5):
        body = {"title": f"Mug {number}", "variants": [{"sku": f"MUG-{number}", "price_minor": 100}]}
        answer = await ask(create_product, "/v1/products", body, roles=("admin",))
        made.append(json.loads(answer.body)["id"])
    return made


def test_the_parts_are_those_of_the_function() -> None:
    assert set(PARTS) == set(get_args(PartName))


async def test_a_sound_catalogue(mugs: list[str], rebuild: Rebuild) -> None:
    code, told = await rebuild()

    assert code == 0
    assert told.splitlines()[-2] == f"listings: {len(mugs)} compared, none differ"
    assert "KEY" not in told


async def test_what_differs_is_told_by_all_batches_and_mended_when_asked(
    mugs: list[str], rebuild: Rebuild, db: Books
) -> None:
    for id in (mugs[0], mugs[4]):
        await db.run("delete from catalog.listings where product_id = %(id)s", id=id)
    differences = [{"key": id, "what": ["missing"]} for id in sorted((mugs[0], mugs[4]))]

    code, told = await rebuild("--part", "listings", "--batch", "2", "-o", "json")
    assert code == 1
    assert json.loads(told) == {
        "mended": False,
        "parts": [{"part": "listings", "checked": 5, "differences": differences}],
    }

    code, told = await rebuild("--mend", "--batch", "2")
    assert code == 0
    assert told.splitlines()[0].split() == ["PART", "KEY", "DIFFERS", "IN"]
    assert "listings: 5 compared, 2 differ, mended" in told
    assert (await rebuild())[0] == 0
