"""A release of a well-known chart has the workloads that the chart's templates render, and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.gitops.charts import CHARTS, Rendered, rendered
from tocsin.pod_names import is_kubernetes_name, matches

NAME, INSTANCE, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"
STACK = "kube-prometheus-stack"
KINDS = {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}


def names(chart, release, values=None):
    return {(each.kind, each.name, each.part) for each in rendered(chart, release, values or {})}


def labels(chart, release, values, name):
    return dict(next(each.labels for each in rendered(chart, release, values) if each.name == name))


def owner(pod, releases):
    """The releases, of chart and name, that claim a pod."""
    return [
        (chart, release, each.part)
        for chart, release in releases
        for each in rendered(chart, release, {})
        if matches(each.kind, each.name, pod)
    ]


def test_a_chart_that_is_not_in_the_table_is_not_known():
    assert rendered("app-template", "sonarr", {}) is None
    assert rendered("", "sonarr", {}) is None


RENDERED = [
    (
        "cert-manager",
        "cert-manager",
        {},
        {
            ("Deployment", "cert-manager", ""),
            ("Deployment", "cert-manager-webhook", "webhook"),
            ("Deployment", "cert-manager-cainjector", "cainjector"),
            ("Job", "cert-manager-startupapicheck", "startupapicheck"),
        },
    ),
    (
        "cert-manager",
        "tls",
        {"startupapicheck": {"enabled": False}, "cainjector": {"enabled": False}},
        {("Deployment", "tls-cert-manager", ""), ("Deployment", "tls-cert-manager-webhook", "webhook")},
    ),
    (
        "external-secrets",
        "external-secrets",
        {"webhook": {"certManager": {"enabled": True}}},
        {("Deployment", "external-secrets", ""), ("Deployment", "external-secrets-webhook", "webhook")},
    ),
    ("external-dns", "external-dns-cloudflare", {}, {("Deployment", "external-dns-cloudflare", "")}),
    ("external-dns", "cloudflare", {"fullnameOverride": "dns"}, {("Deployment", "dns", "")}),
    ("external-dns", "cloudflare", {"nameOverride": "dns"}, {("Deployment", "cloudflare-dns", "")}),
    (
        STACK,
        STACK,
        {},
        {
            ("Deployment", "kube-prometheus-stack-operator", "operator"),
            ("StatefulSet", "prometheus-kube-prometheus-stack-prometheus", "prometheus"),
            ("StatefulSet", "alertmanager-kube-prometheus-stack-alertmanager", "alertmanager"),
            ("Deployment", "kube-prometheus-stack-grafana", "grafana"),
            ("Deployment", "kube-prometheus-stack-kube-state-metrics", "kube-state-metrics"),
            ("DaemonSet", "kube-prometheus-stack-prometheus-node-exporter", "prometheus-node-exporter"),
        },
    ),
    (
        STACK,
        STACK,
        {
            "cleanPrometheusOperatorObjectNames": True,
            "alertmanager": {"enabled": False},
            "grafana": {"enabled": False},
            "kube-state-metrics": {"fullnameOverride": "kube-state-metrics"},
            "prometheus-node-exporter": {"fullnameOverride": "node-exporter"},
        },
        {
            ("Deployment", "kube-prometheus-stack-operator", "operator"),
            ("StatefulSet", "prometheus-kube-prometheus-stack", "prometheus"),
            ("Deployment", "kube-state-metrics", "kube-state-metrics"),
            ("DaemonSet", "node-exporter", "prometheus-node-exporter"),
        },
    ),
    (
        STACK,
        "monitoring",
        {"nodeExporter": {"enabled": False}, "kubeStateMetrics": {"enabled": False}, "prometheus": {"enabled": False}},
        {
            ("Deployment", "monitoring-kube-prometheus-operator", "operator"),
            ("StatefulSet", "alertmanager-monitoring-kube-prometheus-alertmanager", "alertmanager"),
            ("Deployment", "monitoring-grafana", "grafana"),
        },
    ),
    ("grafana", "grafana", {}, {("Deployment", "grafana", "")}),
    ("grafana", "grafana", {"useStatefulSet": True}, {("StatefulSet", "grafana", "")}),
    ("grafana", "g", {"persistence": {"enabled": True, "type": "sts"}}, {("StatefulSet", "g-grafana", "")}),
    ("grafana", "grafana", {"persistence": {"type": "sts"}}, {("Deployment", "grafana", "")}),
    (
        "immich",
        "photos",
        {"valkey": {"enabled": True}},
        {
            ("Deployment", "photos-server", "server"),
            ("Deployment", "photos-machine-learning", "machine-learning"),
            ("Deployment", "photos-valkey", "valkey"),
        },
    ),
    (
        "metallb",
        "metallb",
        {},
        {("Deployment", "metallb-controller", "controller"), ("DaemonSet", "metallb-speaker", "speaker")},
    ),
    ("rook-ceph-cluster", "c", {"toolbox": {"enabled": True}}, {("Deployment", "rook-ceph-tools", "")}),
    (
        "nextcloud",
        "nextcloud",
        {"redis": {"enabled": True, "architecture": "standalone"}},
        {("Deployment", "nextcloud", ""), ("StatefulSet", "nextcloud-redis-master", "redis")},
    ),
    (
        "cilium",
        "cilium-preflight",
        {"agent": False, "operator": {"enabled": False}, "preflight": {"enabled": True}},
        {("DaemonSet", "cilium-pre-flight-check", "")},
    ),
    (
        "grafana",
        "grafana",
        {"persistence": {"enabled": True, "type": "statefulset"}, "imageRenderer": {"enabled": True}},
        {("StatefulSet", "grafana", ""), ("Deployment", "grafana-image-renderer", "image-renderer")},
    ),
    (
        "loki",
        "loki",
        {
            "deploymentMode": "SingleBinary",
            "lokiCanary": {"enabled": False},
            "gateway": {"enabled": False},
            "chunksCache": {"enabled": False},
            "resultsCache": {"enabled": False},
        },
        {("StatefulSet", "loki", "")},
    ),
    (
        "loki",
        "loki",
        {"deploymentMode": "SimpleScalable", "lokiCanary": {"enabled": False}, "resultsCache": {"enabled": False}},
        {
            ("StatefulSet", "loki-write", "write"),
            ("Deployment", "loki-read", "read"),
            ("StatefulSet", "loki-backend", "backend"),
            ("Deployment", "loki-gateway", "gateway"),
            ("StatefulSet", "loki-chunks-cache", "chunks-cache"),
        },
    ),
    (
        "victoria-metrics-k8s-stack",
        "vmks",
        {"fullnameOverride": "vm", "grafana": {"enabled": False}, "vmagent": {"spec": {"statefulMode": True}}},
        {
            ("Deployment", "vmsingle-vm", "vmsingle"),
            ("StatefulSet", "vmagent-vm", "vmagent"),
            ("Deployment", "vmalert-vm", "vmalert"),
            ("StatefulSet", "vmalertmanager-vm", "vmalertmanager"),
            ("Deployment", "vmks-victoria-metrics-operator", "victoria-metrics-operator"),
            ("Deployment", "vmks-kube-state-metrics", "kube-state-metrics"),
            ("DaemonSet", "vmks-prometheus-node-exporter", "prometheus-node-exporter"),
        },
    ),
    ("vector", "vector", {"role": "Agent"}, {("DaemonSet", "vector", "")}),
    ("vector", "vector", {}, {("StatefulSet", "vector", "")}),
    (
        "cilium",
        "cilium",
        {"hubble": {"relay": {"enabled": True}, "ui": None}, "envoy": {"enabled": False}},
        {
            ("DaemonSet", "cilium", ""),
            ("Deployment", "cilium-operator", "operator"),
            ("Deployment", "hubble-relay", "hubble-relay"),
        },
    ),
    ("reloader", "reloader", {}, {("Deployment", "reloader-reloader", "")}),
    ("reloader", "reloader", {"fullnameOverride": "reloader"}, {("Deployment", "reloader", "")}),
    (
        "snapshot-controller",
        "snapshot-controller",
        {"fullnameOverride": "s"},
        {("Deployment", "snapshot-controller", "")},
    ),
    (
        "ingress-nginx",
        "external",
        {"controller": {"kind": "DaemonSet"}},
        {("DaemonSet", "external-ingress-nginx-controller", "")},
    ),
    ("traefik", "traefik", {"deployment": {"kind": "DaemonSet"}}, {("DaemonSet", "traefik", "")}),
    ("descheduler", "descheduler", {}, {("CronJob", "descheduler", "")}),
    ("gateway-helm", "eg", {}, {("Deployment", "envoy-gateway", "")}),
    ("openebs", "openebs", {}, {("Deployment", "openebs-localpv-provisioner", "")}),
    ("minio", "minio", {}, set()),
    ("minio", "minio", {"mode": "standalone"}, {("Deployment", "minio", "")}),
    ("postgresql", "db", {}, {("StatefulSet", "db-postgresql", "")}),
    (
        "redis",
        "redis",
        {},
        {("StatefulSet", "redis-master", "master"), ("StatefulSet", "redis-replicas", "replicas")},
    ),
    (
        "flux-instance",
        "flux",
        {"instance": {"components": ["source-controller", "image-reflector-controller"]}},
        {
            ("Deployment", "source-controller", "source-controller"),
            ("Deployment", "image-reflector-controller", "image-reflector-controller"),
        },
    ),
]


@pytest.mark.parametrize(("chart", "release", "values", "expected"), RENDERED)
def test_the_workloads_of_a_release(chart, release, values, expected):
    assert names(chart, release, values) == expected


def test_argo_cd_has_its_name_from_the_values_of_the_chart():
    assert ("StatefulSet", "argocd-application-controller", "application-controller") in names("argo-cd", "argocd")
    assert ("Deployment", "argo-cd-argocd-repo-server", "repo-server") in names("argo-cd", "argo-cd")


@pytest.mark.parametrize(
    ("chart", "release", "values", "name", "expected"),
    [
        ("external-dns", "cloudflare", {}, "cloudflare-external-dns", {NAME: "external-dns", INSTANCE: "cloudflare"}),
        (
            "cert-manager",
            "cert-manager",
            {},
            "cert-manager-webhook",
            {"app": "webhook", NAME: "webhook", INSTANCE: "cert-manager", COMPONENT: "webhook"},
        ),
        (
            STACK,
            STACK,
            {},
            "prometheus-kube-prometheus-stack-prometheus",
            {
                NAME: "prometheus",
                INSTANCE: "kube-prometheus-stack-prometheus",
                "prometheus": "kube-prometheus-stack-prometheus",
                "operator.prometheus.io/name": "kube-prometheus-stack-prometheus",
            },
        ),
        (STACK, STACK, {"grafana": {"fullnameOverride": "g"}}, "g", {NAME: "grafana", INSTANCE: STACK}),
        ("coredns", "coredns", {"isClusterService": False}, "coredns", {NAME: "coredns", INSTANCE: "coredns"}),
        (
            "coredns",
            "coredns",
            {"k8sAppLabelOverride": "kube-dns"},
            "coredns",
            {NAME: "coredns", INSTANCE: "coredns", "k8s-app": "kube-dns"},
        ),
        ("tailscale-operator", "tailscale", {}, "operator", {"app": "operator"}),
        (
            "flux-instance",
            "flux",
            {},
            "helm-controller",
            {
                "app": "helm-controller",
                "app.kubernetes.io/component": "helm-controller",
                "app.kubernetes.io/part-of": "flux",
            },
        ),
        (
            "kyverno",
            "kyverno",
            {},
            "kyverno-reports-controller",
            {NAME: "kyverno-reports-controller", INSTANCE: "kyverno", COMPONENT: "reports-controller"},
        ),
    ],
)
def test_the_labels_of_a_workload(chart, release, values, name, expected):
    assert labels(chart, release, values, name) == expected


def test_a_pod_belongs_to_the_release_whose_chart_renders_its_workload():
    releases = [("cert-manager", "cert-manager"), ("grafana", "grafana"), ("kube-prometheus-stack", "monitoring")]
    assert owner("cert-manager-webhook-6d8f9c7b5d-x2k4p", releases) == [("cert-manager", "cert-manager", "webhook")]
    assert owner("monitoring-prometheus-node-exporter-x2k4p", releases) == [
        ("kube-prometheus-stack", "monitoring", "prometheus-node-exporter")
    ]
    assert owner("grafana-7f9c6d8b5-x2b4c", releases) == [("grafana", "grafana", "")]


def test_a_pod_that_only_begins_alike_belongs_to_none():
    releases = [("grafana", "grafana"), ("cert-manager", "cert-manager")]
    assert owner("grafana-mcp-7f9c6d8b5-x2b4c", releases) == []
    assert owner("cert-manager-csi-driver-x2k4p", releases) == []


def test_a_value_that_is_null_is_the_charts_own():
    values = {"fullnameOverride": None, "persistence": {"type": None}, "useStatefulSet": None}
    assert names("grafana", "grafana", values) == {("Deployment", "grafana", "")}


def test_a_variable_of_flux_stands_as_it_is():
    assert names("external-dns", "${APP}-external-dns") == {("Deployment", "${APP}-external-dns", "")}


def test_an_unknown_kind_is_left_out():
    assert names("ingress-nginx", "ingress-nginx", {"controller": {"kind": "Both"}}) == set()


@pytest.mark.parametrize(
    "values",
    [{"fullnameOverride": ["a"]}, {"nameOverride": {}}, {"persistence": "x"}, {"imageRenderer": True}],
)
def test_values_of_another_type_are_an_error(values):
    with pytest.raises(TypeError):
        rendered("grafana", "grafana", values)


releases = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?", fullmatch=True)
overrides = st.one_of(st.just({}), st.fixed_dictionaries({"fullnameOverride": st.text(max_size=80)}))


@pytest.mark.parametrize("chart", sorted(CHARTS))
@given(release=releases, values=overrides)
def test_every_row_is_a_workload_of_its_own(chart, release, values):
    found = rendered(chart, release, values)
    assert isinstance(found, tuple)
    plain = [each for each in found if "$" not in each.name]
    assert all(is_kubernetes_name(each.name) and len(each.name) <= 63 for each in plain)
    assert all(each.kind in KINDS for each in found)
    assert all(each.labels == tuple(sorted(dict(each.labels).items())) for each in found)
    assert all("{" not in key + value.replace("{namespace}", "") for each in plain for key, value in each.labels)
    assert len({each.name for each in found}) == len(found)


@pytest.mark.parametrize("chart", sorted(CHARTS))
@pytest.mark.parametrize("release", ["{}", "my-{}", "x", "a-release-of-fifty-three-characters-xxxxxxxxxxxxxxxxxx"])
def test_the_parts_of_a_release_tell_its_workloads_apart(chart, release):
    found = rendered(chart, release.format(chart), {})
    assert len({each.part for each in found}) == len(found)
    assert len(found) != 1 or found[0].part == ""
    assert all(isinstance(each, Rendered) for each in found)
