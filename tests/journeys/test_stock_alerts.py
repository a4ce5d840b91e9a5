"""Stock that runs low is told by webhook and by mail, each alert once, in a shop of real processes that are killed."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from standardwebhooks.webhooks import Webhook

from tests.processes import Api, Shop, running_shop, until
from tests.receivers import HookReceiver, MailReceiver, hook_receiver, mail_receiver

pytestmark = pytest.mark.xdist_group("shop")


@pytest.fixture
async def receiver() -> AsyncIterator[HookReceiver]:
    async with hook_receiver() as running:
        yield running


@pytest.fixture
def post() -> Iterator[MailReceiver]:
    with mail_receiver() as running:
        yield running


@pytest.fixture
def told_shop(post: MailReceiver) -> Iterator[Shop]:
    url = f"smtp://127.0.0.1:{post.port}?starttls=off"
    with running_shop(EGRESS_GUARD="off", SMTP_URL=url, ALERTS_FROM="stock@shop.example") as shop:
        yield shop


async def test_low_stock_is_told_and_told_again_after_a_kill(
    told_shop: Shop, api_to: Callable[[Shop], Api], receiver: HookReceiver, post: MailReceiver
) -> None:
    api = api_to(told_shop)
    hook = await api.ask("POST", "/v1/alert-targets", {"channel": "webhook", "address": receiver.url})
    mail = await api.ask("POST", "/v1/alert-targets", {"channel": "mail", "address": "buyer@example.com"})
    assert (hook.status, mail.status) == (201, 201)
    receiver.answers = ["hang"]
    sku = await api.stocked(on_hand=6)
    order = await api.place(sku, 2)

    await until(lambda: called(receiver, 1))
    told_shop.kill("dispatch")  # between the call and its settling
    await until(lambda: called(receiver, 2))
    await until(lambda: settled(api, 2))
    await api.ended(order["id"])
    await api.place(sku, 4)
    await until(lambda: settled(api, 4))

    assert Counter(json.loads(made.body)["type"] for made in receiver.calls) == {
        "inventory.stock.low": 2, "inventory.stock.out": 1,
    }  # fmt: skip
    assert len(set(receiver.ids)) == 2, "what was sent again kept its id"
    for made in receiver.calls:
        assert Webhook(hook.body["secret"]).verify(made.body, made.headers)["data"]["sku"] == sku
    mails = {str(one["Message-ID"]): str(one["Subject"]) for one in post.mails}  # the killed run's may come again
    assert sorted(mails.values()) == [f"Low stock: {sku}, 4 left", f"Out of stock: {sku}"]
    await api.at_rest()


async def called(receiver: HookReceiver, times: int) -> bool:
    return len(receiver.calls) >= times


async def settled(api: Api, count: int) -> bool:
    items = (await api.ask("GET", "/v1/alert-deliveries")).body["items"]
    return [one["status"] for one in items] == ["delivered"] * count
