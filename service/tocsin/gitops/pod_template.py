"""What the pods of an object carry: the labels of its pod template, and those its operator adds. Pure.

Of the labels an operator adds the constant ones are known: CloudNativePG pkg/utils/labels_annotations.go, Actions
Runner Controller controllers/actions.github.com/constants.go, Dragonfly operator internal/resources, Prometheus
operator pkg/prometheus, VictoriaMetrics operator `SelectorLabels`, MariaDB operator pkg/builder/labels, RabbitMQ
cluster-operator internal/metadata, Keycloak operator Constants.java, Zalando's cluster_name_label as it is by default,
MongoDB community operator `ServiceName`, ECK pkg/controller/elasticsearch/label.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tocsin.policy.fields import mapping

NAME: Final = "app.kubernetes.io/name"
INSTANCE: Final = "app.kubernetes.io/instance"
CONTROLLER: Final = "app.kubernetes.io/controller"
COMPONENT: Final = "app.kubernetes.io/component"
PART_OF: Final = "app.kubernetes.io/part-of"

Labels = tuple[tuple[str, str], ...]
"""Pairs of key and value, sorted."""


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """`complete` says whether the pods have no other label that a policy could ask for."""

    labels: Labels
    complete: bool
    host_network: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an object has the labels and the specification of its pods, and the labels in which {} is its name.

    `labels` is empty where it has them in several places.
    """

    labels: tuple[str, ...]
    spec: tuple[str, ...] = ()
    own: Labels = ()
    complete: bool = False


def _templated(*path: str, own: Labels = (), complete: bool = False) -> _Place:
    return _Place((*path, "metadata", "labels"), (*path, "spec"), own, complete)


def _monitoring(app: str, *own: tuple[str, str]) -> _Place:
    return _Place(("spec", "podMetadata", "labels"), ("spec",), ((NAME, app), (INSTANCE, "{}"), *own))


RUNNER_LABELS: Final = (
    (COMPONENT, "runner"),
    (PART_OF, "gha-runner-scale-set"),
    ("actions.github.com/scale-set-name", "{}"),
)
_PROMETHEUS: Final = (("operator.prometheus.io/name", "{}"),)
VICTORIA: Final[Labels] = ((COMPONENT, "monitoring"), ("managed-by", "vm-operator"))
"""Of every pod that the VictoriaMetrics operator makes (`SelectorLabels` in its api/operator)."""
_BUILT_IN: Final = _templated("spec", "template", complete=True)
_PLACES: Final[Mapping[tuple[str, str], _Place]] = {
    ("apps", "Deployment"): _BUILT_IN,
    ("apps", "StatefulSet"): _BUILT_IN,
    ("apps", "DaemonSet"): _BUILT_IN,
    ("apps", "ReplicaSet"): _BUILT_IN,
    ("batch", "Job"): _BUILT_IN,
    ("batch", "CronJob"): _templated("spec", "jobTemplate", "spec", "template", complete=True),
    ("", "Pod"): _templated(complete=True),
    ("argoproj.io", "Rollout"): _BUILT_IN,
    ("apps.openshift.io", "DeploymentConfig"): _templated("spec", "template", own=(("deploymentconfig", "{}"),)),
    ("postgresql.cnpg.io", "Cluster"): _Place(
        ("spec", "inheritedMetadata", "labels"),
        own=(("cnpg.io/cluster", "{}"), ("postgresql", "{}"), ("cnpg.io/podRole", "instance")),
    ),
    ("postgresql.cnpg.io", "Pooler"): _templated(
        "spec", "template", own=(("cnpg.io/poolerName", "{}"), ("cnpg.io/podRole", "pooler"))
    ),
    ("actions.github.com", "AutoscalingRunnerSet"): _templated("spec", "template", own=RUNNER_LABELS),
    ("actions.summerwind.dev", "RunnerDeployment"): _templated("spec", "template"),
    ("actions.summerwind.dev", "RunnerSet"): _templated("spec", "template"),
    ("dragonflydb.io", "Dragonfly"): _Place(
        ("spec", "labels"), own=(("app", "{}"), (NAME, "dragonfly"), (PART_OF, "dragonfly"))
    ),
    ("k8s.mariadb.com", "MariaDB"): _Place(
        ("spec", "podMetadata", "labels"), own=((NAME, "mariadb"), (INSTANCE, "{}"))
    ),
    ("mongodbcommunity.mongodb.com", "MongoDBCommunity"): _Place(
        ("spec", "statefulSet", "spec", "template", "metadata", "labels"), own=(("app", "{}-svc"),)
    ),
    ("rabbitmq.com", "RabbitmqCluster"): _Place(
        ("spec", "override", "statefulSet", "spec", "template", "metadata", "labels"),
        own=((NAME, "{}"), (COMPONENT, "rabbitmq"), (PART_OF, "rabbitmq")),
    ),
    ("k8s.keycloak.org", "Keycloak"): _Place(
        ("spec", "unsupported", "podTemplate", "metadata", "labels"), own=(("app", "keycloak"), (INSTANCE, "{}"))
    ),
    ("acid.zalan.do", "postgresql"): _Place(
        ("metadata", "labels"), own=(("application", "spilo"), ("cluster-name", "{}"))
    ),
    ("elasticsearch.k8s.elastic.co", "Elasticsearch"): _Place(
        ("spec", "podTemplate", "metadata", "labels"),
        own=(("elasticsearch.k8s.elastic.co/cluster-name", "{}"), ("common.k8s.elastic.co/type", "elasticsearch")),
    ),
    ("apps.emqx.io", "EMQX"): _Place((), own=(("apps.emqx.io/instance", "{}"),)),
    ("kibana.k8s.elastic.co", "Kibana"): _templated(
        "spec", "podTemplate", own=(("kibana.k8s.elastic.co/name", "{}"), ("common.k8s.elastic.co/type", "kibana"))
    ),
    ("monitoring.coreos.com", "Prometheus"): _monitoring("prometheus", ("prometheus", "{}"), *_PROMETHEUS),
    ("monitoring.coreos.com", "PrometheusAgent"): _monitoring("prometheus-agent", *_PROMETHEUS),
    ("monitoring.coreos.com", "Alertmanager"): _monitoring("alertmanager", ("alertmanager", "{}")),
    ("monitoring.coreos.com", "ThanosRuler"): _monitoring("thanos-ruler", ("thanos-ruler", "{}")),
    ("operator.victoriametrics.com", "VMSingle"): _monitoring("vmsingle", *VICTORIA),
    ("operator.victoriametrics.com", "VMAgent"): _monitoring("vmagent", *VICTORIA),
    ("operator.victoriametrics.com", "VMAlert"): _monitoring("vmalert", *VICTORIA),
    ("operator.victoriametrics.com", "VMAlertmanager"): _monitoring("vmalertmanager", *VICTORIA),
    ("operator.victoriametrics.com", "VMAuth"): _monitoring("vmauth", *VICTORIA),
    ("grafana.integreatly.org", "Grafana"): _Place(
        ("spec", "deployment", "spec", "template", "metadata", "labels"),
        ("spec", "deployment", "spec", "template", "spec"),
        own=(("app", "{}"),),
    ),
}


def pod_template(group: str, kind: str, resource: Mapping[str, Any]) -> PodTemplate | None:
    """What an object's pods carry; None where it makes none, or where nothing tells what they are called."""
    place = _PLACES.get((group, kind))
    name = mapping(resource, "metadata").get("name") if place else None
    if place is None or not name:
        return None
    return PodTemplate(
        labels=merged(at(resource, place.labels) if place.labels else {}, named(place.own, str(name))),
        complete=place.complete,
        host_network=bool(place.spec) and at(resource, place.spec).get("hostNetwork") is True,
    )


def named(own: Labels, name: str) -> dict[str, str]:
    """An operator's labels for the object called `name`."""
    return {key: value.format(name) for key, value in own}


def relabelled(kind: str, labels: Labels, name: str) -> Labels:
    """The labels of an object that kustomize gives another name: those its operator makes of it follow."""
    return merged(dict(labels), named(_own(kind), name))


def own_keys(kind: str) -> frozenset[str]:
    """The labels that an operator is known to give the pods of such an object."""
    return frozenset(key for key, _ in _own(kind))


def _own(kind: str) -> Labels:
    return next((place.own for (_, each), place in _PLACES.items() if each == kind), ())


def merged(written: Mapping[str, Any], own: Mapping[str, str]) -> Labels:
    """Labels as written in YAML, with those that overwrite them."""
    found = {str(key): label(value) for key, value in written.items() if value is not None}
    return tuple(sorted((found | dict(own)).items()))


def label(value: Any) -> str:
    """A label's value as YAML would write it; raises TypeError for what cannot be one."""
    if isinstance(value, dict | list):
        raise TypeError("a label is not text")
    return str(value).lower() if isinstance(value, bool) else str(value)


def at(value: Mapping[str, Any], path: Iterable[str]) -> Mapping[str, Any]:
    """The mapping at the end of a path, empty where there is none."""
    for key in path:
        value = mapping(value, key)
    return value
