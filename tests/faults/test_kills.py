"""Parts of a running shop are killed with SIGKILL while its orders are under way: nothing is lost, doubled or left."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import psycopg
import pytest

from tests.processes import Api, Shop, has_ended, running_shop, until

pytestmark = pytest.mark.xdist_group("doomed-shop")

CARDS = ("tok_approve", "tok_approve", "tok_decline", "tok_capture_fails", "tok_error_after_charge", "tok_slow")
PARTS = ("web", "dispatch", "relay", "provider", "postgres")
COMMITS = "select count(*) from platform.outbox"


@pytest.fixture(scope="module", params=["embedded", pytest.param("kafka", marks=pytest.mark.nightly)])
def doomed(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with running_shop(**({"BROKER": "kafka"} if request.param == "kafka" else {})) as shop:
        yield shop


@pytest.fixture
def api(doomed: Shop, api_to: Callable[[Shop], Api]) -> Api:
    return api_to(doomed)


def events(shop: Shop) -> int:
    """How many events were ever committed, each in a commit that a kill may come before or after."""
    while True:
        with suppress(psycopg.OperationalError), psycopg.connect(shop.owner_url, connect_timeout=5) as connection:
            row = connection.execute(COMMITS).fetchone()
            assert row is not None
            return int(row[0])


@asynccontextmanager
async def killed_after(shop: Shop, part: str, commits: int) -> AsyncIterator[None]:
    """Kills `part` as soon as so many more events are committed; the body runs meanwhile."""

    def kill(before: int) -> None:
        while events(shop) < before + commits:
            pass
        shop.kill(part)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.to_thread(kill, await asyncio.to_thread(events, shop)))
        yield


async def orders_end(api: Api, chance: random.Random, count: int) -> None:
    """Some buy, some of them cancel; every order comes to its end."""
    sku = await api.stocked(count)

    async def buys(card: str, cancels: bool) -> None:
        order = await api.place(sku, card=card)
        path = f"/v1/orders/{order['id']}"
        if cancels:
            await api.ask("POST", f"{path}/cancel", {"reason": "changed my mind"})

        async def ended() -> bool:
            return has_ended(await api.order(order["id"]))

        await until(ended)

    await asyncio.gather(*(buys(chance.choice(CARDS), chance.random() < 0.25) for _ in range(count)))


@pytest.mark.parametrize("commits", [1, 2, 4, 6, 8])
async def test_what_serves_is_killed_at_each_step_of_an_order(commits: int, api: Api) -> None:
    sku = await api.stocked(1)
    async with killed_after(api.shop, "dispatch", commits):
        order = await api.place(sku)
        assert (await api.ended(order["id"]))["status"] == "confirmed"
    await api.at_rest()


@pytest.mark.parametrize("part", PARTS)
async def test_any_part_is_killed_while_orders_are_under_way(part: str, api: Api) -> None:
    chance = random.Random(part)
    async with killed_after(api.shop, part, chance.randint(1, 30)):
        await orders_end(api, chance, 8)
    await api.at_rest()


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(2, 60))])
async def test_several_parts_are_killed_one_after_the_other(seed: int, api: Api) -> None:
    chance = random.Random(seed)
    kills = [(chance.choice(PARTS), chance.randint(1, 40)) for _ in range(4)]

    async def kill_all() -> None:
        for part, commits in kills:
            async with killed_after(api.shop, part, commits):
                pass

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(kill_all())
        for _ in range(4):
            await orders_end(api, chance, 6)
    await api.at_rest()
