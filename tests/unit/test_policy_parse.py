"""Files in the shapes that repositories have, and files that nobody should have."""

from hypothesis import given
from hypothesis import strategies as st

import gitops_repos
from gitops_repos import FQDN, WORLD
from tocsin.policy.document import Peer, PeerKind, Port, Requirement, Selector
from tocsin.policy.parse import MAX_FILE_CHARS, parse

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
    assert parsed.problems[0].startswith("document 2: ")


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


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["spec", "specs", "egress", "toFQDNs", "toPorts", "ports", "matchLabels", "endpointSelector"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(values, values)
def test_never_raises(spec: object, metadata: object) -> None:
    import json

    document = {"kind": "CiliumNetworkPolicy", "metadata": metadata, "spec": spec}
    parsed = parse(json.dumps(document))
    assert len(parsed.policies) + len(parsed.problems) == 1


@given(st.text(max_size=80))
def test_never_raises_on_text(text: str) -> None:
    parse(KIND + text)
