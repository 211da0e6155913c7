"""Which pods a selector selects: by their labels, or by the workload's name where labels are not known. Pure."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from tocsin.policy.document import Policy, Requirement, Rule, Selector

NAMESPACE_LABEL: Final = "io.kubernetes.pod.namespace"
_NAMESPACE_LABELS: Final = (NAMESPACE_LABEL, "io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name")
_APP_LABELS: Final = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app", "k8s-app", "name")
_PART_LABELS: Final = ("app.kubernetes.io/controller", "app.kubernetes.io/component", "controller", "component")


class Fit(IntEnum):
    """How surely a selector selects a workload of which only the name is known, in rising order."""

    NONE = 0
    BROAD = 1
    LIKELY = 2
    NAMED = 3


def selects(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether a pod with `labels` is selected; add its namespace as `io.kubernetes.pod.namespace`."""
    return all(_holds(requirement, labels.get(requirement.key)) for requirement in selector.requirements)


def _holds(requirement: Requirement, value: str | None) -> bool:
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False


def fit(selector: Selector | None, namespace: str, workload: str) -> Fit:
    """Judges a selector by the usual app labels, taking each of them to equal the workload's name.

    NAMED: one of them asks for this workload, or the workload is called `NAME-PART` and the selector asks for an
    app NAME and a component or controller PART. LIKELY: the app is asked for together with labels that a name
    cannot tell. BROAD: nothing asked for tells workloads apart (an empty selector, a namespace, "all but"). NONE:
    it asks for another app, or only for labels that a name cannot tell.
    """
    if selector is None:
        return Fit.NONE
    scope = [item for item in selector.requirements if item.key in _NAMESPACE_LABELS]
    apps = [item for item in selector.requirements if item.key in _APP_LABELS]
    rest = [item for item in selector.requirements if item.key not in _NAMESPACE_LABELS + _APP_LABELS]
    taken_out = any(item.operator == "NotIn" and workload in item.values for item in apps)
    if taken_out or not all(_holds(item, namespace) for item in scope):
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


def selecting_rules(policy: Policy, namespace: str, workload: str) -> tuple[Fit, tuple[Rule, ...]]:
    """The best fit of the policy's rules and every rule that fits; the policy's own namespace is not looked at."""
    fits = [(fit(rule.selector, namespace, workload), rule) for rule in policy.rules]
    return max((found for found, _ in fits), default=Fit.NONE), tuple(rule for found, rule in fits if found)
