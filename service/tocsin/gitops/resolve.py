"""From a pod or a workload to its app and to the policies that select it, with the evidence. Pure.

Best evidence first: the name of the workload where somebody knows it (a label of the alert, Kubernetes's own series),
then the workloads that the repository declares, each matched by the names its kind gives to pods, then what is left
of the pod's name without what was generated. Never across namespaces; a tie between apps is no answer, nor is what
nothing deploys in a repository of which something is deployed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tocsin.gitops.charts import CHARTS
from tocsin.gitops.index import Index, PlacedPolicy, PlacedWorkload
from tocsin.gitops.selection import Selected, asked_for, asking_for, for_everybody, policies_of
from tocsin.pod_names import OPERATED, matches, strip_pod_name

RELEASE: Final = "HelmRelease"


@dataclass(frozen=True, slots=True)
class Resolution:
    """Who a pod is. `app`, `workload`, `component` and `file` are None where that cannot be told.

    `evidence` says how it was told, or why not. `siblings` are other workloads of the app that have a policy of their
    own, where this one has none. `possible` are policies that may select it as well: what they ask for is not known of
    its pods. `host_network`: Cilium knows such a pod as its node, to which policies for pods do not apply.
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
    host_network: bool = False

    @property
    def primary(self) -> Selected | None:
        """The policy that is meant for this workload."""
        return next((one for one in self.policies if one.primary), None)


def resolve(index: Index, namespace: str, pod: str | None = None, workload: str | None = None) -> Resolution:
    """Names the app of a pod, or of a workload whose name is known."""
    found, evidence = _declared(index, namespace, pod, workload)
    if found:
        first, *others = (of_declared(index, one, namespace, pod, workload, evidence) for one in found)
        return first if all(_same_primary(first, each) for each in others) else _without_primary(first)
    name = workload or (strip_pod_name(pod) if pod else None)
    if name is None:
        return _unresolved(namespace, pod, workload, evidence or "the name of the pod tells no workload")
    if evidence:
        return _unresolved(namespace, pod, workload, evidence)
    known = {each for one in index.workloads_in(namespace) for each in (one.workload.name, one.workload.release)}
    if name in known:
        return _unresolved(namespace, pod, workload, f"pods of {name} in {namespace} are not called like this")
    if chosen := asking_for(index, namespace, name):
        where = next((one.placed for one in chosen if one.primary), None)
        if where is None:
            return _unresolved(namespace, pod, workload, f"several policies ask for {name}")
        return Resolution(
            namespace,
            pod,
            app=where.app if where.app and name.startswith(f"{where.app}-") else name,
            workload=name,
            component=where.directory or where.file,
            file=None,
            kind=None,
            evidence=f"{'name of the workload' if workload else 'name of the pod'}, asked for by {where.file}",
            deployed=where.deployed,
            policies=chosen,
        )
    nobody = _unresolved(namespace, pod, workload, f"nothing in {namespace} is called {name}")
    return replace(nobody, policies=for_everybody(index, namespace)) if workload else nobody


def _same_primary(one: Resolution, other: Resolution) -> bool:
    return (one.primary and one.primary.placed.file) == (other.primary and other.primary.placed.file)


def _without_primary(one: Resolution) -> Resolution:
    """Each of two clusters has a policy of its own for it: which one is asked for is not known."""
    return replace(one, policies=tuple(replace(each, primary=False, sure=False) for each in one.policies))


def _declared(
    index: Index, namespace: str, pod: str | None, workload: str | None
) -> tuple[Sequence[PlacedWorkload], str]:
    """The declared workload, in each place where it is applied, and the evidence.

    None, and a reason, where several apps fit as well.
    """
    known = index.workloads_in(namespace)
    made = [one.workload for one in known if one.workload.kind != RELEASE]
    rendered, releases = {each.name for each in made}, {each.release for each in made} - {""}
    if workload is not None:
        candidates, how = [one for one in known if _is_called(one, workload)], "name of the workload"
        candidates = candidates or [one for one in known if _of_release(one, workload, index, namespace)]
    elif pod is not None:
        candidates, how = [one for one in known if _names(one, pod, rendered, releases)], "name of the pod"
        stripped = strip_pod_name(pod)
        if not candidates and stripped:
            candidates = [one for one in known if _of_release(one, stripped, index, namespace)]
    else:
        return (), ""
    if not candidates:
        return (), ""
    longest = max(len(one.workload.name) for one in candidates)
    best = [one for one in candidates if len(one.workload.name) == longest]
    best = [one for one in best if one.deployed] or best
    best = [one for one in best if one.workload.kind != RELEASE] or best
    if len({one.app for one in best}) > 1:
        return (), f"{' and '.join(sorted({one.file for one in best}))} both declare it"
    one = best[0]
    evidence = f"{how}, declared as {one.workload.kind} {one.workload.name} in {one.file}"
    if not one.deployed:
        if any(other.deployed for other in index.workloads):
            return (), f"{one.file} declares it, but nothing deploys that file"
        evidence += ", which nothing deploys"
    others = {other.file for other in best} - {one.file} or {other.component for other in best} - {one.component}
    if others:
        evidence += f"; also in {', '.join(sorted(others)[:2])}: gitops.roots says which of several clusters is meant"
    return best, evidence


def _is_called(one: PlacedWorkload, workload: str) -> bool:
    """Whether it goes by this name, or makes something that does: an operator's StatefulSet, a Job of VolSync."""
    declared = one.workload
    if declared.kind not in OPERATED:
        return declared.name == workload
    return any(matches(declared.kind, declared.name, f"{workload}{end}") for end in ("-0", "-bcdfg", "-bcdfgh-bcdfg"))


def _names(one: PlacedWorkload, pod: str, rendered: Collection[str], releases: Collection[str]) -> bool:
    """A release claims a pod that is called like it, but where the workloads are known that its chart makes."""
    workload = one.workload
    if workload.kind == RELEASE and (workload.name in rendered or workload.release in releases):
        return False
    return matches(workload.kind, workload.name, pod)


def _of_release(one: PlacedWorkload, name: str, index: Index, namespace: str) -> bool:
    """Whether a workload belongs to a release of a chart that is not known, without bearing its name.

    It is called like the release and the chart, as `helm create` has it, or something must speak of its part.
    """
    workload = one.workload
    if workload.kind != RELEASE:
        return False
    part = name.removeprefix(f"{workload.name}-")
    if part == name or workload.chart in CHARTS:
        return False
    if part == workload.chart and workload.name == workload.release:
        return True
    own = (each for each in index.policies_in(namespace) if each.directory and each.directory == one.directory)
    asked = {value for each in own for rule in each.policy.rules for value in asked_for(rule)}
    return bool({part, name} & asked)


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
        host_network=found.workload.host_network,
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
