"""Where a policy belongs, and which component it is part of."""

import pytest

import gitops_repos
from gitops_repos import POLICY_FILE, WORLD
from tocsin.gitops.index import Index, build
from tocsin.gitops.template import Place, place
from tocsin.policy.parse import parse

TEMPLATE = "kubernetes/apps/{namespace}/{app}/**"


def index(**files: str) -> Index:
    return build({path.replace("__", "/"): parse(text) for path, text in files.items()}, (TEMPLATE,))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("kubernetes/apps/media/sonarr/app/x.yaml", Place("media", "sonarr")),
        ("kubernetes/apps/media/sonarr/x.yaml", Place("media", "sonarr")),
        ("kubernetes/apps/media/x.yaml", Place()),
        ("other/kubernetes/apps/media/sonarr/x.yaml", Place()),
        ("clusters/a/media/x.yaml", Place("media")),
    ],
)
def test_a_path_template(path: str, found: Place) -> None:
    assert place(path, (TEMPLATE, "clusters/*/{namespace}/*.yaml")) == found


@pytest.mark.parametrize(
    "template", ["apps/**", "{namespace}/{namespace}", "{namespace}/{app}/{app}", "{namespace}/**/*/*/*/*"]
)
def test_an_unusable_template(template: str) -> None:
    with pytest.raises(ValueError, match="path template"):
        place("x", (template,))


def test_the_policy_s_own_namespace_wins() -> None:
    found = index(kubernetes__apps__media__x__p=gitops_repos.policy("x", WORLD, namespace="home"))
    assert [placed.namespace for placed in found.policies] == ["home"]


def test_a_policy_without_a_namespace_selects_nothing() -> None:
    found = index(elsewhere=gitops_repos.policy("x", WORLD))
    assert found.unplaced == 1
    assert found.selecting("media", "x") == ()


def test_the_surest_policy_comes_first_and_other_namespaces_do_not_count() -> None:
    broad = "kind: CiliumClusterwideNetworkPolicy\nmetadata: {name: all}\nspec: {endpointSelector: {}, egress: [{}]}\n"
    found = index(
        a=broad,
        kubernetes__apps__media__x__p=gitops_repos.policy("x", WORLD),
        kubernetes__apps__home__x__p=gitops_repos.policy("x", WORLD),
    )
    assert [(one.placed.policy.name, one.placed.namespace) for one in found.selecting("media", "x")] == [
        ("x", "media"),
        ("all", ""),
    ]


def test_the_directory_of_a_component() -> None:
    found = index(**{POLICY_FILE.replace("/", "__"): gitops_repos.policy("recyclarr", WORLD)})
    assert found.component_directory(POLICY_FILE) == "kubernetes/apps/media/recyclarr"
    assert found.component_directory("kubernetes/apps/media/x/netpol.yaml") == "kubernetes/apps/media/x"
    assert found.component_directory("netpol.yaml") is None
    assert found.component_directory("app/netpol.yaml") is None


def test_a_directory_of_many_policies_is_no_component() -> None:
    found = index(**{f"cluster__policies__{number}.yaml": gitops_repos.policy("x", WORLD) for number in range(7)})
    assert found.component_directory("cluster/policies/0.yaml") is None
