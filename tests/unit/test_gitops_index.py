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
        "kubernetes/apps/media/recyclarr/app/kustomization.yaml": shapes.overlay("./helmrelease.yaml", "./gone.yaml"),
        "kubernetes/apps/media/broken.yaml": "kind: Deployment\nmetadata: [unclosed\n",
        "kubernetes/apps/media/odd.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: 7\n",
    }
    found = index(files)
    assert [problem.split(": ")[0] for problem in found.problems] == [
        "kubernetes/apps/media/broken.yaml",
        "kubernetes/apps/media/odd.yaml",
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
