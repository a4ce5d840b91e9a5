"""What no function could take lands on the operators' workbench, and goes back as it was first sent."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any

from functions.inventory.hold_stock import hold_stock
from functions.platform.collect_dead_letters import collect_dead_letters
from functions.platform.group_dead_letters import group_dead_letters
from functions.platform.list_dead_letters import list_dead_letters
from functions.platform.replay_dead_letters import replay_dead_letters
from infra.local.postgres import Cloned
from shared.runtime import Envelope
from shared.runtime.events import partition_of
from shared.runtime.ids import new_id
from shared.runtime.problems import NotAnEvent
from shared.runtime.serve import Endpoint
from shared.runtime.settings import Settings
from tests.conftest import Ask, Books
from tests.functions.platform.conftest import opened
from tests.issuer import Issuer

OPERATOR = ("operator",)
EndpointOf = Callable[[Callable[..., Any]], Endpoint[Any]]


def refused(
    consumer: str = "hold-stock", offset: int = 7, id: str = "event-1", key: str = "order-1", **extensions: str
) -> Envelope:
    """A dead letter as the carrier hands it over."""
    answer = NotAnEvent(detail=f"The data does not fit: /lines/{offset}").body()
    return Envelope(
        id=id,
        source="/shop/orders/place-order",
        type="shop.inventory.hold.v1",
        time="2026-03-01T12:00:00.123456Z",
        data=b'{"order_id": "no uuid"}',
        subject="order/ö 1",
        partitionkey=key,
        sequence="12",
        correlationid="c-1",
        extensions={
            "tenant": "north",
            "knativekafkapartition": "3",
            "knativekafkaoffset": str(offset),
            "knativeerrordest": f"http://{consumer}.shop.svc.cluster.local/",
            "knativeerrorcode": "422",
            "knativeerrordata": b64encode(answer).decode(),
            **extensions,
        },
    )


async def collect(endpoint_of: EndpointOf, letter: Envelope) -> None:
    target = endpoint_of(collect_dead_letters)
    answer = await target.handle("POST", "/", b"", letter.to_http_headers(), letter.data)
    assert answer.status == 204, answer


async def listed(ask: Ask, query: str = "") -> Any:
    return json.loads((await ask(list_dead_letters, f"/v1/dead-letters{query}", roles=OPERATOR)).body)["items"]


async def replay(ask: Ask, key: str, **request: Any) -> Any:
    answer = await ask(replay_dead_letters, "/v1/dead-letters/replay", request, roles=OPERATOR, idempotency_key=key)
    assert answer.status == 200, answer
    return json.loads(answer.body)


async def test_a_dead_letter_says_who_refused_it_and_why(ask: Ask, endpoint_of: EndpointOf) -> None:
    await collect(endpoint_of, refused())
    (item,) = await listed(ask)

    assert item["consumer"] == "hold-stock"
    assert (item["reason"], item["status_code"], item["key"]) == ("dead-lettered", 422, "order-1")
    assert item["error"] == "The message is not a CloudEvent that this function takes: The data does not fit: /lines/7"
    assert "data" not in item


async def test_one_event_may_die_at_two_functions_and_die_again(ask: Ask, endpoint_of: EndpointOf, db: Books) -> None:
    await collect(endpoint_of, refused("hold-stock"))
    await collect(endpoint_of, refused("advance-order"))
    await collect(endpoint_of, refused("advance-order"))
    await replay(ask, "k", consumer="advance-order")
    open_after_replay = await listed(ask, "?state=open")
    await collect(endpoint_of, refused("advance-order", offset=8))

    assert [item["consumer"] for item in open_after_replay] == ["hold-stock"]
    assert {item["consumer"]: item["replays"] for item in await listed(ask, "?state=open")} == {
        "hold-stock": 0,
        "advance-order": 1,
    }


async def test_a_letter_that_does_not_say_where_it_died_is_not_lost(
    ask: Ask, endpoint_of: EndpointOf, db: Books
) -> None:
    letter = refused(knativeerrordest="nowhere")
    for _ in range(5):
        await endpoint_of(collect_dead_letters).handle("POST", "/", b"", letter.to_http_headers(), letter.data)
    (item,) = await listed(ask)

    assert (item["consumer"], item["reason"]) == ("collect-dead-letters", "parked")


async def test_an_answer_that_is_no_problem_is_shown_as_it_is(ask: Ask, endpoint_of: EndpointOf) -> None:
    await collect(endpoint_of, refused(id="a", knativeerrordata=b64encode(b"bad gateway \xff").decode()))
    await collect(endpoint_of, refused(id="b", knativeerrordata="plain, as it is", knativeerrorcode="x"))
    await collect(endpoint_of, refused(id="c", knativeerrordata=""))

    assert {item["event_id"]: (item["status_code"], item["error"]) for item in await listed(ask)} == {
        "a": (422, "bad gateway \ufffd"),
        "b": (None, "plain, as it is"),
        "c": (422, "The function gave no answer."),
    }


async def test_the_original_event_goes_back_without_what_was_added_on_the_way(
    ask: Ask, endpoint_of: EndpointOf, db: Books
) -> None:
    await collect(endpoint_of, refused())
    told = await replay(ask, "k", consumer="hold-stock")
    row = await db.one("select * from platform.outbox")

    assert told == {"replayed": 1, "remaining": 0, "dry_run": False}
    assert (row.topic, row.key, row.partition) == ("shop.retry.hold-stock", "order-1", partition_of("order-1"))
    assert (row.id, row.source, row.type) == ("event-1", "/shop/orders/place-order", "shop.inventory.hold.v1")
    assert (row.subject, row.sequence, row.correlationid) == ("order/ö 1", 12, "c-1")
    assert row.time.isoformat() == "2026-03-01T12:00:00.123456+00:00"
    assert (row.extensions, row.content_type) == ({"tenant": "north"}, "application/json")
    assert bytes(row.data) == b'{"order_id": "no uuid"}'


async def test_a_strangers_event_goes_back_too(ask: Ask, endpoint_of: EndpointOf, db: Books) -> None:
    letter = refused()
    stranger = Envelope(
        id="x", source="urn:them", type="them.said", time="yesterday", data=b"", sequence="first",
        datacontenttype=None, extensions=letter.extensions,
    )  # fmt: skip
    await collect(endpoint_of, stranger)
    await replay(ask, "k")
    row = await db.one("select o.*, d.received_at from platform.outbox o, platform.dead_letters d")

    assert (row.key, row.sequence, row.content_type) == ("x", None, None)
    assert row.time == row.received_at


async def test_letters_are_chosen_by_consumer_cause_or_name(ask: Ask, endpoint_of: EndpointOf, db: Books) -> None:
    for number in range(3):
        await collect(endpoint_of, refused(id=f"a{number}", offset=number))
    await collect(endpoint_of, refused("advance-order", id="b"))
    first, *_ = letters = await listed(ask, "?consumer=hold-stock")
    (group, other) = json.loads((await ask(group_dead_letters, "/v1/dead-letters/groups", roles=OPERATOR)).body)[
        "items"
    ]

    assert {letter["fingerprint"] for letter in letters} == {group["fingerprint"]} == {other["fingerprint"]}
    assert (group["consumer"], group["letters"], group["keys"], other["letters"]) == ("hold-stock", 3, 1, 1)
    assert (await replay(ask, "1", fingerprint=group["fingerprint"], dry_run=True))["replayed"] == 4
    assert (await replay(ask, "2", ids=[first["id"]]))["replayed"] == 1
    assert (await replay(ask, "3", ids=[first["id"]], consumer="advance-order"))["replayed"] == 0
    assert (await replay(ask, "4", consumer="hold-stock"))["replayed"] == 2
    assert (await replay(ask, "5", ids=[first["id"]]))["replayed"] == 1
    assert (await replay(ask, "5", ids=[first["id"]]))["replayed"] == 1
    assert await db.value("select count(*) from platform.outbox") == 4
    assert await db.value("select replays from platform.dead_letters where id = %(id)s", id=first["id"]) == 2


async def test_letters_of_a_key_go_back_in_their_order(ask: Ask, endpoint_of: EndpointOf, db: Books) -> None:
    for number, (key, second) in enumerate([("b", 9), ("a", 3), ("b", 2), ("a", 1), ("b", 5)]):
        letter = refused(id=f"{key}{second}", key=key, offset=number)
        headers = letter.to_http_headers() | {"ce-time": f"2026-03-01T12:00:0{second}.000000Z"}
        await endpoint_of(collect_dead_letters).handle("POST", "/", b"", headers, letter.data)
    await replay(ask, "k")
    rows = await db.all("select id from platform.outbox order by position")

    assert [row.id for row in rows] == ["a1", "a3", "b2", "b5", "b9"]


async def test_a_replay_forgives_the_attempts(ask: Ask, deliver: Callable[..., Awaitable[Any]], db: Books) -> None:
    """A function that fails again has all its attempts before it is parked again."""
    await db.run(
        "insert into platform.attempts (consumer, source, event_id, attempts, last_error)"
        " values ('hold-stock', '/s', 'e', 5, 'no'), ('hold-stock', '/s', 'f', 4, 'no')"
    )
    await db.run(
        """insert into platform.dead_letters
          (consumer, source, event_id, type, reason, error, fingerprint, headers, data)
          values ('hold-stock', '/s', 'e', 't', 'parked', 'no', 'f',
          '{"ce-specversion": "1.0", "ce-id": "e", "ce-source": "/s", "ce-type": "t"}', '')"""
    )
    await replay(ask, "k")
    rows = await db.all("select event_id, attempts from platform.attempts order by event_id")

    assert [tuple(row) for row in rows] == [("e", 0), ("f", 4)]


async def test_pages_follow_each_other(ask: Ask, endpoint_of: EndpointOf) -> None:
    for number in range(5):
        await collect(endpoint_of, refused(id=str(number), offset=number))
    seen, path = [], "/v1/dead-letters?limit=2"
    while path:
        answer = await ask(list_dead_letters, path, roles=OPERATOR)
        seen += [item["event_id"] for item in json.loads(answer.body)["items"]]
        path = answer.headers["link"].split(">")[0][1:] if "link" in answer.headers else ""

    assert seen == ["4", "3", "2", "1", "0"]


async def test_only_operators_see_and_replay(ask: Ask) -> None:
    for roles in (("customer",), ("admin",)):
        assert (await ask(list_dead_letters, "/v1/dead-letters", roles=roles)).status == 403
        answer = await ask(replay_dead_letters, "/v1/dead-letters/replay", {}, roles=roles, idempotency_key="k")
        assert answer.status == 403


async def test_a_thousand_go_back_twice_and_each_has_one_effect(
    ask: Ask, db: Books, database: Cloned, settings: Settings, issuer: Issuer
) -> None:
    """The function was broken when they came; it works when they come again, and again."""
    await db.run("insert into inventory.locations (id, name, created_at) values ('LON', 'London', now())")
    await db.run("insert into inventory.stock (sku, location, on_hand) values ('mug', 'LON', 5000)")
    await db.run(
        "with orders as (select gen_random_uuid() as id, n from generate_series(1, 1000) n), said as ("
        "  insert into platform.outbox (id, source, type, topic, partition, key, sequence, time, content_type, data)"
        "  select 'event-' || n, '/shop/orders/place-order', 'shop.inventory.hold.v1', 'shop.inventory.commands',"
        "   n %% 16, id::text, 1, now(), 'application/json', convert_to(jsonb_build_object('order_id', id,"
        "   'expires_in_s', 900, 'lines', jsonb_build_array(jsonb_build_object('sku', 'mug', 'quantity', 2)))::text,"
        "   'UTF8') from orders)"
        " insert into platform.streams select 'shop.inventory.commands', id::text, 1 from orders"
    )
    broken = {"hold-stock": (422, b"broken")}
    async with opened(database, settings, issuer, **broken) as shop:
        await shop.quiet()
    died = await db.value("select count(*) from platform.dead_letters where replayed_at is null")
    letters = [str(row.id) for row in await db.all("select id from platform.dead_letters")]
    async with opened(database, settings, issuer) as shop:
        first = await replay(ask, "first")
        second = await replay(ask, "second", ids=letters)
        await shop.quiet()

    assert (died, first["replayed"], second["replayed"]) == (1000, 1000, 1000)
    assert await db.value("select held from inventory.stock") == 2000
    assert await db.value("select count(*) from inventory.holds where status = 'HELD'") == 1000
    assert await db.value("select count(*) from platform.outbox where type = 'shop.inventory.hold.held.v1'") == 1000
    assert await db.value("select count(*) from platform.outbox where topic = 'shop.retry.hold-stock'") == 2000


async def test_replays_at_the_same_time_send_each_letter_once(ask: Ask, endpoint_of: EndpointOf, db: Books) -> None:
    for number in range(20):
        await collect(endpoint_of, refused(id=str(number), offset=number))
    told = await asyncio.gather(*(replay(ask, str(new_id())) for _ in range(4)))

    assert sum(one["replayed"] for one in told) == 20
    assert await db.value("select count(*) from platform.outbox") == 20


def test_the_collector_reads_every_dead_letter_topic_but_its_own() -> None:
    from functions import load_all
    from infra.dispatcher.subscriptions import subscriptions

    known = {one.consumer.name: one.consumer.topics for one in subscriptions(load_all().values())}
    own = known.pop("collect-dead-letters")

    assert set(own) == {f"shop.dead.{name}" for name in known} | {"shop.retry.collect-dead-letters"}
    assert f"shop.dead.{hold_stock.__name__.replace('_', '-')}" in own
