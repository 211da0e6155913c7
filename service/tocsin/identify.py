"""Who an alert is about and which incident it belongs to. Pure.

A wrong name is worse than none: what cannot be told stays None and the evidence says "unresolved".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import Field

from tocsin.model import Alert, Destination, Kind, Subject
from tocsin.pod_names import is_kubernetes_name, strip_pod_name
from tocsin.section import Section

PodId = tuple[str, str]
"""Namespace and name of a pod."""

_ABSENT = frozenset({"", "<none>", "<nil>", "<no value>"})


@dataclass(frozen=True, slots=True)
class Owner:
    """The workload of a pod, and who says so."""

    workload: str
    evidence: str


class LabelNames(Section):
    """Which labels of an alert say what; of several the first with a value counts.

    `namespace` and `pod` come last in their lists: over raw Hubble series they name the agent that was scraped.
    """

    cluster: tuple[str, ...] = Field(("cluster",), description="Labels that name the cluster.")
    namespace: tuple[str, ...] = Field(
        ("source_namespace", "exported_namespace", "namespace"), description="Labels that name the namespace."
    )
    workload: tuple[str, ...] = Field(("source_workload", "workload"), description="Labels that name the workload.")
    pod: tuple[str, ...] = Field(
        ("source_pod", "exported_pod", "pod"),
        description="Labels that name the pod. An annotation of such a name serves where no label does.",
    )
    destination: tuple[str, ...] = Field(
        ("query", "destination"), description="Labels that carry the DNS name that was asked for."
    )


class IdentifySettings(Section):
    """How an alert is read."""

    alerts: dict[str, Kind] = Field(
        default_factory=lambda: {
            "EgressNovelDestination": Kind.NOVEL,
            "PodEgressNovelDestination": Kind.NOVEL,
            "EgressVolumeAnomaly": Kind.VOLUME,
            "PodEgressVolumeAnomaly": Kind.VOLUME,
        },
        description="What each alert name means: novel, volume or other. An alert not listed is forwarded plainly.",
    )
    labels: LabelNames = Field(default_factory=LabelNames, description="Which labels say what.")
    cluster: str = Field("", description="Name of the cluster for alerts without a cluster label; empty with only one.")


def kind_of(alert: Alert, settings: IdentifySettings) -> Kind:
    """What the alert is about; `other` for a name that is not configured."""
    return settings.alerts.get(alert.name, Kind.OTHER)


def destination_of(alert: Alert, settings: IdentifySettings) -> str | None:
    """The DNS name the alert carries, as it came; None where it carries none."""
    return _first(alert.labels, settings.labels.destination)[1]


def subject_of(alert: Alert, owners: Mapping[PodId, Owner], settings: IdentifySettings) -> Subject:
    """Names the subject from the best evidence: a label, then `owners`, then the name of the pod."""
    names = settings.labels
    cluster = _first(alert.labels, names.cluster)[1] or settings.cluster
    namespace = _first(alert.labels, names.namespace)[1]
    label, workload = _first(alert.labels, names.workload)
    pod = pod_of(alert, settings)
    pods = (pod,) if pod else ()
    if workload:
        return Subject(cluster, namespace, workload, pods, f"label {label}")
    if pod and namespace and (namespace, pod) in owners:
        owner = owners[namespace, pod]
        return Subject(cluster, namespace, owner.workload, pods, owner.evidence)
    stripped = strip_pod_name(pod) if pod else None
    return Subject(cluster, namespace, stripped, pods, "name of the pod" if stripped else "unresolved")


def pods_to_look_up(alerts: Iterable[Alert], settings: IdentifySettings) -> set[PodId]:
    """The pods whose owner has to be asked for: no label names their workload, and Kubernetes could know them."""
    wanted = set()
    for alert in alerts:
        namespace, pod = _first(alert.labels, settings.labels.namespace)[1], pod_of(alert, settings)
        if _first(alert.labels, settings.labels.workload)[1] or not namespace or not pod:
            continue
        if is_kubernetes_name(namespace) and is_kubernetes_name(pod):
            wanted.add((namespace, pod))
    return wanted


def incident_key(kind: Kind, subject: Subject, destination: Destination | None, alert: Alert) -> tuple[str, ...]:
    """What makes two alerts the same incident.

    An alert that does not say enough is an incident of its own: its name and fingerprint come last.
    """
    who = subject.workload or (subject.pods[0] if subject.pods else "")
    start = (subject.cluster, kind.value, subject.namespace or "", who)
    told = bool(subject.namespace and who)
    if told and kind is Kind.VOLUME:
        return (*start, "")
    if told and kind is Kind.NOVEL and destination:
        return (*start, destination.domain)
    return (*start, alert.name, alert.fingerprint)


def pod_of(alert: Alert, settings: IdentifySettings) -> str | None:
    """The pod the alert names, by a label or else by an annotation (an example of several pods)."""
    names = settings.labels.pod
    return _first(alert.labels, names)[1] or _first(alert.annotations, names)[1]


def _first(values: Mapping[str, str], names: Iterable[str]) -> tuple[str, str | None]:
    for name in names:
        value = values.get(name, "").strip()
        if value not in _ABSENT:
            return name, value
    return "", None
