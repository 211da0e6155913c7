"""One entry of a policy in words a person understands: `world:443`, `toFQDNs *.example.com:443`. Pure.

The words hold names from the repository as written there; make them inert before showing them.
"""

from typing import Final

from tocsin.policy.document import Egress, Peer, PeerKind, Port

MAX_PORTS: Final = 6


def peer(value: Peer) -> str:
    """A peer without its ports."""
    match value.kind:
        case PeerKind.EVERYTHING:
            return "everything"
        case PeerKind.FQDN:
            return f"toFQDNs {value.value}"
        case PeerKind.CIDR if value.excepts:
            shown = value.excepts[0] if len(value.excepts) == 1 else f"{len(value.excepts)} ranges"
            return f"{value.value} except {shown}"
        case PeerKind.ENDPOINTS:
            return f"endpoints {value.value}" if value.value else "every endpoint"
    return value.value


def port(value: Port) -> str:
    """A port; TCP and ANY are what people mean by a bare number and are not spelled out."""
    limits = [f"SNI {', '.join(value.server_names)}"] if value.server_names else []
    limits += ["HTTP rules"] if value.layer7 else []
    if not value.number:
        shown = value.protocol if value.protocol != "ANY" else "any" if limits else ""
    else:
        shown = value.number if value.protocol in ("TCP", "ANY") else f"{value.number}/{value.protocol}"
    return shown + "".join(f" ({limit})" for limit in limits)


def on_ports(shown_peer: str, ports: tuple[Port, ...]) -> str:
    """A peer with its ports, at most MAX_PORTS of them spelled out."""
    shown = [text for text in dict.fromkeys(map(port, ports)) if text]
    if not shown:
        return shown_peer
    cut = f" and {len(shown) - MAX_PORTS} more" if len(shown) > MAX_PORTS else ""
    return f"{shown_peer}:{','.join(shown[:MAX_PORTS])}{cut}"


def statements(entry: Egress) -> list[str]:
    """The entry taken apart: one statement per peer, port and DNS pattern, so that two versions can be compared."""
    ports = entry.ports or (Port(""),)
    said = [on_ports(peer(item), (one,)) for item in entry.peers for one in ports]
    return said + [f"dns {pattern}" for one in entry.ports for pattern in one.dns]
