"""Other services publish events: checked against their type, allowed by source and type, taken once (PLAT-007)."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from functions.platform.forget_old_rows import forget_old_rows
from functions.platform.list_publishers import list_publishers
from functions.platform.publish_event import publish_event
from functions.platform.set_publisher import set_publisher
from shared.platform.publishing import PUBLISHABLE
from shared.runtime.answers import Answer
from tests.conftest import NOW, Ask, Books, Run

ORDER = "0197f1c4-7a52-7f06-9d5e-2f6c1b0a9e11"
SOURCE = "/shop/orders/books"
TYPE = "shop.inventory.release.v1"
DATA = {"order_id": ORDER}
Publish = Callable[..., Awaitable[Answer]]


def problem(answer: Answer) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(answer.body)
    return said


@pytest.fixture
def publish(ask: Ask) -> Publish:
    """In binary mode. Attributes given as None are left out."""

    async def publish(data: Any = DATA, *, by: str = "books", **attributes: str | None) -> Answer:
        named = {"specversion": "1.0", "id": "1", "source": SOURCE, "type": TYPE} | attributes
        headers = {f"ce_{name}": value for name, value in named.items() if value is not None}
        return await ask(publish_event, "/v1/events", data, roles=("service",), subject=by, **headers)

    return publish


@pytest.fixture
async def allowed(ask: Ask) -> None:
    answer = await allow(ask, "books", {"source": SOURCE, "types": [TYPE, "shop.inventory.hold.v1"]})
    assert answer.status == 200, answer


async def allow(ask: Ask, subject: str, *may: dict[str, Any]) -> Answer:
    body = {"may": list(may)}
    return await ask(set_publisher, f"/v1/admin/publishers/{subject}", body, roles=("admin",), subject="ada")


@pytest.mark.usefixtures("allowed")
async def test_an_event_goes_out_as_it_was_said(publish: Publish, db: Books) -> None:
    answer = await publish(
        {"order_id": ORDER, "colour": "green"},
        time="2026-02-01T10:00:00.123456789+02:00",
        correlationid="Gr%C3%B6%C3%9Fe",
        causationid="before",
        tenant="north",
    )

    assert answer.status == 202
    assert json.loads(answer.body) == {
        "id": "1",
        "source": SOURCE,
        "type": TYPE,
        "topic": "shop.inventory.commands",
        "key": ORDER,
        "duplicate": False,
    }
    assert answer.headers["sequence-token"] == f"shop.inventory.commands/{ORDER}@1"
    row = await db.one("select *, now() - time < interval '1 minute' as fresh from platform.outbox")
    assert (row.id, row.source, row.type, row.key, row.sequence) == ("1", SOURCE, TYPE, ORDER, 1)
    assert (row.subject, row.correlationid, row.causationid) == (f"order/{ORDER}", "Größe", "before")
    assert row.extensions == {"tenant": "north", "time": "2026-02-01T10:00:00.123456789+02:00"}
    assert bytes(row.data) == json.dumps({"order_id": ORDER, "colour": "green"}).encode(), "no byte is another"
    assert row.fresh, "how late the relay is does not hang on what a publisher says"


@pytest.mark.usefixtures("allowed")
async def test_both_modes_are_one_event(publish: Publish, ask: Ask, db: Books) -> None:
    structured = {"specversion": "1.0", "id": "1", "source": SOURCE, "type": TYPE, "data": DATA, "priority": 7}
    first = await ask(
        publish_event,
        "/v1/events",
        structured,
        roles=("service",),
        subject="books",
        content_type="application/cloudevents+json",
    )
    again = await publish()

    assert (first.status, again.status) == (202, 202)
    assert (json.loads(first.body)["duplicate"], json.loads(again.body)["duplicate"]) == (False, True)
    row = await db.one("select extensions from platform.outbox")
    assert row.extensions == {"priority": "7"}


@pytest.mark.usefixtures("allowed")
async def test_an_event_sent_ten_times_at_once_is_taken_once(publish: Publish, db: Books) -> None:
    answers = await asyncio.gather(*(publish() for _ in range(10)))

    assert [answer.status for answer in answers] == [202] * 10
    assert sorted(json.loads(answer.body)["duplicate"] for answer in answers) == [False, *[True] * 9]
    assert await db.value("select count(*) from platform.outbox") == 1


@pytest.mark.usefixtures("allowed")
async def test_another_event_of_a_known_id_is_refused(publish: Publish, db: Books) -> None:
    await publish()
    other = await publish({"order_id": ORDER.replace("0", "1")})

    assert (other.status, problem(other)["type"]) == (409, "urn:kn-shop:problem:event-id-reused")
    assert await db.value("select count(*) from platform.outbox") == 1


@pytest.mark.usefixtures("allowed")
async def test_who_may_publish_what_is_a_matter_of_subject_source_and_type(publish: Publish, db: Books) -> None:
    for refused in (
        await publish(by="toys"),
        await publish(source="/shop/orders/toys"),
        await publish(type="shop.inventory.commit.v1"),
    ):
        assert (refused.status, problem(refused)["type"]) == (403, "urn:kn-shop:problem:publishing-not-allowed")

    assert await db.value("select count(*) from platform.publications") == 0, "no id is used up"
    assert (await publish()).status == 202


async def test_customers_publish_nothing(ask: Ask) -> None:
    assert (await ask(publish_event, "/v1/events", DATA, roles=("customer",))).status == 403
    assert (await ask(publish_event, "/v1/events", DATA)).status == 401


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no order": ({"data": {}}, "/data/order_id"),
    "no uuid": ({"data": {"order_id": "1"}}, "/data/order_id"),
    "no object": ({"data": [1]}, "/data"),
    "no JSON": ({"data": b"{"}, "/data"),
    "not UTF-8": ({"data": b'{"order_id": "\xff"}'}, "/data"),
    "half a character": ({"data": b'{"note": "\\ud800"}'}, "/data"),
    "U+0000": ({"data": DATA | {"note": "\x00"}}, "/data"),
    "not a number": ({"data": b'{"order_id": NaN}'}, "/data"),
    "a huge number": ({"data": DATA | {"note": 2**63}}, "/data"),
    "a huge number of many digits": ({"data": f'{{"note": {"9" * 5000}}}'.encode()}, "/data"),
    "too deep": ({"data": b'{"note": ' + b"[" * 5000 + b"]" * 5000 + b"}"}, "/data"),
    "another subject": ({"subject": "order/1"}, "/subject"),
    "another key": ({"partitionkey": "1"}, "/partitionkey"),
    "a sequence": ({"sequence": "1"}, "/sequence"),
    "no time": ({"time": "yesterday"}, "/time"),
    "a time without an offset": ({"time": "2026-02-01T10:00:00"}, "/time"),
    "a time that never was": ({"time": "2026-02-30T10:00:00Z"}, "/time"),
    "an extension of the carrier": ({"knativeerrordest": "http://hold-stock"}, "/knativeerrordest"),
    "an extension of ours": ({"recordedtime": "2026-02-01T10:00:00Z"}, "/recordedtime"),
    "a name too long": ({"a" * 21: "1"}, f"/{'a' * 21}"),
    "an id too long": ({"id": "1" * 256}, "/id"),
    "attributes too long": ({"tenant": "%C3%BC" * 3000}, ""),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.usefixtures("allowed")
async def test_every_fault_is_named(case: str, publish: Publish, db: Books) -> None:
    given, pointer = WRONG[case]
    answer = await publish(**given)

    assert (answer.status, problem(answer)["type"]) == (422, "urn:kn-shop:problem:validation-failed")
    assert pointer in [fault["pointer"] for fault in problem(answer)["errors"]]
    assert await db.value("select count(*) from platform.outbox") == 0


async def test_an_unknown_version_is_told_the_known_ones(publish: Publish) -> None:
    answer = await publish(type="shop.inventory.release.v9")

    assert (answer.status, problem(answer)["known_versions"]) == (422, [TYPE])


async def test_a_batch_and_other_kinds_are_refused(ask: Ask, publish: Publish) -> None:
    batch = await ask(
        publish_event, "/v1/events", [], roles=("service",), content_type="application/cloudevents-batch+json"
    )
    assert (batch.status, problem(batch)["type"]) == (422, "urn:kn-shop:problem:not-an-event")
    assert "Batches" in problem(batch)["detail"]
    assert (await publish(id=None)).status == 422
    headers = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": SOURCE, "ce_type": TYPE}
    for more in ({"content_type": "text/plain"}, {"content_encoding": "gzip"}):
        answer = await ask(publish_event, "/v1/events", DATA, roles=("service",), **headers, **more)
        assert answer.status == 415


@pytest.mark.usefixtures("allowed")
async def test_what_may_be_published_is_the_whole_of_what_was_said_last(ask: Ask, publish: Publish) -> None:
    await allow(ask, "books", {"source": SOURCE, "types": ["shop.inventory.hold.v1"]})

    assert (await publish()).status == 403
    listed = await ask(list_publishers, "/v1/admin/publishers?subject=books", roles=("operator",))
    (one,) = json.loads(listed.body)["items"]
    assert (one["source"], one["types"]) == (SOURCE, ["shop.inventory.hold.v1"])

    assert (await allow(ask, "books")).status == 200
    listed = await ask(list_publishers, "/v1/admin/publishers", roles=("admin",))
    assert json.loads(listed.body)["items"] == []


async def test_publishers_are_listed_page_by_page(ask: Ask) -> None:
    for subject in ("toys", "books"):
        for_each = [{"source": f"/shop/orders/{name}", "types": [TYPE]} for name in ("b", "a")]
        assert (await allow(ask, subject, *for_each)).status == 200
    seen: list[tuple[str, str]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await ask(
            list_publishers,
            f"/v1/admin/publishers?limit=1&cursor={cursor}" if cursor else f"/v1/admin/publishers?limit=1&type={TYPE}",
            roles=("admin",),
        )
        page = json.loads(answer.body)
        seen += [(one["subject"], one["source"]) for one in page["items"]]
        cursor = page["next_cursor"]

    assert seen == [(subject, f"/shop/orders/{name}") for subject in ("books", "toys") for name in ("a", "b")]


@pytest.mark.parametrize(
    ("right", "pointer"),
    [
        ({"source": "/shop/orders/place-order", "types": [TYPE]}, "/may/0/source"),
        ({"source": "/shop/payments/books", "types": [TYPE]}, "/may/0/types/0"),
        ({"source": SOURCE, "types": [TYPE, "shop.orders.gift.v1"]}, "/may/0/types/1"),
        ({"source": "books", "types": [TYPE]}, "/may/0/source"),
        ({"source": SOURCE, "types": []}, "/may/0/types"),
    ],
)
async def test_what_no_consumer_would_take_cannot_be_granted(
    right: dict[str, Any], pointer: str, ask: Ask, db: Books
) -> None:
    answer = await allow(ask, "books", right)

    assert (answer.status, [fault["pointer"] for fault in problem(answer)["errors"]]) == (422, [pointer])
    assert await db.value("select count(*) from platform.publishers") == 0


@pytest.mark.usefixtures("allowed")
async def test_it_is_written_down_who_allowed_it(db: Books) -> None:
    row = await db.one("select actor, action, detail from orders.audit")

    assert (row.actor, row.action, row.detail["subject"]) == ("ada", "publisher.set", "books")
    assert await db.value("select granted_by from platform.publishers where type = %(type)s", type=TYPE) == "ada"


@pytest.mark.usefixtures("allowed")
async def test_what_was_published_a_month_ago_is_forgotten(publish: Publish, run: Run, db: Books) -> None:
    await publish(id="old")
    await publish(id="new")
    await db.run("update platform.publications set at = %(at)s where event_id = 'old'", at=NOW - timedelta(days=31))
    await run(forget_old_rows, now=NOW)

    assert await db.value("select array_agg(event_id) from platform.publications") == ["new"]


async def test_the_database_itself_keeps_to_the_types_that_are_declared(database: Any) -> None:
    """A defect in the function could not bring a stranger's type into the log."""
    from psycopg import AsyncConnection
    from psycopg.errors import InsufficientPrivilege

    statement = (
        "insert into platform.outbox (id, source, type, topic, partition, key, time, data)"
        " values ('1', '/s', %s, 't', 0, 'k', now(), '')"
    )
    connection = await AsyncConnection.connect(database.app_url, autocommit=True)
    async with connection:
        await connection.execute("set role fn_publish_event")
        await connection.execute(statement, (next(iter(PUBLISHABLE)),))
        with pytest.raises(InsufficientPrivilege):
            await connection.execute(statement, ("com.example.type",))
