"""Categories are a tree: it keeps its order and its shape whatever is moved, and products follow theirs."""

import asyncio
import random
from typing import Any

import pytest

from functions.catalog.create_category import create_category
from functions.catalog.delete_category import delete_category
from functions.catalog.list_categories import list_categories
from functions.catalog.move_category import move_category
from functions.catalog.update_category import update_category
from tests.conftest import Ask, Books
from tests.functions.catalog.conftest import STAFF, Catalogue, refusal, said

MISSHAPEN = """
with recursive tree as (
  select id, ancestors, '{}'::uuid[] as path from catalog.categories where parent_id is null
  union all
  select c.id, c.ancestors, tree.path || c.parent_id from catalog.categories c join tree on c.parent_id = tree.id
)
select id from catalog.categories where id not in (select id from tree where ancestors = path)
union all
select id from (
  select id, position, row_number() over (partition by parent_id order by position) - 1 as place
  from catalog.categories
) as placed where position <> place
"""


@pytest.fixture
async def shop(catalogue: Catalogue, db: Books) -> Any:
    """Kitchen: mugs (small, large), pans. Garden: pots."""
    for name, parent in (
        ("Kitchen", None), ("Mugs", "kitchen"), ("Small", "mugs"), ("Large", "mugs"), ("Pans", "kitchen"),
        ("Garden", None), ("Pots", "garden"),
    ):  # fmt: skip
        await catalogue.category(name, parent)
    yield catalogue
    assert await db.all(MISSHAPEN) == []


async def version_of(shop: Catalogue, name: str) -> int:
    return int(await shop.db.value("select version from catalog.categories where slug = %(name)s", name=name))


async def move(shop: Catalogue, name: str, parent: str | None, **fields: Any) -> Any:
    answer = await shop.move(name, await version_of(shop, name), parent, **fields)
    assert answer.status == 200, answer
    return said(answer)


async def names(shop: Catalogue) -> list[str]:
    return [line.split()[0] for line in await shop.tree()]


async def test_the_tree_is_in_order(shop: Catalogue) -> None:
    assert await names(shop) == ["kitchen", ".mugs", "..small", "..large", ".pans", "garden", ".pots"]

    first = await shop.category("Tins", "mugs", position=0)
    middle = await shop.category("Tea", "mugs", position=1, slug="tea-mugs")
    assert (first["position"], middle["position"]) == (0, 1)
    assert first["ancestors"] == middle["ancestors"]
    assert await names(shop) == [
        "kitchen", ".mugs", "..tins", "..tea-mugs", "..small", "..large", ".pans", "garden", ".pots",
    ]  # fmt: skip
    assert [said for said in await shop.news() if said != "category.created"] == []


async def test_names_are_taken_once(shop: Catalogue, ask: Ask) -> None:
    async def create(**body: Any) -> Any:
        return await ask(create_category, "/v1/categories", body, roles=STAFF)

    assert refusal(await create(name="Mugs")) == (409, "slug-taken")
    assert (await create(name="Mugs", slug="more-mugs")).status == 201
    assert refusal(await create(name="X", parent="nowhere")) == (404, "unknown-category")
    assert (await create(name=" ", position=-1)).status == 422
    assert refusal(await shop.rename("mugs", 1, slug="pots")) == (409, "slug-taken")
    at_once = await asyncio.gather(*(create(name="Same") for _ in range(6)))
    assert sorted(answer.status for answer in at_once) == [201, 409, 409, 409, 409, 409]


async def test_a_category_shows_the_way_to_it_and_what_is_below(shop: Catalogue) -> None:
    for sku, category in (("a", "small"), ("b", "mugs"), ("c", "pans"), ("d", "small")):
        await shop.create(sku, category=category, status="draft" if sku == "d" else "published")
    answer = await shop.show_category("mugs")
    page = said(answer)

    assert [crumb["slug"] for crumb in page["breadcrumbs"]] == ["kitchen"]
    assert [child["slug"] for child in page["children"]] == ["small", "large"]
    assert (page["products"], page["version"]) == (2, 1)
    assert said(await shop.show_category(page["id"])) == page
    assert (await shop.show_category("mugs", if_none_match=answer.headers["etag"])).status == 304
    assert refusal(await shop.show_category("nothing")) == (404, "unknown-category")
    assert await shop.tree() == [
        "kitchen 3", ".mugs 2", "..small 1", "..large 0", ".pans 1", "garden 0", ".pots 0",
    ]  # fmt: skip


async def test_an_etag_changes_with_all_that_a_category_shows(shop: Catalogue) -> None:
    await shop.create("a", category="small", slug="a")
    seen = [(await shop.show_category("mugs")).headers["etag"], (await shop.show("a")).headers["etag"]]

    async def both_are_new() -> bool:
        before = list(seen)
        seen[:] = [(await shop.show_category("mugs")).headers["etag"], (await shop.show("a")).headers["etag"]]
        return seen[0] != before[0] and seen[1] != before[1]

    assert (await shop.rename("kitchen", 1, name="The kitchen")).status == 200
    assert await both_are_new(), "the way to it is called otherwise"
    await move(shop, "mugs", "garden")
    assert await both_are_new()
    assert (await shop.rename("small", 1, name="Tiny")).status == 200
    assert await both_are_new()
    await shop.create("b", category="mugs")
    assert (await shop.show_category("mugs", if_none_match=seen[0])).status == 200, "there is one product more"
    assert (await shop.rename("mugs", int(seen[0].strip('"').partition(".")[0]), name="Cups")).status == 200


async def test_a_product_shows_its_breadcrumbs(shop: Catalogue) -> None:
    await shop.create("a", category="small")
    crumbs = said(await shop.show("a"))["breadcrumbs"]
    assert [crumb["slug"] for crumb in crumbs] == ["kitchen", "mugs", "small"]
    assert crumbs[0].keys() == {"id", "slug", "name"}

    await move(shop, "mugs", None)
    assert [crumb["slug"] for crumb in said(await shop.show("a"))["breadcrumbs"]] == ["mugs", "small"]
    await shop.update("a", category=None)
    assert said(await shop.show("a"))["breadcrumbs"] == []


async def test_a_category_is_renamed_on_the_version_that_was_read(shop: Catalogue, ask: Ask) -> None:
    before = len(await shop.events())
    renamed = said(await shop.rename("mugs", 1, name="Cups", slug="cups"))
    assert (renamed["name"], renamed["slug"], renamed["version"]) == ("Cups", "cups", 2)
    assert refusal(await shop.rename("cups", 1, name="Beakers")) == (412, "stale-version")
    assert refusal(await shop.rename("mugs", 1, name="Beakers")) == (404, "unknown-category")
    unsaid = await ask(update_category, "/v1/categories/cups", {"name": "X"}, roles=STAFF)
    assert refusal(unsaid) == (428, "precondition-required")
    same = said(await shop.rename("cups", 2, name="Cups"))
    assert same == renamed

    ((kind, told),) = (await shop.events())[before:]
    assert (kind, told) == ("category.updated", {name: renamed[name] for name in told})


async def test_a_subtree_moves_with_its_products(shop: Catalogue) -> None:
    await shop.create("a", category="small", slug="a")
    assert await shop.listed("category=garden") == []
    before = len(await shop.events())
    moved = await move(shop, "mugs", "garden", position=0)

    assert moved["position"] == 0
    assert await shop.tree() == [
        "kitchen 0", ".pans 0", "garden 1", ".mugs 1", "..small 1", "..large 0", ".pots 0",
    ]  # fmt: skip
    for category, found in (("garden", ["a"]), ("mugs", ["a"]), ("small", ["a"]), ("kitchen", []), ("large", [])):
        assert await shop.listed(f"category={category}") == await shop.found(f"category={category}") == found
    ((kind, told),) = (await shop.events())[before:]
    assert (kind, told) == ("category.moved", {name: moved[name] for name in told})


@pytest.mark.parametrize(
    ("position", "order"),
    [(0, "dabce"), (1, "adbce"), (2, "abdce"), (3, "abcde"), (4, "abced"), (9, "abced"), (None, "abced")],
)
async def test_a_sibling_goes_where_it_is_put(
    catalogue: Catalogue, db: Books, position: int | None, order: str
) -> None:
    for name in "abcde":
        await catalogue.category(name)
    moved = await move(catalogue, "d", None, **({} if position is None else {"position": position}))

    assert "".join(await names(catalogue)) == order
    assert moved["position"] == order.index("d")
    assert await db.all(MISSHAPEN) == []


async def test_a_category_never_stands_below_itself(shop: Catalogue) -> None:
    for parent in ("kitchen", "mugs", "small"):
        refused = await shop.move("kitchen", 1, parent)
        assert (refusal(refused), said(refused)["parent"]) == ((409, "category-cycle"), parent)
    assert refusal(await shop.move("mugs", 9, None)) == (412, "stale-version")
    assert refusal(await shop.move("mugs", 1, "nowhere")) == (404, "unknown-category")
    assert refusal(await shop.move("nowhere", 1, None)) == (404, "unknown-category")


async def test_of_two_moves_that_would_make_a_cycle_one_wins(shop: Catalogue) -> None:
    for number in range(6):
        for name in ("x", "y"):
            await shop.category(name, slug=f"{name}-{number}")
        both = await asyncio.gather(
            shop.move(f"x-{number}", 1, f"y-{number}"), shop.move(f"y-{number}", 1, f"x-{number}")
        )
        assert sorted(answer.status for answer in both) == [200, 409]


async def test_any_moves_at_once_leave_a_tree(shop: Catalogue) -> None:
    chance = random.Random(3)
    slugs = [f"c{number}" for number in range(12)]
    for slug in slugs:
        await shop.category(slug)

    async def moves() -> set[int]:
        statuses = set()
        for _ in range(10):
            name, parent = chance.sample([*slugs, None], 2)
            if name is not None:
                version = await version_of(shop, name)
                statuses.add((await shop.move(name, version, parent, position=chance.randrange(4))).status)
        return statuses

    statuses = set().union(*await asyncio.gather(*(moves() for _ in range(4))))
    assert statuses <= {200, 409, 412, 503}
    assert len(await names(shop)) == len(slugs) + 7


async def test_a_category_in_use_says_where_its_contents_go(shop: Catalogue) -> None:
    await shop.create("a", category="mugs", slug="a")
    await shop.create("b", category="mugs", slug="b", status="draft")
    refused = await shop.remove("mugs", 1)
    assert refusal(refused) == (409, "category-in-use")
    assert (said(refused)["products"], said(refused)["categories"]) == (2, 2)
    for below in ("mugs", "small"):
        assert refusal(await shop.remove("mugs", 1, f"move_to={below}")) == (409, "category-cycle")
    assert refusal(await shop.remove("mugs", 1, "move_to=nowhere")) == (404, "unknown-category")
    assert refusal(await shop.remove("mugs", 2)) == (412, "stale-version")

    assert (await shop.remove("mugs", 1, "move_to=garden")).status == 204
    assert await shop.tree() == ["kitchen 0", ".pans 0", "garden 1", ".pots 0", ".small 0", ".large 0"]
    assert await shop.listed("category=garden") == ["a"]
    assert (await shop.inspect("a"))["version"] == 2, "its document says where it stands"
    kind, told = (await shop.events())[-1]
    assert (kind, told["slug"]) == ("category.deleted", "mugs")
    assert told["moved_to"] == said(await shop.show_category("garden"))["id"]


async def test_contents_go_to_the_parent_too(shop: Catalogue) -> None:
    await shop.create("a", category="small")
    assert (await shop.remove("mugs", 1, "move_to=kitchen")).status == 204
    assert await shop.tree() == ["kitchen 1", ".pans 0", ".small 1", ".large 0", "garden 0", ".pots 0"]


async def test_an_empty_category_is_deleted_and_its_slug_is_free(shop: Catalogue) -> None:
    assert (await shop.remove("small", 1)).status == 204
    assert await names(shop) == ["kitchen", ".mugs", "..large", ".pans", "garden", ".pots"]
    assert (await shop.events())[-1][1]["moved_to"] is None
    assert (await shop.category("Small"))["position"] == 2


async def test_a_product_and_the_end_of_its_category_at_once(shop: Catalogue) -> None:
    for number in range(8):
        await shop.category(f"c{number}")
        made, removed = await asyncio.gather(
            shop.try_create(f"p{number}", category=f"c{number}"), shop.remove(f"c{number}", 1)
        )
        assert made.status in (201, 422, 503)
        assert removed.status in (204, 409, 503)
        assert {made.status, removed.status} != {201, 204}


async def test_a_move_touches_no_product(shop: Catalogue, db: Books) -> None:
    await db.run(
        """insert into catalog.products
          (id, slug, title, description, status, version, created_at, updated_at, category_id)
        select gen_random_uuid(), 'p-' || n, 'P', '', 'draft', 1, now(), now(),
          (select id from catalog.categories where slug = 'small')
        from generate_series(1, 10000) as n"""
    )
    touched = "select count(*) filter (where xmax <> 0 or version > 1), max(xmin::text::bigint) from catalog.products"
    before = await db.one(touched)
    await move(shop, "mugs", "garden")
    assert await db.one(touched) == before


async def test_a_moved_categorys_products_are_found_without_being_touched(shop: Catalogue, db: Books) -> None:
    await shop.create("a", category="small", slug="a")
    rows = """select p.xmin, p.ctid, l.xmin as x, l.ctid as y, s.xmin as z, s.ctid as w
      from catalog.products p, catalog.listings l, catalog.search_entries s"""
    before = await db.one(rows)
    await move(shop, "mugs", "garden")
    assert await db.one(rows) == before
    assert await shop.listed("category=garden") == ["a"]


async def test_only_admins_shape_the_tree(ask: Ask) -> None:
    for function, path, body in (
        (create_category, "/v1/categories", {"name": "X"}),
        (update_category, "/v1/categories/x", {"name": "X"}),
        (move_category, "/v1/categories/x/place", {"parent": None}),
        (delete_category, "/v1/categories/x", None),
    ):
        assert (await ask(function, path, body)).status == 401
        assert (await ask(function, path, body, roles=("customer",))).status == 403
    answer = await ask(list_categories, "/v1/categories")
    assert (answer.status, said(answer)) == (200, {"categories": []})
    assert said(await ask(list_categories, "/v1/categories?counts=false"))["categories"] == []
