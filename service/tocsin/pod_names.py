"""Which names a pod can have. Pure.

A generated name ends in five characters of an alphabet without vowels and look-alikes (k8s.io/apimachinery,
pkg/util/rand); what comes before is cut to 58 characters (k8s.io/apiserver, pkg/storage/names). It is, by kind:

* Deployment: ReplicaSet NAME-HASH (pkg/controller/deployment/sync.go). The hash is an encoded 32-bit number, one in
  40,000 has fewer than six characters; what is shorter is a word (`shop-bff-x2b4c`). An Argo Rollout does the same;
  OpenShift's DeploymentConfig has the number of the rollout there.
* StatefulSet: an ordinal, never cut (pkg/controller/statefulset). Job, CronJob: a completion index, for which the name
  makes room (job/indexed_job_utils.go); the minute of the run (cronjob/utils.go), before 1.21 its second. k9s and the
  Kubernetes dashboard start a CronJob by hand as NAME-manual-XYZ, with NAME cut to 42 and 41 characters.
* CloudNativePG Cluster: a serial and the role of a job (pkg/specs/jobs.go, pkg/reconciler/majorupgrade).
* Actions Runner Controller: AutoscalingRunnerSet, EphemeralRunnerSet, EphemeralRunner, each with a generated name
  (controllers/actions.github.com/resourcebuilder.go); its listener has an encoded hash of the namespace. The older
  RunnerDeployment has a RunnerReplicaSet in between, a RunnerSet one StatefulSet for each runner.
* VolSync: a Job that has the mover and the direction before the name (controllers/mover); one whose name would be
  longer than 63 characters is named by a hash and is not recognised.
* Prometheus operator (pkg/prometheus/statefulset.go and siblings), VictoriaMetrics operator (`PrefixedName`), Grafana
  operator (NAME-deployment); operators that make a StatefulSet of that name (Dragonfly, MariaDB, Keycloak, Zalando's
  postgresql, MongoDB with one more for arbiters), of NAME-server (RabbitMQ), of NAME-es- and the name of a set of nodes
  (Elasticsearch on ECK), or a Deployment NAME-kb (Kibana); EMQX has NAME-core and NAME-replicant, each with a hash.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LONGEST_POD: Final = 63
RANDOM: Final = "[bcdfghjklmnpqrstvwxz2456789]"
_LONGEST_BASE: Final = LONGEST_POD - 5
_KUBERNETES_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_GENERATED: Final = re.compile(
    rf"""(?P<workload>.+?)-(?:
      [0-9]{{8,10}}(?:-[0-9]{{1,4}})?-{RANDOM}{{5}}                                 # CronJob: minute, maybe index, pod
    | {RANDOM}{{6,10}}-{RANDOM}{{5}}                                                # Deployment: ReplicaSet, pod
    | [a-z0-9]{{5}}-runner-[a-z0-9]{{5}}                                            # ARC runner set: set, pod
    | [0-9]{{1,4}}-(?:initdb|join|import|full-recovery|snapshot-recovery)-{RANDOM}{{5}}   # jobs of a CNPG cluster
    | (?P<pod>{RANDOM}{{5}})                                                        # DaemonSet, Job, ReplicaSet: pod
    | [0-9]{{1,4}}                                                                  # StatefulSet, CNPG: ordinal
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Shape:
    """`before` NAME `after`; in a name that was cut, `cut` is what is left between NAME- and the last five letters."""

    after: re.Pattern[str]
    cut: re.Pattern[str] | None = None
    before: str = ""


def _beginning_of(text: str) -> str:
    return "".join(f"(?:{re.escape(letter)}" for letter in text) + ")?" * len(text)


def _generated(middle: str = "", cut: str = "", before: str = "") -> _Shape:
    return _Shape(re.compile(f"-{middle}{RANDOM}{{5}}"), re.compile(cut), before)


def _ordinal(before: str = "", middle: str = "") -> _Shape:
    return _Shape(re.compile(f"{middle}-(?:0|[1-9][0-9]{{0,3}})"), before=before)


def _deployment(before: str = "") -> _Shape:
    return _generated(f"{RANDOM}{{6,10}}-", f"{RANDOM}{{0,10}}", before)


_ROLES: Final = ("initdb", "import", "pgbasebackup", "full-recovery", "join", "snapshot-recovery", "major-upgrade")
_MOVERS: Final = ("", "rclone-", "rsync-", "rsync-tls-")
_SHARD: Final = "(?:-shard-[1-9][0-9]*)?"
_RUNNER: Final = "[a-z0-9]{5}"
_SHAPES: Final[Mapping[str, tuple[_Shape, ...]]] = {
    "Pod": (_Shape(re.compile("")),),
    "Deployment": (_deployment(),),
    "Rollout": (_deployment(),),
    "ReplicaSet": (_generated(),),
    "DeploymentConfig": (_generated("[1-9][0-9]{0,3}-", "[0-9]{0,4}"),),
    "DaemonSet": (_generated(),),
    "StatefulSet": (_ordinal(),),
    "Job": (_generated(),),
    "CronJob": (_generated("[0-9]{8,10}-", "[0-9]{0,10}"),),
    "Cluster": (
        _Shape(re.compile("-[1-9][0-9]{0,3}")),
        _generated(
            f"[1-9][0-9]{{0,3}}-(?:{'|'.join(_ROLES)})-",
            f"(?:[1-9][0-9]{{0,3}}(?:{'|'.join(_beginning_of('-' + role) for role in _ROLES)}))?",
        ),
    ),
    "Pooler": (_deployment(),),
    "AutoscalingRunnerSet": (
        _Shape(
            re.compile(f"-{_RUNNER}-runner-{_RUNNER}"),
            re.compile(f"[a-z0-9]{{0,5}}|{_RUNNER}{_beginning_of('-runner-')}"),
        ),
    ),
    "AutoscalingListener": (_Shape(re.compile(f"-{RANDOM}{{6,8}}-listener")),),
    "RunnerDeployment": (_generated(f"{RANDOM}{{5}}-", f"{RANDOM}{{0,5}}"),),
    "RunnerSet": (_ordinal(middle=f"-{RANDOM}{{5}}"),),
    "ReplicationSource": tuple(_generated(before=f"volsync-{mover}src-") for mover in _MOVERS),
    "ReplicationDestination": tuple(_generated(before=f"volsync-{mover}dst-") for mover in _MOVERS),
    "Dragonfly": (_ordinal(),),
    "MariaDB": (_ordinal(),),
    "MongoDBCommunity": (_ordinal(), _ordinal(middle="-arb")),
    "RabbitmqCluster": (_ordinal(middle="-server"),),
    "Keycloak": (_ordinal(),),
    "postgresql": (_ordinal(),),
    "Elasticsearch": (_ordinal(middle="-es-[a-z0-9]+(?:-[a-z0-9]+)*"),),
    "EMQX": (
        _ordinal(middle=f"-core(?:-{RANDOM}{{6,10}})?"),
        _generated(f"replicant-{RANDOM}{{6,10}}-", f"{_beginning_of('replicant-')}|replicant-{RANDOM}{{0,10}}"),
    ),
    "Kibana": (_generated(f"kb-{RANDOM}{{6,10}}-", f"{_beginning_of('kb-')}|kb-{RANDOM}{{0,10}}"),),
    "Prometheus": (_ordinal("prometheus-", _SHARD),),
    "PrometheusAgent": (_ordinal("prom-agent-", _SHARD),),
    "Alertmanager": (_ordinal("alertmanager-"),),
    "ThanosRuler": (_ordinal("thanos-ruler-"),),
    "VMSingle": (_deployment("vmsingle-"),),
    "VMAgent": (_deployment("vmagent-"), _ordinal("vmagent-")),
    "VMAlert": (_deployment("vmalert-"),),
    "VMAlertmanager": (_ordinal("vmalertmanager-"),),
    "VMAuth": (_deployment("vmauth-"),),
    "PostgresCluster": (_Shape(re.compile("-[a-z0-9]{4}-0")),),
    "Grafana": (
        _generated(f"deployment-{RANDOM}{{6,10}}-", f"{_beginning_of('deployment-')}|deployment-{RANDOM}{{0,10}}"),
    ),
}
KINDS: Final = (*_SHAPES, "HelmRelease")
"""The kinds of workload that `matches` knows."""
OPERATED: Final = frozenset(
    {
        *(
            "ReplicationSource",
            "ReplicationDestination",
            "Prometheus",
            "PrometheusAgent",
            "Alertmanager",
            "ThanosRuler",
        ),
        *("VMSingle", "VMAgent", "VMAlert", "VMAlertmanager", "VMAuth", "Grafana"),
    }
)
"""Kinds whose operator makes a Job, StatefulSet or Deployment that has another name than the object."""
_INDEXED: Final = re.compile(rf"(?P<job>.+)(?P<index>-(?:0|[1-9][0-9]{{0,4}})-){RANDOM}{{5}}")
_MINUTE: Final = re.compile("-[0-9]{8,10}")
_MINUTE_CUT: Final = re.compile("(?:-[0-9]{0,10})?")
_MANUAL: Final = re.compile(f"-manual-{RANDOM}{{3}}-{RANDOM}{{5}}")


def matches(kind: str, name: str, pod: str) -> bool:
    """Whether a pod of the workload can be called `pod`.

    Several workloads may claim one pod (a DaemonSet `a-5d7c9d8f6b` and a Deployment `a`): the longest name is right.
    A kind that is not known claims nothing. A HelmRelease claims the pods of a workload that is called like it.
    """
    if not name or not is_kubernetes_name(pod):
        return False
    if kind == "HelmRelease":
        return strip_pod_name(pod) == name
    if any(_fits(shape, name, pod) for shape in _SHAPES.get(kind, ())):
        return True
    return kind in ("Job", "CronJob") and (_indexed(kind, name, pod) or (kind == "CronJob" and _manual(name, pod)))


def strip_pod_name(pod: str) -> str | None:
    """Takes off what Kubernetes appended to the workload's name; None where nothing reads as appended.

    A name of 63 characters may have lost the end of the workload's name to make room for the suffix.
    """
    found = _GENERATED.fullmatch(pod)
    if found is None or not is_kubernetes_name(found["workload"]):
        return None
    return None if found["pod"] and len(pod) >= LONGEST_POD else found["workload"]


def is_kubernetes_name(value: str) -> bool:
    """Whether Kubernetes would accept `value` as the name of an object: safe in a shell and in a path."""
    return _KUBERNETES_NAME.fullmatch(value) is not None and ".." not in value


def _fits(shape: _Shape, name: str, pod: str) -> bool:
    start = shape.before + name
    if pod.startswith(start) and shape.after.fullmatch(pod, len(start)):
        return True
    if shape.cut is None or len(pod) != LONGEST_POD or not re.fullmatch(f"{RANDOM}{{5}}", pod[_LONGEST_BASE:]):
        return False
    base, whole = pod[:_LONGEST_BASE], f"{start}-"
    if len(whole) >= _LONGEST_BASE:
        return base == whole[:_LONGEST_BASE]
    return base.startswith(whole) and shape.cut.fullmatch(base, len(whole)) is not None


def _indexed(kind: str, name: str, pod: str) -> bool:
    found = _INDEXED.fullmatch(pod)
    if found is None:
        return False
    job, room = found["job"], _LONGEST_BASE - len(found["index"])
    if kind == "Job":
        return job == name[:room]
    if not job.startswith(name):
        return False
    minute = _MINUTE_CUT if len(job) == room else _MINUTE
    return minute.fullmatch(job, len(name)) is not None


def _manual(name: str, pod: str) -> bool:
    kept = {name} if len(name) < 42 else {name[:41], name[:42]}
    return any(pod.startswith(part) and _MANUAL.fullmatch(pod, len(part)) for part in kept)
