"""Mails arrive at a real SMTP server, each alert under one Message-ID."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from shared.inventory.alert_messages import SENTENCES, SUBJECTS, TYPES, subject_of, text_of
from shared.inventory.alerts import RULES
from shared.runtime.settings import Settings
from tests.conftest import NOW, Books, Run
from tests.functions.inventory.alerting import (
    Hear,
    Sender,
    add_target,
    enough,
    hearer,
    low,
    low_at,
    out,
    short,
)
from tests.functions.inventory.conftest import Stocked
from tests.receivers import MailReceiver, mail_receiver, refused_port

LOG = "select outcome, answer, reason from inventory.alert_attempts order by number"


@pytest.fixture
def post() -> Iterator[MailReceiver]:
    with mail_receiver() as running:
        yield running


@pytest.fixture
def settings(settings: Settings, post: MailReceiver) -> Settings:
    return replace(
        settings, smtp_url=f"smtp://127.0.0.1:{post.port}?starttls=off", alerts_from="Stock <stock@shop.example>"
    )


@pytest.fixture
def hear(endpoint_of: Callable[[Callable[..., Any]], Any], stocked: Stocked) -> Hear:
    return hearer(endpoint_of)


@pytest.fixture
async def send(run: Run, db: Books) -> Sender:
    return Sender(run, db, await db.value("select now() + interval '1 minute'"))


async def outcomes(db: Books) -> list[tuple[str, int | None]]:
    return [(row.outcome, row.answer) for row in await db.all(LOG)]


async def test_an_alert_arrives_as_a_mail_that_people_read(
    hear: Hear, send: Sender, post: MailReceiver, db: Books
) -> None:
    await add_target(db, "buyer@example.com", channel="mail")
    await hear(low_at("LON"))
    await send()

    (mail,) = post.mails
    delivery = await db.one("select * from inventory.alert_deliveries")
    assert mail["Subject"] == "Low stock: MUG at LON, 3 left"
    assert (mail["From"], mail["To"]) == ("Stock <stock@shop.example>", "buyer@example.com")
    assert mail["Message-ID"] == f"<{delivery.id}@shop.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().replace("\r\n", "\n") == (
        "3 of MUG are left at LON; it is low at 5.\n"
        "\n"
        "SKU:       MUG\n"
        "Location:  LON\n"
        "Status:    low\n"
        "Available: 3\n"
        "Low at:    5\n"
        "Since:     2026-03-01 12:00:00 UTC\n"
    )
    assert post.envelopes == [("stock@shop.example", ["buyer@example.com"])]
    assert (delivery.status, delivery.answer) == ("delivered", 250)


async def test_each_alert_is_mailed_once(hear: Hear, send: Sender, post: MailReceiver, db: Books) -> None:
    await add_target(db, "buyer@example.com", channel="mail")
    for event in (low(), out(), enough(), short(2), short(0)):
        await hear(event)
    for _ in range(3):
        await send()

    assert sorted(str(mail["Subject"]) for mail in post.mails) == [
        "Back in stock: MUG, 20 available",
        "Low stock: MUG, 3 left",
        "More is promised than is there: MUG at LON, 2 short",
        "Out of stock: MUG",
        "Shortfall made good: MUG at LON",
    ]


async def test_a_server_that_is_busy_is_asked_again(hear: Hear, send: Sender, post: MailReceiver, db: Books) -> None:
    await add_target(db, "buyer@example.com", channel="mail")
    await hear(low())
    post.answers = ["451 later"]
    post.recipients = ["450 later"]
    await send()
    await send.at_next()
    await send.at_next()

    assert await outcomes(db) == [("retry", 450), ("retry", 451), ("delivered", 250)]
    assert len({str(mail["Message-ID"]) for mail in post.mails}) == 1


async def test_what_is_refused_for_good_is_not_sent_again(
    hear: Hear, send: Sender, post: MailReceiver, db: Books
) -> None:
    await add_target(db, "nobody@example.com", channel="mail")
    await hear(low())
    await hear(out())
    post.recipients = ["550 no such user"]
    post.answers = ["554 no"]
    await send()

    assert sorted(await outcomes(db)) == [("failed", 550), ("failed", 554)]
    reasons = {row.reason for row in await db.all(LOG)}
    assert reasons == {
        "The mail server refuses the recipient (code 550).",
        "The mail server refuses the mail (code 554).",
    }


class TestWithoutSettings:
    @pytest.fixture(params=["smtp_url", "alerts_from", "smtp", "word"])
    def settings(self, settings: Settings, request: pytest.FixtureRequest) -> Settings:
        wrong = {
            "smtp_url": {"smtp_url": ""},
            "alerts_from": {"alerts_from": ""},
            "smtp": {"smtp_url": "http://ann:secret@mail"},
            "word": {"smtp_url": "smtp://ann:secret@mail?tls=no"},
        }
        return replace(settings, **wrong[request.param])  # type: ignore[arg-type]

    async def test_it_waits_until_mail_is_set_up(self, hear: Hear, send: Sender, db: Books) -> None:
        await add_target(db, "buyer@example.com", channel="mail")
        await hear(low())
        await send()

        (attempt,) = await db.all(LOG)
        assert (attempt.outcome, attempt.answer) == ("retry", None)
        assert "SMTP_URL" in attempt.reason or "ALERTS_FROM" in attempt.reason
        assert "secret" not in attempt.reason


class TestAway:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, smtp_url=f"smtp://127.0.0.1:{refused_port()}")

    async def test_a_server_that_is_away_is_asked_again(self, hear: Hear, send: Sender, db: Books) -> None:
        await add_target(db, "buyer@example.com", channel="mail")
        await hear(low())
        await send()

        (attempt,) = await db.all(LOG)
        assert (attempt.outcome, attempt.reason) == ("retry", "The mail server cannot be reached.")


@pytest.mark.parametrize("kind", [*TYPES])
def test_every_kind_has_words(kind: str | None) -> None:
    data = {
        "sku": "MUG",
        "location": "LON",
        "status": "low",
        "available": 1,
        "low_at": 5,
        "shortfall": 2,
        "orders": [1],
    }

    for said in (subject_of(kind, data), text_of(kind, NOW, data)):
        assert "{" not in said
    assert "\n" not in subject_of(kind, data)
    assert TYPES.keys() == SUBJECTS.keys() == SENTENCES.keys() == {rule.kind for rule in RULES} | {None}
