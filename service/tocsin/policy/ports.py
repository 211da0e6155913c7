"""What denials leave of the ports that an entry allows. Pure."""

from collections.abc import Sequence
from typing import Final

from tocsin.policy.document import Port

MINOR: Final = frozenset({"53", "123"})
"""DNS and NTP: asking for a name or the time is not what a workload's egress is judged by."""
TUNNELS: Final = frozenset({"51820", "51821", "1194", "500", "4500"})
"""WireGuard, OpenVPN and IPsec: over UDP, they lead to whom somebody has keys with."""
_EVERY: Final = Port("")


def left(ports: tuple[Port, ...], denied: Sequence[Port]) -> tuple[Port, ...] | None:
    """The ports left open; empty for all of them, None where nothing is left."""
    if any(covers(denial, _EVERY) for denial in denied):
        return None
    remaining = tuple(port for port in ports if not any(covers(denial, port) for denial in denied))
    return remaining if remaining or not ports else None


def covers(denial: Port, allowed: Port) -> bool:
    """Whether everything on `allowed` is on `denial`."""
    if denial.protocol not in ("ANY", allowed.protocol):
        return False
    denied, asked = _range(denial.number), _range(allowed.number)
    return denial.number in ("", allowed.number) or bool(
        denied and asked and asked[0] in denied and asked[-1] in denied
    )


def are_minor(ports: tuple[Port, ...]) -> bool:
    """Whether the ports carry DNS, the time or pings and nothing else."""
    return bool(ports) and all(port.number in MINOR or port.protocol.startswith("ICMP") for port in ports)


def are_tunnels(ports: tuple[Port, ...]) -> bool:
    """Whether the ports carry a VPN and nothing else."""
    return bool(ports) and all(port.number in TUNNELS and port.protocol == "UDP" for port in ports)


def _range(number: str) -> range | None:
    first, _, last = number.partition("-")
    return range(int(first), int(last or first) + 1) if first.isdecimal() and (last or first).isdecimal() else None
