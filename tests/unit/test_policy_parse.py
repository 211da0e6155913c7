"""Files in the shapes that repositories have, and files that nobody should have."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gitops_repos
from gitops_repos import FQDN, WORLD
from tocsin.policy.document import Egress, Parsed, Peer, PeerKind, Port, Requirement, Rule, Selector
from tocsin.policy.parse import parse, policies
from tocsin.yaml_documents import MAX_FILE_CHARS, documents

KIND = "kind: CiliumNetworkPolicy\n"


def test_a_policy() -> None:
    (policy,) = parse(gitops_repos.policy("x", FQDN, WORLD, namespace="media")).policies
    assert (policy.name, policy.namespace, policy.clusterwide) == ("x", "media", False)
    (rule,) = policy.rules
    assert rule.selector == Selector((Requirement("app.kubernetes.io/name", "In", frozenset({"x"})),))
    assert [entry.peers for entry in rule.egress] == [
        (Peer(PeerKind.FQDN, "api.example.com", exact=True),),
        (Peer(PeerKind.ENTITY, "world"),),
    ]
    assert rule.egress[0].ports == (Port("443", "TCP"),)


def test_spec_and_specs_both_count() -> None:
    text = (
        "kind: CiliumClusterwideNetworkPolicy\nmetadata: {name: all}\n"
        "spec: {endpointSelector: {}, egress: [{}]}\n"
        "specs: [{nodeSelector: {}}, {endpointSelector: {matchLabels: {'any:app': a, 'k8s:role': b}}}]\n"
    )
    (policy,) = parse(text).policies
    assert policy.clusterwide
    assert [rule.selector and [item.key for item in rule.selector.requirements] for rule in policy.rules] == [
        [],
        None,
        ["app", "role"],
    ]


def test_an_absent_empty_and_written_peer_list_are_three_things() -> None:
    text = (
        KIND + "spec: {endpointSelector: {}, egress: [{}, {toEndpoints: []}, {toEndpoints: [{}]}, {toEntities: null}]}"
    )
    (policy,) = parse(text).policies
    assert [[peer.kind for peer in entry.peers] for entry in policy.rules[0].egress] == [
        [PeerKind.EVERYTHING],
        [],
        [PeerKind.ENDPOINTS],
        [PeerKind.EVERYTHING],
    ]


def test_a_variable_is_no_namespace() -> None:
    (policy,) = parse(gitops_repos.policy("x", WORLD, namespace="${NAMESPACE}")).policies
    assert policy.namespace is None


def test_lists_of_resources_and_other_kinds() -> None:
    item = {"kind": "CiliumNetworkPolicy", "metadata": {"name": "in-list"}, "spec": {"endpointSelector": {}}}
    text = f"kind: List\nitems: [{item}, 7, {{kind: ConfigMap}}]\n---\nkind: Deployment\n---\n7\n"
    assert [policy.name for policy in parse(text).policies] == ["in-list"]


def test_a_broken_document_does_not_hide_its_neighbours() -> None:
    parsed = parse(f"{gitops_repos.policy('a', WORLD)}---\n{KIND}x: [\n---\n{gitops_repos.policy('b', WORLD)}")
    assert [policy.name for policy in parsed.policies] == ["a", "b"]
    assert len(parsed.problems) == 1
    assert parsed.problems[0].endswith("(line 14)")


def test_anchors_defined_again() -> None:
    shared = f"{KIND}x-a: &a 1\nx-b: &a 2\nmetadata: {{name: one}}\nspec: {{endpointSelector: {{}}}}\n"
    parsed = parse(f"{shared}---\n{shared}")
    assert (len(parsed.policies), parsed.problems) == (2, ())


def test_a_policy_of_the_wrong_shape_is_reported_by_name() -> None:
    parsed = parse(f"{KIND}metadata: {{name: odd}}\nspec: {{endpointSelector: {{}}, egress: {{a: b}}}}\n")
    assert parsed.problems == ("odd: egress is not a list",)


def test_templates_and_huge_files_are_reported() -> None:
    assert parse(f"{KIND}metadata: {{{{ .Values.name }}}}\n").problems
    assert parse(KIND + "#" * MAX_FILE_CHARS).problems == (f"larger than {MAX_FILE_CHARS} characters",)
    assert parse(KIND + "x: " + "[" * 20_000).problems


def test_a_file_that_contains_itself() -> None:
    assert len(parse(f"{KIND}spec: &a {{endpointSelector: {{}}, labels: [*a]}}\n").problems) == 1


def rule(spec: str, kind: str = "kind: CiliumNetworkPolicy") -> Rule:
    parsed = parse(f"{kind}\nspec: {{{spec}}}\n")
    assert not parsed.problems
    return parsed.policies[0].rules[0]


@pytest.mark.parametrize(
    ("spec", "on"),
    [
        ("egress: [{toEntities: [world]}]", True),
        ("egress: [{}]", True),
        ("egress: []", False),
        ("ingress: [{}]", False),
        ("egressDeny: [{toEntities: [world]}]", True),
        ("egressDeny: [{toEntities: [world]}], enableDefaultDeny: {egress: false}", False),
        ("egress: [{}], enableDefaultDeny: {egress: false}", False),
        ("egress: [{}], enableDefaultDeny: {ingress: false}", True),
        ("enableDefaultDeny: {egress: true}", True),
        ("egress: [{}], enableDefaultDeny: {egress: '${DENY}'}", True),
    ],
)
def test_default_deny(spec: str, on: bool) -> None:
    assert rule(f"endpointSelector: {{}}, {spec}").default_deny is on


KUBERNETES = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy"


@pytest.mark.parametrize(
    ("spec", "egress", "on"),
    [
        ("policyTypes: [Egress]", (), True),
        ("policyTypes: [Ingress], egress: [{}]", (), False),
        ("ingress: [{}]", (), False),
        ("egress: []", (), False),
        ("egress: [{}]", (Egress((Peer(PeerKind.EVERYTHING),)),), True),
        ("egress: [{to: []}]", (Egress((Peer(PeerKind.EVERYTHING),)),), True),
        (
            "policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}]",
            (Egress((Peer(PeerKind.CIDR, "0.0.0.0/0", excepts=("10.0.0.0/8",)),)),),
            True,
        ),
        (
            "egress: [{to: [{namespaceSelector: {}}, {podSelector: {matchLabels: {app: x}}, "
            "namespaceSelector: {matchLabels: {a: b}}}], "
            "ports: [{port: 53, protocol: UDP}, {port: 80, endPort: 90}, {}]}]",
            (
                Egress(
                    (
                        Peer(PeerKind.ENDPOINTS, "namespace any"),
                        Peer(PeerKind.ENDPOINTS, "app=x, namespace a=b"),
                    ),
                    (Port("53", "UDP"), Port("80-90", "TCP"), Port("", "TCP")),
                ),
            ),
            True,
        ),
    ],
)
def test_a_kubernetes_policy(spec: str, egress: tuple[Egress, ...], on: bool) -> None:
    found = rule(f"podSelector: {{matchLabels: {{app: y}}}}, {spec}", KUBERNETES)
    assert (found.egress, found.default_deny) == (egress, on)
    assert found.selector == Selector((Requirement("app", "In", frozenset({"y"})),))


def test_the_network_policy_of_somebody_else_is_none() -> None:
    assert parse("apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nspec: {selector: all()}\n") == Parsed()


def test_an_endpoint_selector_may_mean_the_world() -> None:
    found = rule("endpointSelector: {}, egress: [{toEndpoints: [{matchLabels: {'reserved:world': ''}}, {}]}]")
    assert [peer.kind for peer in found.egress[0].peers] == [PeerKind.ENTITY, PeerKind.ENDPOINTS]


def test_only_the_annotation_that_is_read_is_kept() -> None:
    (policy,) = parse(f"{KIND}metadata: {{annotations: {{tocsin.dev/egress: bounded, other: x}}}}\n").policies
    assert policy.annotations == (("tocsin.dev/egress", "bounded"),)


def test_variables_stay() -> None:
    text = gitops_repos.policy("${APP}", "{toFQDNs: [{matchName: 'api.${DOMAIN}'}]}", namespace="${NAMESPACE}")
    (policy,) = parse(text).policies
    assert (policy.name, policy.namespace, policy.written_namespace) == ("${APP}", None, "${NAMESPACE}")
    assert policy.rules[0].egress[0].peers[0].value == "api.${DOMAIN}"


def test_a_document_that_was_read_already() -> None:
    found, _ = documents(gitops_repos.policy("x", WORLD) + "---\nkind: ConfigMap\n", lambda _: True)
    assert [[policy.name for policy in policies(document).policies] for document in found] == [["x"], []]


RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: shop, namespace: flux-system}
spec:
  targetNamespace: web
  values:
    extraObjects:
      - apiVersion: v1
        kind: ConfigMap
      # the payment provider
      - apiVersion: cilium.io/v2
        kind: CiliumNetworkPolicy
        metadata: {name: shop}
        spec:
          endpointSelector: {matchLabels: {app: shop}}
          egress:
            # their webhooks
            - toEntities: [world]
    rawResources:
      deeper:
        apiVersion: cilium.io/v2
        kind: CiliumNetworkPolicy
        spec:
          spec: {endpointSelector: {}, egress: [{toEntities: [cluster]}]}
      own:
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        manifest:
          metadata: {name: ignored}
          spec: {podSelector: {}, policyTypes: [Egress]}
"""


def test_policies_in_the_values_of_a_release() -> None:
    shop, deeper, own = parse(RELEASE).policies
    assert [(each.name, each.namespace) for each in (shop, deeper, own)] == [
        ("shop", "web"),
        ("deeper", "web"),
        ("own", "web"),
    ]
    assert (shop.comments, shop.rules[0].egress[0].comments) == (("the payment provider",), ("their webhooks",))
    assert deeper.rules[0].egress[0].peers == (Peer(PeerKind.ENTITY, "cluster"),)
    assert own.rules[0].default_deny


def test_a_release_that_is_broken_around_a_policy() -> None:
    for whole, broken in (("{name: shop, namespace: flux-system}", "7"), ("metadata: {name: shop}\n", "metadata: 7\n")):
        parsed = parse(RELEASE.replace(whole, broken))
        assert parsed.problems == (("shop: " if broken != "7" else ": ") + "metadata is not a mapping",)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "spec",
                    "specs",
                    "egress",
                    "to",
                    "ipBlock",
                    "toFQDNs",
                    "toPorts",
                    "ports",
                    "matchLabels",
                    "podSelector",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(values, values, st.sampled_from(["CiliumNetworkPolicy", "NetworkPolicy"]))
def test_never_raises(spec: object, metadata: object, kind: str) -> None:
    document = {"apiVersion": "networking.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec}
    parsed = parse(json.dumps(document))
    assert len(parsed.policies) + len(parsed.problems) == 1


@given(st.text(max_size=80))
def test_never_raises_on_text(text: str) -> None:
    parse(KIND + text)
