"""The way out: HTTP clients made when first used, one set per process, with deadlines on everything.

`Egress.http` is for those whom the shop's own settings name. `Egress.post` is for addresses that callers have given,
and connects to public ones alone, whatever a name resolves to at that moment.
"""

import asyncio
import errno
import socket
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from shared.runtime.settings import Settings

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from yarl import URL

POST_S = 10.0
"""For one post, all in all: finding the address, connecting, sending, and waiting for the answer's headers."""

LONGEST_URL = 2_000
LOCAL_NAMES = ("localhost", "local", "internal", "svc", "home.arpa")

_unicast = ip_network("2000::/3")
_nat64 = ip_network("64:ff9b::/96")
_metadata = IPv4Address("168.63.129.16")
"""A public number that is every virtual machine's own host in one of the large clouds."""


class AddressRefused(OSError):
    """The address is not one of the public Internet."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "not a public address")


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of sending something out: `status` is the other side's, if it gave one. `reason` names no address."""

    status: int | None
    reason: str
    retry_after_s: int | None = None


@dataclass(slots=True)
class Egress:
    settings: Settings
    _session: "ClientSession | None" = field(default=None)
    _guarded: "ClientSession | None" = field(default=None)
    _loop: asyncio.AbstractEventLoop | None = field(default=None)

    @property
    def http(self) -> "ClientSession":
        """The session of the running loop."""
        from aiohttp import ClientSession, ClientTimeout, TCPConnector  # late: most functions call nobody

        self._for_this_loop()
        if self._session is None:
            self._session = ClientSession(connector=TCPConnector(limit=64), timeout=ClientTimeout(total=10, connect=2))
        return self._session

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> Reached:
        """Posts to where a caller has said, and never raises for what is wrong there.

        Follows no redirect, keeps no cookie and reads nothing of the answer but its status and headers.
        """
        from aiohttp import ClientError
        from yarl import URL

        if (fault := fault_of(url, guard=self.settings.egress_guard)) is not None:
            return Reached(None, f"The address is refused: {fault}.")
        try:
            async with self._guard().post(URL(url), data=body, headers=headers, allow_redirects=False) as answer:
                after = answer.headers.get("retry-after", "")
                answer.close()
                return Reached(answer.status, f"HTTP status {answer.status}", _seconds(after))
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            return Reached(None, _why(error))

    def _guard(self) -> "ClientSession":
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

        self._for_this_loop()
        if self._guarded is None:
            makes = _public_socket if self.settings.egress_guard else None
            self._guarded = ClientSession(
                connector=TCPConnector(limit=64, force_close=True, socket_factory=makes),
                timeout=ClientTimeout(total=POST_S),
                cookie_jar=DummyCookieJar(),
                headers={"user-agent": "kn-shop"},
            )
        return self._guarded

    def _for_this_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._session, self._guarded, self._loop = None, None, loop

    async def close(self) -> None:
        for session in (self._session, self._guarded):
            if session is not None:
                await session.close()
        self._session = self._guarded = None


def fault_of(url: str, *, guard: bool) -> str | None:
    """What can be told already against posting to `url`, in words that do not repeat it.

    What a name resolves to is known only when it is called: then the address is looked at again.
    """
    from yarl import URL

    if len(url) > LONGEST_URL:
        return f"it is longer than {LONGEST_URL} characters"
    if not url.isprintable() or " " in url:
        return "it has a character that no URL has"
    try:
        parsed = URL(url)
        host, _ = parsed.host, parsed.port
    except ValueError:
        return "it is no URL"
    if parsed.scheme not in ({"https"} if guard else {"https", "http"}):
        return "it must begin with https://"
    if not host:
        return "it names no host"
    if "@" in parsed.raw_authority:
        return "it holds a user or a password"
    if parsed.raw_fragment:
        return "it has a fragment (#), which is never sent"
    return _fault_of_host(parsed) if guard else None


def _fault_of_host(url: "URL") -> str | None:
    host = (url.raw_host or "").rstrip(".").lower()
    address = _literal(host)
    if address is not None:
        return None if is_public(address) else "its address is not public"
    if "." not in host or host.endswith(tuple(f".{name}" for name in LOCAL_NAMES)):
        return "its host is known inside a network only"
    return None


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is one host of the public Internet; IPv6 that stands for an IPv4 address is judged by that."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _nat64:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is None:
            return address.is_global and address in _unicast
        address = inner
    return address.is_global and not address.is_multicast and not address.is_reserved and address != _metadata


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is, in any notation that a resolver takes: also 127.1, 0x7f000001, 017700000001."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _public_socket(info: tuple[Any, ...]) -> socket.socket:
    """Makes the socket that is then connected to this very address. Raises AddressRefused."""
    family, kind, protocol, _, place = info
    if not is_public(ip_address(str(place[0]).partition("%")[0])):
        raise AddressRefused
    return socket.socket(family, kind, protocol)


def _seconds(retry_after: str) -> int | None:
    return int(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 10 else None


def _why(error: BaseException) -> str:
    from aiohttp import (
        ClientConnectorCertificateError,
        ClientConnectorDNSError,
        ClientConnectorError,
        ClientSSLError,
        InvalidURL,
    )

    match error:
        case TimeoutError():
            return f"There was no answer within {POST_S:g} s."
        case InvalidURL():
            return "The address is refused: it is no URL."
        case ClientConnectorDNSError():
            return "The host's name is not known."
        case ClientConnectorCertificateError():
            return "The host's certificate is not trusted."
        case ClientSSLError():
            return "No TLS connection was made."
        case ClientConnectorError(os_error=AddressRefused()):
            return "The address is refused: it is not public."
        case ClientConnectorError():
            return "No connection was made."
        case _:
            return "The connection broke off."
