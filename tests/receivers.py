"""Those whom the shop sends something: a real HTTP server and a real SMTP server, each with answers set beforehand."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as MAIL_POLICY
from typing import Any

from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


def refused_port() -> int:
    """Nobody listens there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Call:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HookReceiver:
    """`answers` are taken one after the other: a status, headers with a status, or "hang", "break", "endless".

    When there are none left, it is 200.
    """

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.calls.append(Call(request.path_qs, headers, await request.read()))
        match self.answers.pop(0) if self.answers else 200:
            case "hang":
                await asyncio.sleep(60)
                return web.Response()
            case "break":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "endless":
                response = web.StreamResponse(status=200)
                await response.prepare(request)
                while True:
                    await response.write(b"x" * 65536)
            case (int(status), dict(said)):
                return web.Response(status=status, headers=said)
            case status:
                return web.Response(status=status)

    @property
    def ids(self) -> list[str]:
        return [call.headers["webhook-id"] for call in self.calls]


@asynccontextmanager
async def hook_receiver() -> AsyncIterator[HookReceiver]:
    receiver = HookReceiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield receiver
    await runner.cleanup()


@dataclass
class MailReceiver:
    """`answers` to the mails' data, and `recipients` to their recipients, are taken one after the other; then 250."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str | None, list[str]]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - the server looks it up by this name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.recipients:
            return self.recipients.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=MAIL_POLICY))
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        return self.answers.pop(0) if self.answers else "250 OK"

    def login(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"right", handled=False)


class _MailServer(Controller):
    """Also ends the connections that are still open, which the library leaves to the garbage collector."""

    def __init__(self, receiver: MailReceiver, **options: Any) -> None:
        self.connections: list[SMTP] = []
        super().__init__(receiver, "127.0.0.1", receiver.port, authenticator=receiver.login, **options)

    def factory(self) -> SMTP:
        self.connections.append(super().factory())  # type: ignore[no-untyped-call]
        return self.connections[-1]

    async def end(self) -> None:
        for connection in self.connections:
            if connection.transport is not None:
                connection.transport.close()
        handlers = [one._handler_coroutine for one in self.connections if one._handler_coroutine is not None]
        await asyncio.gather(*handlers, return_exceptions=True)
        await asyncio.sleep(0)  # what was closed is gone with the loop's next turn


@contextmanager
def mail_receiver(**options: Any) -> Iterator[MailReceiver]:
    receiver = MailReceiver(port=refused_port())
    server = _MailServer(receiver, **options)
    server.start()
    yield receiver
    asyncio.run_coroutine_threadsafe(server.end(), server.loop).result(10)
    server.stop()
