"""What a commit changed in a policy file, in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gitops_repos
from gitops_repos import FQDN, WORLD
from tocsin.policy.diff import changes, summary

X = gitops_repos.policy("x", FQDN)
KUBERNETES = (
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: x}}\n"
    "spec: {{podSelector: {{}}, policyTypes: [Egress], egress: [{}]}}\n"
)
NOT_YAML = "kind: CiliumNetworkPolicy\nspec: [\n"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (None, X, ("created",)),
        (X, None, ("deleted",)),
        (X, X, ()),
        (X, f"# why\n{X}", ("comment only",)),
        (X, gitops_repos.policy("x", FQDN, WORLD), ("+ world:443",)),
        (X, gitops_repos.policy("x", WORLD), ("+ world:443", "- toFQDNs api.example.com:443")),
        (X, gitops_repos.policy("x", FQDN, app="y"), ("selector changed",)),
        (X, gitops_repos.policy("x", FQDN, namespace="media"), ("namespace changed",)),
        (X, f"{X}  ingress: [{{}}]\n", ("ingress or options changed",)),
        (X, f"{X}  egressDeny: [{{toEntities: [world]}}]\n", ("+ deny world",)),
        (X, X.replace("TCP", "ANY"), ("details changed",)),
        (X, f"{X}  enableDefaultDeny: {{egress: false}}\n", ("default deny off",)),
        (f"{X}  enableDefaultDeny: {{egress: false}}\n", X, ("default deny on",)),
        (X, f"{X}  enableDefaultDeny: {{ingress: false}}\n", ("ingress or options changed",)),
        (
            X,
            X.replace("metadata:", "metadata:\n  annotations: {tocsin.dev/egress: bounded}"),
            ("tocsin.dev/egress: bounded",),
        ),
        (
            X.replace("metadata:", "metadata:\n  annotations: {tocsin.dev/egress: bounded}"),
            X,
            ("tocsin.dev/egress removed",),
        ),
        (X, X.replace("  egress:", "  # why\n  egress: # now"), ("comment only",)),
        (
            KUBERNETES.format("{to: [{ipBlock: {cidr: 192.0.2.0/24}}]}"),
            KUBERNETES.format("{}"),
            ("+ everything", "- 192.0.2.0/24"),
        ),
        (
            KUBERNETES.format("{}"),
            KUBERNETES.format("{}").replace("[Egress]", "[Ingress]"),
            ("- everything", "default deny off"),
        ),
        (X, NOT_YAML, ("deleted", "cannot be read")),
        (NOT_YAML, X, ("created", "could not be read before")),
        (X, gitops_repos.policy("z", FQDN), ("x: deleted", "z: created")),
        ("a: 1\n", "a: 2\n", ()),
        (
            X,
            gitops_repos.policy("x", FQDN, "{toPorts: [{ports: [{port: '53'}], rules: {dns: [{matchPattern: '*'}]}}]}"),
            ("+ everything:53", "+ dns *"),
        ),
    ],
)
def test_summary(before: str | None, after: str | None, said: tuple[str, ...]) -> None:
    assert summary(before, after) == said


def test_several_policies_are_told_apart() -> None:
    both = f"{X}---\n{gitops_repos.policy('y', WORLD)}"
    after = f"{X}---\n{gitops_repos.policy('y', FQDN)}"
    assert changes(both, after) == {"y": ("+ toFQDNs api.example.com:443", "- world:443")}
    assert summary(both, after) == ("y: + toFQDNs api.example.com:443", "y: - world:443")


entries = st.lists(
    st.sampled_from([FQDN, WORLD, "{}", "{toCIDR: [10.0.0.0/8]}", "{toEndpoints: [{}]}"]), min_size=1, max_size=4
)


@given(entries, entries)
def test_going_back_says_the_opposite(one: list[str], other: list[str]) -> None:
    before, after = gitops_repos.policy("x", *one), gitops_repos.policy("x", *other)
    opposite = {"+": "-", "-": "+"}
    forth, back = summary(before, after), summary(after, before)
    assert {opposite.get(text[0], text[0]) + text[1:] for text in forth} == set(back)


@given(entries)
def test_the_order_of_rules_is_no_addition(one: list[str]) -> None:
    said = summary(gitops_repos.policy("x", *one), gitops_repos.policy("x", *reversed(one)))
    assert said in ((), ("details changed",))
