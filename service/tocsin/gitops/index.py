"""What one commit declares: policies, workloads and namespaces, each with its place and whether it is deployed. Pure.

The namespace of an object, best source first: what Flux or an outer kustomization forces upon it, its own
`metadata.namespace`, a default (NamespaceTransformer, Argo CD's destination), a path template. One that cannot be
told is in no namespace: naming the wrong policy is worse than naming none.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from tocsin.gitops import app_template, substitute, template
from tocsin.gitops.applied import Applied, Context
from tocsin.gitops.layout import Layout
from tocsin.gitops.manifests import File
from tocsin.gitops.places import Occupant, Places, named, related
from tocsin.gitops.pod_template import INSTANCE, NAME, Labels, relabelled
from tocsin.gitops.tree import walk
from tocsin.gitops.workloads import Workload
from tocsin.policy.document import Policy
from tocsin.policy.groups import Groups, filled


@dataclass(frozen=True, slots=True)
class PlacedPolicy:
    """A policy with its file. `namespace` is empty for a clusterwide policy, None where it cannot be told.

    `app` and `directory` are those of the app it belongs to, None where that cannot be told or several share one.
    `deployed` is False where no root reaches it. `changed` says that a patch changes it, which is not followed.
    """

    policy: Policy
    file: str
    namespace: str | None
    app: str | None = None
    directory: str | None = None
    deployed: bool = True
    changed: bool = False


@dataclass(frozen=True, slots=True)
class PlacedWorkload:
    """A workload with its file, its app and the path (`component`) whose commits are about it.

    `comments` are those beside labels of its pods, by key.
    """

    workload: Workload
    file: str
    namespace: str | None
    app: str
    component: str
    directory: str | None = None
    deployed: bool = True
    comments: Labels = ()


@dataclass(frozen=True, slots=True)
class Index:
    """Everything found at one commit. `problems` are sentences that begin with a file's path.

    `mentions` counts the files in which a word occurs as plain text. `namespaces` are the labels of Namespace objects.
    """

    policies: tuple[PlacedPolicy, ...] = ()
    workloads: tuple[PlacedWorkload, ...] = ()
    namespaces: Mapping[str, Labels] = field(default_factory=dict)
    mentions: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    _policies_of: Mapping[str, Sequence[PlacedPolicy]] = field(default_factory=dict, repr=False)
    _workloads_of: Mapping[str, Sequence[PlacedWorkload]] = field(default_factory=dict, repr=False)

    @property
    def unplaced(self) -> int:
        """How many policies have no namespace that could be told."""
        return sum(placed.namespace is None for placed in self.policies)

    def policies_in(self, namespace: str) -> Iterator[PlacedPolicy]:
        """The policies that may select pods of a namespace: its own and the clusterwide ones."""
        yield from self._policies_of.get(namespace, ())
        yield from self._policies_of.get("", ())

    def workloads_in(self, namespace: str) -> Sequence[PlacedWorkload]:
        """The workloads declared in a namespace."""
        return self._workloads_of.get(namespace, ())


_P = TypeVar("_P", PlacedPolicy, PlacedWorkload)


def build(files: Mapping[str, File], layout: Layout) -> Index:
    """Joins the files of one commit, in path order."""
    found = walk(files, layout.roots)
    placing = _Placing(found.applied, layout)
    groups = _agreeing(found.applied)
    policies = _once(each for applied in found.applied for each in placing.policies(applied, groups))
    workloads = _once(each for applied in found.applied for each in placing.workloads(applied))
    problems = [
        f"{path}: {problem}" for path in sorted(files) if not found.in_chart(path) for problem in files[path].problems
    ]
    return Index(
        policies=policies,
        workloads=workloads,
        namespaces=_namespaces(found.applied),
        mentions=_mentions(files),
        problems=tuple(dict.fromkeys([*problems, *sorted(found.problems)])),
        _policies_of=_by_namespace(policies),
        _workloads_of=_by_namespace(workloads),
    )


class _Placing:
    """Names the app of everything that is applied."""

    def __init__(self, applied: Sequence[Applied], layout: Layout) -> None:
        self._layout = layout
        self._shared = _shared(applied)
        self._about_one = _about_one(applied)
        self._places = Places((one for each in applied for one in self._occupants(each)), layout.path_templates)

    def _occupants(self, applied: Applied) -> Iterator[Occupant]:
        base, context = self._base(applied), applied.context
        for one in (_renamed(each, context) for each in applied.workloads):
            units = (context.unit, dict(_labels(one, context)).get("app.kubernetes.io/part-of", ""))
            yield Occupant(base, self._namespace(applied, one.namespace, one), _own_name(one, base, context), units)
        for policy in applied.content.policies:
            yield Occupant(base, self._namespace(applied, policy.written_namespace), "", (context.unit,))

    def policies(self, applied: Applied, groups: Groups) -> Iterator[PlacedPolicy]:
        base, context = self._base(applied), applied.context
        for policy in applied.content.policies:
            namespace = "" if policy.clusterwide else self._namespace(applied, policy.written_namespace)
            place = self._places.place(base, namespace, None)
            name = f"{context.prefix}{context.patches.called(policy.kind, policy.name)}{context.suffix}"
            whole = filled(policy if name == policy.name else replace(policy, name=name), groups)
            app = place.app if place.directory is not None else None
            changed = _is_changed(context, policy.kind, policy.name)
            yield PlacedPolicy(whole, applied.path, namespace, app, place.directory, context.deployed, changed)

    def workloads(self, applied: Applied) -> Iterator[PlacedWorkload]:
        base, context = self._base(applied), applied.context
        for written in applied.workloads:
            one = _renamed(written, context)
            namespace = self._namespace(applied, one.namespace, one)
            installed = bool(context.installed_by)
            place = self._places.place(base, namespace, _own_name(one, base, context), installed=installed)
            labels = _in_namespace(_labels(one, context), namespace)
            whole = _prefixed(replace(one, labels=labels), context)
            if _is_changed(context, "HelmRelease" if one.release else one.kind, one.release or written.name):
                whole = replace(whole, complete=False, unread=True)
            component = self._places.component(base, place, applied.path)
            keys = {key for key, _ in whole.labels}
            yield PlacedWorkload(
                whole,
                applied.path,
                namespace,
                place.app or whole.name,
                component,
                place.directory,
                context.deployed,
                tuple((key, said) for key, said in applied.content.label_comments if key in keys),
            )

    def _base(self, applied: Applied) -> str:
        """What several places take in belongs to each of them, not to the directory it lies in."""
        context = applied.context
        if context.borrowed:
            return context.base
        directory = applied.path.rpartition("/")[0]
        if context.outer in self._about_one and (applied.path in self._shared or applied.content.templated):
            return context.outer or directory
        return directory

    def _namespace(self, applied: Applied, own: str | None, workload: Workload | None = None) -> str | None:
        context = applied.context
        told = [context.namespace, own, context.default_namespace, context.last_namespace]
        if workload is not None and workload.pins_namespace:
            told = [own]
        namespace = next((each for each in told if each), None)
        if namespace is None:
            return template.place(applied.path, self._layout.path_templates).namespace
        return None if substitute.unresolved(namespace) or "{" in namespace else namespace


def _in_namespace(labels: Labels, namespace: str | None) -> Labels:
    """Labels of a chart in which the namespace stands for itself."""
    if not any("{namespace}" in value for _, value in labels):
        return labels
    return tuple((key, value.replace("{namespace}", namespace or "")) for key, value in labels)


def _labels(workload: Workload, context: Context) -> Labels:
    """The labels of its pods; kustomize does not see those of a release, which the cluster makes."""
    return workload.labels if workload.release else tuple(sorted({*workload.labels, *context.labels}))


def _renamed(workload: Workload, context: Context) -> Workload:
    """The workload with the name that a patch gives it."""
    name = workload.name if workload.release else context.patches.called(workload.kind, workload.name)
    return workload if name == workload.name else _with_name(workload, name)


def _prefixed(workload: Workload, context: Context) -> Workload:
    """The workload with the prefix and suffix of kustomize, which a chart gets as the name of its release."""
    if not context.prefix and not context.suffix:
        return workload
    if not workload.release:
        return _with_name(workload, f"{context.prefix}{workload.name}{context.suffix}")
    release = f"{context.prefix}{workload.release}{context.suffix}"
    after_release = {INSTANCE, NAME} if workload.chart == app_template.CHART else {INSTANCE}
    told = {(key, workload.release) for key in after_release}
    labels = tuple((key, release if (key, value) in told else value) for key, value in workload.labels)
    name = workload.name.replace(workload.release, release, 1)
    return replace(workload, release=release, name=name, labels=labels)


def _with_name(workload: Workload, name: str) -> Workload:
    return replace(workload, name=name, labels=relabelled(workload.kind, workload.labels, name))


def _is_changed(context: Context, kind: str, name: str) -> bool:
    """Whether a patch changes it; what it is called at that time depends on the layer."""
    names = (name, context.patches.called(kind, name), f"{context.prefix}{name}{context.suffix}")
    return any(each.hits(kind, *names) for each in context.patches.changed)


def _own_name(workload: Workload, base: str, context: Context) -> str:
    """The name of a workload without its parts: the Application's or release's, or what a usual label says, or its own.

    A prefix of kustomize tells apps apart, except in a directory that bears the name without it.
    """
    labels = dict(_labels(workload, context))
    told = (labels.get(key) for key in ("app.kubernetes.io/instance", "app.kubernetes.io/name", "app", "k8s-app"))
    usual = context.installed_by or workload.release or next(filter(None, told), None) or workload.name
    if usual in base.split("/") or not (context.prefix or context.suffix):
        return usual
    return f"{context.prefix}{workload.release or workload.name}{context.suffix}"


def _shared(applied: Sequence[Applied]) -> frozenset[str]:
    """Files that several places take in, and all of them from elsewhere."""
    outers: defaultdict[str, set[str | None]] = defaultdict(set)
    for each in applied:
        outers[each.path].add(each.context.outer)
    return frozenset(path for path, places in outers.items() if len(places) > 1 and None not in places)


def _about_one(applied: Sequence[Applied]) -> frozenset[str | None]:
    """Directories that take in one directory from elsewhere, for an app that is called like them."""
    inside: defaultdict[str, set[str]] = defaultdict(set)
    called: defaultdict[str, set[str]] = defaultdict(set)
    for each in applied:
        if each.context.outer and not each.context.borrowed:
            directory = named(each.path.rpartition("/")[0])
            inside[each.context.outer].add(directory)
            called[each.context.outer] |= {directory.rpartition("/")[2], each.context.unit}
            called[each.context.outer] |= {one.name for one in each.workloads}
    return frozenset(
        outer
        for outer, directories in inside.items()
        if len(directories) == 1 and any(related(each, named(outer).rpartition("/")[2]) for each in called[outer])
    )


def _once(placed: Iterator[_P]) -> tuple[_P, ...]:
    """Each thing once, as deployed where any of its places is, in the order of the files.

    What has a namespace in one place is not also without one in another.
    """
    found: dict[_P, bool] = {}
    for each in placed:
        key = replace(each, deployed=True)
        found[key] = found.get(key, False) or each.deployed
    named = {(each.file, _name(each)) for each in found if each.namespace is not None}
    kept = [
        pair for pair in found.items() if pair[0].namespace is not None or (pair[0].file, _name(pair[0])) not in named
    ]
    ordered = sorted(kept, key=lambda pair: (pair[0].file, _name(pair[0]), pair[0].namespace or ""))
    return tuple(replace(key, deployed=deployed) for key, deployed in ordered)


def _name(placed: PlacedPolicy | PlacedWorkload) -> tuple[str, str]:
    if isinstance(placed, PlacedPolicy):
        return placed.policy.kind, placed.policy.name
    return placed.workload.kind, placed.workload.name


def _by_namespace(placed: Sequence[_P]) -> Mapping[str, Sequence[_P]]:
    found: defaultdict[str, list[_P]] = defaultdict(list)
    for each in placed:
        if each.namespace is not None:
            found[each.namespace].append(each)
    return dict(found)


def _namespaces(applied: Sequence[Applied]) -> Mapping[str, Labels]:
    """The labels of each namespace, of those that are deployed where one is; a key may have several values."""
    found: dict[str, tuple[bool, set[tuple[str, str]]]] = {}
    for each in sorted(applied, key=lambda one: not one.context.deployed):
        for name, labels in each.content.namespaces:
            deployed, known = found.setdefault(each.context.namespace or name, (each.context.deployed, set()))
            if each.context.deployed or not deployed:
                known.update(labels)
    return {name: tuple(sorted(labels)) for name, (_, labels) in found.items()}


def _agreeing(applied: Sequence[Applied]) -> Mapping[str, tuple[str, ...]]:
    """The CIDRs of each group, of those that are deployed where one is; none where two of a name differ."""
    found: defaultdict[tuple[bool, str], set[tuple[str, ...]]] = defaultdict(set)
    for each in applied:
        for name, cidrs in each.content.cidr_groups:
            found[each.context.deployed, name].add(cidrs)
    used = {name: different for (_, name), different in sorted(found.items())}  # deployed ones come last
    return {name: next(iter(different)) for name, different in used.items() if len(different) == 1}


def _mentions(files: Mapping[str, File]) -> Mapping[str, int]:
    words = sorted({word for file in files.values() for word in file.mentions})
    return {word: sum(word in file.mentions for file in files.values()) for word in words}
