"""Targets of alerts: who may be told, the secret that is shown once, and what was sent to them."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from functions.inventory.create_alert_target import create_alert_target
from functions.inventory.delete_alert_target import delete_alert_target
from functions.inventory.forget_old_alerts import forget_old_alerts
from functions.inventory.get_alert_delivery import get_alert_delivery
from functions.inventory.get_alert_target import get_alert_target
from functions.inventory.list_alert_deliveries import list_alert_deliveries
from functions.inventory.list_alert_targets import list_alert_targets
from functions.inventory.measure_stock import measure_stock
from functions.inventory.redeliver_alert import redeliver_alert
from functions.inventory.rotate_alert_secret import RotateAlertSecret, rotate_alert_secret
from functions.inventory.send_test_alert import send_test_alert
from functions.inventory.update_alert_target import update_alert_target
from shared.runtime.settings import Settings
from tests.conftest import ADMIN, Ask, Books, Run
from tests.functions.inventory.alerting import SECRET, Hear, Sender, add_target, enough, hearer, low, out
from tests.functions.inventory.conftest import Stocked
from tests.receivers import HookReceiver, hook_receiver

URL = "https://hooks.example.com/services/T0/B0/very-secret"
AS_ADMIN = ("admin",)
NOBODY = UUID(int=404)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, egress_guard=False)


@pytest.fixture
def hear(endpoint_of: Callable[[Callable[..., Any]], Any], stocked: Stocked) -> Hear:
    return hearer(endpoint_of)


@pytest.fixture
async def receiver() -> AsyncIterator[HookReceiver]:
    async with hook_receiver() as running:
        yield running


@pytest.fixture
async def send(run: Run, db: Books) -> Sender:
    return Sender(run, db, await db.value("select now() + interval '1 minute'"))


async def create(ask: Ask, status: int = 201, **said: Any) -> Any:
    body = {"channel": "webhook", "address": URL} | said
    answer = await ask(create_alert_target, "/v1/alert-targets", body, roles=AS_ADMIN)
    assert answer.status == status, answer.body
    return json.loads(answer.body)


async def test_the_secret_is_shown_once(ask: Ask, db: Books) -> None:
    made = await create(ask, name="Chat", kinds=["out", "low", "out"])
    shown = await ask(get_alert_target, f"/v1/alert-targets/{made['id']}", roles=AS_ADMIN)
    listed = await ask(list_alert_targets, "/v1/alert-targets", roles=AS_ADMIN)

    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    Webhook(secret)
    assert json.loads(shown.body) == json.loads(listed.body)["items"][0] == made
    assert secret.encode() not in shown.body + listed.body
    assert (made["name"], made["kinds"], made["enabled"], made["version"]) == ("Chat", ["low", "out"], True, 1)
    assert shown.headers["etag"] == '"1"'


async def test_who_lists_targets_may_not_read_secrets(db: Books) -> None:
    readers = await db.all("""
        select grantee from information_schema.role_table_grants
        where table_schema = 'inventory' and table_name = 'alert_secrets' and privilege_type = 'SELECT'
          and grantee like 'fn_%%'""")
    assert {row.grantee for row in readers} == {
        "fn_create_alert_target", "fn_delete_alert_target", "fn_rotate_alert_secret", "fn_send_alerts",
    }  # fmt: skip


async def test_a_mail_address_has_no_secret(ask: Ask) -> None:
    made = await create(ask, channel="mail", address="Stock+Alerts@mail.example.com")

    assert made["secret"] is None
    assert made["kinds"] == ["back_in_stock", "low", "made_good", "out", "shortfall"]


@pytest.mark.parametrize(
    "address",
    [
        "http://hooks.example.com/very-secret", "https://10.0.0.1/very-secret", "https://localhost/very-secret",
        "https://ann:very-secret@hooks.example.com/", "https://[::ffff:127.0.0.1]/very-secret", "very-secret",
        "https://169.254.169.254/latest/very-secret",
    ],
)  # fmt: skip
async def test_an_address_inside_the_network_is_refused_without_repeating_it(
    ask: Ask, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = await create(ask, 422, address=address)

    assert problem["type"] == "urn:kn-shop:problem:address-refused"
    assert problem["reason"]
    assert "very-secret" not in json.dumps(problem) + capsys.readouterr().out


@pytest.mark.parametrize(
    "address",
    [
        "ann", "ann@", "@example.com", "ann@example", "ann@example.com, eve@example.com", "Ann <ann@example.com>",
        "ann@example.com\r\nBcc: eve@example.com", "ann@example.com\n", '"ann b"@example.com', "ann@exa mple.com",
        "ann@-example.com", "ann..b@example.com", "zoë@example.com", "ann@[127.0.0.1]", "a" * 65 + "@example.com",
        "ann@" + "a." * 130 + "com",
    ],
)  # fmt: skip
async def test_what_is_no_mail_address_is_refused(ask: Ask, address: str) -> None:
    problem = await create(ask, 422, channel="mail", address=address)

    assert problem["type"] == "urn:kn-shop:problem:address-refused"


@pytest.mark.parametrize(
    "said",
    [
        {"channel": "pigeon"}, {"kinds": []}, {"kinds": ["lost"]}, {"kinds": "low"}, {"kinds": ["low"] * 21},
        {"enabled": "yes"}, {"enabled": 1}, {"address": ""}, {"address": 2**63}, {"address": None},
        {"address": "https://e.com/\x00"}, {"address": "https://" + "e" * 2000}, {"name": " "}, {"secret": "mine"},
    ],
)  # fmt: skip
async def test_bad_input_is_told(ask: Ask, said: dict[str, Any]) -> None:
    problem = await create(ask, 422, **said)

    assert problem["type"] == "urn:kn-shop:problem:validation-failed"
    assert problem["errors"]


async def test_a_lone_surrogate_is_told(ask: Ask) -> None:
    body = b'{"channel": "webhook", "address": "https://e.com/\\ud800"}'
    answer = await ask(create_alert_target, "/v1/alert-targets", body, roles=AS_ADMIN)

    assert answer.status == 400


async def test_an_address_is_told_once(ask: Ask) -> None:
    first = await create(ask)
    problem = await create(ask, 409)
    assert problem["target"] == first["id"]

    other = await create(ask, address=URL + "/2")
    answer = await change(ask, other["id"], {"address": URL})
    assert (answer.status, json.loads(answer.body)["target"]) == (409, first["id"])

    await ask(delete_alert_target, f"/v1/alert-targets/{first['id']}", roles=AS_ADMIN)
    await create(ask)


async def change(ask: Ask, target: str, patch: dict[str, Any], version: int = 1) -> Any:
    path = f"/v1/alert-targets/{target}"
    return await ask(update_alert_target, path, patch, roles=AS_ADMIN, if_match=f'"{version}"')


async def test_a_target_is_changed_by_what_is_said(ask: Ask) -> None:
    made = await create(ask)
    after = await change(ask, made["id"], {"kinds": ["out"], "name": "Night"})
    same = await change(ask, made["id"], {"name": "Night"}, version=2)
    stale = await change(ask, made["id"], {"name": "Day"})
    refused = await change(ask, made["id"], {"address": "https://10.0.0.1/"}, version=2)

    shown = json.loads(after.body)
    assert (shown["kinds"], shown["name"], shown["address"], shown["version"]) == (["out"], "Night", URL, 2)
    assert json.loads(same.body) == shown
    assert (stale.status, refused.status) == (412, 422)


async def test_what_waits_fails_when_its_target_is_disabled(hear: Hear, ask: Ask, db: Books, send: Sender) -> None:
    made = await create(ask)
    await hear(low())
    await change(ask, made["id"], {"enabled": False})
    await hear(out())
    await send()

    (delivery,) = (await deliveries(ask))["items"]
    assert (delivery["status"], delivery["attempts"], delivery["reason"]) == ("failed", 0, "The target was disabled.")
    again = await ask(redeliver_alert, f"/v1/alert-deliveries/{delivery['id']}/redelivery", roles=AS_ADMIN)
    assert again.status == 409


async def deliveries(ask: Ask, query: str = "") -> Any:
    answer = await ask(list_alert_deliveries, f"/v1/alert-deliveries{query}", roles=AS_ADMIN)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


async def test_a_deleted_target_is_forgotten_but_for_what_it_was_sent(
    hear: Hear, ask: Ask, db: Books, send: Sender, receiver: HookReceiver
) -> None:
    target = await add_target(db, receiver.url)
    await hear(low())
    await send()
    await hear(out())
    path = f"/v1/alert-targets/{target}"
    await ask(send_test_alert, f"{path}/test", roles=AS_ADMIN)
    gone = await ask(delete_alert_target, path, roles=AS_ADMIN)
    await hear(enough())
    await send()

    assert gone.status == 204
    assert len(receiver.calls) == 1
    for function, method in ((get_alert_target, "GET"), (delete_alert_target, "DELETE")):
        assert (await ask(function, path, roles=AS_ADMIN, method=method)).status == 404
    assert (await change(ask, str(target), {"enabled": True})).status == 404
    assert (await ask(send_test_alert, f"{path}/test", roles=AS_ADMIN)).status == 404
    assert (await ask(rotate_alert_secret, f"{path}/secret", roles=AS_ADMIN)).status == 404
    row = await db.one(
        "select address, (select count(*) from inventory.alert_secrets) as secrets from inventory.alert_targets"
    )
    assert (row.address, row.secrets) == (None, 0)
    log = (await deliveries(ask))["items"]
    assert sorted(one["status"] for one in log) == ["delivered", "failed", "failed"]
    again = await ask(redeliver_alert, f"/v1/alert-deliveries/{log[-1]['id']}/redelivery", roles=AS_ADMIN)
    assert again.status == 409


async def test_an_old_secret_signs_for_a_day_beside_the_new(
    hear: Hear, run: Run, db: Books, send: Sender, receiver: HookReceiver
) -> None:
    target = await add_target(db, receiver.url)
    rotated, _ = await run(rotate_alert_secret, RotateAlertSecret(target=target), caller=ADMIN, now=send.now)
    await hear(low())
    await send()
    first = receiver.calls[-1]
    for secret in (SECRET, rotated.secret):
        Webhook(secret).verify(first.body, first.headers)

    await db.run("update inventory.alert_secrets set ends_at = now() - interval '1 s' where ends_at is not null")
    await hear(out())
    await send()
    last = receiver.calls[-1]
    Webhook(rotated.secret).verify(last.body, last.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(last.body, last.headers)


async def test_rotated_twice_only_two_sign(run: Run, db: Books, ask: Ask) -> None:
    target = await add_target(db, URL)
    secrets = [
        (await run(rotate_alert_secret, RotateAlertSecret(target=target), caller=ADMIN))[0].secret for _ in range(2)
    ]
    kept = await db.all("select secret from inventory.alert_secrets order by ends_at nulls first")

    assert [row.secret for row in kept] == [secrets[1], secrets[0]]
    mail = await add_target(db, "ann@example.com", channel="mail")
    assert (await ask(rotate_alert_secret, f"/v1/alert-targets/{mail}/secret", roles=AS_ADMIN)).status == 409


async def test_a_test_reaches_a_disabled_target_too(ask: Ask, db: Books, send: Sender, receiver: HookReceiver) -> None:
    target = await add_target(db, receiver.url, enabled=False)
    begun = await ask(send_test_alert, f"/v1/alert-targets/{target}/test", roles=AS_ADMIN)
    await send()

    (made,) = receiver.calls
    delivery = json.loads(begun.body)
    assert (begun.status, delivery["status"], delivery["alert"], delivery["kind"]) == (202, "pending", None, None)
    assert made.headers["webhook-id"] == delivery["id"]
    assert json.loads(made.body)["type"] == "inventory.alert.test"
    Webhook(SECRET).verify(made.body, made.headers)
    shown = await ask(get_alert_delivery, f"/v1/alert-deliveries/{delivery['id']}", roles=AS_ADMIN)
    assert json.loads(shown.body)["status"] == "delivered"


async def test_redelivered_under_the_same_id_with_all_tries_anew(
    hear: Hear, ask: Ask, db: Books, send: Sender, receiver: HookReceiver
) -> None:
    await add_target(db, receiver.url)
    await hear(low())
    receiver.answers = [410, 500, 200]
    await send()
    await db.run("update inventory.alert_targets set enabled = true, disabled_reason = null")
    (delivery,) = (await deliveries(ask, "?status=failed"))["items"]
    path = f"/v1/alert-deliveries/{delivery['id']}"
    again = await ask(redeliver_alert, f"{path}/redelivery", roles=AS_ADMIN)
    await send()
    assert await send.at_next() < timedelta(seconds=10), "its tries began anew"

    assert (again.status, json.loads(again.body)["status"]) == (202, "pending")
    assert set(receiver.ids) == {delivery["id"]}
    shown = json.loads((await ask(get_alert_delivery, path, roles=AS_ADMIN)).body)
    assert (shown["status"], shown["attempts"], shown["answer"], shown["kind"]) == ("delivered", 3, 200, "low")
    assert [(one["number"], one["outcome"], one["answer"]) for one in shown["log"]] == [
        (3, "delivered", 200), (2, "retry", 500), (1, "failed", 410),
    ]  # fmt: skip


async def test_what_waits_for_its_next_try_need_not_wait(
    hear: Hear, ask: Ask, db: Books, send: Sender, receiver: HookReceiver
) -> None:
    await add_target(db, receiver.url)
    await hear(low())
    receiver.answers = [(503, {"retry-after": "20000"})]
    await send()
    (delivery,) = (await deliveries(ask, "?status=pending"))["items"]
    await ask(redeliver_alert, f"/v1/alert-deliveries/{delivery['id']}/redelivery", roles=AS_ADMIN)
    await send()

    assert len(receiver.calls) == 2


async def test_deliveries_are_listed_by_target_status_and_alert(
    hear: Hear, ask: Ask, db: Books, send: Sender, receiver: HookReceiver
) -> None:
    await add_target(db, receiver.url)
    mail = await add_target(db, "ann@example.com", channel="mail")
    for event in (low(), out(), enough()):
        await hear(event)
    await send()
    every: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await deliveries(ask, f"?limit=4{cursor and f'&cursor={cursor}'}")
        every += page["items"]
        cursor = page["next_cursor"]

    assert len({one["id"] for one in every}) == len(every) == 6
    assert every == sorted(every, key=lambda one: (one["created_at"], one["id"]), reverse=True)
    assert len((await deliveries(ask, "?status=delivered"))["items"]) == 3
    assert len((await deliveries(ask, f"?target={mail}"))["items"]) == 3
    assert len((await deliveries(ask, f"?target={mail}&status=delivered"))["items"]) == 0
    assert len((await deliveries(ask, f"?alert={every[0]['alert']}"))["items"]) == 2


@pytest.mark.parametrize("query", ["?target=x", "?status=lost", "?cursor=x", "?limit=0", "?alert=%00", "?who=me"])
async def test_bad_queries_are_told(ask: Ask, query: str) -> None:
    answer = await ask(list_alert_deliveries, f"/v1/alert-deliveries{query}", roles=AS_ADMIN)

    assert answer.status == 422


async def test_what_is_not_there(ask: Ask) -> None:
    for function, path in (
        (get_alert_target, f"/v1/alert-targets/{NOBODY}"),
        (get_alert_delivery, f"/v1/alert-deliveries/{NOBODY}"),
        (redeliver_alert, f"/v1/alert-deliveries/{NOBODY}/redelivery"),
    ):
        assert (await ask(function, path, roles=AS_ADMIN)).status == 404
        assert (await ask(function, path.replace(str(NOBODY), "x"), roles=AS_ADMIN)).status == 422


async def test_old_alerts_are_forgotten_with_their_log(
    hear: Hear, ask: Ask, run: Run, db: Books, send: Sender, receiver: HookReceiver
) -> None:
    target = await add_target(db, receiver.url)
    for event in (low(), enough(), low(), out("TEA")):
        await hear(event)
    await ask(send_test_alert, f"/v1/alert-targets/{target}/test", roles=AS_ADMIN)
    await send()

    await run(forget_old_alerts, now=send.now + timedelta(days=89))
    assert await counts(db) == (4, 5, 5)
    await db.run("""
        update inventory.alert_deliveries set status = 'pending', next_at = now(), ended_at = null
        where alert = (select id from inventory.alerts where kind = 'back_in_stock')""")
    await run(forget_old_alerts, now=send.now + timedelta(days=91))
    assert await counts(db) == (3, 3, 3), "what is open and what is still to be sent stays"


async def counts(db: Books) -> tuple[int, int, int]:
    row = await db.one("""
        select (select count(*) from inventory.alerts) as alerts,
          (select count(*) from inventory.alert_deliveries) as deliveries,
          (select count(*) from inventory.alert_attempts) as attempts""")
    return row.alerts, row.deliveries, row.attempts


async def test_what_waits_is_measured(hear: Hear, run: Run, db: Books, send: Sender, receiver: HookReceiver) -> None:
    def measured() -> list[float | None]:
        names = ("alerts_waiting", "alerts_oldest_seconds", "alerts_overdue_seconds")
        return [REGISTRY.get_sample_value(f"shop_inventory_{name}") for name in names]

    def counted(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(f"shop_inventory_{name}_total", labels) or 0

    raised, tried = counted("alerts_raised", kind="low"), counted("alert_attempts", channel="webhook", outcome="retry")
    await add_target(db, receiver.url)
    await hear(low())
    receiver.answers = [500]
    await send()
    await db.run("""
        update inventory.alert_deliveries
        set asked_at = now() - interval '1 hour', next_at = now() - interval '10 minutes'""")
    await run(measure_stock)
    waiting, oldest_s, overdue_s = measured()

    assert (waiting, round(oldest_s or 0, -2), round(overdue_s or 0, -1)) == (1, 3600, 600)
    assert counted("alerts_raised", kind="low") == raised + 1
    assert counted("alert_attempts", channel="webhook", outcome="retry") == tried + 1
    await send(after=timedelta(days=1))
    await run(measure_stock)
    assert measured() == [0, 0, 0], "nothing waits any more"
