"""Products are created once, changed on the version that was read, and shown when they are published."""

import json

from functions.catalog.create_product import CreateProduct, create_product
from functions.catalog.get_product import get_product
from functions.catalog.list_products import list_products
from functions.catalog.update_product import update_product
from shared.catalog.events import ProductCreated
from tests.conftest import ADMIN, Ask, Books, Run

MUG = {"sku": "MUG-BLUE", "title": "Blue mug", "price_minor": 1295}
AS_ADMIN = ("admin",)


async def test_a_product_is_shown_as_it_was_created(ask: Ask) -> None:
    created = await ask(create_product, "/v1/products", MUG, roles=AS_ADMIN)
    shown = await ask(get_product, "/v1/products/MUG-BLUE")

    assert created.status == 201
    assert shown.status == 200
    assert shown.body == created.body
    assert shown.headers["etag"] == created.headers["etag"] == '"1"'
    assert json.loads(shown.body)["slug"] == "blue-mug-mug-blue"


async def test_creating_says_so(run: Run) -> None:
    product, emitted = await run(create_product, CreateProduct.model_validate(MUG), caller=ADMIN)

    assert emitted == [ProductCreated.model_validate(product.model_dump())]


async def test_a_sku_or_slug_is_taken_once(ask: Ask) -> None:
    await ask(create_product, "/v1/products", {**MUG, "slug": "mug"}, roles=AS_ADMIN)
    same_sku = await ask(create_product, "/v1/products", MUG, roles=AS_ADMIN)
    same_slug = await ask(create_product, "/v1/products", {**MUG, "sku": "OTHER", "slug": "mug"}, roles=AS_ADMIN)

    assert (same_sku.status, json.loads(same_sku.body)["type"]) == (409, "urn:kn-shop:problem:sku-taken")
    assert (same_slug.status, json.loads(same_slug.body)["type"]) == (409, "urn:kn-shop:problem:slug-taken")


async def test_a_patch_needs_the_version_that_was_read(ask: Ask, db: Books) -> None:
    await ask(create_product, "/v1/products", MUG, roles=AS_ADMIN)
    path, patch = "/v1/products/MUG-BLUE", {"price_minor": 999}

    assert (await ask(update_product, path, patch, roles=AS_ADMIN)).status == 428
    changed = await ask(update_product, path, patch, roles=AS_ADMIN, if_match='"1"')
    assert (changed.status, json.loads(changed.body)["version"]) == (200, 2)
    assert (await ask(update_product, path, patch, roles=AS_ADMIN, if_match='"1"')).status == 412
    unchanged = await ask(update_product, path, patch, roles=AS_ADMIN, if_match='"2"')
    assert (unchanged.status, unchanged.headers["etag"]) == (200, '"2"')
    types = [row.type for row in await db.all("select type from platform.outbox order by position")]
    assert types == ["shop.catalog.product.created.v1", "shop.catalog.product.updated.v1"]


async def test_what_a_client_knows_already_is_not_sent_again(ask: Ask) -> None:
    await ask(create_product, "/v1/products", MUG, roles=AS_ADMIN)
    answer = await ask(get_product, "/v1/products/MUG-BLUE", if_none_match='"1"')

    assert (answer.status, answer.body) == (304, b"")


async def test_only_published_products_are_public(ask: Ask) -> None:
    await ask(create_product, "/v1/products", {**MUG, "status": "draft"}, roles=AS_ADMIN)

    assert (await ask(get_product, "/v1/products/MUG-BLUE")).status == 404
    assert json.loads((await ask(list_products, "/v1/products")).body)["items"] == []


async def test_pages_follow_each_other_without_gap_or_overlap(ask: Ask) -> None:
    for number in range(7):
        await ask(create_product, "/v1/products", {**MUG, "sku": f"MUG-{number}"}, roles=AS_ADMIN)
    seen, path = [], "/v1/products?limit=3"
    while path:
        answer = await ask(list_products, path)
        seen += [item["sku"] for item in json.loads(answer.body)["items"]]
        path = answer.headers["link"].split(">")[0][1:] if "link" in answer.headers else ""

    assert seen == [f"MUG-{number}" for number in range(7)]


async def test_bad_input_names_every_fault(ask: Ask, db: Books) -> None:
    body = {"sku": "no/such\n", "title": " ", "price_minor": -1, "currency": "pounds", "owner": "me"}
    answer = await ask(create_product, "/v1/products", body, roles=AS_ADMIN)

    assert answer.status == 422
    assert {error["pointer"] for error in json.loads(answer.body)["errors"]} == {
        "/sku", "/title", "/price_minor", "/currency", "/owner",
    }  # fmt: skip
    assert await db.all("select 1 from catalog.products") == []


async def test_only_admins_write(ask: Ask) -> None:
    assert (await ask(create_product, "/v1/products", MUG)).status == 401
    assert (await ask(create_product, "/v1/products", MUG, roles=("customer",))).status == 403
