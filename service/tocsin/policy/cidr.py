"""CIDRs of policies: what they hold, and whether they amount to the internet. Pure.

A CIDR that cannot be read (a Flux variable, say) holds nothing for certain.
"""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from tocsin.policy.document import Peer

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NOT_PUBLIC: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
            *("::1/128", "64:ff9b:1::/48", "fc00::/7", "fe80::/10", "ff00::/8"),
        ),
    )
)
"""Addresses that nobody reaches over the internet (RFC 6890), multicast included."""
_PUBLIC_V6: Final = ipaddress.IPv6Network("2000::/3")
_NEARLY_ALL: Final = 0.75
"""Of all addresses. 0.0.0.0/0 without what is not public is 0.86 of it."""
_FEW_V4: Final = 2**24
_SINGLE: Final = re.compile(r"\}/(?:32|128)$")
"""A variable with a prefix that leaves one address."""
_FEW_V6: Final = 2**96


@lru_cache(maxsize=4096)
def network(written: str) -> Network | None:
    """The network; None for what is none."""
    try:
        return ipaddress.ip_network(written.strip(), strict=False)
    except ValueError:
        return None


def address(written: str) -> Address | None:
    """The address a destination is written as; None for a name."""
    try:
        return None if "%" in written else ipaddress.ip_address(written.strip())
    except ValueError:
        return None


def holds(peer: Peer, asked: Address) -> bool:
    """Whether the CIDR holds the address and does not except it."""
    within = network(peer.value)
    return _in(asked, within) and not any(_in(asked, network(taken_out)) for taken_out in peer.excepts)


def is_public(peer: Peer) -> bool:
    """Whether the CIDR holds public addresses; yes where it cannot be read."""
    found = network(peer.value)
    return found is None or not any(_within(found, private) for private in _NOT_PUBLIC)


def is_internet(peers: Iterable[Peer]) -> bool:
    """Whether the CIDRs taken together leave out (nearly) nothing of the public internet, by IPv4 or by IPv6."""
    v4, v6 = _sizes(peers)
    return v4 >= _NEARLY_ALL * 2**32 or v6 >= _NEARLY_ALL * _PUBLIC_V6.num_addresses


def is_few(peers: Iterable[Peer]) -> bool:
    """Whether the CIDRs taken together are few enough addresses to be somebody's; not where one cannot be read."""
    known = list(peers)
    v4, v6 = _sizes(known)
    return v4 <= _FEW_V4 and v6 <= _FEW_V6 and all(network(peer.value) or _SINGLE.search(peer.value) for peer in known)


def is_whole_internet(peer: Peer) -> bool:
    """Whether no public address is left out of this CIDR."""
    found = network(peer.value)
    left_out = [Peer(peer.kind, taken_out) for taken_out in peer.excepts]
    everything = found is not None and (found.prefixlen == 0 or found == _PUBLIC_V6)
    return everything and not any(is_public(one) for one in left_out)


def _sizes(peers: Iterable[Peer]) -> tuple[int, int]:
    """How many addresses of IPv4, and public ones of IPv6, the CIDRs hold."""
    v4: list[Network] = []
    v6: list[Network] = []
    taken_out = [0, 0]
    for peer in peers:
        found = network(peer.value)
        if found is None:
            continue
        (v4 if found.version == 4 else v6).append(found)
        inside = [one for one in map(network, peer.excepts) if one is not None and _within(one, found)]
        taken_out[found.version == 6] += _size(inside)
    return _size(v4) - taken_out[0], _size(v6) - taken_out[1]


def _size(networks: Iterable[Network]) -> int:
    parts = [part for one in networks if (part := _public_part(one)) is not None]
    total, end = 0, -1
    for start, last in sorted((int(part.network_address), int(part.broadcast_address)) for part in parts):
        total += max(0, last - max(start - 1, end))
        end = max(end, last)
    return total


def _public_part(one: Network) -> Network | None:
    """All of an IPv4 network; of an IPv6 network what lies in 2000::/3."""
    if one.version == 4 or _within(one, _PUBLIC_V6):
        return one
    return _PUBLIC_V6 if _within(_PUBLIC_V6, one) else None


def _in(asked: Address, within: Network | None) -> bool:
    return within is not None and asked.version == within.version and asked in within


def _within(inner: Network, outer: Network) -> bool:
    return (
        inner.version == outer.version
        and outer.network_address <= inner.network_address  # type: ignore[operator]
        and inner.broadcast_address <= outer.broadcast_address  # type: ignore[operator]
    )
