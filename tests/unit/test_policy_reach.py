"""Which rule lets a destination through, and its words."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.policy.document import Rule
from tocsin.policy.parse import parse
from tocsin.policy.reach import Access, reach

OFF = "enableDefaultDeny: {egress: false}"


def rules(egress: str, deny: str = "[]", more: str = "") -> tuple[Rule, ...]:
    spec = f"endpointSelector: {{}}, egress: {egress}, egressDeny: {deny}, {more}"
    text = f"kind: CiliumNetworkPolicy\nspec: {{{spec}}}\n"
    parsed = parse(text)
    assert not parsed.problems
    return parsed.policies[0].rules


def through(given: Sequence[Rule], *names: str, internal: bool = False) -> tuple[str, bool] | None:
    """The rule that lets a name through, and whether it names it."""
    found = reach(given, names, internal=internal)
    return (found.rule, found.named) if found.access is Access.ALLOWED else None


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
    assert through(rules(egress), "api.example.com") == ((rule, named) if rule else None)


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
        ("[{toCIDRSet: [{cidr: 0.0.0.0/0, except: [10.0.0.0/8]}]}]", None),
        ("[{toCIDRSet: [{cidr: 0.0.0.0/0, except: [8.0.0.0/8]}]}]", "world:80,443"),
    ],
)
def test_denials_win(deny: str, rule: str | None) -> None:
    expected = (rule, False) if rule else None
    assert through(rules(WORLD, deny), "api.example.com") == expected
    assert through([*rules(WORLD), *rules("[]", deny)], "api.example.com") == expected


def test_a_name_inside_the_cluster_is_not_the_world() -> None:
    assert through(rules(WORLD), "grafana.home.svc.cluster.local", internal=True) is None
    found = through(rules("[{toEntities: [cluster]}]"), "grafana.home.svc.cluster.local", internal=True)
    assert found == ("cluster", False)


def test_the_name_as_asked_counts_too() -> None:
    pattern = rules("[{toFQDNs: [{matchPattern: 'foo.com.*'}]}]")
    assert through(pattern, "foo.com") is None
    assert through(pattern, "foo.com", "foo.com.lan") == ("toFQDNs foo.com.*", True)


@pytest.mark.parametrize(
    ("pattern", "name", "leads"),
    [
        ("*.example.com", "*.example.com", True),
        ("**.example.com", "*.example.com", True),
        ("api.example.com", "*.example.com", False),
        ("*", "*", True),
        ("*.com", "*", False),
        ("*.example.com", "a*b.example.com", False),
    ],
)
def test_a_destination_that_stands_for_many(pattern: str, name: str, leads: bool) -> None:
    assert (reach(rules(f"[{{toFQDNs: [{{matchPattern: '{pattern}'}}]}}]"), [name]).access is Access.ALLOWED) is leads


def test_many_ports_are_cut() -> None:
    ports = ", ".join(f"{{port: '{port}'}}" for port in range(1, 11))
    found = through(rules(f"[{{toEntities: [world], toPorts: [{{ports: [{ports}]}}]}}]"), "a.b")
    assert found == ("world:1,2,3,4,5,6 and 4 more", False)


HALVES = "[{toCIDR: [0.0.0.0/1, 128.0.0.0/1]}]"
PUBLIC = "[{toCIDRSet: [{cidr: 0.0.0.0/0, except: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10]}]}]"


@pytest.mark.parametrize(
    ("given_rules", "line"),
    [
        (rules("[]"), "no policy restricts its egress"),
        (rules("[{toFQDNs: [{matchName: api.example.com}]}]", more=OFF), "no policy restricts its egress"),
        (rules("[]", "[{toEntities: [world]}]", OFF), "the denial of world blocks it"),
        (
            rules("[]", "[{toEntities: [world], toPorts: [{ports: [{port: '80'}]}]}]", OFF),
            "no policy restricts its egress, but the denial of world:80 blocks a part",
        ),
        (rules("[{toEndpoints: [{}]}]"), "no rule lets it through"),
        (rules("[]", "[{toCIDR: [10.0.0.0/8]}]"), "no rule lets it through"),
        (rules("[{toFQDNs: [{matchName: api.example.com}]}]"), "toFQDNs api.example.com names it"),
        (rules("[{toFQDNs: [{matchPattern: '*.com'}]}]"), "no rule lets it through"),
        (rules("[{toFQDNs: [{matchPattern: '**.com'}]}]"), "toFQDNs **.com lets it through"),
        (rules(WORLD), "world:80,443 lets it through"),
        (rules(WORLD, "[{toEntities: [world]}]"), "the denial of world blocks it"),
        (
            rules(WORLD, "[{toEntities: [world], toPorts: [{ports: [{port: '443'}]}]}]"),
            "world:80 lets it through, but the denial of world:443 blocks a part",
        ),
        (
            rules("[{toEntities: [world]}]", "[{toEntities: [world], toPorts: [{ports: [{port: '443'}]}]}]"),
            "world lets it through, but the denial of world:443 blocks a part",
        ),
        (
            rules("[{toFQDNs: [{matchName: api.example.com}]}]", "[{toCIDR: [0.0.0.0/0]}]"),
            "the denial of 0.0.0.0/0 blocks it",
        ),
        (rules(HALVES), "0.0.0.0/1 and 128.0.0.0/1 lets it through"),
        (rules(PUBLIC), "0.0.0.0/0 except 4 ranges lets it through"),
        (rules("[{toCIDR: ['2000::/3']}]"), "2000::/3 lets it through"),
        (rules("[{toCIDR: [0.0.0.0/1]}]"), "0.0.0.0/1 lets it through if its address is among them"),
        (rules("[{toCIDR: [192.168.0.0/16]}]"), "no rule lets it through"),
        (rules("[{toCIDR: ['${NAS}/32']}]"), "${NAS}/32 lets it through if its address is among them"),
        (
            rules("[{toCIDRSet: [{cidrGroupRef: internet}]}]"),
            'toCIDRSet {"cidrGroupRef":"internet"} lets it through if its address is among them',
        ),
        (
            rules("[{toServices: [{k8sService: {serviceName: x}}]}, {toNodes: [{}]}, {toGroups: [{}]}]"),
            "no rule lets it through",
        ),
        (
            rules("[{toFQDNs: [{matchPattern: 'api.example.com.*'}]}]"),
            "no rule lets it through; toFQDNs api.example.com.* names it only with a search suffix",
        ),
        (
            rules("[{toFQDNs: [{matchPattern: 'api.example.com.*'}]}, {toEntities: [world]}]"),
            "world lets it through; toFQDNs api.example.com.* names it only with a search suffix",
        ),
        (
            rules("[{toFQDNs: [{matchPattern: 'api.example.com.*'}, {matchName: api.example.com}]}]"),
            "toFQDNs api.example.com names it",
        ),
    ],
)
def test_one_line(given_rules: tuple[Rule, ...], line: str) -> None:
    assert reach(given_rules, ["api.example.com"]).line == line


def test_nothing_selects_it() -> None:
    assert reach((), ["api.example.com"]).access is Access.UNRESTRICTED


def test_all_rules_count_and_the_one_is_told() -> None:
    several = rules("[{toEndpoints: [{}]}]") + rules(WORLD) + rules("[{toFQDNs: [{matchName: api.example.com}]}]")
    found = reach(several, ["api.example.com"])
    assert (found.access, found.rule, found.at, found.named) == (
        Access.ALLOWED,
        "toFQDNs api.example.com",
        2,
        True,
    )
    found = reach(several, ["example.org"])
    assert (found.at, [port.number for port in found.ports]) == (1, ["80", "443"])
    denied = reach(several + rules("[]", "[{}]"), ["example.org"])
    assert (denied.access, denied.denied_by) == (Access.BLOCKED, "the denial of everything")


@pytest.mark.parametrize(
    ("given_rules", "address", "internal", "access", "named"),
    [
        (rules(WORLD), "192.0.2.7", False, Access.ALLOWED, False),
        (rules(WORLD), "2001:db8::7", False, Access.ALLOWED, False),
        (rules(WORLD), "192.168.1.5", True, Access.POSSIBLE, False),
        (rules("[{toEntities: [cluster]}]"), "10.0.0.5", True, Access.POSSIBLE, False),
        (rules("[{toEntities: [cluster]}]"), "192.0.2.7", False, Access.BLOCKED, False),
        (rules("[{toEntities: [all]}]"), "10.0.0.5", True, Access.ALLOWED, False),
        (rules("[{toCIDR: [192.0.2.0/24]}]"), "192.0.2.7", False, Access.ALLOWED, True),
        (rules("[{toCIDR: [192.0.0.0/16]}]"), "192.0.2.7", False, Access.ALLOWED, False),
        (rules("[{toCIDR: [198.51.100.0/24]}]"), "192.0.2.7", False, Access.BLOCKED, False),
        (
            rules("[{toCIDRSet: [{cidr: 0.0.0.0/0, except: [192.0.2.0/24]}]}]"),
            "192.0.2.7",
            False,
            Access.BLOCKED,
            False,
        ),
        (rules("[{toCIDR: [0.0.0.0/0]}]", "[{toCIDR: [192.0.2.0/24]}]"), "192.0.2.7", False, Access.BLOCKED, False),
        (rules("[{toCIDR: [0.0.0.0/0]}]", "[{toCIDR: [192.0.3.0/24]}]"), "192.0.2.7", False, Access.ALLOWED, False),
        (rules("[{toCIDRSet: [{cidrGroupRef: x}]}]"), "192.0.2.7", False, Access.POSSIBLE, False),
        (rules("[{toFQDNs: [{matchName: api.example.com}]}]"), "192.0.2.7", False, Access.POSSIBLE, False),
        (rules("[]"), "192.0.2.7", False, Access.UNRESTRICTED, False),
    ],
)
def test_an_address(given_rules: tuple[Rule, ...], address: str, internal: bool, access: Access, named: bool) -> None:
    found = reach(given_rules, [address], internal=internal)
    assert (found.access, found.named) == (access, named)


PIECES = [
    "{}",
    "{toEntities: [world]}",
    "{toEntities: [cluster]}",
    "{toEntities: [world], toPorts: [{ports: [{port: '443'}]}]}",
    "{toFQDNs: [{matchName: api.example.com}], toPorts: [{ports: [{port: '443', protocol: TCP}]}]}",
    "{toFQDNs: [{matchPattern: '*.example.com'}]}",
    "{toCIDR: [192.0.2.0/24]}",
    "{toCIDRSet: [{cidr: 0.0.0.0/0, except: [10.0.0.0/8]}]}",
    "{toEndpoints: [{}]}",
]
DENIALS = [piece for piece in PIECES if "FQDN" not in piece]
OPENNESS = [Access.BLOCKED, Access.POSSIBLE, Access.ALLOWED, Access.UNRESTRICTED]
some_rules = st.lists(
    st.builds(
        lambda egress, deny: rules(f"[{', '.join(egress)}]", f"[{', '.join(deny)}]")[0],
        st.lists(st.sampled_from(PIECES), max_size=3),
        st.lists(st.sampled_from(DENIALS), max_size=1),
    ),
    max_size=3,
)
destinations = st.sampled_from(["api.example.com", "example.org", "192.0.2.7", "198.51.100.7", "2001:db8::1"])


def openness(given_rules: list[Rule], name: str) -> int:
    return OPENNESS.index(reach(given_rules, [name]).access)


@given(some_rules, st.sampled_from(DENIALS), destinations)
def test_a_denial_never_opens(before: list[Rule], denial: str, name: str) -> None:
    assert openness([*before, rules("[]", f"[{denial}]", OFF)[0]], name) <= openness(before, name)


@given(some_rules, st.sampled_from(PIECES), destinations)
def test_an_allowance_never_closes_what_is_restricted(before: list[Rule], piece: str, name: str) -> None:
    before = [*before, rules("[{toEntities: [host]}]")[0]]
    assert openness([*before, rules(f"[{piece}]")[0]], name) >= openness(before, name)
