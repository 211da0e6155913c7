"""Where a repository says its objects go: Flux, kustomize, Argo CD, and what nothing deploys."""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import gitops_shapes as shapes
from gitops_shapes import index
from tocsin.gitops.index import Index
from tocsin.gitops.resolve import resolve


def workloads(found: Index) -> dict[str, tuple[str | None, str, bool]]:
    """Namespace, app and whether it is deployed, by `Kind name`; a name in two namespaces would be one too few."""
    return {
        f"{one.workload.kind} {one.workload.name}": (one.namespace, one.app, one.deployed) for one in found.workloads
    }


def policies(found: Index) -> dict[str, tuple[str | None, bool]]:
    return {one.policy.name: (one.namespace, one.deployed) for one in found.policies}


def test_flux_with_a_kustomization_an_app() -> None:
    found = index(shapes.home_ops())
    assert workloads(found) == {
        "Deployment immich-server": ("media", "immich", True),
        "Deployment immich-machine-learning": ("media", "immich", True),
        "ReplicationSource immich": ("media", "immich", True),
        "CronJob recyclarr": ("media", "recyclarr", True),
        "Deployment sonarr": ("media", "sonarr", True),
        "ReplicationSource sonarr": ("media", "sonarr", True),
        "Deployment plex": ("media", "plex", False),
    }
    assert policies(found) == {
        "recyclarr-allow": ("media", True),
        "immich-server": ("media", True),
        "immich-machine-learning": ("media", True),
        "sonarr": ("media", True),
        "immich-backup": ("media", True),
        "sonarr-backup": ("media", True),
        "plex": ("media", False),
    }
    assert (found.namespaces, found.problems) == ({"media": (("tier", "fun"),)}, ())


def test_a_component_belongs_to_the_app_that_takes_it_in() -> None:
    found = index(shapes.home_ops())
    backups = {one.workload.name: one for one in found.workloads if one.workload.kind == "ReplicationSource"}
    assert backups["sonarr"].component == "kubernetes/apps/media/sonarr"
    assert backups["sonarr"].file == "kubernetes/components/volsync/backup.yaml"


def test_configured_roots_decide_what_is_deployed() -> None:
    found = index(shapes.home_ops(), "kubernetes/apps/media/plex")
    assert {name for name, (_, _, deployed) in workloads(found).items() if deployed} == {"Deployment plex"}


def test_kustomize_alone() -> None:
    found = index(shapes.kustomize_overlays())
    assert workloads(found) == {"Deployment prod-podinfo": ("podinfo", "podinfo", True)}
    assert policies(found) == {"prod-podinfo": ("podinfo", True)}
    assert dict(found.workloads[0].workload.labels)["tier"] == "web"
    assert found.problems == ()


def test_namespace_transformers() -> None:
    assert workloads(index(shapes.transformed())) == {
        "Deployment unset": ("tools", "unset", True),
        "Deployment placed": ("elsewhere", "placed", True),
        "Deployment frigate": ("home", "frigate", True),
    }


def test_argo_cd() -> None:
    assert workloads(index(shapes.argo())) == {
        "Deployment rss-server": ("feeds", "rss", True),
        "Deployment rss-ui": ("feeds", "rss", True),
        "Deployment blocky": ("blocky", "blocky", True),
        "Deployment old": (None, "old", False),
    }


def test_charts_of_argo_cd_and_of_kustomize() -> None:
    application = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: %s}\nspec:\n"
        "  destination: {namespace: monitoring}\n  sources:\n    - {repoURL: x, ref: values}\n"
        "    - {repoURL: y, chart: grafana, targetRevision: 8.0.0, helm: {valueFiles: [$values/values/%s.yaml], values: '%s'}}\n"
    )
    files = {
        "apps/one.yaml": application % ("one", "one", "persistence: {type: pvc}"),
        "values/one.yaml": "fullnameOverride: panels\n",
        "apps/bad.yaml": application % ("bad", "gone", "fullnameOverride: [x]"),
        "infra/kustomization.yaml": shapes.overlay(
            more="helmCharts:\n  - {name: cert-manager, releaseName: certs, namespace: tls, valuesFile: v.yaml}\n"
        ),
        "infra/v.yaml": "cainjector: {enabled: false}\nfullnameOverride: certs\n",
    }
    found = index(files)
    assert {name for name in workloads(found) if not name.startswith("HelmRelease")} == {
        "Deployment panels",
        "Deployment certs",
        "Deployment certs-webhook",
        "Job certs-startupapicheck",
    }
    assert workloads(found)["Deployment panels"] == ("monitoring", "one", True)
    assert [problem.split(":")[0] for problem in found.problems] == ["apps/bad.yaml"]


def test_a_path_template_comes_last() -> None:
    files = {
        "clusters/home/media/sonarr/policy.yaml": shapes.cnp("sonarr", shapes.WORLD),
        "clusters/home/media/sonarr/other.yaml": shapes.cnp("own", shapes.WORLD, namespace="own"),
    }
    found = index(files, templates=("clusters/home/{namespace}/{app}/**",))
    assert policies(found) == {"sonarr": ("media", True), "own": ("own", True)}
    assert policies(index(files, templates=())) == {"sonarr": (None, True), "own": ("own", True)}


def test_cycles_end() -> None:
    files = {
        "a/kustomization.yaml": shapes.overlay("../b", "d.yaml", more="namePrefix: x-\n"),
        "b/kustomization.yaml": shapes.overlay("../a", more="namePrefix: y-\n"),
        "a/d.yaml": shapes.deployment("d"),
        "f/ks.yaml": shapes.flux("f", "f"),
    }
    found = index(files, "a", "f")
    assert "Deployment x-d" in workloads(found)


def test_what_is_missing_or_broken_is_said_by_name() -> None:
    files = shapes.home_ops() | {
        "kubernetes/apps/media/recyclarr/app/kustomization.yaml": shapes.overlay(
            "./helmrelease.yaml", "./gone.yaml", "./networkpolicy.yam", "./data.json"
        ),
        "kubernetes/apps/media/broken.yaml": "kind: Deployment\nmetadata: [unclosed\n",
        "kubernetes/apps/media/odd.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: 7\n",
    }
    found = index(files)
    assert [problem.split(": ")[0] for problem in found.problems] == [
        "kubernetes/apps/media/broken.yaml",
        "kubernetes/apps/media/odd.yaml",
        "kubernetes/apps/media/recyclarr/app/kustomization.yaml",
        "kubernetes/apps/media/recyclarr/app/kustomization.yaml",
    ]
    assert "CronJob recyclarr" in workloads(found)


def test_flux_takes_variables_from_config_maps_patches_and_defaults() -> None:
    patch = "  patches:\n    - patch: |\n        apiVersion: kustomize.toolkit.fluxcd.io/v1\n        kind: Kustomization\n        metadata: {name: x}\n        spec: {postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}}\n"
    files = {
        "flux/settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {SITE: oslo}\n",
        "flux/cluster.yaml": shapes.flux("cluster", "apps", more=patch),
        "apps/ks.yaml": shapes.flux("web", "apps/web", target="web", substitute={"APP": "shop"}),
        "apps/web/kustomization.yaml": shapes.overlay("d.yaml"),
        "apps/web/d.yaml": shapes.deployment("'${APP}-${SITE}-${KIND:=blue}-${NOBODY}'"),
    }
    assert "Deployment shop-oslo-blue-${NOBODY}" in workloads(index(files))


def test_a_path_shared_by_two_kustomizations_belongs_to_each() -> None:
    files = {
        "flux/cluster.yaml": shapes.flux("cluster", "apps"),
        "apps/default/actual/ks.yaml": shapes.flux("actual", "apps/default/actual/app", target="default")
        + shapes.flux("actual-pvc", "core/template", target="default", substitute={"APP": "actual"}),
        "apps/default/actual/app/release.yaml": shapes.app_template("actual"),
        "apps/default/atuin/ks.yaml": shapes.flux(
            "atuin-pvc", "core/template", target="default", substitute={"APP": "atuin"}
        ),
        "core/template/job.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata: {name: '${APP}-restore'}\nspec: {template: {metadata: {labels: {app: x}}}}\n",
    }
    assert workloads(index(files)) == {
        "Deployment actual": ("default", "actual", True),
        "Job actual-restore": ("default", "actual", True),
        "Job atuin-restore": ("default", "atuin", True),
    }


def test_values_from_a_generated_config_map() -> None:
    release = (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: wallos}\nspec:\n"
        "  chartRef: {kind: OCIRepository, name: wallos}\n  valuesFrom: [{kind: ConfigMap, name: wallos-values}]\n"
    )
    generator = "configMapGenerator:\n  - name: wallos-values\n    files: [values.yaml=./helm/values.yaml]\n"
    files = {
        "apps/wallos/kustomization.yaml": shapes.overlay("release.yaml", "oci.yaml", namespace="tools", more=generator),
        "apps/wallos/release.yaml": release,
        "apps/wallos/oci.yaml": "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: wallos}\nspec: {url: oci://ghcr.io/bjw-s-labs/helm/app-template, ref: {tag: 4.4.0}}\n",
        "apps/wallos/helm/values.yaml": "controllers:\n  web: {containers: {app: {}}}\n  sync: {type: cronjob, containers: {app: {}}}\n",
    }
    assert workloads(index(files)) == {
        "Deployment wallos-web": ("tools", "wallos", True),
        "CronJob wallos-sync": ("tools", "wallos", True),
    }


def test_one_directory_with_many_apps() -> None:
    files = {
        "k8s/monitoring/grafana.yaml": shapes.deployment("grafana", namespace="monitoring"),
        "k8s/monitoring/loki.yaml": shapes.deployment("loki", namespace="monitoring", kind="StatefulSet"),
        "k8s/monitoring/policy.yaml": shapes.cnp("loki", shapes.WORLD, namespace="monitoring"),
    }
    found = index(files, templates=())
    assert workloads(found) == {
        "Deployment grafana": ("monitoring", "grafana", True),
        "StatefulSet loki": ("monitoring", "loki", True),
    }
    assert {one.component for one in found.workloads} == {"k8s/monitoring/grafana.yaml", "k8s/monitoring/loki.yaml"}


@pytest.mark.parametrize("files", [shapes.home_ops(), shapes.kustomize_overlays(), shapes.argo(), shapes.opt_in()])
def test_the_order_of_files_does_not_matter(files: shapes.Files) -> None:
    backwards = dict(sorted(files.items(), reverse=True))
    assert index(backwards) == index(files)


def test_the_cidrs_of_a_group_are_put_in_its_place() -> None:
    group = "---\napiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\nmetadata: {name: %s}\nspec: {externalCIDRs: [%s]}\n"
    entry = "{toCIDRSet: [{cidrGroupRef: internet, except: [10.0.0.0/8]}, {cidrGroupRef: gone}]}"
    files = {
        "k/groups.yaml": group % ("internet", "0.0.0.0/1, 128.0.0.0/1") + group % ("nas", "192.168.1.2/32"),
        "k/p.yaml": shapes.cnp("x", entry, namespace="n"),
    }
    (placed,) = index(files).policies
    peers = placed.policy.rules[0].egress[0].peers
    assert [(peer.value, peer.excepts) for peer in peers[:2]] == [
        ("0.0.0.0/1", ("10.0.0.0/8",)),
        ("128.0.0.0/1", ("10.0.0.0/8",)),
    ]
    assert "gone" in peers[2].value


JUNK = st.sampled_from(
    [None, 7, True, "", "x", [], [None], {}, {"a": None}, {"name": []}, "${A}", "../..", "\x00", -1.5]
)


def broken_here_and_there(value: object, draw: Any, left: list[int]) -> object:
    """A YAML value with some of its parts replaced by what does not belong there."""
    if left[0] and draw(st.integers(0, 14)) == 0:
        left[0] -= 1
        return draw(JUNK)
    if isinstance(value, dict):
        return {key: broken_here_and_there(inner, draw, left) for key, inner in value.items()}
    if isinstance(value, list):
        return [broken_here_and_there(inner, draw, left) for inner in value]
    return value


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_a_file_holds_the_others_are_read(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([shapes.home_ops, shapes.argo, shapes.opt_in, shapes.transformed]))
    files = shape()
    path = data.draw(st.sampled_from(sorted(files)))
    documents = [
        broken_here_and_there(document, data.draw, [3]) for document in yaml.safe_load_all(files[path]) if document
    ]
    found = index(files | {path: yaml.safe_dump_all(documents)})
    untouched = {one.file for one in index({p: t for p, t in files.items() if p != path}).workloads}
    assert untouched <= {one.file for one in found.workloads}
    for one in found.workloads:
        resolve(found, one.namespace or "", workload=one.workload.name)


def test_a_deep_tree_and_a_long_chain_end() -> None:
    deep = "/".join("a" * 1200) + "/d.yaml"
    chain = {f"c/{n}/ks.yaml": shapes.flux(f"k{n}", f"c/{n + 1}") for n in range(400)}
    found = index({"ks.yaml": shapes.flux("all", ""), deep: shapes.deployment("deep"), **chain})
    assert found.problems == ()


def delete_patch(kind: str, name: str, *, target: str = "") -> str:
    targeted = f"    target: {target}\n" if target else ""
    return f"patches:\n  - patch: |\n      $patch: delete\n      kind: {kind}\n      metadata: {{name: {name}}}\n{targeted}"


@pytest.mark.parametrize(
    ("patches", "left"),
    [
        (delete_patch("Deployment", "b"), {"Deployment x-a", "HelmRelease c"}),
        (delete_patch("Deployment", "x-b"), {"Deployment x-a", "HelmRelease c"}),
        (delete_patch("Deployment", "any", target="{kind: Deployment}"), {"HelmRelease c"}),
        (delete_patch("Deployment", "any", target="{kind: Deployment, name: a|b}"), {"HelmRelease c"}),
        (delete_patch("HelmRelease", "c"), {"Deployment x-a", "Deployment x-b"}),
        ("patches: [{path: gone.yaml}]\n", {"Deployment x-a", "HelmRelease c"}),
        ("patchesStrategicMerge: [gone.yaml]\n", {"Deployment x-a", "HelmRelease c"}),
        # What a label selects cannot be told without its labels: nothing is taken away.
        (
            delete_patch("Deployment", "a", target="{labelSelector: app=a}"),
            {"Deployment x-a", "Deployment x-b", "HelmRelease c"},
        ),
        (delete_patch("StatefulSet", "a"), {"Deployment x-a", "Deployment x-b", "HelmRelease c"}),
    ],
)
def test_what_a_patch_deletes_is_not_there(patches: str, left: set[str]) -> None:
    files = {
        "base/kustomization.yaml": shapes.overlay("a.yaml", "c.yaml"),
        "base/a.yaml": shapes.deployment("a") + shapes.deployment("b"),
        "base/c.yaml": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: c}\nspec: {chart: {spec: {chart: c}}}\n",
        "top/kustomization.yaml": shapes.overlay("../base", namespace="n", more=f"namePrefix: x-\n{patches}"),
        "top/gone.yaml": "$patch: delete\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b}\n",
    }
    assert {name.replace("x-c", "c") for name in workloads(index(files))} == left


def test_a_target_that_is_no_pattern_is_said_by_name() -> None:
    patches = delete_patch("Deployment", "x", target="{kind: Deployment, name: '*'}")
    found = index({"k/kustomization.yaml": shapes.overlay("d.yaml", more=patches), "k/d.yaml": shapes.deployment("d")})
    assert [problem.partition(":")[0] for problem in found.problems] == ["k/kustomization.yaml"]
    assert set(workloads(found)) == {"Deployment d"}


def test_flux_deletes_objects_policies_and_other_kustomizations() -> None:
    patches = delete_patch("CiliumNetworkPolicy", "open", target="{kind: CiliumNetworkPolicy, name: open}")
    more = patches + delete_patch("Kustomization", "web").removeprefix("patches:\n")
    files = {
        "flux/cluster.yaml": shapes.flux("cluster", "apps", more="".join(f"  {line}\n" for line in more.splitlines())),
        "apps/open.yaml": shapes.cnp("open", shapes.WORLD, namespace="n") + shapes.cnp("shut", namespace="n"),
        "apps/ks.yaml": shapes.flux("web", "web", target="web") + shapes.flux("db", "db", target="db"),
        "web/d.yaml": shapes.deployment("web"),
        "db/d.yaml": shapes.deployment("db"),
    }
    found = index(files)
    assert policies(found) == {"shut": ("n", True)}
    assert workloads(found) == {"Deployment db": ("db", "db", True), "Deployment web": (None, "web", False)}


def test_a_component_changes_what_it_is_shared_with() -> None:
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
    label = "labels:\n  - pairs: {egress: %s}\n    includeTemplates: true\n"
    files = {
        "app/kustomization.yaml": shapes.overlay("d.yaml", components=("../first", "../last"), namespace="n"),
        "app/d.yaml": shapes.deployment("web"),
        "first/kustomization.yaml": component + "resources: [d.yaml]\nnamePrefix: first-\n" + label % "first",
        "first/d.yaml": shapes.deployment("side"),
        "last/kustomization.yaml": component + "components: [../inner]\nnameSuffix: -last\n" + label % "last",
        "inner/kustomization.yaml": component + "nameSuffix: -inner\n",
    }
    found = index(files)
    assert set(workloads(found)) == {"Deployment first-web-inner-last", "Deployment first-side-inner-last"}
    assert {dict(one.workload.labels)["egress"] for one in found.workloads} == {"last"}
    flux = {"flux/web.yaml": shapes.flux("web", "plain", components=("../first", "../last"))}
    plain = {"plain/d.yaml": files["app/d.yaml"]}
    assert set(workloads(index(files | flux | plain, "flux"))) >= {"Deployment first-web-inner-last"}


def test_a_component_that_contains_itself_ends() -> None:
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncomponents: [../loop, ../loop]\n"
    files = {
        "app/kustomization.yaml": shapes.overlay("d.yaml", components=("../loop",), namespace="n"),
        "app/d.yaml": shapes.deployment("web"),
        "loop/kustomization.yaml": component,
    }
    assert set(workloads(index(files))) == {"Deployment web"}


def test_labels_that_kustomize_adds_reach_the_charts_it_inflates() -> None:
    chart = (
        "helmCharts:\n  - {name: grafana, releaseName: grafana, valuesFile: v.yaml, additionalValuesFiles: [w.yaml]}\n"
    )
    files = {
        "infra/kustomization.yaml": shapes.overlay(
            "p.yaml", namespace="n", more=f"commonLabels: {{stack: metrics}}\n{chart}"
        ),
        "infra/p.yaml": shapes.cnp("stack", shapes.WORLD, labels={"stack": "metrics"}),
        "infra/v.yaml": "persistence: {enabled: true}\n",
        "infra/w.yaml": "useStatefulSet: true\n",
    }
    found = resolve(index(files), "n", "grafana-0")
    assert found.primary is not None
    assert (found.app, found.primary.placed.policy.name) == ("grafana", "stack")


def source(name: str, url: str) -> str:
    return f"---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: {name}}}\nspec: {{url: '{url}'}}\n"


@pytest.mark.parametrize("main", ["flux-system", "home-ops"])
def test_a_path_of_another_repository_is_not_one_of_this(main: str) -> None:
    def from_(name: str, path: str, source_name: str, target: str) -> str:
        return shapes.flux(name, path, target=target).replace("name: flux-system", f"name: {source_name}")

    files = {
        "flux/sources.yaml": source(main, "ssh://git@github.com/me/home-ops.git")
        + source("mirror", "https://git.lan/mirrors/home-ops")
        + source("theirs", "https://github.com/them/deploy"),
        "flux/own.yaml": from_("own", "apps", main, "own") + from_("mirrored", "tools", "mirror", "tools"),
        "flux/unknown.yaml": from_("unknown", "infra", "told-by-nobody", "infra"),
        "flux/theirs.yaml": from_("theirs", "", "theirs", "theirs") + from_("chance", "deploy", "theirs", "theirs"),
        "apps/d.yaml": shapes.deployment("own"),
        "tools/d.yaml": shapes.deployment("tool"),
        "infra/d.yaml": shapes.deployment("dns"),
        "deploy/d.yaml": shapes.deployment("chance"),
    }
    assert workloads(index(files)) == {
        "Deployment own": ("own", "own", True),
        "Deployment tool": ("tools", "tool", True),
        "Deployment dns": ("infra", "dns", True),
        "Deployment chance": (None, "chance", False),
    }


def test_an_application_of_another_repository_is_not_here() -> None:
    application = (
        "---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: %s}\nspec:\n"
        "  source: {repoURL: %s, path: %s}\n  destination: {namespace: %s}\n"
    )
    own = "git@github.com:me/cluster.git"
    files = {
        "argocd/a.yaml": application % ("a", own, "apps/a", "a") + application % ("b", own, "apps/b", "b"),
        "argocd/guestbook.yaml": application % ("guestbook", "https://github.com/argoproj/examples", "guestbook", "g"),
        "argocd/top.yaml": application % ("top", "https://github.com/argoproj/other", ".", "top"),
        "apps/a/d.yaml": shapes.deployment("a"),
        "apps/b/d.yaml": shapes.deployment("b"),
        "guestbook/d.yaml": shapes.deployment("guestbook"),
    }
    assert workloads(index(files)) == {
        "Deployment a": ("a", "a", True),
        "Deployment b": ("b", "b", True),
        "Deployment guestbook": (None, "guestbook", False),
    }


def test_applications_that_lead_nowhere_do_not_make_the_rest_undeployed() -> None:
    files = {
        "examples/app.yaml": (
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: x}\n"
            "spec: {source: {repoURL: x, path: not/here}, destination: {namespace: x}}\n"
        ),
        "k/kustomization.yaml": shapes.overlay("d.yaml", namespace="n"),
        "k/d.yaml": shapes.deployment("d"),
    }
    assert workloads(index(files)) == {"Deployment d": ("n", "d", True)}


@pytest.mark.parametrize(
    ("directory", "names", "apps"),
    [
        ("immich", ("immich-server", "immich-web", "redis"), {"immich"}),
        ("authentik", ("authentik", "ldap", "redis", "postgres"), {"authentik"}),
        ("smarthome", ("smarthome-bridge", "zigbee2mqtt", "frigate"), {"smarthome", "zigbee2mqtt", "frigate"}),
        ("home", ("home-assistant", "mosquitto"), {"home-assistant", "mosquitto"}),
        ("home", ("home-assistant",), {"home-assistant"}),
        ("media", ("media", "sonarr"), {"media", "sonarr"}),
        ("media", ("media-web", "media-worker"), {"media"}),
    ],
)
def test_whether_a_directory_is_one_app(directory: str, names: tuple[str, ...], apps: set[str]) -> None:
    files = {f"k/{directory}/{name}.yaml": shapes.deployment(name, namespace="n") for name in names}
    assert {one.app for one in index(files, templates=()).workloads} == apps


def test_what_belongs_together_is_one_app() -> None:
    names = {"k/paperless/web.yaml": shapes.deployment("web"), "k/paperless/worker.yaml": shapes.deployment("worker")}
    part_of = "labels:\n  - pairs: {app.kubernetes.io/part-of: paperless}\n    includeTemplates: true\n"
    labelled = {"k/paperless/kustomization.yaml": shapes.overlay("web.yaml", "worker.yaml", more=part_of)}
    assert {one.app for one in index(names, templates=()).workloads} == {"web", "worker"}
    assert {one.app for one in index(names | labelled, templates=()).workloads} == {"paperless"}
    applied = {"ks.yaml": shapes.flux("paperless", "k/paperless", target="n")}
    assert {one.app for one in index(names | applied, templates=()).workloads} == {"paperless"}


def test_overlays_of_one_base_are_told_apart() -> None:
    files = {
        "base/kustomization.yaml": shapes.overlay("d.yaml"),
        "base/d.yaml": shapes.deployment("runner"),
        "teams/kustomization.yaml": shapes.overlay("red", "blue"),
        "teams/red/kustomization.yaml": shapes.overlay("../../base", namespace="n", more="namePrefix: red-\n"),
        "teams/blue/kustomization.yaml": shapes.overlay("../../base", namespace="n", more="namePrefix: blue-\n"),
    }
    found = {one.workload.name: one.app for one in index(files, templates=()).workloads}
    assert len(set(found.values())) == 2


def test_an_application_is_called_what_argo_cd_calls_it() -> None:
    files = {
        "apps/grafana.yaml": (
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: grafana}\nspec:\n"
            "  source: {repoURL: x, chart: grafana, targetRevision: 1.0.0, helm: {releaseName: graf}}\n"
            "  destination: {namespace: n}\n"
        )
    }
    assert workloads(index(files))["Deployment graf-grafana"] == ("n", "grafana", True)


def test_the_applications_that_argo_cd_s_own_app_holds_are_apps() -> None:
    def application(name: str, source: str) -> str:
        return (
            f"---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\nspec:\n"
            f"  source: {{repoURL: x, {source}}}\n  destination: {{namespace: n}}\n"
        )

    files = {
        "apps/argocd/manifests/apps.yaml": application("argocd", "path: apps/argocd/manifests")
        + application("cilium", "chart: cilium, targetRevision: 1.19.0")
        + application("argocd-events", "chart: reloader, targetRevision: 1.0.0"),
        "apps/argocd/manifests/d.yaml": shapes.deployment("argocd-server", namespace="n"),
    }
    found = {one.workload.name: (one.app, one.directory) for one in index(files).workloads}
    assert found["cilium"] == ("cilium", None)
    assert found["argocd-server"] == ("argocd", "apps/argocd")
    assert found["argocd-events-reloader"] == ("argocd", "apps/argocd")


def test_a_release_that_repeats_itself_is_a_problem_and_hides_no_neighbour() -> None:
    values = "  values: &v {a: *v, b: '${X}'}\n"
    files = {
        "flux/ks.yaml": shapes.flux("apps", "apps", target="n", substitute={"X": "y"}),
        "apps/loop.yaml": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: loop}\nspec:\n"
        + values,
        "apps/d.yaml": shapes.deployment("d"),
    }
    found = index(files)
    assert set(workloads(found)) == {"Deployment d"}
    assert [problem.partition(":")[0] for problem in found.problems] == ["apps/loop.yaml"]


def application_set(generators: str, name: str, path: str, namespace: str) -> str:
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: all}\nspec:\n"
        f"  generators: [{generators}]\n  template:\n    metadata: {{name: '{name}'}}\n"
        f"    spec:\n      source: {{repoURL: x, path: '{path}'}}\n      destination: {{namespace: '{namespace}'}}\n"
    )


GIT = "{git: {repoURL: x, directories: [{path: apps/*/*}, {path: apps/dev/*, exclude: true}]}}"


@pytest.mark.parametrize(
    ("generators", "name", "path", "namespace", "found"),
    [
        ("{list: {elements: [{app: web, team: shop}]}}", "{{app}}", "apps/prod/{{app}}", "{{ team }}", {"web": "shop"}),
        (
            "{list: {elements: [{app: web, to: {ns: shop}}, {app: db, to: {ns: data}}]}}",
            "{{ .app }}",
            "apps/prod/{{.app}}",
            "{{ .to.ns }}",
            {"web": "shop", "db": "data"},
        ),
        (GIT, "{{path.basename}}", "{{path}}", "{{path[1]}}", {"web": "prod", "db": "prod"}),
        (
            GIT,
            "{{ .path.basename }}",
            "{{ .path.path }}",
            "{{ index .path.segments 2 }}",
            {"web": "web", "db": "db"},
        ),
        (
            "{git: {files: [{path: 'teams/**/app.yaml'}]}}",
            "{{app.name}}",
            "{{app.source}}",
            "{{path.basename}}",
            {"web": "red"},
        ),
        (
            "{matrix: {generators: [{list: {elements: [{ns: a}]}}, " + GIT + "]}}",
            "{{path.basename}}",
            "{{path}}",
            "{{ns}}-{{path.basename}}",
            {"web": "a-web", "db": "a-db"},
        ),
        (
            "{matrix: {generators: [{clusters: {}}, " + GIT + "]}}",
            "{{name}}-{{path.basename}}",
            "{{path}}",
            "{{path.basename}}",
            {"web": "web", "db": "db"},
        ),
        (
            "{merge: {mergeKeys: [app], generators: ["
            "{list: {elements: [{app: web, ns: n}, {app: db, ns: n}]}}, {list: {elements: [{app: db, ns: own}]}}]}}",
            "{{app}}",
            "apps/prod/{{app}}",
            "{{ns}}",
            {"web": "n", "db": "own"},
        ),
        # What only the cluster knows names nothing.
        (GIT, "{{path.basename}}", "{{path}}", "{{metadata.labels.team}}", {"web": None, "db": None}),
        ("{clusters: {}}", "x", "apps/prod/web", "{{name}}", {"web": None}),
    ],
)
def test_what_an_application_set_makes(
    generators: str, name: str, path: str, namespace: str, found: dict[str, str | None]
) -> None:
    files = {
        "argocd/set.yaml": application_set(generators, name, path, namespace),
        "apps/prod/web/d.yaml": shapes.deployment("web"),
        "apps/prod/db/d.yaml": shapes.deployment("db"),
        "apps/dev/web/d.yaml": shapes.deployment("web-dev"),
        "teams/red/app.yaml": "app: {name: web, source: apps/prod/web}\n",
    }
    seen = {one.workload.name: one.namespace for one in index(files).workloads if one.deployed}
    assert seen == found


@pytest.mark.parametrize(
    "generators", ["{list: {elements: 7}}", "{git: {directories: [7]}}", "{merge: {mergeKeys: [a]}}", "7"]
)
def test_a_generator_that_cannot_be_read_is_said_by_name(generators: str) -> None:
    files = {"argocd/set.yaml": application_set(generators, "x", "y", "z"), "k/d.yaml": shapes.deployment("d")}
    found = index(files)
    assert [problem.partition(":")[0] for problem in found.problems] == ["argocd/set.yaml"]
    assert len(found.workloads) == 1


def test_a_matrix_without_end_ends() -> None:
    ten = "{list: {elements: [" + ", ".join(f"{{k%d: v{n}}}" for n in range(10)) + "]}}"
    many = ", ".join(ten.replace("%d", str(n)) for n in range(9))
    matrix = f"{{matrix: {{generators: [{many}]}}}}"
    twice = f"{{matrix: {{generators: [{matrix}, {matrix}]}}}}"
    files = {"s.yaml": application_set(twice, "{{k0}}", "apps", "n"), "apps/d.yaml": shapes.deployment("d")}
    assert index(files).workloads


def test_a_chart_that_wraps_another() -> None:
    git = "{git: {repoURL: x, directories: [{path: apps/*}]}}"
    chart = "apiVersion: v2\nname: %s\nversion: 0.0.0\ndependencies:\n  - {name: %s, version: 4.4.0, repository: x%s}\n"
    files = {
        "set.yaml": application_set(git, "{{path.basename}}", "{{path}}", "{{path.basename}}"),
        "apps/shop/Chart.yaml": chart % ("shop", "app-template", ""),
        "apps/shop/values.yaml": "app-template:\n  controllers:\n    web: {containers: {a: {}}}\n    sync: {type: cronjob, containers: {a: {}}}\n",
        "apps/shop/templates/policy.yaml": shapes.cnp("web", shapes.WORLD, labels={"app.kubernetes.io/name": "shop"}),
        "apps/shop/templates/odd.yaml": "{{- if .Values.x }}\n" + shapes.deployment("odd") + "{{- end }}\n",
        "apps/board/Chart.yaml": chart % ("board", "grafana", ", alias: panels")
        + "  - {name: loki, version: 1, repository: x, condition: loki.enabled}\n",
        "apps/board/values.yaml": "panels: {persistence: {enabled: true}}\nloki: {enabled: false}\n",
        "apps/own/Chart.yaml": "apiVersion: v2\nname: own\nversion: 1.0.0\n",
        "apps/own/values.yaml": "image: x\n",
        "apps/own/templates/d.yaml": shapes.deployment("own-worker"),
    }
    found = index(files)
    assert workloads(found) == {
        "Deployment shop-web": ("shop", "shop", True),
        "CronJob shop-sync": ("shop", "shop", True),
        "HelmRelease board-panels": ("board", "board", True),
        "Deployment board-panels": ("board", "board", True),
        "HelmRelease own": ("own", "own", True),
        "Deployment own-worker": ("own", "own", True),
    }
    assert policies(found) == {"web": ("shop", True)}
    assert found.problems == ()
    primary = resolve(found, "shop", "shop-web-5d7c9d8f6b-x2k4p").primary
    assert primary is not None
    assert primary.placed.file == "apps/shop/templates/policy.yaml"


@pytest.mark.parametrize(
    ("helm", "name"),
    [
        ("", "shop"),
        ("helm: {releaseName: store}", "store"),
        ("helm: {valueFiles: [values.yaml, ../prod.yaml]}", "prod"),
        ("helm: {valueFiles: [/apps/prod.yaml]}", "prod"),
        ("helm: {values: 'grafana: {fullnameOverride: written}'}", "written"),
        ("helm: {valueFiles: [../prod.yaml], valuesObject: {grafana: {fullnameOverride: written}}}", "written"),
    ],
)
def test_the_values_of_a_chart_of_the_repository(helm: str, name: str) -> None:
    files = {
        "argocd/shop.yaml": (
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop}\nspec:\n"
            f"  destination: {{namespace: n}}\n  source:\n    repoURL: x\n    path: apps/shop\n    {helm}\n"
        ),
        "apps/shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 0.0.0\ndependencies:\n  - {name: grafana, version: 8.0.0}\n",
        "apps/prod.yaml": "grafana: {fullnameOverride: prod}\n",
    }
    suffix = "-grafana" if name in ("shop", "store") else ""
    assert f"Deployment {name}{suffix}" in workloads(index(files))


@pytest.mark.parametrize("dependencies", ["7", "[7]", "[{version: 1}]"])
def test_a_chart_that_cannot_be_read_is_said_by_name(dependencies: str) -> None:
    found = index({"apps/x/Chart.yaml": f"apiVersion: v2\nname: x\ndependencies: {dependencies}\n"})
    assert [problem.partition(":")[0] for problem in found.problems] == ["apps/x/Chart.yaml"]


def test_a_cluster_s_kustomization_over_all_apps_is_no_app() -> None:
    def release(name: str, values: str) -> str:
        return f"---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: {name}}}\nspec: {{chart: {{spec: {{chart: our-{name}}}}}, values: {values}}}\n"

    files = {
        "clusters/berlin/flux-system/sync.yaml": shapes.flux("flux-system", "clusters/berlin"),
        "clusters/berlin/apps.yaml": shapes.flux("apps", "apps", target="dev", substitute={"domain": "a.example"}),
        "clusters/wien/apps.yaml": shapes.flux("apps", "apps", target="dev", substitute={"domain": "b.example"}),
        "apps/forge/release.yaml": release("forge", "{host: '${domain}'}"),
        "apps/mail/release.yaml": release("post", "{}"),
        "apps/mail/policy.yaml": shapes.cnp("mail", shapes.fqdn("'smtp.${domain}'")),
    }
    for shared in (files, {path: text for path, text in files.items() if "wien" not in path}):
        found = index(shared)
        assert {one.component for one in found.workloads} == {"apps/forge", "apps/mail"}
        forge, post = (resolve(found, "dev", f"{name}-5d7c9d8f6b-x2k4p") for name in ("forge", "post"))
        assert (forge.policies, post.primary and post.primary.placed.file) == ((), "apps/mail/policy.yaml")


def test_where_an_application_lies_does_not_change_what_it_installs() -> None:
    def application(name: str, source: str) -> str:
        return f"---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\nspec: {{source: {{repoURL: x, {source}}}, destination: {{namespace: git}}}}\n"

    files = {
        "root.yaml": application("root", "path: apps"),
        "apps/kustomization.yaml": shapes.overlay(
            "gitea.yaml", "own.yaml", namespace="argocd", more="namePrefix: x-\ncommonLabels: {a: b}\n"
        ),
        "apps/gitea.yaml": application("gitea", "chart: gitea, targetRevision: 1.0.0"),
        "apps/own.yaml": application("own", "path: own"),
        "own/d.yaml": shapes.deployment("own"),
    }
    found = index(files)
    assert {(one.namespace, one.workload.name) for one in found.workloads} == {("git", "gitea"), ("git", "own")}


def test_namespaces_and_groups_of_what_is_deployed_count() -> None:
    def namespace(label: str) -> str:
        return f"---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{{label}}}}}\n"

    def group(cidr: str) -> str:
        return f"---\napiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\nmetadata: {{name: bank}}\nspec: {{externalCIDRs: [{cidr}]}}\n"

    policy = shapes.cnp("p", "{toCIDRSet: [{cidrGroupRef: bank}]}", namespace="shop")
    files = {
        "flux/ks.yaml": shapes.flux("shop", "shop") + shapes.flux("more", "more"),
        "shop/all.yaml": namespace("egress: closed, a: b") + group("203.0.113.0/24") + policy,
        "more/ns.yaml": namespace("team: x"),
        "zz/all.yaml": namespace("egress: open") + group("10.0.0.0/8"),
    }
    found = index(files, "flux")
    assert found.namespaces["shop"] == (("a", "b"), ("egress", "closed"), ("team", "x"))
    assert [peer.value for peer in found.policies[0].policy.rules[0].egress[0].peers] == ["203.0.113.0/24"]
    unknown = index(files | {"more/group.yaml": group("192.0.2.0/24")}, "flux")
    assert "bank" in unknown.policies[0].policy.rules[0].egress[0].peers[0].value


@pytest.mark.parametrize(
    ("base", "namespace", "name", "app"),
    [
        ("kubernetes/apps/network/external/cloudflared/app", "network", "cloudflared", "cloudflared"),
        ("kubernetes/apps/observability/exporters/snmp-exporter", "observability", "snmp-exporter", "snmp-exporter"),
        ("kubernetes/apps/crowdsec/bouncer/app", "crowdsec", "crowdsec-bouncer", "bouncer"),
        ("namespaces/shop/cronjobs", "shop", "cleanup", "cleanup"),
        ("environments/prod/kustomize", "prod", "shop", "shop"),
        ("apps/immich/server", "immich", "immich-server", "immich"),
        ("apps/immich/redis", "immich", "redis", "redis"),
        ("apps/media/tv", "media", "media-sonarr", "tv"),
    ],
)
def test_what_a_directory_below_its_namespace_stands_for(base: str, namespace: str, name: str, app: str) -> None:
    (placed,) = index({f"{base}/d.yaml": shapes.deployment(name, namespace=namespace)}).workloads
    assert placed.app == app


def test_several_kustomizations_with_names_of_their_own() -> None:
    files = {
        "kubernetes/flux/cluster.yaml": shapes.flux("cluster", "kubernetes/apps"),
        **{
            f"kubernetes/apps/n/group/{name}/ks.yaml": shapes.flux(
                name, f"kubernetes/apps/n/group/{name}/app", target="n"
            )
            for name in ("one", "two")
        },
        **{f"kubernetes/apps/n/group/{name}/app/hr.yaml": shapes.app_template(name) for name in ("one", "two")},
    }
    assert {one.app for one in index(files).workloads} == {"one", "two"}


def test_variables_in_keys() -> None:
    files = {
        "flux/ks.yaml": shapes.flux("radarr", "apps", target="n", substitute={"APP": "radarr"}),
        "apps/hr.yaml": shapes.app_template("APP", "APP", "exporter").replace("x/APP", "x/y").replace("APP", "${APP}"),
    }
    assert set(workloads(index(files))) == {"Deployment radarr", "Deployment radarr-exporter"}


def application_of(source: str) -> str:
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: chat}\n"
        f"spec: {{source: {{repoURL: x, path: chat, {source}}}, destination: {{namespace: n}}}}\n"
    )


@pytest.mark.parametrize(
    ("directory", "found"),
    [
        ("recurse: true", {"a", "b", "c"}),
        ("recurse: false", {"a", "b"}),
        ("recurse: true, exclude: '*.disabled.yaml'", {"a", "c"}),
        ("recurse: true, exclude: '{b.disabled.yaml,below/*}'", {"a"}),
        ("recurse: true, include: 'below/*'", {"c"}),
        ("include: '{a,b}.yaml'", {"a"}),
    ],
)
def test_which_files_of_a_directory_argo_cd_applies(directory: str, found: set[str]) -> None:
    files = {
        "argocd/chat.yaml": application_of(f"directory: {{{directory}}}"),
        "chat/a.yaml": shapes.deployment("a"),
        "chat/b.disabled.yaml": shapes.deployment("b"),
        "chat/below/c.yaml": shapes.deployment("c"),
    }
    assert {one.workload.name for one in index(files).workloads if one.deployed} == found


def test_what_argo_cd_lets_kustomize_do() -> None:
    options = (
        "{namePrefix: prod-, nameSuffix: -x, commonLabels: {stage: prod}, namespace: forced, components: [../side]}"
    )
    files = {
        "argocd/chat.yaml": application_of(f"kustomize: {options}"),
        "chat/kustomization.yaml": shapes.overlay("d.yaml"),
        "chat/d.yaml": shapes.deployment("synapse"),
        "side/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [s.yaml]\n",
        "side/s.yaml": shapes.deployment("side"),
    }
    found = index(files)
    assert {(one.namespace, one.workload.name, one.app) for one in found.workloads} == {
        ("forced", "prod-synapse-x", "chat"),
        ("forced", "prod-side-x", "chat"),
    }
    assert {dict(one.workload.labels)["stage"] for one in found.workloads} == {"prod"}


def test_values_from_a_config_map_that_is_written_out() -> None:
    release = (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: flux}\nspec:\n"
        "  chart: {spec: {chart: app-template, version: 4.4.0}}\n"
        "  valuesFrom: [{kind: ConfigMap, name: flux-values}, {kind: Secret, name: secret}]\n"
        "  values: {controllers: {flux: {containers: {app: {}}}}}\n"
    )
    values = "defaultPodOptions: {labels: {egress/feeds: '${FEEDS}'}}\nglobal: {fullnameOverride: flows}\n"
    config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: flux-values}\ndata:\n  values.yaml: |\n" + "".join(
        f"    {line}\n" for line in values.splitlines()
    )
    policy = shapes.cnp("feeds", shapes.WORLD, labels={"egress/feeds": "open"})
    files = {
        "flux/ks.yaml": shapes.flux("flux", "apps/flux", target="n", substitute={"FEEDS": "open"}),
        "apps/flux/hr.yaml": release,
        "apps/flux/values.yaml": config_map,
        "apps/flux/p.yaml": policy,
        "other/values.yaml": config_map.replace("flows", "others"),
    }
    found = resolve(index(files), "n", "flows-5d7c9d8f6b-x2k4p")
    assert [one.placed.policy.name for one in found.policies] == ["feeds"]
    del files["apps/flux/values.yaml"], files["other/values.yaml"]
    found = resolve(index(files), "n", "flux-5d7c9d8f6b-x2k4p")
    assert [one.policy.name for one in found.possible] == ["feeds"]
