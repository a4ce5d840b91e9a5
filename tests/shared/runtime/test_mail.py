"""Mail through a real SMTP server: logins, TLS, and headers that nobody can write into."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.runtime.mail import Mail, NotSetUp, message_of, send, sender_of, server_of
from shared.runtime.settings import Settings
from tests.receivers import mail_receiver

MAIL = Mail("id-1", "ann@example.com", "Low: tea", "Three are left.", datetime(2026, 3, 1, tzinfo=UTC))


INSECURE = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")


def settings(url: str) -> Settings:
    return Settings(smtp_url=url, alerts_from="stock@shop.example")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", ("mail.example", 587, None, None, False, None)),
        ("smtp://ann:p%40ss@mail.example:25", ("mail.example", 25, "ann", "p@ss", False, True)),
        ("smtp://ann:x@mail.example?starttls=off", ("mail.example", 587, "ann", "x", False, False)),
        ("smtp://mail.example?starttls=required", ("mail.example", 587, None, None, False, True)),
        ("smtps://ann:x@mail.example", ("mail.example", 465, "ann", "x", True, True)),
    ],
)
def test_the_server_is_what_the_url_says(url: str, expected: tuple[object, ...]) -> None:
    server = server_of(url)
    assert (server.host, server.port, server.user, server.password, server.tls, server.starttls) == expected


@pytest.mark.parametrize(
    "url", ["", "mail", "http://h", "smtp://", "smtp://h:99999", "smtp://h?starttls=no", "smtp://h?x", "smtp://[::"]
)
def test_what_is_no_server_says_so_without_its_password(url: str) -> None:
    with pytest.raises(NotSetUp) as fault:
        server_of(url)
    assert "SMTP_URL" in str(fault.value)


@pytest.mark.parametrize("sender", ["", "stock", "@x.y", "a@b\r\nBcc: eve@x.y", "\x00"])
def test_what_is_no_sender_says_so(sender: str) -> None:
    with pytest.raises(NotSetUp, match="ALERTS_FROM"):
        sender_of(sender)


@pytest.mark.parametrize(
    "changed",
    [
        {"subject": "Low\r\nBcc: eve@example.com"},
        {"subject": "Low\nBcc: eve@example.com"},
        {"to": "ann@example.com\r\nBcc: eve@example.com"},
        {"to": "ann@example.com, eve@example.com"},
        {"id": "1>\r\nBcc: eve@example.com\r\nX: <"},
    ],
)
async def test_nothing_is_written_into_the_headers(changed: dict[str, str]) -> None:
    mail = replace(MAIL, **changed)  # type: ignore[arg-type]
    with mail_receiver() as post:
        reached = await send(mail, settings(f"smtp://127.0.0.1:{post.port}?starttls=off"))

        assert [mail.keys() for mail in post.mails if "Bcc" in mail] == []
        assert [to for _, all_to in post.envelopes for to in all_to if "eve" in to] == []
    assert reached.status is None


def test_a_mail_of_other_letters_is_whole() -> None:
    mail = replace(MAIL, subject="Tee für Zoë ☕", text="Zoë\n.\nEnde")
    message = message_of(mail, sender_of("Zoë <stock@shop.example>"))

    assert message["Subject"] == "Tee für Zoë ☕"
    assert message.get_content() == "Zoë\n.\nEnde\n"
    assert bytes(message).isascii()


@INSECURE
async def test_a_login_is_used() -> None:
    with mail_receiver(auth_required=True, auth_require_tls=False) as post:
        url = f"smtp://ann:{{}}@127.0.0.1:{post.port}?starttls=off"
        right, wrong = await send(MAIL, settings(url.format("right"))), await send(MAIL, settings(url.format("wrong")))

        assert (right.status, len(post.mails)) == (250, 1)
        assert (wrong.status, wrong.reason) == (None, "The mail server refuses our login (code 535).")


@INSECURE
async def test_a_password_does_not_travel_in_the_clear() -> None:
    """The server offers no TLS, and nobody said that this is well."""
    with mail_receiver(auth_required=True, auth_require_tls=False) as post:
        reached = await send(MAIL, settings(f"smtp://ann:right@127.0.0.1:{post.port}"))

        assert (reached.status, post.logins, post.mails) == (None, [], [])


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.runtime.mail.SEND_S", 0.3)

    closed = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        closed.set()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        reached = await send(MAIL, settings(f"smtp://127.0.0.1:{port}"))
        await closed.wait()
        await asyncio.sleep(0)  # the transport closes with the loop's next turn

    assert reached.reason == "The mail server did not take it within 0.3 s."
