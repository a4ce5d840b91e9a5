"""Addresses that callers give are called only where they are of the public Internet, whatever they look like."""

import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address
from typing import Any

import pytest

from shared.runtime.egress import Egress, fault_of, is_public
from shared.runtime.settings import Settings
from tests.receivers import HookReceiver, hook_receiver

PRIVATE = [
    "0.0.0.0",  # noqa: S104 - nobody binds to it
    "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.8.8.8", "168.63.129.16", "169.254.169.254", "172.16.0.1",
    "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1",
    "ff02::1", "4000::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]

REFUSED = [
    *(f"https://[{address}]/" if ":" in address else f"https://{address}/" for address in PRIVATE),
    "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://017700000001/",
    "https://0177.0.0.1/", "https://127.0.0.1./", "https://[::1%25lo]/", "https://\uff11\uff12\uff17.0.0.1/", "https://①②⑦.0.0.1/",
    "https://localhost/", "https://LOCALHOST./", "https://a.localhost/", "https://postgres/", "https://db.internal/",
    "https://api.shop.svc.cluster.local/", "https://api.shop.svc/",
    "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "//example.com/", "",
    "https://", "https:///x", "https:example.com", "https://example.com:0x50/", "https://example.com:99999/",
    "https://ann:secret@example.com/", "https://ann@example.com/", "https://example.com/#x",
    "https://example.com/a b", "https://example.com/\n", "https://example.com/\x00", "https://\ud800/",
    "https://example.com/" + "x" * 2000, "https://example.com\\@127.0.0.1/", "https://[::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("url", REFUSED)
def test_what_can_be_told_already(url: str) -> None:
    fault = fault_of(url, guard=True)
    assert fault is not None
    assert "secret" not in fault


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com:8443/a?b=c%20d",
        "https://xn--bcher-kva.example/",
        "https://bücher.example/",
    ],
)
def test_what_may_be_called(url: str) -> None:
    assert fault_of(url, guard=True) is None


@pytest.fixture
async def receiver() -> AsyncIterator[HookReceiver]:
    async with hook_receiver() as running:
        yield running


@pytest.fixture
async def guarded() -> AsyncIterator[Egress]:
    egress = Egress(Settings())
    yield egress
    await egress.close()


async def test_a_name_is_judged_by_the_address_that_is_connected_to(
    guarded: Egress, receiver: HookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a name that was public when it was looked at first: what counts is where the connection goes."""
    port = int(receiver.url.rpartition(":")[2])
    asked = resolve_to(monkeypatch, "127.0.0.1", port)
    reached = await guarded.post(f"https://rebinding.example:{port}/", b"{}", {})

    assert asked == ["rebinding.example"]
    assert (reached.status, reached.reason) == (None, "The address is refused: it is not public.")
    assert receiver.calls == []


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
async def test_whatever_a_name_resolves_to(guarded: Egress, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, address, 443)
    opened: list[Any] = []
    monkeypatch.setattr("shared.runtime.egress.socket.socket", lambda *given: opened.append(given))
    reached = await guarded.post("https://hooks.example.com/", b"{}", {})

    assert reached.reason == "The address is refused: it is not public."
    assert opened == [], "no socket was even made"


async def test_several_private_addresses_are_refused_as_one(guarded: Egress, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "10.0.0.1", 443, "::1")
    reached = await guarded.post("https://hooks.example.com/", b"{}", {})

    assert reached.reason == "The address is refused: it is not public."


async def test_a_literal_is_refused_where_it_is_called_too(guarded: Egress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.runtime.egress.fault_of", lambda _url, **_: None)
    for url in ("https://127.0.0.1:1/", "https://[::1]:1/", "https://[::ffff:127.0.0.1]:1/", "http://169.254.169.254/"):
        reached = await guarded.post(url, b"{}", {})
        assert reached.reason == "The address is refused: it is not public.", url


async def test_what_was_kept_while_it_was_allowed_is_looked_at_again(guarded: Egress, receiver: HookReceiver) -> None:
    reached = await guarded.post(receiver.url, b"{}", {})

    assert reached.reason == "The address is refused: it must begin with https://."
    assert receiver.calls == []


async def test_no_cookie_is_kept(receiver: HookReceiver) -> None:
    egress = Egress(Settings(egress_guard=False))
    receiver.answers = [(200, {"set-cookie": "a=b"})]
    for _ in range(2):
        assert (await egress.post(receiver.url, b"{}", {})).status == 200
    await egress.close()

    assert "cookie" not in receiver.calls[1].headers


async def test_a_host_without_a_trusted_certificate(receiver: HookReceiver) -> None:
    egress = Egress(Settings(egress_guard=False))
    reached = await egress.post(receiver.url.replace("http:", "https:"), b"{}", {})
    await egress.close()

    assert reached.reason == "No TLS connection was made."


def resolve_to(monkeypatch: pytest.MonkeyPatch, address: str, port: int, *more: str) -> list[str]:
    """A name server that says these addresses of every name; gives the names that it was asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, *_given: Any, **_named: Any) -> list[Any]:
        asked.append(host)
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (one, port, 0, 0))
            if ":" in one
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in (address, *more)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked
