"""Where a request comes from, as far as that can be believed: what a caller says of itself is not.

Each proxy adds the address that it was called from to the end of X-Forwarded-For. Of what stands there, only what our
own proxies have written is true, so their number has to be known.
"""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

CLIENT_ADDRESS = "x-client-address"
"""The shop's gateway takes this off whatever comes in and says here what it found out itself."""

LONGEST = 64


def forwarded_address(scope: Any, trusted_proxies: int) -> str:
    """The address that the outermost of `trusted_proxies` was called from; empty when there were fewer of them.

    Without proxies, and for a request that came past them, it is the one at the other end of the connection.
    """
    entries = ",".join(_values(scope, b"x-forwarded-for")).split(",") if trusted_proxies else [""]
    if entries != [""]:
        return _principal(entries[-trusted_proxies]) if len(entries) >= trusted_proxies else ""
    peer = scope.get("client")
    return _principal(peer[0]) if peer else ""


def client_address(scope: Any, trusted_proxies: int) -> str:
    """The same for what stands behind the gateway, whose own word comes first where proxies are trusted."""
    said = _values(scope, CLIENT_ADDRESS.encode()) if trusted_proxies else []
    return _principal(said[-1]) if said else forwarded_address(scope, trusted_proxies)


def _values(scope: Any, header: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == header]


def _principal(entry: str) -> str:
    return "" if len(entry) > LONGEST else _normal(entry.strip())


@lru_cache(maxsize=4096)
def _normal(entry: str) -> str:
    """One spelling for each. An IPv6 caller has a whole /64 to choose from, so that is what it is known by."""
    host = entry[1:].partition("]")[0] if entry.startswith("[") else entry
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(ip_network((int(address), 64), strict=False))
        address = address.ipv4_mapped
    return str(address)
