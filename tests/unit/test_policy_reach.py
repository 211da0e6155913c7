"""Which rule lets a destination through, and its words."""

import pytest

from tocsin.policy.parse import parse
from tocsin.policy.reach import Passage, passage


def rules(egress: str, deny: str = "[]"):
    text = f"kind: CiliumNetworkPolicy\nspec: {{endpointSelector: {{}}, egress: {egress}, egressDeny: {deny}}}\n"
    parsed = parse(text)
    assert not parsed.problems
    return parsed.policies[0].rules


@pytest.mark.parametrize(
    ("egress", "rule", "named"),
    [
        ("[{toEntities: [world], toPorts: [{ports: [{port: '443', protocol: TCP}]}]}]", "world:443", False),
        ("[{toEntities: [cluster, all]}]", "all", False),
        ("[{toEntities: [cluster]}]", None, False),
        ("[{}]", "everything", False),
        ("[]", None, False),
        ("[{toEndpoints: [{}]}]", None, False),
        ("[{toEndpoints: []}]", None, False),
        ("[{toCIDR: [0.0.0.0/0]}]", "0.0.0.0/0", False),
        ("[{toCIDR: ['::/0']}]", "::/0", False),
        ("[{toCIDR: [10.0.0.0/8]}]", None, False),
        ("[{toCIDRSet: [{cidr: 0.0.0.0/0, except: [10.0.0.0/8]}]}]", "0.0.0.0/0 except 10.0.0.0/8", False),
        ("[{toCIDRSet: [{cidr: 0.0.0.0/0, except: [10.0.0.0/8, 172.16.0.0/12]}]}]", "0.0.0.0/0 except 2 ranges", False),
        ("[{toCIDRSet: [{cidrGroupRef: lan}]}]", None, False),
        ("[{toFQDNs: [{matchName: api.example.com}]}]", "toFQDNs api.example.com", True),
        (
            "[{toFQDNs: [{matchPattern: '*.example.com'}], toPorts: [{ports: [{port: 443}]}]}]",
            "toFQDNs *.example.com:443",
            True,
        ),
        ("[{toFQDNs: [{matchPattern: '*'}]}]", "toFQDNs *", False),
        ("[{toFQDNs: [{matchName: example.com}]}]", None, False),
        ("[{toEntities: [world]}, {toFQDNs: [{matchName: api.example.com}]}]", "toFQDNs api.example.com", True),
        ("[{toEntities: [world], toPorts: [{ports: [{port: '53'}]}]}, {toCIDR: [0.0.0.0/0]}]", "0.0.0.0/0", False),
        ("[{toPorts: [{ports: [{port: '80'}, {port: '443', protocol: UDP}]}]}]", "everything:80,443/UDP", False),
        ("[{toEntities: [world], toPorts: [{ports: [{port: '8000', endPort: 8100}]}]}]", "world:8000-8100", False),
        ("[{toEntities: [world], toPorts: [{ports: [{port: '443'}], serverNames: [x.example.org]}]}]", None, False),
        (
            "[{toEntities: [world], toPorts: [{ports: [{port: '443'}], serverNames: ['*.example.com']}]}]",
            "world:443",
            False,
        ),
        ("[{toEntities: [world], icmps: [{fields: [{type: 8}]}]}]", "world:ICMP", False),
    ],
)
def test_one_policy(egress: str, rule: str | None, named: bool) -> None:
    assert passage(rules(egress), ["api.example.com"]) == (Passage(rule, named) if rule else None)


WORLD = "[{toEntities: [world], toPorts: [{ports: [{port: '80'}, {port: '443', protocol: TCP}]}]}]"


@pytest.mark.parametrize(
    ("deny", "rule"),
    [
        ("[{toEntities: [world]}]", None),
        ("[{}]", None),
        ("[{toEntities: [world], toPorts: [{ports: [{port: '443'}]}]}]", "world:80"),
        ("[{toEntities: [world], toPorts: [{ports: [{port: '443', protocol: UDP}]}]}]", "world:80,443"),
        ("[{toEntities: [world], toPorts: [{ports: [{port: '1', endPort: 100}]}]}]", "world:443"),
        ("[{toEntities: [world], toPorts: [{ports: [{port: '1', endPort: 999}]}]}]", None),
        ("[{toCIDR: [10.0.0.0/8]}]", "world:80,443"),
        ("[{toCIDRSet: [{cidr: 0.0.0.0/0, except: [10.0.0.0/8]}]}]", "world:80,443"),
    ],
)
def test_denials_win(deny: str, rule: str | None) -> None:
    found = passage(rules(WORLD, deny), ["api.example.com"])
    assert (found.rule if found else None) == rule
    found = passage(rules(WORLD), ["api.example.com"], denying=rules("[]", deny))
    assert (found.rule if found else None) == rule


def test_a_name_inside_the_cluster_is_not_the_world() -> None:
    assert passage(rules(WORLD), ["grafana.home.svc.cluster.local"], internal=True) is None
    found = passage(rules("[{toEntities: [cluster]}]"), ["grafana.home.svc.cluster.local"], internal=True)
    assert found == Passage("cluster", named=False)


def test_the_name_as_asked_counts_too() -> None:
    pattern = rules("[{toFQDNs: [{matchPattern: 'foo.com.*'}]}]")
    assert passage(pattern, ["foo.com"]) is None
    assert passage(pattern, ["foo.com", "foo.com.lan"]) == Passage("toFQDNs foo.com.*", named=True)


@pytest.mark.parametrize(
    ("pattern", "name", "through"),
    [
        ("*.example.com", "*.example.com", True),
        ("**.example.com", "*.example.com", True),
        ("api.example.com", "*.example.com", False),
        ("*", "*", True),
        ("*.com", "*", False),
        ("*.example.com", "a*b.example.com", False),
    ],
)
def test_a_destination_that_stands_for_many(pattern: str, name: str, through: bool) -> None:
    assert (passage(rules(f"[{{toFQDNs: [{{matchPattern: '{pattern}'}}]}}]"), [name]) is not None) is through


def test_many_ports_are_cut() -> None:
    ports = ", ".join(f"{{port: '{port}'}}" for port in range(1, 11))
    found = passage(rules(f"[{{toEntities: [world], toPorts: [{{ports: [{ports}]}}]}}]"), ["a.b"])
    assert found == Passage("world:1,2,3,4,5,6 and 4 more", named=False)
