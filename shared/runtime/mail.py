"""Mail by SMTP, through the server that the settings name."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from shared.runtime.egress import Reached
from shared.runtime.settings import Settings

SEND_S = 10.0
"""For one mail, all in all."""

STARTTLS: dict[str, bool | None] = {"required": True, "auto": None, "off": False}
"""Whether a connection that begins in the clear is encrypted: always, if the server can, never."""


NOT_A_HEADER = (ValueError, IndexError, MessageError)
"""What the standard library raises for an address or a header that is none."""


@dataclass(frozen=True, slots=True)
class Mail:
    """`id` becomes the Message-ID: a mail that comes twice can be told by it."""

    id: str
    to: str
    subject: str
    text: str
    at: datetime


class NotSetUp(Exception):
    """Why no mail can be sent at all, in words that hold nothing of the settings."""


@dataclass(frozen=True, slots=True)
class Server:
    """`starttls` None: if the server can."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: bool
    starttls: bool | None


async def send(mail: Mail, settings: Settings) -> Reached:
    """Hands the mail to the server, and never raises for what is wrong there. `status` is the SMTP reply code."""
    import aiosmtplib  # late: most functions send no mail

    try:
        server, sender = server_of(settings.smtp_url), sender_of(settings.alerts_from)
    except NotSetUp as fault:
        return Reached(None, str(fault))
    try:
        message = message_of(mail, sender)
        async with asyncio.timeout(SEND_S):
            await aiosmtplib.send(
                message,
                sender=sender.addr_spec,
                recipients=[mail.to],
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                use_tls=server.tls,
                start_tls=False if server.tls else server.starttls,
                timeout=SEND_S,
            )
        return Reached(250, "The mail server took it.")
    except (aiosmtplib.SMTPException, TimeoutError, OSError, *NOT_A_HEADER) as error:
        return _refusal(error)


def server_of(url: str) -> Server:
    """`smtp://user:password@host:587?starttls=auto`, or smtps for TLS from the start. Raises NotSetUp.

    A password never travels in the clear unless `starttls=off` says so.
    """
    if not url:
        raise NotSetUp("No mail server is set: SMTP_URL is empty.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        chosen = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
    except ValueError:
        raise NotSetUp("SMTP_URL is no URL.") from None
    if parts.scheme not in ("smtp", "smtps") or not host:
        raise NotSetUp("SMTP_URL must have the form smtp://user:password@host:587.")
    default = "required" if parts.username else "auto"
    word = chosen.pop("starttls", [default])[-1]
    if chosen or word not in STARTTLS:
        raise NotSetUp("SMTP_URL takes nothing after ? but starttls=required, auto or off.")
    tls = parts.scheme == "smtps"
    return Server(
        host=host,
        port=port or (465 if tls else 587),
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        tls=tls,
        starttls=STARTTLS[word],
    )


def sender_of(alerts_from: str) -> Address:
    """`stock@shop.example` or `The shop <stock@shop.example>`. Raises NotSetUp."""
    try:
        name, address = parseaddr(alerts_from if alerts_from.isprintable() else "")
        sender = Address(name, addr_spec=address)
    except NOT_A_HEADER:
        sender = None
    if sender is None or not sender.username or not sender.domain:
        raise NotSetUp("No sender is set: ALERTS_FROM must be a mail address.")
    return sender


def message_of(mail: Mail, sender: Address) -> EmailMessage:
    """Raises one of NOT_A_HEADER for a line break in what becomes one: nothing can add headers of its own."""
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = sender
    message["To"] = Address(addr_spec=mail.to)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.at)
    message["Message-ID"] = f"<{mail.id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence is told to us
    message.set_content(mail.text)
    return message


def _refusal(error: Exception) -> Reached:
    import aiosmtplib

    code: Any = getattr(error, "code", None)
    match error:
        case TimeoutError():
            return Reached(None, f"The mail server did not take it within {SEND_S:g} s.")
        case aiosmtplib.SMTPRecipientsRefused():
            code = error.recipients[0].code
            return Reached(code, f"The mail server refuses the recipient (code {code}).")
        case aiosmtplib.SMTPAuthenticationError():
            return Reached(None, f"The mail server refuses our login (code {code}).")
        case aiosmtplib.SMTPSenderRefused():
            return Reached(None, f"The mail server refuses our address (code {code}).")
        case aiosmtplib.SMTPDataError():
            return Reached(code, f"The mail server refuses the mail (code {code}).")
        case aiosmtplib.SMTPNotSupported():
            return Reached(None, "The mail server does not offer what is asked of it: TLS, or a login.")
        case aiosmtplib.SMTPServerDisconnected():
            return Reached(None, "The connection to the mail server broke off.")
        case aiosmtplib.SMTPConnectError() | OSError():
            return Reached(None, "The mail server cannot be reached.")
        case aiosmtplib.SMTPException():
            return Reached(None, "The mail server gave an answer that is none.")
        case _:
            return Reached(None, "The mail cannot be written.")
