"""What an object of the repository declares: names that pods follow, and the labels a policy can ask for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tocsin.gitops.app_template import Controller, controllers
from tocsin.gitops.workloads import Workload, declared, from_chart, values_from
from tocsin.pod_names import KINDS

NAME, INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"
CONTROLLER, COMPONENT = "app.kubernetes.io/controller", "app.kubernetes.io/component"


def read(text: str) -> Any:
    return yaml.safe_load(text)


def one(text: str) -> Workload:
    (found,) = declared(read(text))
    return found


def release(values: str = "", spec: str = "", name: str = "sonarr", namespace: str = "media") -> dict[str, Any]:
    """A HelmRelease; `spec` is merged into its specification."""
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"values": read(values)} | (read(spec) or {}),
    }


APP_TEMPLATE = "chart: {spec: {chart: app-template, version: 4.2.0}}"
APP = "containers: {app: {image: {}}}"


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "ReplicaSet"),
        ("batch/v1", "Job"),
        ("argoproj.io/v1alpha1", "Rollout"),
    ],
)
def test_the_labels_of_a_pod_template(api_version: str, kind: str) -> None:
    found = one(f"""
        apiVersion: {api_version}
        kind: {kind}
        metadata: {{name: web, namespace: shop, labels: {{app: of-the-object}}}}
        spec:
          selector: {{matchLabels: {{app: of-the-selector}}}}
          template:
            metadata: {{labels: {{tier: 2, app: web, public: true, gone: null}}}}
            spec: {{hostNetwork: true}}
    """)
    labels = (("app", "web"), ("public", "true"), ("tier", "2"))
    assert found == Workload(kind, "web", "shop", labels, complete=True, host_network=True)


def test_the_labels_of_a_cron_job_are_further_down() -> None:
    found = one("""
        apiVersion: batch/v1
        kind: CronJob
        metadata: {name: backup}
        spec:
          template: {metadata: {labels: {app: wrong}}}
          jobTemplate:
            metadata: {labels: {app: of-the-job}}
            spec: {template: {metadata: {labels: {app: backup}}}}
    """)
    assert found == Workload("CronJob", "backup", None, (("app", "backup"),))


def test_a_bare_pod() -> None:
    found = one("{apiVersion: v1, kind: Pod, metadata: {name: debug, labels: {a: b}}, spec: {hostNetwork: false}}")
    assert found == Workload("Pod", "debug", None, (("a", "b"),))


@pytest.mark.parametrize(
    "text",
    [
        "{apiVersion: v1, kind: Service, metadata: {name: x}}",
        "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: x}}",
        "{apiVersion: cluster.x-k8s.io/v1beta1, kind: Cluster, metadata: {name: x}}",
        "{apiVersion: postgresql.cnpg.io/v1, kind: ScheduledBackup, metadata: {name: x}}",
        "{apiVersion: batch.volcano.sh/v1alpha1, kind: Job, metadata: {name: x}}",
        "{apiVersion: source.toolkit.fluxcd.io/v1, kind: HelmChart, metadata: {name: x}}",
        "{apiVersion: batch/v1, kind: Job, metadata: {generateName: migrate-}}",
        "{apiVersion: volsync.backube/v1alpha1, kind: ReplicationSource, metadata: {name: x}, spec: {external: {}}}",
        "{kind: Deployment, metadata: {name: x}}",
        "{}",
    ],
)
def test_what_is_no_workload(text: str) -> None:
    assert declared(read(text)) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            """
            apiVersion: postgresql.cnpg.io/v1
            kind: Cluster
            metadata: {name: postgres-16, namespace: database}
            spec: {instances: 3, inheritedMetadata: {labels: {egress: s3}}}
            """,
            Workload(
                "Cluster",
                "postgres-16",
                "database",
                (
                    ("cnpg.io/cluster", "postgres-16"),
                    ("cnpg.io/podRole", "instance"),
                    ("egress", "s3"),
                    ("postgresql", "postgres-16"),
                ),
                complete=False,
            ),
        ),
        (
            """
            apiVersion: mongodbcommunity.mongodb.com/v1
            kind: MongoDBCommunity
            metadata: {name: unifi-db, namespace: unifi}
            spec: {members: 3, statefulSet: {spec: {template: {metadata: {labels: {egress: none}}}}}}
            """,
            Workload(
                "MongoDBCommunity",
                "unifi-db",
                "unifi",
                (("app", "unifi-db-svc"), ("egress", "none")),
                complete=False,
            ),
        ),
        (
            """
            apiVersion: postgresql.cnpg.io/v1
            kind: Pooler
            metadata: {name: rw}
            spec: {template: {metadata: {labels: {app: pooler}}}}
            """,
            Workload(
                "Pooler",
                "rw",
                None,
                (("app", "pooler"), ("cnpg.io/podRole", "pooler"), ("cnpg.io/poolerName", "rw")),
                complete=False,
            ),
        ),
        (
            """
            apiVersion: actions.github.com/v1alpha1
            kind: AutoscalingRunnerSet
            metadata: {name: gpu, namespace: ci}
            spec: {template: {metadata: {labels: {runner: gpu}}, spec: {hostNetwork: true}}}
            """,
            Workload(
                "AutoscalingRunnerSet",
                "gpu",
                "ci",
                (
                    ("actions.github.com/scale-set-name", "gpu"),
                    (COMPONENT, "runner"),
                    ("app.kubernetes.io/part-of", "gha-runner-scale-set"),
                    ("runner", "gpu"),
                ),
                complete=False,
                host_network=True,
            ),
        ),
        (
            """
            apiVersion: actions.summerwind.dev/v1alpha1
            kind: RunnerDeployment
            metadata: {name: builder}
            spec: {template: {metadata: {labels: {a: b}}, spec: {repository: x/y}}}
            """,
            Workload("RunnerDeployment", "builder", None, (("a", "b"),), complete=False),
        ),
        (
            """
            apiVersion: volsync.backube/v1alpha1
            kind: ReplicationSource
            metadata: {name: plex, namespace: media}
            spec: {sourcePVC: plex, restic: {moverPodLabels: {egress: allow}}}
            """,
            Workload(
                "ReplicationSource",
                "plex",
                "media",
                (("app.kubernetes.io/created-by", "volsync"), ("egress", "allow")),
                complete=False,
            ),
        ),
        (
            """
            apiVersion: volsync.backube/v1alpha1
            kind: ReplicationDestination
            metadata: {name: plex-dst}
            spec: {trigger: {manual: once}, kopia: {}}
            """,
            Workload(
                "ReplicationDestination",
                "plex-dst",
                None,
                (("app.kubernetes.io/created-by", "volsync"),),
                complete=False,
            ),
        ),
        (
            """
            apiVersion: volsync.backube/v1alpha1
            kind: ReplicationSource
            metadata: {name: photos}
            spec: {syncthing: {serviceType: ClusterIP}}
            """,
            Workload(
                "Deployment", "volsync-photos", None, (("app.kubernetes.io/created-by", "volsync"),), complete=False
            ),
        ),
        (
            """
            apiVersion: dragonflydb.io/v1alpha1
            kind: Dragonfly
            metadata: {name: "${APP}-dragonfly"}
            """,
            Workload(
                "Dragonfly",
                "${APP}-dragonfly",
                None,
                (
                    ("app", "${APP}-dragonfly"),
                    (NAME, "dragonfly"),
                    ("app.kubernetes.io/part-of", "dragonfly"),
                ),
                complete=False,
            ),
        ),
        (
            """
            apiVersion: monitoring.coreos.com/v1
            kind: Prometheus
            metadata: {name: kps, namespace: observability}
            spec: {hostNetwork: true, podMetadata: {labels: {egress: none}}}
            """,
            Workload(
                "Prometheus",
                "kps",
                "observability",
                (
                    (INSTANCE, "kps"),
                    (NAME, "prometheus"),
                    ("egress", "none"),
                    ("operator.prometheus.io/name", "kps"),
                    ("prometheus", "kps"),
                ),
                complete=False,
                host_network=True,
            ),
        ),
    ],
)
def test_an_object_of_an_operator(text: str, expected: Workload) -> None:
    assert one(text) == expected


def test_an_operator_s_own_label_is_not_overwritten() -> None:
    found = one("""
        apiVersion: postgresql.cnpg.io/v1
        kind: Cluster
        metadata: {name: a}
        spec: {inheritedMetadata: {labels: {cnpg.io/cluster: b}}}
    """)
    assert dict(found.labels)["cnpg.io/cluster"] == "a"


@pytest.mark.parametrize(
    ("name", "spec", "expected"),
    [
        ("traefik", "", ("traefik", "media", False)),
        ("traefik", "releaseName: edge", ("edge", "media", False)),
        ("traefik", "targetNamespace: network", ("network-traefik", "network", True)),
        ("traefik", "{targetNamespace: network, releaseName: edge}", ("edge", "network", True)),
        ("x" * 60, "", ("x" * 40 + "-42f2d9733566", "media", False)),
        ("${APP}" * 10, "", ("${APP}" * 10, "media", False)),
    ],
)
def test_the_name_and_the_namespace_of_a_release(name: str, spec: str, expected: tuple[str, str, bool]) -> None:
    (found,) = declared(release(name=name, spec=spec))
    assert (found.name, found.namespace, found.pins_namespace) == expected
    assert found.kind == "HelmRelease"
    assert found.release == found.name


@pytest.mark.parametrize(
    ("spec", "chart", "labels"),
    [
        ("chart: {spec: {chart: my-shop}}", "my-shop", ((INSTANCE, "sonarr"),)),
        ("chart: {spec: {chart: ./charts/shop/}}", "shop", ((INSTANCE, "sonarr"),)),
        # the name of an OCIRepository is not that of its chart
        ("chartRef: {kind: OCIRepository, name: sonarr}", "", ((INSTANCE, "sonarr"),)),
    ],
)
def test_a_chart_that_is_not_known(spec: str, chart: str, labels: tuple[tuple[str, str], ...]) -> None:
    (found,) = declared(release("{controller: {replicas: 2}, image: {}}", spec))
    assert found == Workload("HelmRelease", "sonarr", "media", labels, complete=False, release="sonarr", chart=chart)


@pytest.mark.parametrize(
    "spec",
    [
        APP_TEMPLATE,
        "chart: {spec: {chart: ./charts/app-template}}",
        "chartRef: {kind: OCIRepository, name: app-template}",
        "chartRef: {kind: OCIRepository, name: sonarr}",
    ],
)
def test_app_template_is_recognised(spec: str) -> None:
    (found,) = declared(release(f"controllers: {{sonarr: {{type: statefulset, {APP}}}}}", spec))
    assert (found.kind, found.name, found.chart, found.part) == ("StatefulSet", "sonarr", "app-template", "")
    assert (CONTROLLER, "sonarr") in found.labels


def test_another_chart_with_controllers_is_left_alone() -> None:
    """Its own values may enable more of them, which changes the names."""
    (found,) = declared(release(f"controllers: {{main: {{{APP}}}}}", "chart: {spec: {chart: odd}}"))
    assert (found.kind, found.name) == ("HelmRelease", "sonarr")


def test_the_caller_may_know_the_chart() -> None:
    resource = release(f"controllers: {{main: {{{APP}}}}}", "chartRef: {kind: OCIRepository, name: sonarr}")
    (found,) = declared(resource, chart="oci://ghcr.io/bjw-s-labs/helm/app-template", version="3.7.3")
    assert found.labels == ((COMPONENT, "main"), (INSTANCE, "sonarr"), (NAME, "sonarr"))
    (other,) = declared(resource, chart="oci://ghcr.io/example/charts/odd")
    assert (other.kind, other.chart) == ("HelmRelease", "odd")


def test_values_of_config_maps_lie_under_those_of_the_release() -> None:
    resource = release(
        "controllers: {sonarr: {pod: {labels: {b: release}}}}",
        f"""
        {APP_TEMPLATE}
        valuesFrom:
          - {{kind: ConfigMap, name: defaults}}
          - {{kind: Secret, name: secret}}
          - {{kind: ConfigMap, name: more, valuesKey: more.yaml}}
          - {{kind: ConfigMap, name: single, targetPath: controllers.sonarr.type}}
        """,
    )
    assert values_from(resource) == (("defaults", "values.yaml"), ("more", "more.yaml"))
    first = read(f"controllers: {{sonarr: {{type: daemonset, {APP}, pod: {{labels: {{a: first, b: first}}}}}}}}")
    second = read("controllers: {sonarr: {type: job, pod: {labels: {a: second, b: second}}}}")
    (found,) = declared(resource, (first, second))
    assert found.kind == "Job"
    assert {("a", "second"), ("b", "release")} <= set(found.labels)
    assert first == read(
        f"controllers: {{sonarr: {{type: daemonset, {APP}, pod: {{labels: {{a: first, b: first}}}}}}}}"
    )
    assert found.complete is False


def test_values_that_nobody_gave_may_hold_labels() -> None:
    values = f"controllers: {{sonarr: {{{APP}}}}}"
    unseen = f"{APP_TEMPLATE}\nvaluesFrom: [{{kind: ConfigMap, name: defaults}}]"
    assert declared(release(values, APP_TEMPLATE))[0].complete
    assert not declared(release(values, unseen))[0].complete
    assert declared(release(values, unseen), [{}])[0].complete
    assert not declared(release(values, f"{APP_TEMPLATE}\npostRenderers: [{{kustomize: {{}}}}]"))[0].complete


def test_a_release_without_values_of_its_own() -> None:
    (found,) = declared(release("", APP_TEMPLATE))
    assert (found.kind, found.name, found.complete) == ("HelmRelease", "sonarr", False)
    assert declared(release("controllers: {sonarr: {enabled: false}}", APP_TEMPLATE)) == ()


def named(found: tuple[Controller, ...]) -> dict[str, str]:
    return {each.identifier: each.name for each in found}


@pytest.mark.parametrize(
    ("version", "values", "expected"),
    [
        # one controller: its identifier does not matter, but in 2.x
        ("4.2.0", "controllers: {main: {}}", {"main": "sonarr"}),
        ("4.2.0", "controllers: {app: {}}", {"app": "sonarr"}),
        ("3.7.3", "controllers: {app: {}}", {"app": "sonarr"}),
        ("2.6.0", "controllers: {app: {}}", {"app": "sonarr-app"}),
        ("2.6.0", "controllers: {main: {}}", {"main": "sonarr"}),
        (None, "controllers: {app: {}}", {"app": "sonarr"}),
        # several
        ("4.2.0", "controllers: {sonarr: {}, db: {}}", {"sonarr": "sonarr", "db": "sonarr-db"}),
        ("3.7.3", "controllers: {sonarr: {}, db: {}}", {"sonarr": "sonarr", "db": "sonarr-db"}),
        ("2.6.0", "controllers: {main: {}, db: {}}", {"main": "sonarr", "db": "sonarr-db"}),
        ("2.6.0", "controllers: {main: {}, sonarr: {}}", {"main": "sonarr", "sonarr": "sonarr-sonarr"}),
        ("4.2.0", "controllers: {main: {}, db: {}}", {"main": "sonarr-main", "db": "sonarr-db"}),
        (None, "controllers: {main: {}, db: {}}", {"main": "sonarr-main", "db": "sonarr-db"}),
        # one that is switched off counts for nothing
        ("4.2.0", "controllers: {sonarr: {}, db: {enabled: false}, old: null}", {"sonarr": "sonarr"}),
        ("4.2.0", "controllers: {app: {}, db: {enabled: false}}", {"app": "sonarr"}),
        # names written by hand
        ("4.2.0", "controllers: {app: {forceRename: Tv}, db: {}}", {"app": "tv", "db": "sonarr-db"}),
        ("4.2.0", "controllers: {app: {forceRename: '{{ .Release.Name }}-x'}}", {"app": "sonarr-x"}),
        ("4.2.0", "controllers: {app: {prefix: my}}", {"app": "my-sonarr"}),
        ("4.2.0", "controllers: {app: {prefix: '{{ .Release.Name }}'}}", {"app": "sonarr"}),
        ("4.2.0", "controllers: {app: {suffix: hd}}", {"app": "sonarr-hd"}),
        (
            "4.2.0",
            "controllers: {app: {prefix: my, suffix: hd}, db: {}}",
            {"app": "my-sonarr-app-hd", "db": "sonarr-db"},
        ),
        ("4.2.0", "controllers: {app: {suffix: app}, db: {}}", {"app": "sonarr-app", "db": "sonarr-db"}),
        ("3.7.3", "controllers: {app: {suffix: hd}}", {"app": "sonarr"}),
        ("3.7.3", "controllers: {app: {nameOverride: hd}}", {"app": "sonarr-hd"}),
        ("3.7.3", "controllers: {app: {nameOverride: sonarr}, db: {}}", {"app": "sonarr", "db": "sonarr-db"}),
        ("2.6.0", "controllers: {main: {nameOverride: hd}}", {"main": "sonarr-hd"}),
        ("4.2.0", "controllers: {app: {nameOverride: hd}}", {"app": "sonarr"}),
        (None, "controllers: {app: {nameOverride: hd}}", {"app": "sonarr-hd"}),
        # global values
        (
            "4.2.0",
            "{controllers: {app: {}}, global: {alwaysAppendIdentifierToResourceName: true}}",
            {"app": "sonarr-app"},
        ),
        (
            "4.2.0",
            "{controllers: {sonarr: {}}, global: {alwaysAppendIdentifierToResourceName: true}}",
            {"sonarr": "sonarr"},
        ),
        ("4.2.0", "{controllers: {app: {}}, global: {fullnameOverride: tv}}", {"app": "tv"}),
        ("4.2.0", "{controllers: {app: {}}, fullnameOverride: tv}", {"app": "tv"}),
        ("4.2.0", "{controllers: {app: {}, tv: {}}, fullnameOverride: my-tv}", {"app": "my-tv-app", "tv": "my-tv"}),
        ("3.7.3", "{controllers: {app: {}, tv: {}}, fullnameOverride: my-tv}", {"app": "my-tv-app", "tv": "my-tv-tv"}),
        ("4.2.0", "{controllers: {app: {}}, global: {nameOverride: tv}}", {"app": "sonarr-tv"}),
        ("4.2.0", "{controllers: {app: {}}, global: {nameOverride: son}}", {"app": "sonarr"}),
        # the chart's own name is the release's, which wins over this one
        ("4.2.0", "{controllers: {app: {}}, nameOverride: tv}", {"app": "sonarr"}),
    ],
)
def test_the_names_app_template_gives(version: str | None, values: str, expected: dict[str, str]) -> None:
    assert named(controllers(read(values), "sonarr", version)) == expected


@pytest.mark.parametrize("version", ["4.2.0", "v4.2.0", "^4.0.0", "~4.2", "4.x", "4", "5.1.0"])
def test_a_version_is_told_by_its_first_number(version: str) -> None:
    (found,) = controllers(read("controllers: {app: {}}"), "x", version)
    assert (CONTROLLER, "app") in found.labels
    assert (COMPONENT, "app") not in found.labels


@pytest.mark.parametrize("version", [None, "", ">=3.0.0", "*", "latest", ">=2 <5"])
def test_a_version_that_tells_nothing_leaves_both_labels_possible(version: str | None) -> None:
    (found,) = controllers(read("controllers: {app: {}}"), "x", version)
    assert {(CONTROLLER, "app"), (COMPONENT, "app")} <= set(found.labels)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("{}", "Deployment"),
        ("{type: deployment}", "Deployment"),
        ("{type: statefulset}", "StatefulSet"),
        ("{type: daemonset}", "DaemonSet"),
        ("{type: cronjob}", "CronJob"),
        ("{type: job}", "Job"),
    ],
)
def test_the_type_of_a_controller(written: str, kind: str) -> None:
    (found,) = controllers(read(f"controllers: {{app: {written}}}"), "x")
    assert found.kind == kind


POD_LABELS = """
controllers: {app: {labels: {of: object}, pod: {labels: {own: pod}}}, db: {}}
defaultPodOptions: {labels: {common: default}}
"""


@pytest.mark.parametrize(
    ("version", "more", "expected", "complete"),
    [
        ("4.2.0", "", {"own": "pod"}, True),
        ("4.2.0", "defaultPodOptionsStrategy: overwrite", {"own": "pod"}, True),
        ("4.2.0", "defaultPodOptionsStrategy: merge", {"own": "pod", "common": "default"}, True),
        ("3.7.3", "", {"own": "pod", "common": "default"}, True),
        (None, "", {"own": "pod"}, False),
        (None, "defaultPodOptionsStrategy: merge", {"own": "pod", "common": "default"}, True),
    ],
)
def test_the_labels_of_one_pod_replace_or_extend_the_common_ones(
    version: str | None, more: str, expected: Mapping[str, str], complete: bool
) -> None:
    app, db = controllers(read(POD_LABELS + more), "sonarr", version)
    ours = (NAME, INSTANCE, CONTROLLER, COMPONENT)
    assert {key: value for key, value in app.labels if key not in ours} == expected
    assert app.complete is complete
    assert {key: value for key, value in db.labels if key not in ours} == {"common": "default"}
    assert db.complete


@pytest.mark.parametrize(
    ("version", "values", "expected"),
    [
        ("4.2.0", "controllers: {app: {pod: {labels: {app.kubernetes.io/name: tv}}}}", ("tv",)),
        ("5.3.0", "controllers: {app: {pod: {labels: {app.kubernetes.io/name: tv}}}}", ("sonarr",)),
        (None, "controllers: {app: {pod: {labels: {app.kubernetes.io/name: tv}}}}", ("sonarr", "tv")),
        ("^5.1.0", "controllers: {app: {pod: {labels: {app.kubernetes.io/name: tv}}}}", ("sonarr", "tv")),
        ("4.2.0", "{controllers: {app: {}}, global: {nameOverride: tv}}", ("tv",)),
        ("4.2.0", "{controllers: {app: {}}, nameOverride: tv}", ("sonarr",)),
        ("4.2.0", "{controllers: {app: {}}, global: {fullnameOverride: tv}}", ("sonarr",)),
    ],
)
def test_which_name_label_a_pod_has(version: str | None, values: str, expected: tuple[str, ...]) -> None:
    (found,) = controllers(read(values), "sonarr", version)
    assert tuple(value for key, value in found.labels if key == NAME) == expected


@pytest.mark.parametrize(("propagate", "present"), [("true", True), ("false", False)])
def test_global_labels_reach_pods_only_on_request(propagate: str, present: bool) -> None:
    values = f"{{controllers: {{app: {{}}}}, global: {{labels: {{a: b}}, propagateGlobalMetadataToPods: {propagate}}}}}"
    (found,) = controllers(read(values), "sonarr", "4.2.0")
    assert (("a", "b") in found.labels) is present


def test_extra_selector_labels() -> None:
    values = read("controllers: {app: {extraSelectorLabels: {tier: web}, pod: {labels: {tier: pod}}}}")
    assert ("tier", "web") in controllers(values, "sonarr", "5.3.0")[0].labels
    assert ("tier", "web") not in controllers(values, "sonarr", "4.2.0")[0].labels


def test_a_template_is_resolved_or_left_out() -> None:
    values = read("""
        controllers:
          app:
            pod:
              labels:
                a: "{{ .Release.Name }}-x"
                b: "{{- $.Release.Name -}}"
                "{{ .Release.Name }}/c": d
                e: "{{ .Values.global.x }}"
    """)
    (found,) = controllers(values, "sonarr", "4.2.0")
    assert {("a", "sonarr-x"), ("b", "sonarr"), ("sonarr/c", "d")} <= set(found.labels)
    assert "e" not in dict(found.labels)
    assert not found.complete


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("{controllers: {app: {}}}", False),
        ("{controllers: {app: {}}, defaultPodOptions: {hostNetwork: true}}", True),
        ("{controllers: {app: {pod: {hostNetwork: true}}}}", True),
        ("{controllers: {app: {pod: {hostNetwork: false}}}, defaultPodOptions: {hostNetwork: true}}", False),
        ("{controllers: {app: {pod: {hostNetwork: null}}}, defaultPodOptions: {hostNetwork: true}}", True),
    ],
)
def test_the_host_s_network(values: str, expected: bool) -> None:
    assert controllers(read(values), "sonarr")[0].host_network is expected


def test_app_template_before_it_had_controllers() -> None:
    values = read("{controller: {type: daemonset}, podLabels: {a: b}, hostNetwork: true, image: {}}")
    labels = (("a", "b"), (INSTANCE, "sonarr"), (NAME, "sonarr"))
    expected = Controller("DaemonSet", "sonarr", "", tuple(sorted(labels)), host_network=True)
    assert controllers(values, "sonarr", "1.5.1") == controllers(values, "sonarr") == (expected,)
    assert controllers(values, "sonarr", "4.2.0") == ()
    assert controllers(read("{controller: {enabled: false}, image: {}}"), "sonarr", "1.5.1") == ()


def test_several_controllers_are_parts_of_a_release() -> None:
    values = f"controllers: {{karakeep: {{{APP}}}, chrome: {{{APP}}}, off: {{enabled: false}}}}"
    main, chrome = declared(release(values, APP_TEMPLATE, name="karakeep"))
    assert (main.name, main.part, main.release) == ("karakeep", "karakeep", "karakeep")
    assert (chrome.name, chrome.part, chrome.release) == ("karakeep-chrome", "chrome", "karakeep")


def test_variables_are_taken_as_they_stand() -> None:
    values = "controllers: {app: {pod: {labels: {a: '${LABEL}'}}, suffix: HD}}"
    (found,) = declared(release(values, APP_TEMPLATE, name="${APP}", namespace="${NAMESPACE}"))
    assert (found.name, found.namespace, found.release) == ("${APP}-hd", "${NAMESPACE}", "${APP}")
    assert ("a", "${LABEL}") in found.labels


RUNNERS = "chart: {spec: {chart: gha-runner-scale-set}}"


@pytest.mark.parametrize(
    ("values", "spec", "name"),
    [
        ("githubConfigUrl: https://github.com/x/y", RUNNERS, "sonarr"),
        ("runnerScaleSetName: home_ops", RUNNERS, "home-ops"),
        ("", "chartRef: {kind: OCIRepository, name: gha-runner-scale-set}", "sonarr"),
        ("githubConfigUrl: https://github.com/x/y", "chartRef: {kind: OCIRepository, name: infra-runner}", "sonarr"),
    ],
)
def test_a_runner_scale_set(values: str, spec: str, name: str) -> None:
    (found,) = declared(release(values, spec))
    assert (found.kind, found.name, found.release) == ("AutoscalingRunnerSet", name, "sonarr")
    assert {("actions.github.com/scale-set-name", name), (COMPONENT, "runner")} <= set(found.labels)
    assert not found.complete


def test_the_runners_labels_and_their_listener() -> None:
    runners, listener = declared(
        release(
            "{template: {metadata: {labels: {runner: x}}}, controllerServiceAccount: {namespace: arc-system}}",
            RUNNERS,
        )
    )
    assert ("runner", "x") in runners.labels
    assert (runners.namespace, runners.part) == ("media", "runner")
    assert (listener.kind, listener.name) == ("AutoscalingListener", "sonarr")
    assert (listener.namespace, listener.pins_namespace, listener.part) == ("arc-system", True, "listener")
    assert (COMPONENT, "runner-scale-set-listener") in listener.labels


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("arc", "", "arc-gha-rs-controller"),
        ("gha-rs-controller", "", "gha-rs-controller"),
        ("arc", "nameOverride: ctl", "arc-ctl"),
        ("arc", "fullnameOverride: actions-runner-controller", "actions-runner-controller"),
    ],
)
def test_the_controller_of_the_runners(name: str, values: str, expected: str) -> None:
    spec = "chart: {spec: {chart: gha-runner-scale-set-controller}}"
    (found,) = declared(release(values, spec, name=name))
    assert (found.kind, found.name, found.release, found.complete) == ("Deployment", expected, name, False)
    assert (INSTANCE, name) in found.labels


def test_a_chart_of_k3s() -> None:
    resource = {
        "apiVersion": "helm.cattle.io/v1",
        "kind": "HelmChart",
        "metadata": {"name": "sonarr", "namespace": "kube-system"},
        "spec": {
            "chart": "oci://ghcr.io/bjw-s-labs/helm/app-template",
            "version": "4.2.0",
            "targetNamespace": "media",
            "valuesContent": "controllers: {app: {type: statefulset}}",
        },
    }
    (found,) = declared(resource)
    assert (found.kind, found.name, found.namespace, found.pins_namespace) == ("StatefulSet", "sonarr", "media", True)
    with pytest.raises(ValueError, match="valuesContent is not YAML"):
        declared(resource | {"spec": {"valuesContent": "a: ["}})
    with pytest.raises(TypeError, match="valuesContent is not a mapping"):
        declared(resource | {"spec": {"valuesContent": "- a"}})


def test_a_chart_of_a_kustomization() -> None:
    (found,) = from_chart("shop", "shop", {}, "network")
    assert found.labels == ((INSTANCE, "shop"),)
    (unseen,) = from_chart("sonarr", "app-template", read("controllers: {app: {}}"), None, "4.2.0", complete=False)
    assert (unseen.kind, unseen.namespace, unseen.complete) == ("Deployment", None, False)


@pytest.mark.parametrize(
    ("resource", "failure"),
    [
        ("{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: [1]}", TypeError),
        ("{apiVersion: apps/v1, kind: Deployment, metadata: x}", TypeError),
        (
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x},"
            " spec: {template: {metadata: {labels: {a: [b]}}}}}",
            TypeError,
        ),
        ("{apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, metadata: {}}", KeyError),
        (
            "{apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, metadata: {name: x}, spec: {values: 1}}",
            TypeError,
        ),
    ],
)
def test_a_malformed_object(resource: str, failure: type[Exception]) -> None:
    with pytest.raises(failure):
        declared(read(resource))


@pytest.mark.parametrize(
    "values",
    [
        "controllers: {app: {type: replicaset}}",
        "controllers: {app: {forceRename: '{{ .Values.x }}'}}",
        "{controllers: {app: {}}, fullnameOverride: '{{ .Values.x }}'}",
    ],
)
def test_a_name_that_only_helm_can_tell_is_reported(values: str) -> None:
    with pytest.raises(ValueError, match=r"is a template|is not known"):
        controllers(read(values), "sonarr", "4.2.0")


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    *(
                        "metadata",
                        "spec",
                        "name",
                        "namespace",
                        "template",
                        "labels",
                        "values",
                        "controllers",
                        "app",
                        "type",
                    ),
                    *(
                        "pod",
                        "enabled",
                        "containers",
                        "chart",
                        "valuesFrom",
                        "global",
                        "restic",
                        "suffix",
                        "nameOverride",
                    ),
                )
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@given(
    st.sampled_from(
        (
            ("apps/v1", "Deployment"),
            ("batch/v1", "CronJob"),
            ("postgresql.cnpg.io/v1", "Cluster"),
            ("volsync.backube/v1alpha1", "ReplicationSource"),
            ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
            ("helm.cattle.io/v1", "HelmChart"),
        )
    ),
    junk,
    junk,
    st.sampled_from(("", "app-template", "gha-runner-scale-set", "gha-runner-scale-set-controller")),
)
def test_anything_is_read_or_refused_with_an_expected_failure(
    kind: tuple[str, str], metadata: Any, spec: Any, chart: str
) -> None:
    resource = {"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, "spec": spec}
    try:
        found = declared(resource, chart=chart)
    except (TypeError, ValueError, KeyError, AttributeError):
        return
    for each in found:
        assert each.kind in KINDS
        assert each.labels == tuple(sorted(each.labels))
        assert hash(each) == hash(replace(each))
