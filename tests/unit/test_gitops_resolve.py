"""From a pod to its app and the policies that select it, in the shapes real repositories have."""

from dataclasses import dataclass

import pytest

import gitops_shapes as shapes
from gitops_shapes import index
from tocsin.gitops.resolve import resolve
from tocsin.gitops.testimony import hear

HASH = "5d7c9d8f6b-x2k4p"


@dataclass
class Told:
    app: str | None
    workload: str | None
    primary: str | None
    policies: list[str]


def told(files: shapes.Files, pod: str, workload: str | None = None) -> Told:
    namespace, _, name = pod.partition("/")
    found = resolve(index(files), namespace, name or None, workload)
    primary = found.primary.placed.policy.name if found.primary else None
    return Told(found.app, found.workload, primary, [one.placed.policy.name for one in found.policies])


@pytest.mark.parametrize(
    ("pod", "app", "workload", "primary"),
    [
        ("media/recyclarr-29788325-vfgx7", "recyclarr", "recyclarr", "recyclarr-allow"),
        (f"media/immich-server-{HASH}", "immich", "immich-server", "immich-server"),
        (f"media/immich-machine-learning-{HASH}", "immich", "immich-machine-learning", "immich-machine-learning"),
        (f"media/sonarr-{HASH}", "sonarr", "sonarr", "sonarr"),
        ("media/volsync-src-sonarr-x2k4p", "sonarr", "volsync-src-sonarr", "sonarr-backup"),
    ],
)
def test_a_declared_workload(pod: str, app: str, workload: str, primary: str) -> None:
    found = told(shapes.home_ops(), pod)
    assert (found.app, found.workload, found.primary) == (app, workload, primary)


@pytest.mark.parametrize(
    "pod",
    [
        f"home/sonarr-{HASH}",  # another namespace
        f"media/sonarr-exporter-{HASH}",  # begins like an app
        "media/sonarr-0",  # a Deployment has no ordinals
        "media/sonarr",  # nor a pod of its own name
        f"media/sonarr2-{HASH}",
        f"media/recyclarr-{HASH}",  # a CronJob has no ReplicaSet
        f"media/immich-{HASH}",  # it has two Deployments, neither is called so
        f"media/immich-serve-{HASH}",
        f"media/nobody-{HASH}",
        "media/",
        "/",
    ],
)
def test_anything_else_is_unresolved(pod: str) -> None:
    found = told(shapes.home_ops(), pod)
    assert found == Told(None, None, None, [])


def test_a_workload_that_is_known_by_name() -> None:
    assert told(shapes.home_ops(), "media/", "immich-server").app == "immich"
    assert told(shapes.home_ops(), f"media/x-{HASH}", "sonarr").primary == "sonarr"
    assert told(shapes.home_ops(), "media/", "volsync-src-sonarr").primary == "sonarr-backup"
    assert told(shapes.home_ops(), "media/", "gone") == Told(None, "gone", None, [])


def test_the_longest_name_wins() -> None:
    files = {
        "k/a.yaml": shapes.deployment("a", namespace="n"),
        "k/b.yaml": shapes.deployment("a-5d7c9d8f6b", namespace="n", kind="DaemonSet"),
    }
    assert told(files, "n/a-5d7c9d8f6b-x2k4p").workload == "a-5d7c9d8f6b"


def test_two_apps_that_declare_the_same_are_no_answer() -> None:
    files = {
        "x/one/a.yaml": shapes.deployment("web", namespace="n", labels={"app": "one"}),
        "x/two/a.yaml": shapes.deployment("web", namespace="n", labels={"app": "two"}),
    }
    found = resolve(index(files), "n", f"web-{HASH}")
    assert (found.app, found.workload) == (None, None)
    assert found.evidence == "unresolved: x/one/a.yaml and x/two/a.yaml both declare it"


def test_what_is_deployed_comes_before_what_is_not() -> None:
    files = shapes.home_ops() | {
        "archive/sonarr/d.yaml": shapes.deployment("sonarr", namespace="media"),
        "archive/sonarr/p.yaml": shapes.cnp(
            "sonarr-old", shapes.WORLD, namespace="media", labels={"app.kubernetes.io/name": "sonarr"}
        ),
    }
    assert told(files, f"media/sonarr-{HASH}") == Told("sonarr", "sonarr", "sonarr", ["sonarr"])
    found = resolve(index(files), "media", f"plex-{HASH}")
    assert (found.app, found.deployed, found.evidence.endswith(", which nothing deploys")) == ("plex", False, True)


@pytest.mark.parametrize(
    ("pod", "primary", "policies"),
    [
        # Nothing in its directory: the policy it opts into by a label of its own is meant for it.
        ("media/recyclarr-29788325-vfgx7", "allow-world", ["allow-world", "allow-cluster"]),
        # Its own policy comes first, the one for everybody lacks it because of its label.
        (f"media/qbittorrent-{HASH}", "qbittorrent-vpn-only", ["qbittorrent-vpn-only"]),
        (f"media/bazarr-{HASH}", "public-web", ["public-web", "allow-cluster"]),
    ],
)
def test_policies_of_other_directories(pod: str, primary: str, policies: list[str]) -> None:
    found = told(shapes.opt_in(), pod)
    assert (found.primary, found.policies) == (primary, policies)


def test_a_policy_for_a_whole_namespace_is_nobodys_own() -> None:
    files = {
        "apps/x/d.yaml": shapes.deployment("x", namespace="n"),
        "apps/all/p.yaml": shapes.cnp("all", shapes.WORLD, namespace="n", selector="{}"),
    }
    found = resolve(index(files), "n", f"x-{HASH}")
    assert [(one.placed.policy.name, one.primary, one.own, one.sure) for one in found.policies] == [
        ("all", False, False, True)
    ]


def test_siblings_without_a_policy_say_so() -> None:
    app = "kubernetes/apps/home/home-assistant/app"
    files = {
        f"{app}/hr.yaml": shapes.app_template("home-assistant", "home-assistant", "code"),
        f"{app}/p.yaml": shapes.cnp(
            "home-assistant", shapes.WORLD, labels={"app.kubernetes.io/controller": "home-assistant"}
        ),
    }
    found = resolve(index(files), "home", f"home-assistant-code-{HASH}")
    assert (found.app, found.workload, found.policies) == ("home-assistant", "home-assistant-code", ())
    assert found.siblings == ("home-assistant",)
    own = resolve(index(files), "home", f"home-assistant-{HASH}")
    assert (own.workload, own.siblings, own.primary is not None) == ("home-assistant", (), True)


def test_labels_tell_releases_of_one_chart_apart() -> None:
    release = (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: %s}\n"
        "spec: {chart: {spec: {chart: external-dns}}, values: {}}\n"
    )
    files = {}
    for name, rule in (("cloudflare-dns", shapes.WORLD), ("unifi-dns", "{toCIDR: [192.168.1.1/32]}")):
        labels = {"app.kubernetes.io/name": "external-dns", "app.kubernetes.io/instance": name}
        files[f"kubernetes/apps/network/{name}/app/hr.yaml"] = release % name
        files[f"kubernetes/apps/network/{name}/app/p.yaml"] = shapes.cnp(
            "external-dns" if name < "d" else name, rule, labels=labels
        )
    found = resolve(index(files), "network", f"unifi-dns-{HASH}")
    assert [one.placed.policy.name for one in found.policies] == ["unifi-dns"]


def test_the_namespace_and_its_labels_are_asked_for() -> None:
    def clusterwide(name: str, selector: str) -> str:
        return shapes.cnp(name, shapes.WORLD, kind="CiliumClusterwideNetworkPolicy", selector=selector)

    files = {
        "k/ns.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: n, labels: {tier: fun}}\n",
        "k/d.yaml": shapes.deployment("x", namespace="n"),
        "k/p.yaml": clusterwide("fun", "{matchLabels: {io.cilium.k8s.namespace.labels.tier: fun}}")
        + clusterwide("dull", "{matchLabels: {io.cilium.k8s.namespace.labels.tier: dull}}")
        + clusterwide(
            "here", "{matchExpressions: [{key: k8s:io.kubernetes.pod.namespace, operator: In, values: [n, m]}]}"
        )
        + clusterwide(
            "there", "{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: NotIn, values: [n]}]}"
        ),
    }
    found = resolve(index(files), "n", f"x-{HASH}")
    assert sorted(one.placed.policy.name for one in found.policies) == ["fun", "here"]


def test_a_workload_that_only_a_policy_names() -> None:
    files = {
        "kubernetes/apps/flux-system/netpol.yaml": shapes.cnp(
            "source-controller", shapes.WORLD, labels={"app.kubernetes.io/component": "source-controller"}
        )
        + shapes.cnp("all", shapes.WORLD, selector="{}"),
        "kubernetes/apps/flux-system/kustomization.yaml": shapes.overlay("netpol.yaml", namespace="flux-system"),
    }
    assert told(files, f"flux-system/source-controller-{HASH}") == Told(
        "source-controller", "source-controller", "source-controller", ["source-controller", "all"]
    )
    assert told(files, f"flux-system/other-controller-{HASH}") == Told(None, None, None, [])


def test_a_part_of_an_unknown_chart_needs_a_policy_that_speaks_of_it() -> None:
    release = (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: odd}\n"
        "spec: {chart: {spec: {chart: odd}}, values: {}}\n"
    )
    files = {
        "kubernetes/apps/n/odd/app/hr.yaml": release,
        "kubernetes/apps/n/odd/app/p.yaml": shapes.cnp(
            "odd-webhook", labels={"app.kubernetes.io/component": "webhook"}
        ),
    }
    assert told(files, f"n/odd-webhook-{HASH}").app == "odd"
    assert told(files, f"n/odd-{HASH}").app == "odd"
    assert told(files, f"n/odd-tool-{HASH}") == Told(None, None, None, [])


def test_a_policy_with_several_specs() -> None:
    text = (
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: both, namespace: n}\nspecs:\n"
        "  - endpointSelector: {matchLabels: {app.kubernetes.io/name: other}}\n    egress: [{toEntities: [world]}]\n"
        "  - endpointSelector: {matchLabels: {app.kubernetes.io/name: x}}\n    egress: [{toEntities: [cluster]}]\n"
    )
    found = resolve(index({"k/d.yaml": shapes.deployment("x", namespace="n"), "k/p.yaml": text}), "n", f"x-{HASH}")
    (rule,) = found.policies[0].rules
    assert rule.egress[0].peers[0].value == "cluster"


@pytest.mark.parametrize(
    ("comment", "posture"),
    [
        ("internet egress: BitTorrent peers and trackers", "unbounded"),
        ("internet egress (the guides on github.com)", "bounded"),
        ("opt in", None),
        ("", None),
    ],
)
def test_a_comment_beside_the_label_that_opens_a_policy(comment: str, posture: str | None) -> None:
    files = shapes.opt_in()
    files["kubernetes/apps/media/recyclarr/helmrelease.yaml"] = shapes.app_template(
        "recyclarr", labels={"egress.home.arpa/allow-world": "true"}, comment=comment
    )
    said = hear(resolve(index(files), "media", f"recyclarr-{HASH}")).statements
    assert [one.posture.value for one in said] == ([posture] if posture else [])
