"""Products are created once, changed on the version that was read, shown when they are published, and deleted."""

import asyncio
from typing import Any

from functions.catalog.create_product import CreateProduct, create_product
from functions.catalog.inspect_product import inspect_product
from functions.catalog.inspect_products import inspect_products
from functions.catalog.update_product import update_product
from shared.catalog.events import ProductCreated, ProductPublished
from shared.runtime import Event
from tests.conftest import ADMIN, Ask, Books, Run
from tests.functions.catalog.conftest import STAFF, Catalogue, product, refusal, said, walked

WHOLE = {
    "title": "Stoneware mug",
    "slug": "stoneware-mug",
    "description": "Holds 350 ml.",
    "attributes": {"material": "stoneware"},
    "media": [{"url": "https://example.com/mug.jpg", "alt": "A mug"}],
    "tax_class": "reduced",
    "variants": [
        {"sku": "MUG-B", "options": {"colour": "blue"}, "price_minor": 1295, "currency": "EUR"},
        {"sku": "MUG-R", "options": {"colour": "red"}, "price_minor": 995, "currency": "EUR"},
    ],
    "status": "published",
}


async def test_a_product_is_shown_as_it_was_written(catalogue: Catalogue, ask: Ask) -> None:
    created = await ask(create_product, "/v1/products", WHOLE, roles=STAFF)
    kept = said(created)
    shown = await catalogue.show("stoneware-mug")

    assert (created.status, created.headers["etag"], shown.headers["etag"]) == (201, '"1"', '"1.0"')
    assert {name: kept[name] for name in WHOLE} == WHOLE
    assert kept["published_at"] == kept["created_at"] == kept["updated_at"]
    told = said(shown)
    same = ("id", "title", "slug", "description", "attributes", "media", "tax_class", "variants", "version")
    assert {name: told[name] for name in same} == {name: kept[name] for name in same}
    assert (told["price_minor"], told["currency"], told["availability"]) == (995, "EUR", "out_of_stock")
    assert told["stock"] == {sku: {"status": "out_of_stock", "as_of": None} for sku in ("MUG-B", "MUG-R")}
    assert told.keys().isdisjoint({"status", "sku", "publish_at"})


async def test_a_product_is_called_by_id_sku_or_slug(catalogue: Catalogue) -> None:
    made = await catalogue.create("MUG-B", "MUG-R", title="Mug")
    other = await catalogue.create("mug-mug-b", slug="other")

    for name in (made["id"], "MUG-B", "MUG-R"):
        assert said(await catalogue.show(name))["id"] == made["id"]
        assert (await catalogue.inspect(name))["id"] == made["id"]
    assert said(await catalogue.show("mug-mug-b"))["id"] == other["id"], "a SKU goes before a slug"
    assert refusal(await catalogue.show("nobody")) == (404, "unknown-product")


async def test_a_slug_is_made_at_need(catalogue: Catalogue) -> None:
    made = {"Blue mug!": "blue-mug-m-1", "Müg, 猫": "m-g-m-2", "猫": "m-3", "x" * 200: "x" * 200}
    for number, (title, slug) in enumerate(made.items(), 1):
        assert (await catalogue.create(f"M {number}", title=title))["slug"] == slug


async def test_creating_says_so(run: Run) -> None:
    kept, emitted = await run(create_product, CreateProduct.model_validate(product("mug")), caller=ADMIN)
    draft, alone = await run(create_product, CreateProduct.model_validate(product("cup", status="draft")), caller=ADMIN)

    said = kept.model_dump()
    expected: list[Event] = [ProductCreated.model_validate(said), ProductPublished.model_validate(said)]
    assert emitted == expected
    assert alone == [ProductCreated.model_validate(draft.model_dump())]
    assert (draft.published_at, draft.version) == (None, 1)


async def test_skus_and_slugs_are_taken_once(catalogue: Catalogue) -> None:
    await catalogue.create("mug", "cup", slug="mugs")
    other = await catalogue.create("pot", slug="pots")

    same_sku = await catalogue.try_create("jar", "cup")
    same_slug = await catalogue.try_create("jar", slug="mugs")
    assert (refusal(same_sku), said(same_sku)["sku"]) == ((409, "sku-taken"), "cup")
    assert (refusal(same_slug), said(same_slug)["slug"]) == ((409, "slug-taken"), "mugs")
    renamed = await catalogue.try_update("pot", 1, slug="mugs")
    resold = await catalogue.try_update("pot", 1, variants=product("pot", "mug")["variants"])
    assert (refusal(renamed), said(renamed)["slug"]) == ((409, "slug-taken"), "mugs")
    assert (refusal(resold), said(resold)["sku"]) == ((409, "sku-taken"), "mug")

    assert await catalogue.inspect("pot") == other, "what was refused left nothing behind"
    assert await catalogue.db.value("select count(*) from catalog.variants") == 3
    assert await catalogue.news() == ["product.created", "product.published"] * 2


async def test_a_name_is_taken_once_also_at_the_same_moment(catalogue: Catalogue) -> None:
    for number in range(5):
        creates = [catalogue.try_create(f"s-{number}-{buyer}", slug=f"slug-{number}") for buyer in range(4)]
        creates += [catalogue.try_create(f"sku-{number}", slug=f"own-{number}-{buyer}") for buyer in range(4)]
        answers = await asyncio.gather(*creates)
        for some in (answers[:4], answers[4:]):
            assert sorted(answer.status for answer in some) == [201, 409, 409, 409]


async def test_two_that_are_renamed_alike_at_once(catalogue: Catalogue) -> None:
    for number in range(8):
        for sku in ("a", "b"):
            await catalogue.create(f"{sku}{number}", slug=f"{sku}-{number}")
        renames = [catalogue.try_update(f"{sku}{number}", 1, slug=f"both-{number}") for sku in ("a", "b")]
        one, other = sorted(await asyncio.gather(*renames), key=lambda answer: answer.status)

        assert one.status == 200
        assert other.status in (409, 503)
        assert (other.status == 503) == ("retry-after" in other.headers)
        again = await catalogue.try_update(f"a{number}", 1, slug=f"both-{number}")
        assert again.status in (409, 412)


async def test_a_patch_needs_the_version_that_was_read(catalogue: Catalogue, ask: Ask) -> None:
    await catalogue.create("mug")
    shown = await catalogue.show("mug")

    unsaid = await ask(update_product, "/v1/products/mug", {"title": "Cup"}, roles=STAFF)
    assert refusal(unsaid) == (428, "precondition-required")
    changed = await catalogue.try_update("mug", shown.headers["etag"], title="Cup")
    assert (changed.status, changed.headers["etag"]) == (200, '"2"')
    stale = await catalogue.try_update("mug", 1, title="Pot")
    assert (refusal(stale), said(stale)["current_version"]) == ((412, "stale-version"), 2)
    assert refusal(await catalogue.try_update("nobody", 1, title="Pot")) == (404, "unknown-product")
    assert said(await catalogue.show("mug"))["title"] == "Cup"


async def test_of_many_patches_on_one_version_one_is_taken(catalogue: Catalogue) -> None:
    await catalogue.create("mug")
    answers = await asyncio.gather(*(catalogue.try_update("mug", 1, title=f"Mug {n}") for n in range(8)))

    assert sorted(answer.status for answer in answers) == [200] + [412] * 7


async def test_what_is_left_out_of_a_patch_stays(catalogue: Catalogue) -> None:
    await catalogue.create(**WHOLE)
    before = await catalogue.inspect("MUG-B")
    after = await catalogue.update("MUG-B", title="Cup")

    assert after == {**before, "title": "Cup", "version": 2, "updated_at": after["updated_at"]}


async def test_a_null_attribute_is_removed_and_others_are_merged(catalogue: Catalogue) -> None:
    await catalogue.create(attributes={"colour": "red", "size": "small"})

    changed = await catalogue.update("mug", attributes={"colour": None, "size": "large", "material": "tin"})
    assert changed["attributes"] == {"size": "large", "material": "tin"}
    twice = await catalogue.try_update("mug", 2, attributes={"Size": "huge"})
    assert [fault["pointer"] for fault in said(twice)["errors"]] == ["/attributes"]
    assert await catalogue.update("mug", attributes={"no": None, "size": "large"}) == changed
    assert (await catalogue.update("mug", attributes={"size": None, "material": None}))["attributes"] == {}


async def test_variants_are_replaced_whole(catalogue: Catalogue) -> None:
    await catalogue.create("a", "b", "c", slug="abc")
    variants = [
        {"sku": "d", "options": {"size": "L"}, "price_minor": 50, "currency": "GBP"},
        {"sku": "b", "options": {"size": "M"}, "price_minor": 60, "currency": "GBP"},
    ]
    assert (await catalogue.update("abc", variants=variants))["variants"] == variants

    shown = said(await catalogue.show("abc"))
    assert (shown["variants"], shown["price_minor"], list(shown["stock"])) == (variants, 50, ["d", "b"])
    for gone in ("a", "c"):
        assert (await catalogue.show(gone)).status == 404
    await catalogue.create("a", slug="a-anew")
    assert (await catalogue.update("abc", variants=variants[::-1]))["variants"] == variants[::-1]


async def test_a_category_is_set_and_taken_away(catalogue: Catalogue) -> None:
    mugs = await catalogue.category("Mugs")
    assert (await catalogue.create(category="mugs"))["category_id"] == mugs["id"]
    assert (await catalogue.update("mug", category=None))["category_id"] is None
    assert (await catalogue.update("mug", category=mugs["id"]))["category_id"] == mugs["id"]
    for refused in (
        await catalogue.try_create("x", category="no"),
        await catalogue.try_update("mug", 3, category="no"),
    ):
        assert refused.status == 422
        assert [fault["pointer"] for fault in said(refused)["errors"]] == ["/category"]


async def test_what_changes_nothing_makes_no_version(catalogue: Catalogue) -> None:
    made = await catalogue.create(**WHOLE)
    for patch in ({}, {"title": WHOLE["title"]}, {"variants": WHOLE["variants"], "attributes": WHOLE["attributes"]}):
        assert await catalogue.update("MUG-B", **patch) == made

    assert await catalogue.news() == ["product.created", "product.published"]


INCONSISTENT: list[tuple[str, dict[str, Any]]] = [
    ("variants", {"variants": []}),
    (
        "variants",
        {"variants": [{"sku": "a", "price_minor": 1, "options": {"size": size}} for size in ("S", "M")]},
    ),
    (
        "variants",
        {"variants": [{"sku": "a", "price_minor": 1}, {"sku": "b", "price_minor": 1, "options": {"size": "S"}}]},
    ),
    (
        "variants",
        {"variants": [{"sku": sku, "price_minor": 1, "options": {"size": "S"}} for sku in ("a", "b")]},
    ),
    (
        "variants",
        {
            "variants": [
                {"sku": sku, "price_minor": 1, "options": {"size": sku}, "currency": currency}
                for sku, currency in (("a", "GBP"), ("b", "EUR"))
            ]
        },
    ),
    ("publish_at", {"publish_at": "2030-01-01T00:00:00Z", "status": "published"}),
]


async def test_what_does_not_fit_together_is_refused(catalogue: Catalogue) -> None:
    await catalogue.create("mug")
    for field, fields in INCONSISTENT:
        created = await catalogue.try_create("cup", **fields)
        updated = await catalogue.try_update("mug", 1, **fields)

        assert (created.status, updated.status) == (422, 422)
        assert field in created.body.decode()
        assert [fault["pointer"] for fault in said(updated)["errors"]] == [f"/{field}"]
    assert await catalogue.db.value("select count(*) from catalog.products") == 1


async def test_bad_input_names_every_fault(catalogue: Catalogue) -> None:
    answer = await catalogue.try_create(
        title=" ",
        slug="No Slug",
        attributes={"x:y": "z", "ok": ""},
        media=[{"url": "javascript:alert(1)"}],
        variants=[{"sku": "no/such\n", "price_minor": -1, "currency": "pounds"}],
        owner="me",
        status="stolen",
        publish_at="tomorrow",
    )
    assert answer.status == 422
    assert {fault["pointer"] for fault in said(answer)["errors"]} == {
        "/title", "/slug", "/attributes/x:y/[key]", "/attributes/ok", "/media/0/url", "/variants/0/sku",
        "/variants/0/price_minor", "/variants/0/currency", "/owner", "/status", "/publish_at",
    }  # fmt: skip


async def test_only_published_products_are_public(catalogue: Catalogue) -> None:
    await catalogue.create("mug", status="draft")
    for status, shown in (("published", 200), ("archived", 404), ("published", 200), ("draft", 404)):
        assert (await catalogue.update("mug", status=status))["status"] == status
        assert (await catalogue.show("mug")).status == shown
        assert len(await catalogue.listed()) == len(await catalogue.found("q=mug")) == (shown == 200)

    assert await catalogue.news() == [
        "product.created", "product.published", "product.archived", "product.published", "product.archived",
    ]  # fmt: skip


async def test_every_event_is_the_product_as_it_is_then(catalogue: Catalogue) -> None:
    made = await catalogue.create("mug", status="draft")
    patches: list[dict[str, Any]] = [
        {"title": "Cup"},
        {"status": "published"},
        {"attributes": {"colour": "red"}},
        {"status": "archived"},
        {"description": "Old"},
    ]
    told = [made, *[await catalogue.update("mug", **patch) for patch in patches]]
    assert (await catalogue.try_delete("mug", 6)).status == 204

    kinds = ["created", "updated", "published", "updated", "archived", "updated", "deleted"]
    unsaid = {"created_at", "updated_at"}
    snapshots = [{name: value for name, value in one.items() if name not in unsaid} for one in [*told, told[-1]]]
    assert await catalogue.events() == [(f"product.{kind}", said) for kind, said in zip(kinds, snapshots, strict=True)]


async def test_a_product_on_sale_again_is_new_again(catalogue: Catalogue) -> None:
    first = await catalogue.create("mug")
    archived = await catalogue.update("mug", status="archived")
    again = await catalogue.update("mug", status="published")

    assert first["published_at"] == archived["published_at"] < again["published_at"]


async def test_a_product_off_sale_is_deleted_and_its_names_are_free(catalogue: Catalogue, db: Books) -> None:
    await catalogue.create("mug", slug="mug")
    on_sale = await catalogue.try_delete("mug", 1)
    assert (refusal(on_sale), said(on_sale)["product"]) == ((409, "product-is-published"), "mug")
    await catalogue.update("mug", status="archived")
    assert refusal(await catalogue.try_delete("mug", 1)) == (412, "stale-version")
    assert (await catalogue.try_delete("mug", 2)).status == 204
    assert refusal(await catalogue.try_delete("mug", 2)) == (404, "unknown-product")

    assert await db.all("select sku from catalog.variants") == []
    assert await db.value("select product_id from catalog.stock where sku = 'mug'") is None
    again = await catalogue.create("mug", slug="mug")
    assert again["version"] == 1
    assert await db.value("select product_id::text from catalog.stock where sku = 'mug'") == again["id"]


async def test_keepers_see_every_product_by_slug(catalogue: Catalogue, ask: Ask) -> None:
    for number in range(7):
        status = ("draft", "published", "archived")[number % 3]
        await catalogue.create(f"m{number}", slug=f"mug-{number}", status=status)

    async def page(query: str) -> Any:
        return said(await ask(inspect_products, f"/v1/admin/products?{query}", roles=STAFF))

    every = await walked(page, "limit=2")
    assert [item["slug"] for item in every] == [f"mug-{number}" for number in range(7)]
    assert every[0] == await catalogue.inspect("m0")
    assert [item["slug"] for item in await walked(page, "limit=2&status=draft")] == ["mug-0", "mug-3", "mug-6"]
    assert (await ask(inspect_products, "/v1/admin/products?status=gone", roles=STAFF)).status == 422
    nobody = await ask(inspect_product, "/v1/admin/products/nobody", roles=STAFF)
    assert refusal(nobody) == (404, "unknown-product")


async def test_only_admins_write(ask: Ask) -> None:
    assert (await ask(create_product, "/v1/products", product())).status == 401
    for function, path in ((create_product, "/v1/products"), (inspect_products, "/v1/admin/products")):
        assert (await ask(function, path, None, roles=("customer",))).status == 403
