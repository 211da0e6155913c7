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


def test_what_nothing_deploys_is_no_answer_unless_nothing_is_deployed_at_all() -> None:
    files = {
        "apps/kustomization.yaml": shapes.overlay("web"),
        "apps/web/kustomization.yaml": shapes.overlay("d.yaml", namespace="n"),
        "apps/web/d.yaml": shapes.deployment("web"),
        "apps/old/d.yaml": shapes.deployment("old", namespace="n"),
        "apps/old/p.yaml": shapes.cnp("old", shapes.fqdn("api.example.com"), namespace="n"),
        "apps/older/p.yaml": shapes.cnp("for-all", shapes.WORLD, namespace="n", selector="{}"),
        "elsewhere/k.yaml": shapes.overlay(),
    }
    found = resolve(index(files, "apps"), "n", f"old-{HASH}")
    assert (found.app, found.policies) == (None, ())
    assert found.evidence == "unresolved: apps/old/d.yaml declares it, but nothing deploys that file"
    found = resolve(index(files, "elsewhere"), "n", f"old-{HASH}")
    assert (found.app, found.deployed, found.evidence.endswith(", which nothing deploys")) == ("old", False, True)
    assert [one.placed.policy.name for one in found.policies] == ["old"]
    assert (hear(found).statements, hear(found).undecided[-1]) == ((), "old: nothing deploys it")


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
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: &name %s}\n"
        "spec: {chart: {spec: {chart: external-dns}}, values: {fullnameOverride: *name}}\n"
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


def release(name: str, chart: str, values: str = "{}", more: str = "") -> str:
    return (
        f"---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: {name}}}\n"
        f"spec:\n  chart: {{spec: {{chart: {chart}}}}}\n  values: {values}\n{more}"
    )


def test_a_policy_about_a_sibling_is_not_likely() -> None:
    app = "kubernetes/apps/n/web/app"
    cluster = "---\napiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: web-pg}\nspec: {instances: 1}\n"
    files = {
        f"{app}/hr.yaml": release("web", "odd"),
        f"{app}/pg.yaml": cluster,
        f"{app}/p.yaml": shapes.cnp("web", shapes.fqdn("api.example.com"), labels={"app.kubernetes.io/name": "web"})
        + shapes.cnp("web-pg", shapes.WORLD, labels={"cnpg.io/cluster": "web-pg"}),
    }
    found = resolve(index(files), "n", f"web-{HASH}")
    assert [one.placed.policy.name for one in found.policies] == ["web"]
    assert [one.posture.value for one in hear(found).statements] == ["bounded"]
    assert told(files, "n/web-pg-1") == Told("web", "web-pg", "web-pg", ["web-pg"])


def test_of_equals_the_one_that_bears_the_name_is_primary_or_none() -> None:
    app = "kubernetes/apps/n/odd/app"
    files = {f"{app}/hr.yaml": release("odd", "odd")}
    for part in ("canary", "gateway", "single"):
        labels = {"app.kubernetes.io/name": "odd", "app.kubernetes.io/component": part}
        files[f"{app}/{part}.yaml"] = shapes.cnp(
            "odd" if part == "single" else f"x-{part}", shapes.WORLD, labels=labels
        )
    assert told(files, f"n/odd-{HASH}").primary == "odd"
    files[f"{app}/single.yaml"] = files[f"{app}/single.yaml"].replace("name: odd\n", "name: y\n")
    assert told(files, f"n/odd-{HASH}").primary is None


def test_labels_in_the_values_of_any_chart_count() -> None:
    app, opt_out = "kubernetes/apps/n/odd/app", "{podLabels: {egress.example/custom: 'true'}}"
    baseline = shapes.cnp(
        "baseline",
        shapes.WORLD,
        kind="CiliumClusterwideNetworkPolicy",
        selector="{matchExpressions: [{key: egress.example/custom, operator: DoesNotExist}]}",
    )
    own = shapes.cnp("odd", shapes.fqdn("a.example"))
    for values, names, posture in ((opt_out, ["odd"], ["bounded"]), ("{}", ["odd", "baseline"], [])):
        files = {f"{app}/hr.yaml": release("odd", "odd", values), f"{app}/p.yaml": own, "k/b.yaml": baseline}
        found = resolve(index(files), "n", f"odd-{HASH}")
        assert [one.placed.policy.name for one in found.policies] == names
        assert [one.posture.value for one in hear(found).statements] == posture


def test_an_override_of_the_name_counts_for_any_chart() -> None:
    app = "kubernetes/apps/n/my-bouncer/app"
    labels = {"app.kubernetes.io/name": "my-bouncer", "app.kubernetes.io/instance": "my-bouncer"}
    files = {
        f"{app}/hr.yaml": release("my-bouncer", "vendor-proxy", "{nameOverride: my-bouncer}"),
        f"{app}/p.yaml": shapes.cnp("x", shapes.WORLD, labels=labels),
    }
    found = resolve(index(files), "n", f"my-bouncer-{HASH}")
    assert [(one.placed.policy.name, one.sure, one.primary) for one in found.policies] == [("x", True, True)]


def test_what_post_renderers_change_exists() -> None:
    patch = (
        "  postRenderers:\n    - kustomize: {patches: [{target: {kind: Deployment, name: vendor-lapi}, patch: x}]}\n"
    )
    files = {"kubernetes/apps/n/vendor/app/hr.yaml": release("vendor", "odd", more=patch)}
    assert told(files, f"n/vendor-lapi-{HASH}").app == "vendor"
    assert told(files, f"n/vendor-else-{HASH}").app is None


def test_a_chart_that_is_known_does_not_claim_more_than_it_renders() -> None:
    files = {"kubernetes/apps/cert-manager/cert-manager/app/hr.yaml": release("cert-manager", "cert-manager")}
    assert told(files, f"cert-manager/cert-manager-webhook-{HASH}").app == "cert-manager"
    assert told(files, "cert-manager/cert-manager-0").app is None
    files = {"kubernetes/apps/sso/authentik/app/hr.yaml": release("authentik", "authentik")}
    assert told(files, f"sso/authentik-{HASH}").app is None
    assert told(files, f"sso/authentik-server-{HASH}").app == "authentik"
    files = {"kubernetes/apps/mq/emqx/app/hr.yaml": release("emqx", "emqx-operator", "{nameOverride: operator}")}
    assert told(files, f"mq/emqx-operator-{HASH}").app is None
    assert told(files, f"mq/emqx-operator-controller-manager-{HASH}").app == "emqx"
    assert told(files, f"cert-manager/cert-manager-csi-driver-{HASH}").app is None


def test_a_prefix_changes_the_name_of_a_release_and_what_is_called_after_it() -> None:
    files = {
        "base/kustomization.yaml": shapes.overlay("hr.yaml", "p.yaml"),
        "base/hr.yaml": shapes.app_template("adguard", "main", "exporter", labels={"egress": "adguard"}),
        "base/p.yaml": shapes.cnp("adguard", shapes.WORLD) + shapes.cnp("e", labels={"egress": "adguard"}),
        "lan/kustomization.yaml": shapes.overlay("../base", namespace="n", more="namePrefix: lan-\nnameSuffix: -x\n"),
    }
    assert told(files, f"n/lan-adguard-x-exporter-{HASH}").policies == ["lan-e-x"]
    assert told(files, f"n/lan-adguard-exporter-x-{HASH}").app is None
    files["base/p.yaml"] = shapes.cnp("adguard", shapes.WORLD, labels={"app.kubernetes.io/name": "lan-adguard-x"})
    assert told(files, f"n/lan-adguard-x-main-{HASH}").primary == "lan-adguard-x"


def test_an_operator_gives_no_labels_of_a_domain_it_does_not_own() -> None:
    redis = "apiVersion: dragonflydb.io/v1alpha1\nkind: Dragonfly\nmetadata: {name: redis, namespace: n}\nspec: {labels: {egress.example/none: allow}}\n"
    files = {
        "k/redis.yaml": redis,
        "k/a.yaml": shapes.cnp("none", labels={"egress.example/none": "allow"}, namespace="n"),
        "k/b.yaml": shapes.cnp("world", shapes.WORLD, labels={"egress.example/world": "allow"}, namespace="n"),
        "k/c.yaml": shapes.cnp("role", shapes.WORLD, labels={"role": "master"}, namespace="n"),
    }
    found = resolve(index(files), "n", "redis-0")
    assert [one.placed.policy.name for one in found.policies] == ["none"]
    assert [one.policy.name for one in found.possible] == ["role"]


def test_an_opt_in_to_the_cluster_s_dns_is_nobodys_own_policy() -> None:
    files = shapes.opt_in()
    netpols = "kubernetes/apps/kube-system/cilium/netpols"
    files[f"{netpols}/kustomization.yaml"] = shapes.overlay("world.yaml", "dns.yaml")
    files[f"{netpols}/dns.yaml"] = shapes.cnp(
        "allow-dns", shapes.DNS, kind="CiliumClusterwideNetworkPolicy", labels={"egress.home.arpa/dns": "true"}
    )
    labels = {"egress.home.arpa/dns": "true"}
    files["kubernetes/apps/media/bazarr/helmrelease.yaml"] = shapes.app_template("bazarr", labels=labels)
    files["kubernetes/apps/media/policy.yaml"] = ""
    assert told(files, f"media/bazarr-{HASH}") == Told("bazarr", "bazarr", None, ["allow-dns"])
    labels["egress.home.arpa/allow-world"] = "true"
    files["kubernetes/apps/media/bazarr/helmrelease.yaml"] = shapes.app_template("bazarr", labels=labels)
    assert told(files, f"media/bazarr-{HASH}") == Told("bazarr", "bazarr", "allow-world", ["allow-world", "allow-dns"])


def test_an_ingress_opt_in_is_nobodys_own_policy() -> None:
    ingress = shapes.cnp("gateway", kind="CiliumClusterwideNetworkPolicy", labels={"ingress.example/allow": "true"})
    files = {
        "kubernetes/apps/n/x/app/hr.yaml": shapes.app_template("x", labels={"ingress.example/allow": "true"}),
        "k/p.yaml": ingress,
    }
    assert told(files, f"n/x-{HASH}") == Told("x", "x", None, ["gateway"])


def test_two_policies_that_ask_for_a_name_nobody_declares() -> None:
    def policy(instance: str) -> str:
        labels = {"app.kubernetes.io/name": "external-dns", "app.kubernetes.io/instance": instance}
        return shapes.cnp(instance, shapes.WORLD, labels=labels, namespace="n")

    files = {"k/a.yaml": policy("a-dns"), "k/b.yaml": policy("b-dns")}
    assert told(files, f"n/external-dns-{HASH}") == Told(None, None, None, [])


def test_the_parts_of_a_crunchy_cluster() -> None:
    cluster = (
        "apiVersion: postgres-operator.crunchydata.com/v1beta1\nkind: PostgresCluster\nmetadata: {name: pg}\n"
        "spec: {instances: [{name: main, metadata: {labels: {role: db}}}], proxy: {pgBouncer: {}}, backups: {pgbackrest: {}}}\n"
    )
    app = "kubernetes/apps/n/postgres/app"
    files = {f"{app}/c.yaml": cluster, f"{app}/p.yaml": shapes.cnp("db", shapes.WORLD, labels={"role": "db"})}
    assert told(files, "n/pg-main-h7km-0") == Told("postgres", "pg-main", "db", ["db"])
    for pod in (f"pg-pgbouncer-{HASH}", "pg-repo-host-0"):
        assert (told(files, f"n/{pod}").app, told(files, f"n/{pod}").primary) == ("postgres", None)


@pytest.mark.parametrize(
    ("files", "pod", "app"),
    [
        # A directory that is called like the namespace is an app where one of its workloads is called so, too.
        (
            {f"apps/loops/{name}.yaml": shapes.deployment(name, namespace="loops") for name in ("loops", "redis")},
            f"loops/redis-{HASH}",
            "loops",
        ),
        # Or where the Application is.
        (
            {
                "argo/pages.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: pages}\n"
                "spec: {source: {path: m/pages}, destination: {namespace: pages}}\n",
                "m/pages/chrome.yaml": shapes.deployment("chrome"),
                "m/pages/web.yaml": shapes.deployment("web"),
            },
            f"pages/chrome-{HASH}",
            "pages",
        ),
        # A template that one Kustomization fills in belongs to it.
        (
            {
                "apps/one/ks.yaml": shapes.flux("one-db", "db/template", target="one", substitute={"NAME": "one"}),
                "db/template/c.yaml": "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: 'pg-${NAME}'}\nspec: {}\n",
            },
            "one/pg-one-1",
            "one",
        ),
    ],
)
def test_the_app_of_a_helper(files: shapes.Files, pod: str, app: str) -> None:
    assert told(files, pod).app == app


def test_two_root_kustomizations_in_one_file() -> None:
    cluster = "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: 'pg-${NAME}'}\nspec: {}\n"
    kustomizations = [shapes.flux(f"{n}-db", "db/template", target=n, substitute={"NAME": n}) for n in ("one", "two")]
    files = {"flux/k.yaml": "".join(kustomizations), "db/template/c.yaml": cluster}
    assert [told(files, f"{name}/pg-{name}-1").workload for name in ("one", "two")] == ["pg-one", "pg-two"]


def test_a_comment_above_the_labels_and_one_for_each_controller() -> None:
    text = (
        "---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x}\nspec:\n"
        "  chart: {spec: {chart: app-template, version: 4.4.0}}\n  values:\n    defaultPodOptions:\n"
        "      # ingress-from-gateway and internet egress (BitTorrent peers and trackers)\n      labels:\n"
        '        egress.home.arpa/allow-world: "true"\n    controllers: {x: {containers: {app: {}}}}\n'
    )
    files = shapes.opt_in() | {"kubernetes/apps/media/recyclarr/helmrelease.yaml": text}
    said = hear(resolve(index(files), "media", f"x-{HASH}")).statements
    assert [one.posture.value for one in said] == ["unbounded"]


def test_one_repository_for_two_clusters() -> None:
    files = {}
    for cluster in ("main", "test"):
        app = f"kubernetes/apps/{cluster}/media/plex"
        files[f"kubernetes/clusters/{cluster}/apps.yaml"] = shapes.flux(f"apps-{cluster}", f"kubernetes/apps/{cluster}")
        files[f"kubernetes/apps/{cluster}/media/kustomization.yaml"] = shapes.overlay("./plex/ks.yaml")
        files[f"{app}/ks.yaml"] = shapes.flux("plex", f"{app}/app", target="media")
        files[f"{app}/app/hr.yaml"] = shapes.app_template("plex")
        files[f"{app}/app/p.yaml"] = shapes.cnp("plex", shapes.WORLD)
    both = resolve(index(files), "media", f"plex-{HASH}")
    assert both.app == "plex"
    assert "also in kubernetes/apps/test/media/plex/app/hr.yaml" in both.evidence
    one = resolve(index(files, "kubernetes/clusters/test"), "media", f"plex-{HASH}")
    assert one.primary is not None
    assert (one.primary.placed.file, len(one.policies)) == ("kubernetes/apps/test/media/plex/app/p.yaml", 1)
    assert "also in" not in one.evidence


def test_a_policy_for_all_of_a_namespace_is_an_app_s_own_only_where_it_is_alone_there() -> None:
    app = "kubernetes/apps/n/x/app"
    files = {f"{app}/d.yaml": shapes.deployment("x"), f"{app}/p.yaml": shapes.cnp("all", shapes.WORLD, selector="{}")}
    assert told(files, f"n/x-{HASH}") == Told("x", "x", "all", ["all"])
    files["kubernetes/apps/n/y/app/d.yaml"] = shapes.deployment("y")
    assert told(files, f"n/x-{HASH}") == Told("x", "x", None, ["all"])
    assert told(files, f"n/y-{HASH}") == Told("y", "y", None, ["all"])


@pytest.mark.parametrize("operator", ["NotIn, values: [y]", "DoesNotExist", "Exists"])
def test_a_policy_for_all_but_some_is_nobodys_own(operator: str) -> None:
    key = "app.kubernetes.io/name" if "DoesNot" not in operator else "other"
    files = {
        "k/d.yaml": shapes.deployment("x", namespace="n"),
        "netpols/p.yaml": shapes.cnp(
            "rest",
            shapes.WORLD,
            namespace="n",
            selector=f"{{matchExpressions: [{{key: {key}, operator: {operator}}}]}}",
        ),
    }
    assert told(files, f"n/x-{HASH}") == Told("x", "x", None, ["rest"])


def test_the_labels_that_the_victoriametrics_operator_gives() -> None:
    app = "kubernetes/apps/n/victoria-metrics-k8s-stack/app"
    labels = {"app.kubernetes.io/name": "vmagent", "managed-by": "vm-operator"}
    other = {"app.kubernetes.io/component": "syncJob", "app.kubernetes.io/instance": "victoria-metrics-k8s-stack"}
    files = {
        f"{app}/hr.yaml": release("victoria-metrics-k8s-stack", "victoria-metrics-k8s-stack"),
        f"{app}/p.yaml": shapes.cnp("agent", "{toEntities: [cluster]}", labels=labels)
        + shapes.cnp("sync", shapes.WORLD, labels=other),
    }
    found = resolve(index(files), "n", f"vmagent-victoria-metrics-k8s-stack-{HASH}")
    assert [one.placed.policy.name for one in found.policies] == ["agent"]
    assert [one.posture.value for one in hear(found).statements] == ["lan_only"]


@pytest.mark.parametrize(
    ("values", "pod"),
    [
        ("{}", f"odd-{HASH}"),
        ("{}", f"odd-vendor-chart-{HASH}"),
        ("{fullnameOverride: strange}", f"strange-{HASH}"),
        ("{nameOverride: tool}", f"odd-tool-{HASH}"),
        ("{nameOverride: od}", f"odd-{HASH}"),  # the release contains it
    ],
)
def test_what_the_pods_of_a_chart_that_is_not_known_are_called(values: str, pod: str) -> None:
    files = {"kubernetes/apps/n/odd/app/hr.yaml": release("odd", "vendor-chart", values)}
    assert told(files, f"n/{pod}").app == "odd"
    others = {f"odd-{HASH}", f"odd-vendor-chart-{HASH}", f"strange-{HASH}", f"odd-tool-{HASH}"} - {pod}
    if pod.startswith(("odd-5", "odd-v")):  # by the release, with and without the chart
        others -= {f"odd-{HASH}", f"odd-vendor-chart-{HASH}"}
    assert {told(files, f"n/{other}").app for other in others} == {None}


def test_a_label_of_one_controller_is_not_one_of_its_sibling() -> None:
    app = "kubernetes/apps/n/x/app"
    files = {
        f"{app}/hr.yaml": shapes.app_template("x", "web", "sync").replace(
            "      web:\n", "      web:\n        pod: {labels: {egress.example/open: 'true'}}\n"
        ),
        "k/p.yaml": shapes.cnp("open", shapes.WORLD, namespace="n", labels={"egress.example/open": "true"}),
    }
    web, sync = (resolve(index(files), "n", f"x-{part}-{HASH}") for part in ("web", "sync"))
    assert [one.placed.policy.name for one in web.policies] == ["open"]
    assert (sync.workload, sync.policies, sync.possible) == ("x-sync", (), ())


def test_a_policy_in_the_values_of_a_release() -> None:
    policy = shapes.cnp("odd", shapes.fqdn("api.example.com"), labels={"app.kubernetes.io/instance": "odd"})
    listed = "      - " + "        ".join(policy.removeprefix("---\n").splitlines(keepends=True))
    files = {
        "flux/ks.yaml": shapes.flux("odd", "apps/odd", target="n"),
        "apps/odd/hr.yaml": release("odd", "odd", "\n    extraObjects:\n" + listed),
    }
    assert told(files, f"n/odd-{HASH}") == Told("odd", "odd", "odd", ["odd"])


def test_the_labels_that_operators_give_their_pods() -> None:
    app = "kubernetes/apps/n/grafana"
    cluster = "---\napiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: pg}\nspec: {instances: 1}\n"
    files = {
        f"{app}/operator/hr.yaml": release("grafana-operator", "grafana-operator"),
        f"{app}/instance/g.yaml": "apiVersion: grafana.integreatly.org/v1beta1\nkind: Grafana\nmetadata: {name: grafana}\nspec: {}\n",
        f"{app}/instance/p.yaml": shapes.cnp("grafana", shapes.WORLD, labels={"app": "grafana"}),
        f"{app}/instance/pg.yaml": cluster
        + shapes.cnp("pg", shapes.WORLD, labels={"cnpg.io/cluster": "pg", "cnpg.io/podRole": "instance"}),
    }
    assert told(files, f"n/grafana-deployment-{HASH}").policies == ["grafana"]
    assert told(files, f"n/grafana-operator-{HASH}").policies == []
    assert told(files, "n/pg-1").primary == "pg"


def test_a_policy_that_asks_for_a_label_of_a_workload_with_another_name() -> None:
    files = {
        "k/d.yaml": shapes.deployment("mailer-v2", namespace="n", labels={"app": "mailer"}),
        "k/p.yaml": shapes.cnp("mailer", shapes.fqdn("smtp.example.com"), namespace="n", labels={"app": "mailer"}),
    }
    assert told(files, f"n/mailer-v2-{HASH}").primary == "mailer"
    assert told(files, f"n/mailer-{HASH}") == Told(None, None, None, [])


@pytest.mark.parametrize(
    ("selector", "statements"),
    [
        ("{matchLabels: {app.kubernetes.io/name: x}}", ["unbounded"]),
        ("{}", []),
        ("{matchExpressions: [{key: app.kubernetes.io/name, operator: NotIn, values: [y]}]}", []),
    ],
)
def test_what_is_said_on_a_policy_for_everybody_is_about_somebody(selector: str, statements: list[str]) -> None:
    files = {
        "k/x.yaml": shapes.deployment("x", namespace="n"),
        "k/z.yaml": shapes.deployment("z", namespace="n"),
        "netpols/p.yaml": shapes.cnp(
            "p", "# visits arbitrary websites\n" + shapes.WORLD, namespace="n", selector=selector
        ),
    }
    assert [one.posture.value for one in hear(resolve(index(files), "n", f"x-{HASH}")).statements] == statements


def test_what_is_said_at_one_of_several_specs_is_about_that_one() -> None:
    text = (
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: both, namespace: n}\nspecs:\n"
        "  # visits arbitrary websites\n"
        "  - endpointSelector: {matchLabels: {app.kubernetes.io/name: x}}\n    egress: [{toEntities: [world]}]\n"
        "  # its bucket\n"
        "  - endpointSelector: {matchLabels: {app.kubernetes.io/name: y}}\n    egress: [{toEntities: [world]}]\n"
    )
    files = {
        "k/d.yaml": shapes.deployment("x", namespace="n") + shapes.deployment("y", namespace="n"),
        "k/p.yaml": text,
    }
    x, y = (hear(resolve(index(files), "n", f"{name}-{HASH}")).statements for name in "xy")
    assert [one.posture.value for one in x] == ["unbounded"]
    assert "unbounded" not in [one.posture.value for one in y]


def test_two_clusters_with_a_policy_of_their_own_each() -> None:
    def overlay(destination: str) -> str:
        return shapes.cnp("api", shapes.fqdn(destination))

    files = {
        "api/base/kustomization.yaml": shapes.overlay("d.yaml"),
        "api/base/d.yaml": shapes.deployment("api"),
        **{
            f"api/overlays/{at}/kustomization.yaml": shapes.overlay("../../base", "p.yaml", namespace="n")
            for at in ("eu", "us")
        },
        "api/overlays/eu/p.yaml": overlay("eu.example.com"),
        "api/overlays/us/p.yaml": overlay("us.example.com"),
    }
    found = resolve(index(files), "n", f"api-{HASH}")
    assert (found.app, found.component, found.primary, len(found.policies)) == ("api", "api", None, 2)
    one = resolve(index(files, "api/overlays/us"), "n", f"api-{HASH}")
    assert one.primary is not None
    assert one.primary.placed.file == "api/overlays/us/p.yaml"


def test_a_pod_in_the_network_of_its_node_is_not_restricted() -> None:
    files = {
        "k/d.yaml": shapes.deployment("plex", namespace="n").replace(
            "spec: {containers", "spec: {hostNetwork: true, containers"
        ),
        "k/p.yaml": shapes.cnp("plex", shapes.fqdn("plex.tv"), namespace="n"),
    }
    found = resolve(index(files), "n", f"plex-{HASH}")
    assert (found.host_network, found.primary and found.primary.placed.policy.name) == (True, "plex")
    said = hear(found)
    assert (said.statements, said.undecided) == (
        (),
        ("it runs in the network of its node, where policies for pods do not apply",),
    )
