"""Does a rule let a DNS name through, and which. Pure.

A name counts as outside the cluster unless `internal` is set. Denials win over allowances, as in Cilium; a denial
of `world` also covers what `toFQDNs` allows. A denial limited to some CIDRs is not weighed: addresses are not
known here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tocsin.policy import wording
from tocsin.policy.document import Egress, Peer, PeerKind, Port, Rule
from tocsin.policy.fqdn import every_name, matches_name, matches_pattern

_WORLD_ENTITIES: Final = frozenset({"world", "all", "world-ipv4", "world-ipv6"})
_CLUSTER_ENTITIES: Final = frozenset({"cluster", "all"})
_WORLD_CIDRS: Final = frozenset({"0.0.0.0/0", "::/0"})
_ANY_NAME: Final = "any-name"


@dataclass(frozen=True, slots=True)
class Passage:
    """The rule that lets a name through, in words. `named` where it is a `toFQDNs` entry other than a bare `*`."""

    rule: str
    named: bool


def passage(
    rules: Sequence[Rule], names: Sequence[str], *, internal: bool = False, denying: Iterable[Rule] = ()
) -> Passage | None:
    """The most telling rule that lets a destination through, None where no rule does.

    `names` are the spellings of one destination (normalised, and as asked with search suffixes); a leading `*.`
    stands for any label and `*` for any name. `denying` are further rules whose `egressDeny` applies to the pod.
    """
    denials = [entry for rule in (*rules, *denying) for entry in rule.egress_deny]
    denied = [
        port
        for entry in denials
        for peer in entry.peers
        if _covers_world(peer, internal) and not peer.excepts
        for port in entry.ports or (Port(""),)
    ]
    found = [
        (_rank(peer, ports), Passage(wording.on_ports(wording.peer(peer), ports), _names(peer)))
        for rule in rules
        for entry in rule.egress
        for peer in entry.peers
        if _lets(peer, names, internal)
        for ports in [_remaining(entry, names, denied)]
        if ports is not None
    ]
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _lets(peer: Peer, names: Sequence[str], internal: bool) -> bool:
    if peer.kind is PeerKind.FQDN:
        return any(_fqdn_matches(peer, name) for name in names)
    return _covers_world(peer, internal)


def _covers_world(peer: Peer, internal: bool) -> bool:
    match peer.kind:
        case PeerKind.EVERYTHING:
            return True
        case PeerKind.ENTITY:
            return peer.value in (_CLUSTER_ENTITIES if internal else _WORLD_ENTITIES)
        case PeerKind.CIDR:
            return peer.value in _WORLD_CIDRS and not internal
    return False


def _names(peer: Peer) -> bool:
    return peer.kind is PeerKind.FQDN and (peer.exact or not every_name(peer.value))


def _fqdn_matches(peer: Peer, name: str) -> bool:
    if peer.exact:
        return matches_name(peer.value, name)
    if peer.value.lower().removesuffix(".") == name.lower().removesuffix("."):
        return True
    if name == "*" or name.startswith("*."):
        name = f"{_ANY_NAME}{name[1:]}"
    return matches_pattern(peer.value, name)


def _remaining(entry: Egress, names: Sequence[str], denied: Sequence[Port]) -> tuple[Port, ...] | None:
    """The ports left open by the denials and the TLS names; None where nothing is left."""
    if any(not port.number and port.protocol == "ANY" for port in denied):
        return None
    if not entry.ports:
        return ()
    left = tuple(
        replace(port, server_names=(), dns=())
        for port in entry.ports
        if not any(_port_covers(denial, port) for denial in denied)
        and (not port.server_names or any(matches_pattern(item, name) for item in port.server_names for name in names))
    )
    return left or None


def _port_covers(denial: Port, allowed: Port) -> bool:
    if denial.protocol not in ("ANY", allowed.protocol):
        return False
    denied, asked = _range(denial.number), _range(allowed.number)
    return denial.number in ("", allowed.number) or bool(denied and asked and set(asked) <= set(denied))


def _range(number: str) -> range | None:
    first, _, last = number.partition("-")
    return range(int(first), int(last or first) + 1) if first.isdecimal() and (last or first).isdecimal() else None


def _rank(peer: Peer, ports: tuple[Port, ...]) -> tuple[bool, bool, bool]:
    """What names the destination comes first, then what lets more than DNS through, then the entity `world`."""
    only_dns = bool(ports) and all(port.number == "53" for port in ports)
    return not _names(peer), only_dns, peer.kind is not PeerKind.ENTITY
