"""Which pods a selector selects: by their labels, or by the workload's name where labels are not known. Pure.

Cilium gives every pod more labels than its own: its namespace and the labels of that, its cluster, its service account.
Some are known from the manifests and some are not, so that an answer may be MAYBE.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from tocsin.policy.document import Requirement, Selector

NAMESPACE_LABEL: Final = "io.kubernetes.pod.namespace"
NAMESPACE_LABELS: Final = "io.cilium.k8s.namespace.labels."
_NAMESPACE_NAME: Final = NAMESPACE_LABELS + "kubernetes.io/metadata.name"
_NAMESPACE_KEYS: Final = (NAMESPACE_LABEL, _NAMESPACE_NAME)
_NOT_OF_THE_POD: Final = (NAMESPACE_LABEL, NAMESPACE_LABELS, "io.cilium.k8s.policy.", "container:")
"""Keys that begin like this are not told by the pod's own labels, however complete."""
_NEVER_OF_A_POD: Final = "reserved:"
_OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")
_APP_LABELS: Final = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app", "k8s-app", "name")
_PART_LABELS: Final = ("app.kubernetes.io/controller", "app.kubernetes.io/component", "controller", "component")

Labels = Iterable[tuple[str, str | None]]
"""Labels as key and value. A key that occurs twice has one of the values; None means that it may not be there."""


class Answer(IntEnum):
    """Whether something is so, as far as it can be told, in rising order."""

    NO = 0
    MAYBE = 1
    YES = 2


class Fit(IntEnum):
    """How surely a selector selects a workload of which only the name is known, in rising order."""

    NONE = 0
    BROAD = 1
    LIKELY = 2
    NAMED = 3


def selects(selector: Selector | None, labels: Labels, *, complete: bool = True) -> Answer:
    """Whether pods with `labels` are selected; add their namespace as `io.kubernetes.pod.namespace`.

    `complete` says that the pods have no other labels of their own. A node selector selects no pod.
    """
    if selector is None:
        return Answer.NO
    known: dict[str, list[str | None]] = {}
    for key, value in labels:
        known.setdefault(key, []).append(value)
    if NAMESPACE_LABEL in known:
        known.setdefault(_NAMESPACE_NAME, known[NAMESPACE_LABEL])
    return min((_answer(item, known, complete) for item in selector.requirements), default=Answer.YES)


def specificity(selector: Selector | None, *, clusterwide: bool) -> int:
    """How closely a selector looks: 0 for all of the cluster, 1 for a namespace, 1 more for each thing it asks of pods.

    What it merely leaves out ("all but") tells no workload apart.
    """
    requirements = selector.requirements if selector else ()
    asked = [item for item in requirements if item.operator in ("In", "Exists")]
    scoped = not clusterwide or any(item.key.startswith((NAMESPACE_LABEL, NAMESPACE_LABELS)) for item in asked)
    telling = sum(not item.key.startswith(_NOT_OF_THE_POD) for item in asked)
    return 1 + telling if scoped or telling else 0


def _answer(item: Requirement, known: dict[str, list[str | None]], complete: bool) -> Answer:
    told = item.key in known or item.key.startswith(_NEVER_OF_A_POD)
    if not told and (not complete or item.key.startswith(_NOT_OF_THE_POD)):
        return Answer.MAYBE if item.operator in _OPERATORS else Answer.NO
    answers = {_holds(item, value) for value in known.get(item.key, [None])}
    return answers.pop() if len(answers) == 1 else Answer.MAYBE


def _holds(item: Requirement, value: str | None) -> Answer:
    """For a value that is known, None for a label that is not there. A variable on either side may be anything."""
    match item.operator:
        case "In":
            return _is_among(value, item.values)
        case "NotIn":
            return Answer(Answer.YES - _is_among(value, item.values))
        case "Exists":
            return Answer.YES if value is not None else Answer.NO
        case "DoesNotExist":
            return Answer.YES if value is None else Answer.NO
    return Answer.NO


def _is_among(value: str | None, values: frozenset[str]) -> Answer:
    if value is None or value in values:
        return Answer.NO if value is None else Answer.YES
    return Answer.MAYBE if any("${" in text for text in (value, *values)) and values else Answer.NO


def fit(selector: Selector | None, namespace: str, workload: str) -> Fit:
    """Judges a selector by the usual app labels, taking each of them to equal the workload's name.

    NAMED: one of them asks for this workload, or the workload is called `NAME-PART` and the selector asks for an
    app NAME and a component or controller PART. LIKELY: the app is asked for together with labels that a name
    cannot tell. BROAD: nothing asked for tells workloads apart (an empty selector, a namespace, "all but"). NONE:
    it asks for another app, or only for labels that a name cannot tell.
    """
    if selector is None:
        return Fit.NONE
    scope = [item for item in selector.requirements if item.key in _NAMESPACE_KEYS]
    apps = [item for item in selector.requirements if item.key in _APP_LABELS]
    rest = [item for item in selector.requirements if item.key not in _NAMESPACE_KEYS + _APP_LABELS]
    taken_out = any(item.operator == "NotIn" and workload in item.values for item in apps)
    if taken_out or not all(_holds(item, namespace) is Answer.YES for item in scope):
        return Fit.NONE
    asked = [item for item in apps if item.operator == "In"]
    if not asked:
        return Fit.NONE if rest or any(item.operator == "DoesNotExist" for item in apps) else Fit.BROAD
    joined = any(_joined(app, part, workload) for app in asked for part in rest)
    named = any(workload in item.values for item in asked)
    if joined or (named and not rest):
        return Fit.NAMED
    return Fit.LIKELY if named else Fit.NONE


def _joined(app: Requirement, part: Requirement, workload: str) -> bool:
    if part.key not in _PART_LABELS or part.operator != "In":
        return False
    return any(workload == f"{name}-{value}" for name in app.values for value in part.values)
