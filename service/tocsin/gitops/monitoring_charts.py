"""The workloads of well-known charts for metrics and logs; see `charts`. Pure."""

from collections.abc import Mapping
from typing import Final

from tocsin.gitops.chart_names import Chart, Row, component, row, several, single, standard
from tocsin.gitops.pod_template import INSTANCE, NAME, VICTORIA

_CLEAN: Final = "cleanPrometheusOperatorObjectNames"
_SCALABLE: Final = "deploymentMode=SimpleScalable"


def _prometheus(name: str, *when: str) -> Row:
    """What the Prometheus operator makes of the chart's Prometheus, see `pod_template`."""
    labels = ((NAME, "prometheus"), (INSTANCE, name), ("prometheus", name), ("operator.prometheus.io/name", name))
    when = ("prometheus.enabled", "!prometheus.agentMode", *when)
    return row("StatefulSet", f"prometheus-{name}", *when, labels=labels, part="prometheus")


def _alertmanager(name: str, *when: str) -> Row:
    labels = ((NAME, "alertmanager"), (INSTANCE, name), ("alertmanager", name))
    when = ("alertmanager.enabled", *when)
    return row("StatefulSet", f"alertmanager-{name}", *when, labels=labels, part="alertmanager")


def _victoria(kind: str, app: str, *when: str, value: str = "") -> Row:
    """What the VictoriaMetrics operator makes of a resource that has the chart's full name, see `pod_template`."""
    value = value or app
    labels = ((NAME, app), (INSTANCE, "{full}"), *VICTORIA)
    return row(kind, f"{app}-{{full}}", f"{value}.enabled", f"!{value}.name", *when, labels=labels, part=app)


def _loki_cache(name: str, value: str) -> Row:
    """On by default since the chart has a mode."""
    when = ("+deploymentMode", f"{value}.enabled")
    return row("StatefulSet", f"{{full}}-{name}", *when, labels=standard(f"memcached-{name}"))


MONITORING: Final[Mapping[str, Chart]] = {
    # prometheus-community/helm-charts, charts/*; the labels of the operator's own pod differ between versions
    "kube-prometheus-stack": Chart(
        (
            row(
                "Deployment",
                "{full}-operator",
                "prometheusOperator.enabled",
                labels=(
                    *standard("prometheus-operator", "{name}-prometheus-operator"),
                    ("app", "{name}-operator"),
                    ("release", "{release}"),
                ),
            ),
            _prometheus("{full}-prometheus", f"!{_CLEAN}"),
            _prometheus("{full}", f"+{_CLEAN}"),
            _alertmanager("{full}-alertmanager", f"!{_CLEAN}"),
            _alertmanager("{full}", f"+{_CLEAN}"),
        ),
        longest=26,
        subcharts=(
            ("grafana", "grafana.enabled"),
            ("kube-state-metrics", "kubeStateMetrics.enabled"),
            ("prometheus-node-exporter", "nodeExporter.enabled"),
        ),
    ),
    "kube-state-metrics": several(
        row("Deployment", "{full}", "!autosharding.enabled", labels=standard("metrics")),
        row("StatefulSet", "{full}", "+autosharding.enabled", labels=standard("metrics")),
    ),
    "prometheus-node-exporter": single("DaemonSet", labels=standard("metrics")),
    "prometheus-blackbox-exporter": single("{kind:Deployment}"),
    "prometheus-smartctl-exporter": several(row("DaemonSet", "{full}-0")),
    # grafana/helm-charts, charts/*
    "grafana": several(
        row("Deployment", "{full}", "!useStatefulSet", "!persistence.enabled"),
        row("{persistence.type:pvc}", "{full}", "!useStatefulSet", "+persistence.enabled"),
        row("StatefulSet", "{full}", "+useStatefulSet"),
        row(
            "Deployment",
            "{full}-image-renderer",
            "+imageRenderer.enabled",
            labels=standard(name="{name}-image-renderer"),
        ),
    ),
    "promtail": single("DaemonSet", "daemonset.enabled"),
    # grafana/loki, production/helm/loki; grafana/alloy, operations/helm/charts/alloy
    "loki": several(
        row("StatefulSet", "{full}", "deploymentMode=SingleBinary", labels=standard("single-binary")),
        component("StatefulSet", "write", _SCALABLE),
        component("Deployment", "read", _SCALABLE, "!read.legacyReadTarget"),
        component("StatefulSet", "read", _SCALABLE, "+read.legacyReadTarget"),
        component("StatefulSet", "backend", _SCALABLE),
        component("Deployment", "gateway", "gateway.enabled"),
        *(_loki_cache(*each) for each in (("chunks-cache", "chunksCache"), ("results-cache", "resultsCache"))),
        row("DaemonSet", "{name}-canary", "lokiCanary.enabled", labels=standard("canary"), part="canary"),
    ),
    "alloy": single("{controller.type:daemonset}"),
    # grafana/grafana-operator, deploy/helm/grafana-operator
    "grafana-operator": single("Deployment"),
    # VictoriaMetrics/helm-charts, charts/*, names in charts/victoria-metrics-common
    "victoria-metrics-k8s-stack": Chart(
        (
            _victoria("Deployment", "vmsingle"),
            _victoria("Deployment", "vmagent", "!vmagent.spec.statefulMode"),
            _victoria("StatefulSet", "vmagent", "+vmagent.spec.statefulMode"),
            _victoria("Deployment", "vmalert"),
            _victoria("StatefulSet", "vmalertmanager", value="alertmanager"),
        ),
        subcharts=(
            ("victoria-metrics-operator", "victoria-metrics-operator.enabled"),
            ("grafana", "grafana.enabled"),
            ("kube-state-metrics", "kube-state-metrics.enabled"),
            ("prometheus-node-exporter", "prometheus-node-exporter.enabled"),
        ),
    ),
    "victoria-metrics-operator": single("Deployment"),
    "victoria-logs-single": several(
        row("{server.mode:statefulSet}", "{full}-server", "server.enabled", "!server.name", "!server.fullnameOverride"),
    ),
    # fluent/helm-charts, charts/fluent-bit; vectordotdev/helm-charts, charts/vector
    "fluent-bit": single("{kind:DaemonSet}"),
    "vector": single("{role:Aggregator}", labels=standard("{role:Aggregator}")),
    # bitnami/charts, bitnami/thanos
    "thanos": several(
        component("Deployment", "query", "query.enabled"),
        component("Deployment", "query-frontend", "queryFrontend.enabled"),
        component("StatefulSet", "storegateway", "+storegateway.enabled"),
        component("StatefulSet", "compactor", "+compactor.enabled"),
        component("StatefulSet", "ruler", "+ruler.enabled"),
        component("StatefulSet", "receive", "+receive.enabled"),
        component("Deployment", "bucketweb", "+bucketweb.enabled"),
    ),
}
