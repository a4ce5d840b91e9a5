"""What can be believed about where a request comes from."""

import pytest

from shared.runtime.address import client_address, forwarded_address


def scope(peer: str | None, *forwarded: str, said: str = "") -> dict[str, object]:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    headers += [(b"x-client-address", said.encode())] if said else []
    return {"headers": headers, "client": (peer, 1) if peer else None}


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        (0, ["1.1.1.1"], "9.9.9.9"),
        (1, [], "9.9.9.9"),
        (1, ["1.1.1.1"], "1.1.1.1"),
        (1, ["6.6.6.6, 1.1.1.1"], "1.1.1.1"),
        (1, ["6.6.6.6", "1.1.1.1"], "1.1.1.1"),
        (2, ["6.6.6.6, 1.1.1.1", "10.0.0.1"], "1.1.1.1"),
        (2, ["10.0.0.1"], ""),
        (1, ["nonsense"], ""),
        (1, [" , "], ""),
        (1, ["1.1.1.1" * 100], ""),
        (1, ["1.1.1.1:80"], "1.1.1.1"),
        (1, ["[2001:db8:1:2:3::4]:80"], "2001:db8:1:2::/64"),
        (1, ["2001:0DB8:1:2::9"], "2001:db8:1:2::/64"),
        (1, ["::ffff:1.1.1.1"], "1.1.1.1"),
    ],
)
def test_only_what_our_proxies_wrote_counts(trusted: int, forwarded: list[str], address: str) -> None:
    assert forwarded_address(scope("9.9.9.9", *forwarded), trusted) == address


def test_the_gateways_word_comes_first_where_there_is_a_gateway() -> None:
    assert client_address(scope("127.0.0.1", "1.1.1.1", said="2.2.2.2"), 1) == "2.2.2.2"
    assert client_address(scope("9.9.9.9", "1.1.1.1", said="2.2.2.2"), 0) == "9.9.9.9"
    assert forwarded_address(scope("127.0.0.1", "1.1.1.1", said="2.2.2.2"), 1) == "1.1.1.1"


def test_a_socket_without_addresses_has_none() -> None:
    assert forwarded_address(scope(None), 0) == ""
