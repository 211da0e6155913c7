"""The `spec` of a Kubernetes NetworkPolicy (networking.k8s.io/v1) -> Rule. Pure; raises on a wrong shape.

https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/ : an entry without `to` reaches
everything; a pod is isolated for egress by a policy whose `policyTypes` say so or, where there are none, by one that
has egress entries.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tocsin.policy.document import Egress, Peer, PeerKind, Port, Rule
from tocsin.policy.fields import canonical, described, items, mapping, selector, texts

_KEPT = ("podSelector", "egress", "policyTypes")


def rule(spec: Mapping[str, Any]) -> Rule:
    """Reads the spec; entries that `policyTypes` switches off are left out."""
    entries, types = items(spec, "egress"), texts(spec, "policyTypes")
    applies = "Egress" in types if types else bool(entries)
    return Rule(
        selector=selector(mapping(spec, "podSelector")),
        egress=tuple(_egress(entry or {}) for entry in entries) if applies else (),
        default_deny=applies,
        rest=canonical({key: value for key, value in spec.items() if key not in _KEPT}),
    )


def _egress(entry: Mapping[str, Any]) -> Egress:
    peers = tuple(_peer(peer or {}) for peer in items(entry, "to"))
    return Egress(peers or (Peer(PeerKind.EVERYTHING),), tuple(_ports(entry)))


def _peer(peer: Mapping[str, Any]) -> Peer:
    block = mapping(peer, "ipBlock")
    if block:
        return Peer(PeerKind.CIDR, str(block["cidr"]), excepts=texts(block, "except"))
    namespaces = mapping(peer, "namespaceSelector")
    where = [f"namespace {described(selector(namespaces)) or 'any'}"] if "namespaceSelector" in peer else []
    pods = described(selector(mapping(peer, "podSelector")))
    return Peer(PeerKind.ENDPOINTS, ", ".join([pods, *where] if pods else where))


def _ports(entry: Mapping[str, Any]) -> Iterator[Port]:
    for port in items(entry, "ports"):
        number = str(port.get("port") or "")
        yield Port(
            number=f"{number}-{port['endPort']}" if port.get("endPort") else number,
            protocol=str(port.get("protocol") or "TCP").upper(),
        )
