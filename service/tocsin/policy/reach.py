"""Do the rules that select a workload let a destination through, and which does. Pure.

Cilium's semantics: what no rule restricts is open; once a rule puts the pods into default deny, an entry must allow it;
a denial wins over every allowance, that of `world` over `toFQDNs`, too. A name counts as outside the cluster unless
`internal` is set. Its addresses are not known, so that a CIDR short of the internet may or may not hold them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from tocsin.policy import cidr, ports, wording
from tocsin.policy.document import Egress, Peer, PeerKind, Port, Rule
from tocsin.policy.fqdn import matches_name, matches_pattern, without_suffix
from tocsin.policy.outside import CLUSTER, WORLD, is_all_of_it, is_group, names, world

_ANY_NAME: Final = "any-name"
_OWNED: Final = {4: 24, 6: 48}
"""A CIDR at least this narrow names its addresses."""


class Access(StrEnum):
    """What becomes of a connection."""

    UNRESTRICTED = "unrestricted"
    ALLOWED = "allowed"
    POSSIBLE = "possible"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Reach:
    """`rule` in words is the most telling one that lets the destination through, `at` its place among those given.

    `ports` are what is left of its ports, empty for all. `named` where it names the destination. `denied_by` is the
    denial that takes it away (BLOCKED) or takes some ports away. `suffixed` is an entry that names it only together
    with a search suffix (`name.*`), by which Cilium does not let the name itself through.
    """

    access: Access
    rule: str = ""
    at: int | None = None
    ports: tuple[Port, ...] = ()
    named: bool = False
    denied_by: str = ""
    suffixed: str = ""

    @property
    def line(self) -> str:
        """One line for a person, with names from the repository as written there."""
        match self.access:
            case Access.UNRESTRICTED:
                said = "no policy restricts its egress"
            case Access.ALLOWED:
                said = f"{self.rule} names it" if self.named else f"{self.rule} lets it through"
            case Access.POSSIBLE:
                said = f"{self.rule} lets it through if its address is among them"
            case Access.BLOCKED if self.denied_by:
                said = f"{self.denied_by} blocks it"
            case Access.BLOCKED:
                said = "no rule lets it through"
        partly = self.denied_by and self.access is not Access.BLOCKED
        said += f", but {self.denied_by} blocks a part" if partly else ""
        return said + (f"; {self.suffixed} names it only with a search suffix" if self.suffixed else "")


@dataclass(frozen=True, slots=True)
class _Target:
    names: tuple[str, ...]
    internal: bool
    address: cidr.Address | None


@dataclass(frozen=True, slots=True)
class _Denial:
    port: Port
    said: str


@dataclass(frozen=True, slots=True)
class _Way:
    """One peer that leads to the destination, before denials."""

    at: int
    peer: Peer
    entry: Egress
    certain: bool = True
    named: bool = False


def reach(rules: Sequence[Rule], names: Sequence[str], *, internal: bool = False) -> Reach:
    """What the rules, all that select one workload, do with a destination.

    `names` are its spellings (normalised, and as asked with search suffixes) or its address; a leading `*.` stands
    for any label and `*` for any name.
    """
    target = _target(names, internal)
    denials = _denials(rules, target)
    found = _best(rules, target, denials)
    if not any(rule.default_deny for rule in rules):
        everything = Egress((Peer(PeerKind.EVERYTHING),))
        otherwise = _open([_Way(0, everything.peers[0], everything)], target, denials)
        if otherwise.access is Access.BLOCKED:
            found = otherwise
        else:
            stated = found if found.access is Access.ALLOWED else Reach(Access.UNRESTRICTED)
            found = replace(stated, access=Access.UNRESTRICTED, denied_by=otherwise.denied_by)
    return found if found.named else replace(found, suffixed=next(_suffixed(rules, target), ""))


def _target(names: Sequence[str], internal: bool) -> _Target:
    addresses = [address for address in map(cidr.address, names) if address is not None]
    return _Target(tuple(names), internal, addresses[0] if addresses else None)


def _best(rules: Sequence[Rule], target: _Target, denials: Sequence[_Denial]) -> Reach:
    return _open(
        [way for at, rule in enumerate(rules) for entry in rule.egress for way in _ways(at, entry, target)],
        target,
        denials,
    )


def _open(ways: Iterable[_Way], target: _Target, denials: Sequence[_Denial]) -> Reach:
    """The best way that denials leave open; else the denial that closed one."""
    closed = ""
    found: list[tuple[tuple[bool, ...], Reach]] = []
    for way in ways:
        allowed = _for_its_names(way.entry.ports, target)
        remaining = None if allowed is None else ports.left(allowed, [denial.port for denial in denials])
        if remaining is None:
            closed = closed or _closing(allowed, denials)
            continue
        said = wording.on_ports(wording.peer(way.peer), remaining)
        access = Access.ALLOWED if way.certain else Access.POSSIBLE
        partly = denials[0].said if denials and not allowed else _closing(allowed or (), denials)
        found.append((_rank(way, remaining), Reach(access, said, way.at, remaining, way.named, partly)))
    if found:
        return min(found, key=lambda pair: pair[0])[1]
    return Reach(Access.BLOCKED, denied_by=closed)


def _ways(at: int, entry: Egress, target: _Target) -> Iterator[_Way]:
    address = target.address
    for peer in entry.peers:
        match peer.kind:
            case PeerKind.EVERYTHING:
                yield _Way(at, peer, entry)
            case PeerKind.FQDN if address is not None:
                yield _Way(at, peer, entry, certain=False)
            case PeerKind.FQDN if any(_fqdn_matches(peer, name) for name in target.names):
                yield _Way(at, peer, entry, named=names(peer))
            case PeerKind.ENTITY if peer.value in (CLUSTER if target.internal else WORLD):
                yield _Way(at, peer, entry, certain=address is None or not target.internal or peer.value == "all")
            case PeerKind.ENTITY if address is not None and target.internal and peer.value in WORLD:
                yield _Way(at, peer, entry, certain=False)  # an address of the own network may be outside the cluster
            case PeerKind.CIDR if address is not None and cidr.holds(peer, address):
                yield _Way(at, peer, entry, named=_owned(peer))
            case PeerKind.OTHER if is_group(peer) and (address is not None or not target.internal):
                yield _Way(at, peer, entry, certain=False)
    if address is None and not target.internal:
        everything = [peer for peer in world(entry) if peer.kind is PeerKind.CIDR]
        some = [peer for peer in entry.peers if peer.kind is PeerKind.CIDR and cidr.is_public(peer)]
        for peer in everything or some:
            yield _Way(at, peer, entry, certain=bool(everything))


def _owned(peer: Peer) -> bool:
    found = cidr.network(peer.value)
    return found is not None and found.prefixlen >= _OWNED[found.version]


def _denials(rules: Iterable[Rule], target: _Target) -> list[_Denial]:
    return [
        _Denial(port, f"the denial of {wording.on_ports(wording.peer(peer), (port,))}")
        for rule in rules
        for entry in rule.egress_deny
        for peer in entry.peers
        if _denies(peer, target)
        for port in entry.ports or (Port(""),)
    ]


def _denies(peer: Peer, target: _Target) -> bool:
    match peer.kind:
        case PeerKind.EVERYTHING:
            return True
        case PeerKind.ENTITY:
            return peer.value in (CLUSTER if target.internal else WORLD)
        case PeerKind.CIDR if target.address is not None:
            return cidr.holds(peer, target.address)
        case PeerKind.CIDR:
            return is_all_of_it(peer) and not target.internal
    return False


def _closing(allowed: tuple[Port, ...] | None, denials: Sequence[_Denial]) -> str:
    """The first denial that takes one of the ports away; none where no port was left to begin with."""
    wanted = () if allowed is None else allowed or (Port(""),)
    return next((one.said for one in denials if any(ports.covers(one.port, port) for port in wanted)), "")


def _for_its_names(allowed: tuple[Port, ...], target: _Target) -> tuple[Port, ...] | None:
    """The ports whose TLS names hold one of the names; None where no port is left."""
    left = tuple(
        replace(port, server_names=(), dns=())
        for port in allowed
        if not port.server_names
        or any(matches_pattern(item, name) for item in port.server_names for name in target.names)
    )
    return left if left or not allowed else None


def _fqdn_matches(peer: Peer, name: str) -> bool:
    if peer.exact:
        return matches_name(peer.value, name)
    if peer.value.lower().removesuffix(".") == name.lower().removesuffix("."):
        return True
    if name == "*" or name.startswith("*."):
        name = f"{_ANY_NAME}{name[1:]}"
    return matches_pattern(peer.value, name)


def _suffixed(rules: Iterable[Rule], target: _Target) -> Iterator[str]:
    for peer in (peer for rule in rules for entry in rule.egress for peer in entry.peers):
        name = without_suffix(peer.value) if peer.kind is PeerKind.FQDN and not peer.exact else None
        if name is not None and any(matches_pattern(name, asked) for asked in target.names):
            yield wording.peer(peer)


def _rank(way: _Way, remaining: tuple[Port, ...]) -> tuple[bool, ...]:
    """Certain ways first, then what names the destination, then more than DNS and the time, then an entity."""
    return not way.certain, not way.named, ports.are_minor(remaining), way.peer.kind is not PeerKind.ENTITY
