"""One `spec` of a Cilium network policy -> Rule (pkg/policy/api of Cilium 1.19). Pure; raises on a wrong shape.

An entry without any `to*` list reaches everything. An entry with an empty one reaches nothing. `egress: [{}]` lets
everything through, too; before 1.19 it let nothing through and was Cilium's own example of "deny-all-egress".
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tocsin.policy.document import Egress, Peer, PeerKind, Port, Rule
from tocsin.policy.fields import canonical, described, items, mapping, selector, texts

_KEPT = ("endpointSelector", "egress", "egressDeny", "enableDefaultDeny")
_RESERVED = {"reserved:world": "world", "reserved:all": "all"}


def rule(spec: Mapping[str, Any]) -> Rule:
    """Reads one spec."""
    allowed, denied = items(spec, "egress"), items(spec, "egressDeny")
    default_deny = mapping(spec, "enableDefaultDeny")
    asked = default_deny.get("egress")
    rest = {key: value for key, value in spec.items() if key not in _KEPT}
    if other := {key: value for key, value in default_deny.items() if key != "egress"}:
        rest["enableDefaultDeny"] = other
    return Rule(
        selector=None if spec.get("endpointSelector") is None else selector(spec["endpointSelector"]),
        egress=tuple(_egress(entry or {}) for entry in allowed),
        egress_deny=tuple(_egress(entry or {}) for entry in denied),
        default_deny=asked if isinstance(asked, bool) else bool(allowed or denied),
        rest=canonical(rest),
    )


def _egress(entry: Mapping[str, Any]) -> Egress:
    written = [key for key in entry if key.startswith("to") and key != "toPorts" and entry[key] is not None]
    peers = [peer for key in written for peer in _peers(key, items(entry, key))]
    ports = [port for group in items(entry, "toPorts") for port in _ports(group)]
    ports += [Port("", "ICMP") for _ in items(entry, "icmps")[:1]]
    return Egress(tuple(peers) if written else (Peer(PeerKind.EVERYTHING),), tuple(ports))


def _peers(key: str, values: list[Any]) -> Iterator[Peer]:
    """Exactly one peer for each value, so that comments find theirs."""
    for value in values:
        match key:
            case "toFQDNs" if value.get("matchName"):
                yield Peer(PeerKind.FQDN, str(value["matchName"]), exact=True)
            case "toFQDNs":
                yield Peer(PeerKind.FQDN, str(value["matchPattern"]))
            case "toEntities":
                yield Peer(PeerKind.ENTITY, str(value))
            case "toCIDR":
                yield Peer(PeerKind.CIDR, str(value))
            case "toCIDRSet" if value.get("cidr"):
                yield Peer(PeerKind.CIDR, str(value["cidr"]), excepts=texts(value, "except"))
            case "toEndpoints":
                yield _endpoints(value or {})
            case _:
                yield Peer(PeerKind.OTHER, f"{key} {canonical(value)}")


def _endpoints(value: Mapping[str, Any]) -> Peer:
    selected = selector(value)
    reserved = [_RESERVED[item.key] for item in selected.requirements if item.key in _RESERVED]
    return Peer(PeerKind.ENTITY, reserved[0]) if reserved else Peer(PeerKind.ENDPOINTS, described(selected))


def _ports(group: Mapping[str, Any]) -> Iterator[Port]:
    layer7 = mapping(group, "rules")
    patterns = tuple(str(item.get("matchName") or item.get("matchPattern") or "") for item in items(layer7, "dns"))
    for port in items(group, "ports") or [{}]:
        number = "" if str(port.get("port") or 0) == "0" else str(port["port"])
        yield Port(
            number=f"{number}-{port['endPort']}" if port.get("endPort") else number,
            protocol=str(port.get("protocol") or "ANY").upper(),
            server_names=texts(group, "serverNames"),
            dns=patterns,
            layer7=any(layer7.get(key) for key in layer7 if key != "dns"),
        )
