"""Where the rules that select a workload let it go, summed up. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.policy import cidr, ports, wording
from tocsin.policy.document import Egress, Peer, PeerKind, Port, Rule
from tocsin.policy.outside import is_all_of_it, is_group, is_world, names, world


@dataclass(frozen=True, slots=True)
class Exposure:
    """Statements in the words of `wording`, each once, in the order of the rules.

    `world` lets everything outside through, `minor` does so on the ports of DNS and the time only, `tunnels` on those
    of a VPN only, behind which nobody can look. `names` are
    `toFQDNs` and TLS names, `public` CIDRs (and groups of them) outside, `local` CIDRs of private networks, `inside`
    entities, endpoints and services of the cluster. `few` says that `public` is few enough addresses to be somebody's.
    """

    default_deny: bool
    world: tuple[str, ...] = ()
    minor: tuple[str, ...] = ()
    tunnels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    public: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    few: bool = True


def exposure(rules: Sequence[Rule]) -> Exposure:
    """Sums up all rules that select one workload; what a denial takes away is not counted."""
    denials = [entry for rule in rules for entry in rule.egress_deny]
    denied = [
        port for entry in denials for peer in entry.peers if is_all_of_it(peer) for port in entry.ports or (Port(""),)
    ]
    said: dict[str, list[str]] = {
        key: [] for key in ("world", "minor", "tunnels", "names", "public", "local", "inside")
    }
    public: list[Peer] = []
    for entry in (entry for rule in rules for entry in rule.egress):
        remaining = ports.left(entry.ports, denied)
        for key, peer in _sorted(entry):
            if key in ("local", "inside"):
                said[key].append(wording.on_ports(wording.peer(peer), entry.ports))
            elif remaining is not None:
                said[_by_ports(key, remaining)].append(wording.on_ports(wording.peer(peer), remaining))
                public += [peer] if key == "public" else []
    return Exposure(
        default_deny=any(rule.default_deny for rule in rules),
        **{key: tuple(dict.fromkeys(texts)) for key, texts in said.items()},
        denied=tuple(dict.fromkeys(text for entry in denials for text in wording.statements(entry))),
        few=cidr.is_few(public) and not any(is_group(peer) for peer in public),
    )


def lets_world_through(entry: Egress) -> bool:
    """Whether the entry opens everything outside on a port that counts."""
    return any(_by_ports(key, entry.ports) == "world" for key, _ in _sorted(entry))


def _sorted(entry: Egress) -> list[tuple[str, Peer]]:
    open_to_all = world(entry)
    rest = [peer for peer in entry.peers if not is_world(peer)]
    if any(peer.kind is PeerKind.CIDR for peer in open_to_all):
        rest = [peer for peer in rest if peer.kind is not PeerKind.CIDR or not cidr.is_public(peer)]
    return [("world", peer) for peer in open_to_all] + [(_side(peer), peer) for peer in rest]


def _side(peer: Peer) -> str:
    match peer.kind:
        case PeerKind.FQDN:
            return "names" if names(peer) else "world"
        case PeerKind.CIDR:
            return "public" if cidr.is_public(peer) else "local"
    return "public" if is_group(peer) else "inside"


def _by_ports(key: str, remaining: tuple[Port, ...]) -> str:
    """A way to everything counts as names where TLS names restrict each port, and hardly where it carries no data."""
    if key != "world":
        return key
    if remaining and all(port.server_names and "*" not in port.server_names for port in remaining):
        return "names"
    if ports.are_tunnels(remaining):
        return "tunnels"
    return "minor" if ports.are_minor(remaining) else "world"
