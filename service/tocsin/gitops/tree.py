"""Walks a repository as Flux, Argo CD and kustomize do: which file is applied where, and under which settings. Pure.

Where nothing says what is applied, every outermost kustomization is. What no root reaches is walked as well and marked.
"""

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tocsin.gitops import application_sets, kustomize, substitute
from tocsin.gitops.application_sets import Repository
from tocsin.gitops.applied import Applied, Context, left
from tocsin.gitops.argo import Application
from tocsin.gitops.flux import NOTHING_BUILT, FluxKustomization
from tocsin.gitops.helm import FILE_NAME
from tocsin.gitops.installations import Installations
from tocsin.gitops.kustomize import Overlay
from tocsin.gitops.layout import within
from tocsin.gitops.manifests import File
from tocsin.gitops.patches import Patches
from tocsin.gitops.sources import Sources
from tocsin.yaml_documents import BROKEN, sentence

MAX_APPLIED: Final = 50_000
"""Files applied in all, each place counted: a repository that needs more is built to exhaust its reader."""
MAX_DEPTH: Final = 60
"""Directories and kustomizations inside each other."""


@dataclass(slots=True)
class Walk:
    """Gathers what is applied. `problems` are sentences that begin with a file's path."""

    files: Mapping[str, File]
    applied: list[Applied] = field(default_factory=list)
    problems: dict[str, None] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)
    _directories: dict[str, list[str]] = field(default_factory=dict)
    _children: dict[str, set[str]] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    _seen: set[tuple[object, ...]] = field(default_factory=set)
    _variables: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    _installations: Installations = field(init=False)
    _sources: Sources = field(init=False)
    _repository: Repository = field(init=False)
    _set_aside: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._installations = Installations(self.files, self.problems, self.reached)
        for path, content in self.files.items():
            self._directories.setdefault(posixpath.dirname(path), []).append(path)
            directory = posixpath.dirname(path)
            while directory:
                above = posixpath.dirname(directory)
                self._children.setdefault(above, set()).add(directory)
                directory = above
            self._variables.update(dict(content.variables))
            if content.overlay:
                self._set_aside.update(self._patches(posixpath.dirname(path), content.overlay))
        self._sources = Sources(self.files, self._exists)
        values = {path: content.values for path, content in self.files.items() if content.values}
        self._repository = Repository(self._directories.keys() | self._children.keys(), values)

    def run(self, roots: Sequence[str]) -> None:
        """Walks from the configured roots, or from those the repository itself tells; then what is left."""
        started = self._start(roots)
        for path in self._left():
            if self.files[path].flux or self.files[path].applications or self.files[path].application_sets:
                self._file(path, Context(posixpath.dirname(path), deployed=not started))
        for directory in self._outermost():
            self._kustomization(directory, Context(directory, deployed=not started))
        for path in self._left():
            self._file(path, Context(posixpath.dirname(path), deployed=not started))

    def _left(self) -> Iterator[str]:
        """Files that nothing has taken in so far."""
        for path in sorted(self.files.keys() - self._set_aside):
            if path not in self.reached and not self.in_chart(path):
                yield path

    def _start(self, roots: Sequence[str]) -> bool:
        """Whether anything says what is applied."""
        if roots:
            for directory in roots:
                if not self._exists(directory):
                    self.problems[f"{directory}: this root does not exist"] = None
                self._directory(directory, Context(directory, deployed=True))
            return True
        synced = sorted({path for content in self.files.values() for path in content.sync_paths})
        for directory in filter(self._exists, synced):
            self._directory(directory, Context(directory, deployed=True))
        declared = [(path, each) for path, content in self.files.items() for each in content.flux]
        leading = [(path, each) for path, each in declared if self._leads(path, each, [other for other, _ in declared])]
        if not leading and not synced:
            leading = declared
        started: set[str] = set()
        for path, each in sorted(leading, key=lambda pair: (len(pair[1].path), pair[0])):
            if path in started or path not in self.reached:
                started.add(path)
                self.reached.add(path)
                self._flux(each, path, Context(posixpath.dirname(path), deployed=True))
        argued = False
        for path, content in sorted(self.files.items()):
            if path not in self.reached and (content.applications or content.application_sets):
                known = len(self.reached)
                self._file(path, Context(posixpath.dirname(path), deployed=True))
                argued |= len(self.reached) > known + 1 or any(each.charts for each in content.applications)
        return bool(synced or declared or argued)

    def _leads(self, path: str, one: FluxKustomization, others: Iterable[str]) -> bool:
        """Whether a Flux Kustomization takes in others: those are what somebody applies by hand at the start."""
        return self._is_here(one) and any(other != path and within(other, one.path) for other in others)

    def _outermost(self) -> Iterator[str]:
        """Directories of kustomizations that were not reached and that no other one takes in."""
        left = {
            posixpath.dirname(path): content.overlay
            for path, content in self.files.items()
            if content.overlay and path not in self.reached and not self.in_chart(path)
        }
        taken = {
            kustomize.resolve(directory, path)
            for directory, overlay in left.items()
            for path in overlay.resources + overlay.components
        }
        yield from sorted(left.keys() - taken)

    def _directory(
        self, directory: str, context: Context, *, recurse: bool = True, takes: Callable[[str], bool] | None = None
    ) -> None:
        """A directory without a kustomization is taken in whole, as Flux does, or what `takes` says."""
        if self._overlay_file(directory):
            return self._kustomization(directory, context)
        if not self._first_time("directory", directory, context):
            return None
        self._open.append(directory)
        try:
            for path in filter(takes, sorted(self._directories.get(directory, ()))):
                self._file(path, context)
            for child in sorted(self._children.get(directory, ())) if recurse else ():
                self._directory(child, replace(context, base=child), takes=takes)
        finally:
            self._open.pop()
        return None

    def _kustomization(self, directory: str, context: Context) -> None:
        path = self._overlay_file(directory)
        if path is None or not self._first_time("kustomization", directory, context):
            return
        self._open.append(directory)
        try:
            self._take_in_all(path, directory, context)
        finally:
            self._open.pop()

    def _take_in_all(self, path: str, directory: str, context: Context) -> None:
        self.reached.add(path)
        overlay = self.files[path].overlay or Overlay()
        inner = self._share(path, directory, overlay.components, self._transformed(directory, overlay, context))
        for written in overlay.resources:
            self._take_in(path, directory, written, inner)
        charts = [each for chart in overlay.charts for each in self._installations.of_kustomize(path, chart)]
        if charts:
            rendered = (replace(each, labels=tuple({*each.labels, *inner.labels})) for each in charts)
            self._apply(Applied(path, File(), tuple(rendered), inner))

    def _share(self, source: str, directory: str, components: Sequence[str], context: Context) -> Context:
        """Takes in components; returns what they and `context` do to the objects they are shared with.

        The last one is applied last, over what those before it bring.
        """
        seen: set[str] = set()
        for written in reversed(components):
            self._take_in(source, directory, written, context, shared=True)
            context = self._with_component(directory, written, context, seen)
        return context

    def _with_component(self, directory: str, written: str, context: Context, seen: set[str]) -> Context:
        path = kustomize.resolve(directory, written)
        found = self._overlay_file(path) if path is not None else None
        if path is None or found is None or path in seen or len(seen) == MAX_DEPTH:
            return context
        seen.add(path)
        overlay = self.files[found].overlay or Overlay()
        context = self._transformed(path, overlay, context)
        for inner in reversed(overlay.components):
            context = self._with_component(path, inner, context, seen)
        return context

    def _transformed(self, directory: str, overlay: Overlay, context: Context) -> Context:
        transformers = [*overlay.inline_transformers, *self._transformers(directory, overlay)]
        setting = [each.namespace for each in transformers if not each.unset_only and not each.of_flux]
        defaults = [each.namespace for each in transformers if each.unset_only and not each.of_flux]
        of_flux = [each.namespace for each in transformers if each.of_flux]
        own = [(name, key, kustomize.resolve(directory, path) or "") for name, key, path in overlay.files]
        return replace(
            context,
            namespace=context.namespace or next(iter(setting), None) or overlay.namespace,
            default_namespace=next(iter(defaults), None) or context.default_namespace,
            child_namespace=context.child_namespace or next(iter(of_flux), None),
            prefix=context.prefix + overlay.prefix,
            suffix=overlay.suffix + context.suffix,
            labels=tuple(dict([*overlay.pod_labels, *context.labels]).items()),
            patches=sum(self._patch_files(directory, overlay), start=context.patches + overlay.patches),
            config_maps=(*own, *context.config_maps),
        )

    def _patch_files(self, directory: str, overlay: Overlay) -> Iterator[Patches]:
        for written, target in overlay.patch_files:
            content = self.files.get(kustomize.resolve(directory, written) or "")
            if content and target and not content.as_patch.deleted:
                yield Patches(changed=(target,))
            elif content:
                yield content.as_patch

    def _transformers(self, directory: str, overlay: Overlay) -> Iterator[kustomize.NamespaceTransformer]:
        for written in overlay.transformers:
            path = kustomize.resolve(directory, written)
            if path is None:
                continue
            paths = [path]
            if inside := self._overlay_file(path):
                self.reached.add(inside)
                below = (self.files[inside].overlay or Overlay()).resources
                paths = [each for name in below if (each := kustomize.resolve(path, name)) is not None]
            for each in filter(self.files.__contains__, paths):
                self.reached.add(each)
                yield from self.files[each].transformers

    def _take_in(self, source: str, directory: str, written: str, context: Context, *, shared: bool = False) -> None:
        if kustomize.is_remote(written) or substitute.unresolved(written):
            return
        path = kustomize.resolve(directory, written)
        if path is None:
            return
        inside = self._entered(path if self._exists(path) else posixpath.dirname(path), context, shared=shared)
        if path in self.files:
            self._file(path, inside)
        elif self._exists(path):
            if self._overlay_file(path):
                self._kustomization(path, inside)
            else:
                self.problems[f"{source}: {written} has no kustomization"] = None
        elif not path.endswith(".json"):
            self.problems[f"{source}: {written} does not exist"] = None

    def _entered(self, directory: str, context: Context, *, shared: bool) -> Context:
        if shared or context.borrowed:
            return replace(context, borrowed=True)
        left = context.base if not within(directory, context.base) else None
        return replace(context, base=directory, outer=context.outer or left)

    def _file(self, path: str, context: Context) -> None:
        content = self.files[path]
        if content.overlay or path in self._set_aside or not self._first_time("file", path, context):
            return
        self.reached.add(path)
        variables = dict(context.variables)
        if content.templated and variables:
            content = substitute.everywhere(content, variables)
        content = left(content, context)
        installed = self._installations.of_flux
        released = [one for each in content.releases for one in installed(path, each, variables, context.config_maps)]
        self._apply(Applied(path, content, (*content.workloads, *released), context))
        for one in content.flux:
            self._flux(one, path, context)
        for application in content.applications:
            self._application(application, path, context)
        for found in content.application_sets:
            try:
                applications = list(application_sets.generated(found, self._repository))
            except BROKEN as failure:
                self.problems[f"{path}: {sentence(failure)}"] = None
                continue
            for application in applications:
                self._application(application, path, context)

    def _flux(self, one: FluxKustomization, path: str, context: Context) -> None:
        if not self._is_here(one):
            return
        variables = dict(pair for name in _config_maps(one, context) for pair in self._variables.get(name, ()))
        variables.update(context.for_children.substitute)
        variables.update(one.post_build.substitute)
        own = context.namespace or one.namespace or context.default_namespace
        inside = Context(
            base=one.path,
            deployed=context.deployed,
            unit=one.name,
            outer=None if within(one.path, posixpath.dirname(path)) else posixpath.dirname(path),
            namespace=one.target_namespace or context.child_namespace,
            last_namespace=own if own != "flux-system" else None,
            prefix=one.prefix,
            suffix=one.suffix,
            variables=tuple(sorted(variables.items())),
            patches=one.patches,
            for_children=one.for_children if one.for_children != NOTHING_BUILT else context.for_children,
        )
        self._directory(one.path, self._share(f"{one.path}/", one.path, one.components, inside))

    def _is_here(self, one: FluxKustomization) -> bool:
        return self._exists(one.path) and self._sources.has(one)

    def _application(self, one: Application, source: str, context: Context) -> None:
        installed = Context(
            context.base,
            context.deployed,
            outer=context.outer,
            unit=one.name,
            installed_by=one.name,
            default_namespace=one.namespace,
        )
        for chart in one.charts:
            self._apply(Applied(source, File(), self._installations.of_argo(source, chart, one.namespace), installed))
        for each in one.sources:
            if not self._exists(each.path) or not self._sources.is_own(each.url):
                continue
            inside = Context(
                each.path,
                context.deployed,
                unit=one.name,
                default_namespace=one.namespace,
            )
            inside = self._share(
                source, each.path, each.overlay.components, self._transformed(each.path, each.overlay, inside)
            )
            described, templates = f"{each.path}/{FILE_NAME}", f"{each.path}/templates"
            if described in self.files:
                found = self._installations.of_directory(source, each, one.namespace)
                self._apply(Applied(described, File(), found, inside))
                self._directory(templates, replace(inside, base=templates))  # what is plain YAML there
            else:
                self._directory(each.path, inside, recurse=each.recurse, takes=each.takes)

    def _apply(self, applied: Applied) -> None:
        if len(self.applied) < MAX_APPLIED:
            self.applied.append(applied)

    def _first_time(self, what: str, place: str, context: Context) -> bool:
        """Ends cycles, and whatever is reached twice in the same way."""
        key = (what, place, context)
        fits = len(self._seen) < MAX_APPLIED and len(self._open) < MAX_DEPTH
        new = key not in self._seen and fits and place not in self._open
        self._seen.add(key)
        return new

    def _overlay_file(self, directory: str) -> str | None:
        paths = (posixpath.join(directory, name) for name in kustomize.FILE_NAMES)
        return next((path for path in paths if path in self.files and not self.files[path].flux), None)

    def _exists(self, directory: str) -> bool:
        return directory in self._directories or directory in self._children

    def _patches(self, directory: str, overlay: Overlay) -> Iterator[str]:
        """Files that only change other objects."""
        for written, _ in overlay.patch_files:
            path = kustomize.resolve(directory, written)
            if path is not None:
                yield path

    def in_chart(self, path: str) -> bool:
        """Whether it is a template of a Helm chart, which no reader of YAML understands."""
        before, found, _ = path.partition("/templates/")
        return bool(found) and f"{before}/{FILE_NAME}" in self.files


def walk(files: Mapping[str, File], roots: Sequence[str]) -> Walk:
    """Everything that one commit applies. `roots` are directories; without any they are found."""
    found = Walk(files)
    found.run(roots)
    return found


def _config_maps(one: FluxKustomization, context: Context) -> Iterator[str]:
    yield from context.for_children.config_maps
    yield from one.post_build.config_maps
