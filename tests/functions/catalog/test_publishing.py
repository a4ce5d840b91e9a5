"""A draft with a time goes on sale when that has come: late perhaps, never twice, never not at all."""

import asyncio
from datetime import timedelta
from typing import Any

from functions.catalog.publish_due_products import AT_ONCE, publish_due_products
from shared.catalog.events import ProductPublished
from tests.conftest import NOW, Ask, Books, Run
from tests.functions.catalog.conftest import Catalogue, said

SOON = NOW + timedelta(hours=1)


def at(moment: Any) -> str:
    return str(moment.isoformat()).replace("+00:00", "Z")


async def test_a_draft_goes_on_sale_when_its_time_has_come(catalogue: Catalogue, run: Run) -> None:
    draft = await catalogue.create("mug", status="draft", publish_at=at(SOON))
    await catalogue.create("cup", status="draft")
    assert draft["publish_at"] == at(SOON)

    assert await run(publish_due_products, now=SOON - timedelta(seconds=1)) == (None, [])
    assert (await catalogue.show("mug")).status == 404
    _, emitted = await run(publish_due_products, now=SOON)
    assert await run(publish_due_products, now=SOON) == (None, [])

    (news,) = emitted
    assert isinstance(news, ProductPublished)
    assert (str(news.id), news.version, news.publish_at, news.published_at) == (draft["id"], 2, None, SOON)
    shown = said(await catalogue.show("mug"))
    assert (shown["published_at"], shown["version"]) == ("2026-03-01T13:00:00.000000Z", 2)
    assert await catalogue.listed() == await catalogue.found("q=mug") == [draft["slug"]]


async def test_times_are_told_in_utc(catalogue: Catalogue) -> None:
    draft = await catalogue.create("mug", status="draft", publish_at="2030-06-01T12:00:00+02:00")
    assert draft["publish_at"] == "2030-06-01T10:00:00Z"
    assert await catalogue.inspect("mug") == draft
    assert await catalogue.update("mug", publish_at="2030-06-01T06:00:00-04:00") == draft
    assert (await catalogue.events())[0][1]["publish_at"] == "2030-06-01T10:00:00Z"


async def test_what_is_no_time_is_refused(catalogue: Catalogue) -> None:
    await catalogue.create("mug", status="draft")
    for moment in ("2030-06-01T12:00:00", "0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59-02:00", "soon", "", 10**20):
        for answer in (
            await catalogue.try_create("cup", status="draft", publish_at=moment),
            await catalogue.try_update("mug", 1, publish_at=moment),
        ):
            assert (answer.status, [fault["pointer"] for fault in said(answer)["errors"]]) == (422, ["/publish_at"])


async def test_only_a_draft_has_a_time(catalogue: Catalogue, run: Run) -> None:
    await catalogue.create("mug", status="draft", publish_at=at(SOON))
    waiting = await catalogue.update("mug", title="Cup")
    assert waiting["publish_at"] == at(SOON), "another change leaves it alone"
    for status in ("published", "archived"):
        assert (await catalogue.try_update("mug", 2, status=status, publish_at=at(SOON))).status == 422
    assert (await catalogue.update("mug", status="archived"))["publish_at"] is None
    assert (await catalogue.try_update("mug", 3, publish_at=at(SOON))).status == 422
    again = await catalogue.update("mug", status="draft", publish_at=at(SOON))
    assert again["publish_at"] == at(SOON)
    assert (await catalogue.update("mug", publish_at=None))["publish_at"] is None

    assert await run(publish_due_products, now=SOON) == (None, [])


async def drafts(db: Books, count: int) -> None:
    await db.run(
        """insert into catalog.products
          (id, slug, title, description, status, version, created_at, updated_at, publish_at)
        select gen_random_uuid(), 'draft-' || n, 'Draft', '', 'draft', 1, now(), now(), %(now)s
        from generate_series(1, %(count)s) as n""",
        now=NOW,
        count=count,
    )
    await db.run(
        """insert into catalog.variants (sku, product_id, position, price_minor, currency)
        select slug, id, 0, 100, 'GBP' from catalog.products"""
    )


async def test_many_are_published_by_a_few_ticks_at_once(db: Books, ask: Ask) -> None:
    await drafts(db, AT_ONCE + 50)
    answers = await asyncio.gather(*(ask(publish_due_products, "/", method="POST") for _ in range(3)))
    assert {answer.status for answer in answers} == {204}
    await ask(publish_due_products, "/", method="POST")

    listed = "select count(*) from catalog.products join catalog.listings l on l.product_id = id and l.version = 2"
    assert await db.value(listed) == AT_ONCE + 50
    told = await db.one("select count(*) as all, count(distinct key) as products from platform.outbox")
    assert (told.all, told.products) == (AT_ONCE + 50, AT_ONCE + 50)
