"""Which policies select a workload, how surely, and which of them is meant for it. Pure.

Labels decide. Where not all labels of the pods are known (a chart or an operator that nobody renders here), a policy is
likely where it lies in the app's directory or asks for the app by name, unless it is about another workload.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tocsin.gitops import app_template
from tocsin.gitops.index import Index, PlacedPolicy, PlacedWorkload
from tocsin.gitops.pod_template import Labels, own_keys
from tocsin.policy import outside
from tocsin.policy.document import Requirement, Rule, Selector
from tocsin.policy.selector import Answer, Fit, fit, selects, specificity

_BY_CHARTS: Final = re.compile(r"(?:app\.kubernetes\.io|helm\.sh)/.*|[^./]+")
_BY_OPERATORS: Final = re.compile(r"app\.kubernetes\.io/.*|app|application|cluster|component|instance|name|role")
"""Keys that those give pods by themselves, an operator beside those of its own domain; any other somebody wrote."""
_WORKLOAD: Final = 2
"""Specificity from which a selector tells workloads apart."""


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


def policies_of(
    index: Index, placed: PlacedWorkload, namespace: str
) -> tuple[tuple[Selected, ...], tuple[PlacedPolicy, ...]]:
    """The policies that select a declared workload, the one meant for it first; and those that may."""
    found, possible = [], []
    for policy in index.policies_in(namespace):
        if policy.deployed or (not placed.deployed and _same_app(policy, placed)):
            selected, maybe = _select(index, policy, placed, namespace)
            found += [selected] if selected else []
            possible += [policy] if maybe else []
    if any(one.own and one.sure for one in found):
        possible += [one.placed for one in found if not one.sure and _opens_more(one)]
        found = [one for one in found if one.sure]
    return _with_primary(found, placed), tuple(possible)


def for_everybody(index: Index, namespace: str) -> tuple[Selected, ...]:
    """The policies that select every pod of a namespace, whatever its labels."""
    labels = namespace_labels(index, namespace)
    found = []
    for placed in index.policies_in(namespace):
        rules = [rule for rule in placed.policy.rules if selects(rule.selector, labels, complete=False) is Answer.YES]
        if rules and placed.deployed:
            found.append(Selected(placed, tuple(rules), sure=True, own=False))
    return tuple(found)


def asking_for(index: Index, namespace: str, name: str) -> tuple[Selected, ...]:
    """For a workload that is not declared: the policies that ask for nothing but its very name, then the broad ones.

    Empty where there is no such policy.
    """
    found = []
    for placed in index.policies_in(namespace):
        exact = [
            rule for rule in placed.policy.rules if _asks_only_for(rule, name) and not _is_taken(index, rule, placed)
        ]
        broad = [rule for rule in placed.policy.rules if fit(rule.selector, namespace, name) is Fit.BROAD]
        if placed.deployed and (exact or broad):
            found.append(Selected(placed, (*exact, *broad), sure=False, own=bool(exact)))
    return _with_primary(found, None) if any(one.own for one in found) else ()


def _is_taken(index: Index, rule: Rule, policy: PlacedPolicy) -> bool:
    """Whether a rule is about a workload that is declared, and called otherwise."""
    return any(
        _answer(index, rule, policy, one, one.namespace or "") is Answer.YES
        for one in index.workloads_in(policy.namespace or "")
    )


def asked_for(rule: Rule) -> set[str]:
    """The values of labels that a rule asks its pods for, but for namespaces."""
    return {value for item in _asked(rule) for value in item.values}


def namespace_labels(index: Index, namespace: str) -> Labels:
    """What Cilium adds to every pod of a namespace."""
    pairs = dict(index.namespaces.get(namespace, ())) | {"kubernetes.io/metadata.name": namespace}
    return (
        ("io.kubernetes.pod.namespace", namespace),
        *((f"io.cilium.k8s.namespace.labels.{key}", value) for key, value in sorted(pairs.items())),
    )


def _select(index: Index, policy: PlacedPolicy, placed: PlacedWorkload, namespace: str) -> tuple[Selected | None, bool]:
    """The rules that select the workload, for certain or likely; else whether one may."""
    workload = placed.workload
    same_app = _same_app(policy, placed)
    vague = bool(workload.release) and not workload.complete and workload.chart != app_template.CHART
    names = {workload.name, workload.chart, placed.app} if vague else set()
    surely, likely, maybe = [], [], False
    for rule in policy.policy.rules:
        answer = _answer(index, rule, policy, placed, namespace)
        if answer is Answer.YES:
            surely.append(rule)
        elif answer is Answer.MAYBE and names and _is_likely(rule, placed, namespace, names, same_app=same_app):
            likely.append(rule)
        maybe |= answer is Answer.MAYBE
    rules = tuple(surely) or tuple(likely)
    if not rules:
        return None, maybe
    asked = {item.key for rule in rules if rule.selector for item in rule.selector.requirements}
    beside = tuple(said for key, said in placed.comments if key in asked)
    own = any(_is_about_workloads(rule, policy) for rule in rules) or (same_app and _alone(index, placed, namespace))
    return Selected(policy, rules, sure=bool(surely), own=own, comments=beside), False


def _is_likely(rule: Rule, placed: PlacedWorkload, namespace: str, names: Iterable[str], *, same_app: bool) -> bool:
    """Of workloads whose chart is known, one in the app's directory must not ask for something else by name."""
    if placed.workload.kind != "HelmRelease":
        workload = placed.workload
        return same_app and asked_for(rule) <= {workload.name, workload.part, workload.chart, workload.release}
    by_name = max((fit(rule.selector, namespace, name) for name in names if name), default=Fit.NONE)
    return same_app or by_name >= Fit.LIKELY


def _answer(index: Index, rule: Rule, policy: PlacedPolicy, placed: PlacedWorkload, namespace: str) -> Answer:
    common = namespace_labels(index, namespace)
    answer = selects(rule.selector, (*_labels(placed, rule.selector), *common), complete=placed.workload.complete)
    if answer is not Answer.MAYBE or specificity(rule.selector, clusterwide=policy.policy.clusterwide) < _WORKLOAD:
        return answer
    others = (one for one in index.workloads_in(namespace) if one.workload.name != placed.workload.name)
    about_another = any(
        selects(rule.selector, (*one.workload.labels, *common), complete=one.workload.complete) is Answer.YES
        for one in others
    )
    return Answer.NO if about_another else answer


def _labels(placed: PlacedWorkload, selector: Selector | None) -> Iterator[tuple[str, str | None]]:
    """The labels of the pods, and of those that a selector asks for the ones they surely do not have."""
    workload = placed.workload
    yield from workload.labels
    if workload.complete or workload.unread:
        return
    for key, value in workload.stated:
        yield key, value
        yield key, None
    known = {key for key, _ in (*workload.labels, *workload.stated)}
    domains = {key.partition("/")[0] for key in own_keys(workload.kind) if "/" in key}
    usual = _BY_CHARTS if workload.release else _BY_OPERATORS
    for key in {item.key for item in (selector.requirements if selector else ())} - known:
        conventional = usual.fullmatch(key) or key.partition("/")[0] in domains
        if not conventional and ":" not in key and not key.startswith("io."):
            yield key, None


def _is_about_workloads(rule: Rule, policy: PlacedPolicy) -> bool:
    """Whether a rule tells workloads apart; one for a whole cluster must say what they may reach beyond it."""
    if not any(True for _ in _asked(rule)):
        return False
    if not policy.policy.clusterwide or rule.egress_deny:
        return True
    return any(map(outside.leads_there, rule.egress)) if rule.egress else rule.default_deny


def _alone(index: Index, placed: PlacedWorkload, namespace: str) -> bool:
    """Whether an app has a namespace of its own, so that what is for all of it is for the app."""
    return all(one.directory == placed.directory for one in index.workloads_in(namespace))


def _opens_more(one: Selected) -> bool:
    return any(rule.egress for rule in one.rules)


def _asked(rule: Rule) -> Iterator[Requirement]:
    for item in rule.selector.requirements if rule.selector else ():
        if item.operator == "In" and "namespace" not in item.key:
            yield item


def _asks_only_for(rule: Rule, name: str) -> bool:
    """Whether each label a rule asks for may have the name as its value, and one of them has no other."""
    asked = list(_asked(rule))
    exact = any(item.values == {name} for item in asked)
    return exact and all(name in item.values for item in asked)


def _with_primary(found: Sequence[Selected], placed: PlacedWorkload | None) -> tuple[Selected, ...]:
    """Orders the policies, the best first, and marks the one meant for the workload, unless two are so equally."""
    ordered = sorted(found, key=lambda one: (_rank(one, placed), one.placed.file, one.placed.policy.name))
    best = [one for one in ordered if one.own and _rank(one, placed) == _rank(ordered[0], placed)]
    primary = _chosen(best, placed)
    if primary is None:
        return tuple(ordered)
    return (replace(primary, primary=True), *(one for one in ordered if one is not primary))


def _chosen(best: Sequence[Selected], placed: PlacedWorkload | None) -> Selected | None:
    """Of policies that are meant for it equally: the one that bears its name, or the first of one file or one app."""
    if not best:
        return None
    names = (placed.workload.name, placed.app) if placed else ()
    for name in names:
        named = [one for one in best if one.placed.policy.name == name]
        named = named or [one for one in best if one.placed.policy.name.startswith(f"{name}-")]
        if len({one.placed.file for one in named}) == 1:
            return named[0]
    one_place = len({one.placed.file for one in best}) == 1
    same_app = all(_same_app(one.placed, placed) and one.sure for one in best)
    return best[0] if one_place or same_app else None


def _rank(one: Selected, placed: PlacedWorkload | None) -> tuple[bool | int, ...]:
    beside = placed is not None and one.placed.file.rpartition("/")[0] == placed.file.rpartition("/")[0]
    speaks = any(rule.egress or rule.egress_deny for rule in one.rules)
    asked = max((sum(1 for _ in _asked(rule)) for rule in one.rules), default=0)
    return (
        not one.placed.deployed,
        not one.own,
        not one.sure,
        one.placed.policy.clusterwide,
        not _same_app(one.placed, placed),
        not speaks,
        not beside,
        -asked,
    )


def _same_app(policy: PlacedPolicy, placed: PlacedWorkload | None) -> bool:
    return placed is not None and policy.directory is not None and policy.directory == placed.directory
