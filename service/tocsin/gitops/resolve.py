"""From a pod or a workload to its app and to the policies that select it, with the evidence. Pure.

Best evidence first: the name of the workload where somebody knows it (a label of the alert, Kubernetes's own series),
then the workloads that the repository declares, each matched by the names its kind gives to pods, then what is left
of the pod's name without what was generated. Never across namespaces; a tie between apps is no answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tocsin.gitops.index import Index, Labels, PlacedPolicy, PlacedWorkload
from tocsin.pod_names import OPERATED, matches, strip_pod_name
from tocsin.policy.document import Rule
from tocsin.policy.selector import Answer, Fit, fit, selects, specificity

RELEASE: Final = "HelmRelease"


@dataclass(frozen=True, slots=True)
class Selected:
    """A policy that selects a workload, with the rules that do.

    `sure` says that labels prove it; otherwise the workload's name, or the app's directory, makes it likely. `own` says
    that it is meant for this workload, not for a whole namespace. `comments` are those beside the labels it asks for.
    """

    placed: PlacedPolicy
    rules: tuple[Rule, ...]
    sure: bool
    own: bool
    primary: bool = False
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resolution:
    """Who a pod is. `app`, `workload`, `component` and `file` are None where that cannot be told.

    `evidence` says how it was told, or why not. `siblings` are other workloads of the app that have a policy of their
    own, where this one has none. `possible` are policies that may select it as well: what they ask for is not known of
    its pods.
    """

    namespace: str
    pod: str | None
    app: str | None
    workload: str | None
    component: str | None
    file: str | None
    kind: str | None
    evidence: str
    deployed: bool
    policies: tuple[Selected, ...]
    siblings: tuple[str, ...] = ()
    possible: tuple[PlacedPolicy, ...] = ()

    @property
    def primary(self) -> Selected | None:
        """The policy that is meant for this workload."""
        return next((one for one in self.policies if one.primary), None)


def resolve(index: Index, namespace: str, pod: str | None = None, workload: str | None = None) -> Resolution:
    """Names the app of a pod, or of a workload whose name is known."""
    found, evidence = _declared(index, namespace, pod, workload)
    if found is not None:
        return of_declared(index, found, namespace, pod, workload, evidence)
    name = workload or (strip_pod_name(pod) if pod else None)
    if name is None:
        return _unresolved(namespace, pod, workload, evidence or "the name of the pod tells no workload")
    if evidence:
        return _unresolved(namespace, pod, workload, evidence)
    known = {each for one in index.workloads_in(namespace) for each in (one.workload.name, one.workload.release)}
    if name in known:
        return _unresolved(namespace, pod, workload, f"pods of {name} in {namespace} are not called like this")
    if named := _named_by_policy(index, namespace, name):
        chosen = _with_primary(named, None)
        where = next((one.placed for one in chosen if one.primary), chosen[0].placed)
        return Resolution(
            namespace,
            pod,
            app=name,
            workload=name,
            component=where.directory or where.file,
            file=None,
            kind=None,
            evidence=f"{'name of the workload' if workload else 'name of the pod'}, asked for by {where.file}",
            deployed=where.deployed,
            policies=chosen,
        )
    nobody = _unresolved(namespace, pod, workload, f"nothing in {namespace} is called {name}")
    return replace(nobody, policies=_for_everybody(index, namespace)) if workload else nobody


def policies_of(
    index: Index, placed: PlacedWorkload, namespace: str
) -> tuple[tuple[Selected, ...], tuple[PlacedPolicy, ...]]:
    """The policies that select a declared workload, the one meant for it first; and those that may."""
    found, possible = [], []
    labels = (*placed.workload.labels, *_namespace_labels(index, namespace))
    for policy in index.policies_in(namespace):
        if policy.deployed or not placed.deployed:
            selected, maybe = _select(policy, placed, namespace, labels)
            found += [selected] if selected else []
            possible += [policy] if maybe else []
    return _with_primary(found, placed), tuple(possible)


def _declared(index: Index, namespace: str, pod: str | None, workload: str | None) -> tuple[PlacedWorkload | None, str]:
    """The declared workload and the evidence; no workload and a reason where several apps fit as well."""
    known = index.workloads_in(namespace)
    if workload is not None:
        candidates, how = [one for one in known if _is_called(one, workload)], "name of the workload"
        candidates = candidates or [one for one in known if _of_release(one, workload, index, namespace)]
    elif pod is not None:
        candidates, how = [one for one in known if _names(one, pod)], "name of the pod"
        stripped = strip_pod_name(pod)
        if not candidates and stripped:
            candidates = [one for one in known if _of_release(one, stripped, index, namespace)]
    else:
        return None, ""
    if not candidates:
        return None, ""
    longest = max(len(one.workload.name) for one in candidates)
    best = [one for one in candidates if len(one.workload.name) == longest]
    best = [one for one in best if one.deployed] or best
    best = [one for one in best if one.workload.kind != RELEASE] or best
    if len({one.app for one in best}) > 1:
        return None, f"{' and '.join(sorted({one.file for one in best}))} both declare it"
    one = best[0]
    mark = "" if one.deployed else ", which nothing deploys"
    return one, f"{how}, declared as {one.workload.kind} {one.workload.name} in {one.file}{mark}"


def _is_called(one: PlacedWorkload, workload: str) -> bool:
    """Whether it goes by this name, or makes something that does: an operator's StatefulSet, a Job of VolSync."""
    declared = one.workload
    if declared.kind not in OPERATED:
        return declared.name == workload
    return any(matches(declared.kind, declared.name, f"{workload}{end}") for end in ("-0", "-bcdfg", "-bcdfgh-bcdfg"))


def _names(one: PlacedWorkload, pod: str) -> bool:
    workload = one.workload
    if workload.kind == RELEASE:
        return strip_pod_name(pod) == workload.name
    return matches(workload.kind, workload.name, pod)


def _of_release(one: PlacedWorkload, name: str, index: Index, namespace: str) -> bool:
    """Whether a workload belongs to a release of a chart that is not known: something must speak of that part of it."""
    workload = one.workload
    if workload.kind != RELEASE:
        return False
    if name == workload.name:
        return True
    part = name.removeprefix(f"{workload.name}-")
    if part == name:
        return False
    own = (each for each in index.policies_in(namespace) if each.directory and each.directory == one.directory)
    asked = {value for each in own for rule in each.policy.rules for value in _asked_for(rule)}
    return bool({part, name} & asked)


def _asked_for(rule: Rule) -> set[str]:
    """The values of labels that a rule asks its pods for, but for namespaces."""
    requirements = rule.selector.requirements if rule.selector else ()
    return {
        value for item in requirements if item.operator == "In" and "namespace" not in item.key for value in item.values
    }


def _named_by_policy(index: Index, namespace: str, name: str) -> list[Selected]:
    """For a workload that is not declared: the policies that ask for its very name, and then the broad ones."""
    found = []
    for placed in index.policies_in(namespace):
        fits = [(_fit(rule, namespace, (name,)), rule) for rule in placed.policy.rules]
        exact = [rule for _, rule in fits if name in _asked_for(rule) and len(_asked_for(rule)) == 1]
        rules = tuple(rule for fits_how, rule in fits if fits_how is not Fit.NONE or rule in exact)
        if rules:
            own = bool(exact) or any(how >= Fit.NAMED for how, _ in fits)
            found.append(Selected(placed, rules, sure=False, own=own))
    return found if any(one.own for one in found) else []


def _for_everybody(index: Index, namespace: str) -> tuple[Selected, ...]:
    """The policies that select every pod of a namespace, whatever its labels."""
    labels = _namespace_labels(index, namespace)
    found = []
    for placed in index.policies_in(namespace):
        rules = [rule for rule in placed.policy.rules if selects(rule.selector, labels, complete=False) is Answer.YES]
        if rules and placed.deployed:
            found.append(Selected(placed, tuple(rules), sure=True, own=False))
    return tuple(found)


def _select(
    policy: PlacedPolicy, placed: PlacedWorkload, namespace: str, labels: Labels
) -> tuple[Selected | None, bool]:
    """The rules that select the workload, for certain or likely; else whether one may."""
    workload = placed.workload
    same_app = policy.directory is not None and policy.directory == placed.directory
    vague = bool(workload.release) and not workload.complete and workload.chart != "app-template"
    names = {workload.name, placed.app} if vague else set()  # any other says what its pods carry
    surely, likely, maybe = [], [], False
    for rule in policy.policy.rules:
        answer = selects(rule.selector, labels, complete=workload.complete)
        if answer is Answer.YES:
            surely.append(rule)
        elif answer is Answer.MAYBE and names and (same_app or _fit(rule, namespace, names) >= Fit.LIKELY):
            likely.append(rule)
        maybe |= answer is Answer.MAYBE
    rules = tuple(surely) or tuple(likely)
    if not rules:
        return None, maybe
    own = same_app or any(specificity(rule.selector, clusterwide=policy.policy.clusterwide) > 1 for rule in rules)
    asked = {item.key for rule in rules if rule.selector for item in rule.selector.requirements}
    beside = tuple(said for key, said in placed.comments if key in asked)
    return Selected(policy, tuple(surely + likely), sure=bool(surely), own=own, comments=beside), False


def _fit(rule: Rule, namespace: str, names: Iterable[str]) -> Fit:
    return max((fit(rule.selector, namespace, name) for name in names), default=Fit.NONE)


def _with_primary(found: Sequence[Selected], placed: PlacedWorkload | None) -> tuple[Selected, ...]:
    """Orders the policies and marks the one meant for the workload, unless two are meant for it equally."""

    def rank(one: Selected) -> tuple[object, ...]:
        same_app = placed is not None and one.placed.directory is not None and one.placed.directory == placed.directory
        beside = placed is not None and one.placed.file.rpartition("/")[0] == placed.file.rpartition("/")[0]
        speaks = any(rule.egress or rule.egress_deny for rule in one.rules)
        return (
            not one.placed.deployed,
            not one.own,
            not one.sure,
            one.placed.policy.clusterwide,
            not same_app,
            not speaks,
            not beside,
            -max((len(rule.selector.requirements) for rule in one.rules if rule.selector), default=0),
        )

    ordered = sorted(found, key=lambda one: (rank(one), one.placed.file, one.placed.policy.name))
    if ordered and ordered[0].own:
        ordered[0] = replace(ordered[0], primary=True)
    return tuple(ordered)


def _namespace_labels(index: Index, namespace: str) -> Labels:
    pairs = dict(index.namespaces.get(namespace, ())) | {"kubernetes.io/metadata.name": namespace}
    return (
        ("io.kubernetes.pod.namespace", namespace),
        *((f"io.cilium.k8s.namespace.labels.{key}", value) for key, value in sorted(pairs.items())),
    )


def of_declared(
    index: Index,
    found: PlacedWorkload,
    namespace: str,
    pod: str | None = None,
    workload: str | None = None,
    evidence: str = "declared",
) -> Resolution:
    """What is known of a workload that the repository declares in `namespace`."""
    selected, possible = policies_of(index, found, namespace)
    return Resolution(
        namespace,
        pod,
        app=found.app,
        workload=workload or _called(found, pod),
        component=found.component,
        file=found.file,
        kind=found.workload.kind,
        evidence=evidence,
        deployed=found.deployed,
        policies=selected,
        siblings=() if any(one.own for one in selected) else _siblings(index, found, namespace),
        possible=possible,
    )


def _called(found: PlacedWorkload, pod: str | None) -> str:
    """The workload as Kubernetes knows it: what an operator makes need not be called like the object it was told."""
    name = found.workload.name
    stripped = strip_pod_name(pod) if pod else None
    return stripped if stripped and found.workload.kind in (*OPERATED, RELEASE) else name


def _siblings(index: Index, found: PlacedWorkload, namespace: str) -> tuple[str, ...]:
    others = {
        one.workload.name: one
        for one in index.workloads_in(namespace)
        if one.app == found.app and one.workload.name != found.workload.name
    }
    return tuple(
        name for name, one in others.items() if any(each.own for each in policies_of(index, one, namespace)[0])
    )


def _unresolved(namespace: str, pod: str | None, workload: str | None, evidence: str) -> Resolution:
    return Resolution(
        namespace, pod, None, workload, None, None, None, f"unresolved: {evidence}", deployed=False, policies=()
    )
