"""CIDRs that a policy takes from a CiliumCIDRGroup, put in their place. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from tocsin.policy.document import Egress, Peer, PeerKind, Policy, Rule
from tocsin.policy.outside import is_group

GROUP: Final = "CiliumCIDRGroup"
Groups = Mapping[str, tuple[str, ...]]
"""The CIDRs of each group by its name; groups belong to the whole cluster."""


def filled(policy: Policy, groups: Groups) -> Policy:
    """The policy with the CIDRs of every group that is known; one that is not stays a reference."""
    if not groups or not any(is_group(peer) for peer in _peers_of(policy)):
        return policy
    return replace(policy, rules=tuple(_rule(rule, groups) for rule in policy.rules))


def _rule(rule: Rule, groups: Groups) -> Rule:
    allowed = tuple(_entry(entry, groups) for entry in rule.egress)
    return replace(rule, egress=allowed, egress_deny=tuple(_entry(entry, groups) for entry in rule.egress_deny))


def _entry(entry: Egress, groups: Groups) -> Egress:
    return replace(entry, peers=tuple(each for peer in entry.peers for each in _peers(peer, groups)))


def _peers(peer: Peer, groups: Groups) -> Iterator[Peer]:
    written = json.loads(peer.value.partition(" ")[2]) if is_group(peer) else {}
    cidrs = groups.get(str(written.get("cidrGroupRef")))
    if not cidrs:
        yield peer
        return
    excepts = tuple(map(str, written.get("except") or ()))
    for cidr in cidrs:
        yield Peer(PeerKind.CIDR, cidr, excepts=excepts, comments=peer.comments)


def _peers_of(policy: Policy) -> Iterator[Peer]:
    for rule in policy.rules:
        for entry in (*rule.egress, *rule.egress_deny):
            yield from entry.peers
