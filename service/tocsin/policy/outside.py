"""What of an entry leads outside of the cluster, whoever is there. Pure."""

from typing import Final

from tocsin.policy import cidr, wording
from tocsin.policy.document import Egress, Peer, PeerKind
from tocsin.policy.fqdn import names_little

WORLD: Final = frozenset({"world", "all", "world-ipv4", "world-ipv6"})
CLUSTER: Final = frozenset({"cluster", "all"})
MAX_CIDRS: Final = 2


def is_world(peer: Peer) -> bool:
    """Whether the peer alone stands for everything outside."""
    match peer.kind:
        case PeerKind.EVERYTHING:
            return True
        case PeerKind.ENTITY:
            return peer.value in WORLD
        case PeerKind.CIDR:
            return cidr.is_internet([peer])
    return False


def leads_there(entry: Egress) -> bool:
    """Whether any of its peers may be outside of the cluster."""
    inside = (PeerKind.ENDPOINTS, PeerKind.ENTITY)
    return any(peer.kind not in inside or peer.value in WORLD for peer in entry.peers)


def is_all_of_it(peer: Peer) -> bool:
    """Whether nothing outside is left out: what a denial must be, to be one for every name."""
    return cidr.is_whole_internet(peer) if peer.kind is PeerKind.CIDR else is_world(peer)


def world(entry: Egress) -> tuple[Peer, ...]:
    """The peers that stand for everything outside; CIDRs may do so only together and are then one peer here."""
    alone = tuple(peer for peer in entry.peers if is_world(peer))
    together = [peer for peer in entry.peers if peer.kind is PeerKind.CIDR]
    if alone or not cidr.is_internet(together):
        return alone
    shown = [wording.peer(peer) for peer in together[:MAX_CIDRS]]
    shown += [f"{len(together) - MAX_CIDRS} more"] if len(together) > MAX_CIDRS else []
    return (Peer(PeerKind.CIDR, f"{', '.join(shown[:-1])} and {shown[-1]}"),)


def names(peer: Peer) -> bool:
    """Whether the peer names a destination."""
    return peer.kind is PeerKind.FQDN and (peer.exact or not names_little(peer.value))


def is_group(peer: Peer) -> bool:
    """Whether the peer is a group of CIDRs that is written down elsewhere."""
    return peer.kind is PeerKind.OTHER and peer.value.startswith("toCIDRSet ")
