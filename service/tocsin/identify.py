"""Who an alert is about and which incident it belongs to. Pure.

A wrong name is worse than none: what cannot be told stays None and the evidence says "unresolved".
"""

import re
from collections.abc import Iterable, Mapping

from pydantic import Field

from tocsin.model import Alert, Destination, Kind, Subject
from tocsin.section import Section

PodId = tuple[str, str]
"""Namespace and name of a pod."""

_ABSENT = frozenset({"", "<none>", "<nil>", "<no value>"})
_KUBERNETES_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")

# Kubernetes leaves vowels and look-alikes out of generated names (k8s.io/apimachinery/pkg/util/rand), so that
# a suffix can be told from most words.
_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"
_GENERATED = re.compile(
    rf"""(?P<workload>.+?)-(?:
      [0-9]{{8,10}}(?:-[0-9]{{1,4}})?-{_RANDOM}{{5}}                                # CronJob: minute, maybe index, pod
    | {_RANDOM}{{6,10}}-{_RANDOM}{{5}}                                              # Deployment: ReplicaSet, pod
    | [a-z0-9]{{5}}-runner-[a-z0-9]{{5}}                                            # ARC runner set: set, pod
    | [0-9]{{1,4}}-(?:initdb|join|import|full-recovery|snapshot-recovery)-{_RANDOM}{{5}}  # jobs of a CNPG cluster
    | (?P<pod>{_RANDOM}{{5}})                                                       # DaemonSet, Job, ReplicaSet: pod
    | [0-9]{{1,4}}                                                                  # StatefulSet, CNPG: ordinal
    )""",
    re.VERBOSE,
)
_LONGEST_POD = 63


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


def subject_of(alert: Alert, owners: Mapping[PodId, str], settings: IdentifySettings) -> Subject:
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
        return Subject(cluster, namespace, owners[namespace, pod], pods, "owner of the pod")
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


def strip_pod_name(pod: str) -> str | None:
    """Takes off what Kubernetes appended to the workload's name; None where nothing reads as appended.

    A name of 63 characters may have lost the end of the workload's name to make room for the suffix.
    """
    found = _GENERATED.fullmatch(pod)
    if found is None or not is_kubernetes_name(found["workload"]):
        return None
    return None if found["pod"] and len(pod) >= _LONGEST_POD else found["workload"]


def is_kubernetes_name(value: str) -> bool:
    """Whether Kubernetes would accept `value` as the name of an object: safe in a shell and in a path."""
    return _KUBERNETES_NAME.fullmatch(value) is not None and ".." not in value


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
