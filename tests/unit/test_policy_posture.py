"""What policies prove, what people wrote on them, and the summary for an inventory."""

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.model import Ground, Posture
from tocsin.policy import cidr, posture
from tocsin.policy.document import Peer, PeerKind, Policy
from tocsin.policy.exposure import Exposure, exposure
from tocsin.policy.parse import parse

WORLD = "{toEntities: [world], toPorts: [{ports: [{port: '443'}]}]}"
FQDN = "{toFQDNs: [{matchName: api.example.com}]}"
DNS = "{toPorts: [{ports: [{port: '53'}]}]}"
NTP = "{toEntities: [world], toPorts: [{ports: [{port: '123', protocol: UDP}]}]}"


def policy(*egress: str, head: str = "", annotation: str = "", selector: str = "{matchLabels: {app: x}}") -> Policy:
    entries = "".join(f"    {entry}\n" if entry.startswith("#") else f"    - {entry}\n" for entry in egress)
    annotations = f"  annotations: {{tocsin.dev/egress: {annotation}}}\n" if annotation else ""
    parsed = parse(
        f"{head}\nkind: CiliumNetworkPolicy\nmetadata:\n  name: x\n{annotations}spec:\n"
        f"  endpointSelector: {selector}\n  egress:\n{entries}"
    )
    assert not parsed.problems
    return parsed.policies[0]


def said(*policies: Policy) -> list[tuple[str, str]]:
    return [(one.ground.value, one.posture.value) for one in posture.testimony(policies).statements]


@pytest.mark.parametrize(
    ("egress", "proven", "text"),
    [
        ([FQDN], Posture.BOUNDED, "it may reach toFQDNs api.example.com and nothing else outside"),
        (
            [FQDN, DNS],
            Posture.BOUNDED,
            "it may reach toFQDNs api.example.com and nothing else outside (everything:53 aside: DNS and time)",
        ),
        (["{toFQDNs: [{matchPattern: '*'}, {matchName: api.example.com}]}"], None, ""),
        (["{toFQDNs: [{matchPattern: '*.com'}]}"], None, ""),
        ([WORLD], None, ""),
        ([FQDN, WORLD], None, ""),
        (["{}"], None, ""),
        (["{toCIDR: ['${VPN}/32']}"], Posture.BOUNDED, "it may reach ${VPN}/32 and nothing else outside"),
        (["{toCIDR: [192.0.2.0/24]}"], Posture.BOUNDED, "it may reach 192.0.2.0/24 and nothing else outside"),
        (["{toCIDR: [64.0.0.0/2]}"], None, ""),
        (["{toCIDR: [0.0.0.0/1, 128.0.0.0/1]}"], None, ""),
        (["{toCIDRSet: [{cidrGroupRef: internet}]}"], None, ""),
        (["{toEndpoints: [{}]}", NTP], Posture.LAN_ONLY, "no rule leads outside (world:123/UDP aside: DNS and time)"),
        (["{toCIDR: [192.168.0.0/16]}"], Posture.LAN_ONLY, "no rule leads outside beyond 192.168.0.0/16"),
        (["{toEntities: [cluster, kube-apiserver]}"], Posture.LAN_ONLY, "no rule leads outside"),
        (
            ["{toEntities: [world], toPorts: [{ports: [{port: '443'}], serverNames: [api.example.com]}]}"],
            Posture.BOUNDED,
            "it may reach world:443 (SNI api.example.com) and nothing else outside",
        ),
        (
            ["{toEntities: [world], toPorts: [{ports: [{port: '51820', protocol: UDP}]}]}"],
            Posture.BOUNDED,
            "it may reach world:51820/UDP and nothing else outside",
        ),
        (["{toEntities: [world], toPorts: [{ports: [{port: '51820', protocol: ANY}]}]}"], None, ""),
        (["{toCIDR: ['${LAN}']}"], None, ""),
        (["{toCIDRSet: [{cidr: '${LAN}', except: ['${NAS}/32']}]}", FQDN], None, ""),
        (
            ["{toCIDR: ['${NAS}/32']}"],
            Posture.BOUNDED,
            "it may reach ${NAS}/32 and nothing else outside",
        ),
        (
            ["{toFQDNs: [{matchPattern: '*.${DOMAIN}'}]}"],
            Posture.BOUNDED,
            "it may reach toFQDNs *.${DOMAIN} and nothing else outside",
        ),
    ],
)
def test_what_structure_proves(egress: list[str], proven: Posture | None, text: str) -> None:
    found = posture.testimony([policy(*egress)])
    assert [(one.posture, one.text) for one in found.statements] == ([(proven, text)] if proven else [])
    assert bool(found.undecided) is (proven is None)
    assert all(one.ground is Ground.STRUCTURE and one.source == "rules of x" for one in found.statements)


def test_nothing_that_restricts_proves_nothing() -> None:
    assert (
        posture.testimony([])
        == posture.testimony([policy()])
        == posture.Testimony(undecided=("no policy restricts its egress",))
    )


def test_the_world_alone_is_said_to_prove_nothing() -> None:
    assert posture.testimony([policy(FQDN), policy(WORLD)]).undecided == (
        "world:443 beside 1 named destination proves nothing: it may be there for a few names or for any",
    )


def test_an_empty_entry_may_have_been_meant_to_deny() -> None:
    assert posture.testimony([policy("{}")]).undecided == (
        "everything proves nothing: it may be there for a few names or for any",
        "an empty egress entry lets everything through, but denied everything before Cilium 1.19",
    )


def test_an_empty_entry_of_a_policy_that_is_called_deny_was_meant_to() -> None:
    denying = replace(policy("{}", selector="{}"), name="default-deny")
    (alone,) = posture.testimony([denying]).statements
    assert alone.posture is Posture.LAN_ONLY
    assert "since then it opens all" in alone.text
    assert posture.testimony([denying, policy(FQDN)]).statements[0].posture is Posture.BOUNDED
    assert not posture.testimony([denying, policy(WORLD)]).statements
    assert not posture.testimony([replace(denying, name="denyhosts"), policy(FQDN)]).statements


@pytest.mark.parametrize(
    ("one", "statements"),
    [
        (policy("# arbitrary hosts", WORLD), [("comment", "unbounded")]),
        (policy("# the GitHub API", WORLD), [("comment", "bounded")]),
        (policy("# arbitrary hosts", DNS, "# HTTPS", WORLD), []),
        (policy("# arbitrary hosts", FQDN), [("structure", "bounded")]),
        (policy(WORLD, head="# crawls the web"), [("comment", "unbounded")]),
        (policy(WORLD, head="# crawls the web", selector="{}"), []),
        (policy("# crawls the web", WORLD, selector="{}"), [("comment", "unbounded")]),
        (policy("# arbitrary hosts", WORLD, head="# GitHub"), []),
        (policy(head="# Plex may come in"), []),
        (policy("{toEndpoints: [{}]}", head="# talks to Plex and GitHub"), [("structure", "lan_only")]),
        (
            policy("{toEndpoints: [{}]}", head="# crawls the web"),
            [("structure", "lan_only"), ("comment", "unbounded")],
        ),
        (policy(head="# egress stays open for BitTorrent"), [("comment", "unbounded")]),
        (policy("# tocsin: bounded", WORLD), [("agreed", "bounded")]),
        (policy("# tocsin: unbounded", WORLD), [("agreed", "unbounded")]),
        (policy(FQDN, head="# egress: unbounded"), [("agreed", "unbounded"), ("structure", "bounded")]),
        (
            policy("# GitHub", WORLD, "# tocsin: between", DNS, annotation="unbounded"),
            [("annotation", "unbounded"), ("agreed", "between"), ("comment", "bounded")],
        ),
    ],
)
def test_who_is_heard_first(one: Policy, statements: list[tuple[str, str]]) -> None:
    assert said(one) == statements


def test_comments_that_contradict_each_other_are_quoted() -> None:
    found = posture.testimony([policy("# arbitrary hosts", WORLD, head="# GitHub")])
    assert found.undecided[-1] == 'comments in x can be read both ways: "arbitrary hosts" and "GitHub"'


def test_a_word_that_was_not_agreed_is_reported() -> None:
    found = posture.testimony([policy("# tocsin: open", FQDN, annotation="wide")])
    assert found.problems == (
        'annotation tocsin.dev/egress of x says "wide", which is none of bounded, unbounded, between, lan_only',
        'comment in x says "open", which is none of bounded, unbounded, between, lan_only',
    )


def test_a_long_comment_is_cut() -> None:
    (statement,) = posture.testimony([policy(f"# arbitrary hosts {'x' * 300}", WORLD)]).statements
    assert statement.text.endswith('x\u2026"')
    assert len(statement.text) < 170


def test_the_summary() -> None:
    several = [
        policy(FQDN, WORLD, DNS, "{toCIDR: [10.0.0.0/8, 192.0.2.0/24]}").rules[0],
        policy("{toEntities: [cluster]}", "{toEndpoints: [{}]}", WORLD).rules[0],
    ]
    (denying,) = parse("kind: CiliumNetworkPolicy\nspec: {egressDeny: [{toCIDR: [169.254.0.0/16]}]}\n").policies
    assert exposure([*several, *denying.rules]) == Exposure(
        default_deny=True,
        world=("world:443",),
        minor=("everything:53",),
        names=("toFQDNs api.example.com",),
        public=("192.0.2.0/24",),
        local=("10.0.0.0/8",),
        inside=("cluster", "every endpoint"),
        denied=("169.254.0.0/16",),
    )


def test_what_is_denied_is_not_counted() -> None:
    (one,) = parse(
        f"kind: CiliumNetworkPolicy\nspec: {{egress: [{WORLD}, {FQDN}], egressDeny: [{{toEntities: [world]}}]}}\n"
    ).policies
    found = exposure(one.rules)
    assert (found.world, found.names, found.denied) == ((), (), ("world",))
    assert said(one) == [("structure", "lan_only")]


def peers(*networks: str, excepts: tuple[str, ...] = ()) -> list[Peer]:
    return [Peer(PeerKind.CIDR, network, excepts=excepts) for network in networks]


def test_what_amounts_to_the_internet() -> None:
    private = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "224.0.0.0/4")
    assert cidr.is_internet(peers("0.0.0.0/0", excepts=private))
    assert cidr.is_internet(peers("0.0.0.0/1", "128.0.0.0/1"))
    assert cidr.is_internet(peers("::/0", excepts=("fc00::/7",)))
    assert not cidr.is_internet(peers("0.0.0.0/1", "0.0.0.0/1", "0.0.0.0/2"))
    assert not cidr.is_internet(peers("0.0.0.0/0", excepts=("0.0.0.0/1",)))
    assert not cidr.is_internet(peers("fc00::/7", "${NET}"))


networks = st.builds(
    lambda bits, length: str(ipaddress.ip_network((bits, length), strict=False)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)


@given(st.lists(networks, max_size=4), networks, st.integers(0, 2**32 - 1))
def test_more_networks_are_never_less(some: list[str], more: str, number: int) -> None:
    assert cidr.is_internet(peers(*some)) <= cidr.is_internet(peers(*some, more))
    assert cidr.is_few(peers(*some)) >= cidr.is_few(peers(*some, more))
    address = ipaddress.IPv4Address(number)
    assert cidr.holds(peers(more)[0], address) is (address in ipaddress.ip_network(more))
    assert not cidr.holds(Peer(PeerKind.CIDR, more, excepts=(more,)), address)
