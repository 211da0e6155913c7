"""What one YAML file of the repository declares. Pure; never raises: what cannot be read is reported.

Only kinds that say who a pod is, what it may reach or where an object ends up are read; the rest of a repository (most
of it) is never parsed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tocsin.gitops import argo, flux, helm, kustomize, patches, substitute, workloads
from tocsin.gitops.application_sets import ApplicationSet, application_set
from tocsin.gitops.argo import Application
from tocsin.gitops.flux import FluxKustomization
from tocsin.gitops.helm import Dependency
from tocsin.gitops.kustomize import NamespaceTransformer, Overlay
from tocsin.gitops.patches import NONE, Patches
from tocsin.gitops.workloads import Workload
from tocsin.pod_names import KINDS
from tocsin.policy.document import CLUSTERWIDE, KUBERNETES, POLICY, Policy
from tocsin.policy.groups import GROUP
from tocsin.policy.parse import policies
from tocsin.yaml_documents import BROKEN, Document, documents, name_of, resources, sentence

POLICY_KINDS: Final = (POLICY, CLUSTERWIDE, KUBERNETES)
WORKLOAD_KINDS: Final = (*sorted(KINDS), "HelmChart")
_KINDS: Final = (
    *POLICY_KINDS,
    *WORKLOAD_KINDS,
    *("Kustomization", "Component", "NamespaceTransformer", "Namespace", "ConfigMap", "List"),
    *("FluxInstance", "GitRepository", "OCIRepository", "Application", "ApplicationSet", GROUP),
)
_KIND: Final = re.compile(
    rf"""^[ \t]*["']?(?:-[ \t]+)?["']?kind["']?:[ \t]*["']?({"|".join(_KINDS)})\b""", re.MULTILINE
)
_FLOW: Final = re.compile(rf"""[{{,][ \t]*["']?kind["']?:[ \t]*["']?({"|".join(_KINDS)})\b""")
_OBJECT: Final = re.compile(r"""^["']?(?:kind|apiVersion)["']?:""", re.MULTILINE)
_OVERLAY: Final = re.compile(r"^(?:resources|components|bases|namespace|transformers|helmCharts):", re.MULTILINE)
_CHART: Final = re.compile(r"^dependencies:", re.MULTILINE)
_LABELS: Final = re.compile(r"(?:labels|podLabels|pod|defaultPodOptions):(?:[ ]+#.*)?")
"""What a block of a pod's labels stands under; a comment above it speaks of them."""
_WORLD: Final = re.compile(r"\bworld\b")
_LONGEST_SETTINGS: Final = 16_000
_LONGEST_VALUES: Final = 64_000
_LABEL: Final = re.compile(r"""[ ]*["']?(?P<key>[\w.-]+/[\w.-]+|[\w.-]*egress[\w.-]*)["']?:[^#]*(?P<beside>#.*)?""")


@dataclass(frozen=True, slots=True)
class File:
    """Everything one file says, before it is known where it is applied.

    `releases` are Helm releases that need other objects or variables to be understood, as they were written; `values`
    is a file of Helm values. `charts` are OCIRepositories: name, URL and tag. `sources` are those of Flux: kind, name
    and URL; `dependencies` those of a Chart.yaml. `namespaces` are Namespace objects with
    their labels, `variables` the data of ConfigMaps and `cidr_groups` the CIDRs of CiliumCIDRGroups by name. `as_patch`
    is what it does where it is a patch. `label_comments` are comments beside labels, by key: a label may be what
    opens a policy. `templated` says that variables of Flux occur.
    """

    policies: tuple[Policy, ...] = ()
    workloads: tuple[Workload, ...] = ()
    releases: tuple[Mapping[str, Any], ...] = ()
    charts: tuple[tuple[str, str, str | None], ...] = ()
    sources: tuple[tuple[str, str, str], ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    overlay: Overlay | None = None
    flux: tuple[FluxKustomization, ...] = ()
    sync_paths: tuple[str, ...] = ()
    applications: tuple[Application, ...] = ()
    application_sets: tuple[ApplicationSet, ...] = ()
    transformers: tuple[NamespaceTransformer, ...] = ()
    namespaces: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    variables: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    cidr_groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    values: Mapping[str, Any] | None = None
    as_patch: Patches = NONE
    label_comments: tuple[tuple[str, str], ...] = ()
    mentions: frozenset[str] = frozenset()
    templated: bool = False
    problems: tuple[str, ...] = ()


NOTHING: Final = File()


@dataclass(slots=True)
class _Found:
    """What is gathered of one file while it is read."""

    lists: dict[str, list[Any]] = field(default_factory=dict)
    overlay: Overlay | None = None
    values: Mapping[str, Any] | None = None
    as_patch: Patches = NONE

    def add(self, name: str, *values: Any) -> None:
        self.lists.setdefault(name, []).extend(values)


def read(text: str) -> File:
    """Reads one file."""
    read_documents, problems = documents(text, _wanted)
    mentions = frozenset(_mentions(text))
    if not read_documents and not problems and not mentions:
        return NOTHING
    found = _Found()
    for document in read_documents:
        if "egress" in document.text:
            found.add("label_comments", *_label_comments(document.text))
        if any(kind in document.text for kind in POLICY_KINDS):
            parsed = policies(document)
            found.add("policies", *parsed.policies)
            problems += parsed.problems
        for resource in resources(document):
            try:
                _sort(found, resource, document)
            except BROKEN as failure:
                named = name_of(resource) or str(resource.get("kind") or "an object")
                problems.append(f"{named}: {sentence(failure, document.line)}")
    lists = {name: tuple(values) for name, values in found.lists.items()}
    return File(
        **lists,
        overlay=found.overlay,
        values=found.values,
        as_patch=found.as_patch,
        mentions=mentions,
        templated=substitute.unresolved(text),
        problems=tuple(problems),
    )


def _mentions(text: str) -> Iterator[str]:
    """Words that a plain search would find; `world` is too common to count outside of files with policies."""
    yield from (word for word in ("toEntities", "toFQDNs") if word in text)
    if any(kind in text for kind in POLICY_KINDS) and _WORLD.search(text):
        yield "world"


def _wanted(text: str) -> bool:
    if any(pattern.search(text) for pattern in (_KIND, _FLOW, _OVERLAY, _CHART)):
        return True
    return len(text) <= _LONGEST_VALUES and not _OBJECT.search(text)  # values of a chart have no kind


def _sort(found: _Found, resource: Mapping[str, Any], document: Document) -> None:
    kind, api = resource.get("kind"), str(resource.get("apiVersion") or "")
    found.as_patch += patches.of_document(resource, document.text)
    if resource.get("$patch") == "delete":
        return
    if kind == "Kustomization" and api.startswith(flux.API):
        found.add("flux", flux.kustomization(resource))
    elif kind in ("Kustomization", "Component") or (kind is None and _OVERLAY.search(document.text)):
        inline = [kustomize.transformer(each) for each in _inline(resource)]
        found.overlay = kustomize.overlay(resource, tuple(each for each in inline if each))
    elif kind is None and api in ("v1", "v2"):
        found.add("dependencies", *helm.dependencies(resource))
    elif kind is None:
        found.values = resource
    elif handler := _HANDLERS.get(str(kind)):
        handler(found, resource, document)
    elif kind in WORKLOAD_KINDS:
        _workload(found, resource, document)


def _workload(found: _Found, resource: Mapping[str, Any], document: Document) -> None:
    """What a release makes may depend on other objects and on variables: it is kept as it was written."""
    spec = resource.get("spec")
    elsewhere = isinstance(spec, dict) and (spec.get("valuesFrom") or spec.get("chartRef"))
    if resource.get("kind") == "HelmRelease" and (elsewhere or substitute.unresolved(document.text)):
        found.add("releases", resource)
    else:
        found.add("workloads", *workloads.declared(resource))
    if (path := flux.sync_path(resource)) is not None:
        found.add("sync_paths", path)


def _flux_instance(found: _Found, resource: Mapping[str, Any], document: Document) -> None:
    if (path := flux.sync_path(resource)) is not None:
        found.add("sync_paths", path)
    _source(found, resource, document)


def _source(found: _Found, resource: Mapping[str, Any], _: Document) -> None:
    if source := flux.source(resource):
        found.add("sources", source)


def _chart_source(found: _Found, resource: Mapping[str, Any], document: Document) -> None:
    spec = resource.get("spec") or {}
    tag = (spec.get("ref") or {}).get("tag")
    found.add("charts", (name_of(resource), str(spec.get("url") or ""), str(tag) if tag else None))
    _source(found, resource, document)


def _cidr_group(found: _Found, resource: Mapping[str, Any], _: Document) -> None:
    cidrs = (resource.get("spec") or {}).get("externalCIDRs") or []
    found.add("cidr_groups", (name_of(resource), tuple(str(each) for each in cidrs)))


def _application(found: _Found, resource: Mapping[str, Any], _: Document) -> None:
    if str(resource.get("apiVersion") or "").startswith("argoproj.io/"):
        found.add("applications", argo.application(resource))


def _application_set(found: _Found, resource: Mapping[str, Any], _: Document) -> None:
    found.add("application_sets", application_set(resource))


def _transformer(found: _Found, resource: Mapping[str, Any], _: Document) -> None:
    if read_transformer := kustomize.transformer(resource):
        found.add("transformers", read_transformer)


def _namespace(found: _Found, resource: Mapping[str, Any], _: Document) -> None:
    labels = (resource.get("metadata") or {}).get("labels") or {}
    found.add("namespaces", (name_of(resource), tuple(sorted((str(key), str(value)) for key, value in labels.items()))))


def _settings(found: _Found, resource: Mapping[str, Any], document: Document) -> None:
    """A small ConfigMap may hold variables of Flux."""
    data = resource.get("data")
    if isinstance(data, dict) and len(document.text) <= _LONGEST_SETTINGS:
        pairs = ((str(key), str(value)) for key, value in data.items() if isinstance(value, str | int | float | bool))
        found.add("variables", (name_of(resource), tuple(sorted(pairs))))


_HANDLERS: Final[Mapping[str, Callable[[_Found, Mapping[str, Any], Document], None]]] = {
    "FluxInstance": _flux_instance,
    "GitRepository": _source,
    "OCIRepository": _chart_source,
    GROUP: _cidr_group,
    "Application": _application,
    "ApplicationSet": _application_set,
    "NamespaceTransformer": _transformer,
    "Namespace": _namespace,
    "ConfigMap": _settings,
}


def _label_comments(text: str) -> Iterator[tuple[str, str]]:
    """The comments above, beside and over the block of each line that could be a label."""
    above: list[str] = []
    blocks: list[tuple[int, list[str]]] = []
    for line in text.splitlines():
        written = line.lstrip()
        if written.startswith("#"):
            above.append(written)
            continue
        depth = len(line) - len(written)
        while blocks and written and depth <= blocks[-1][0]:
            blocks.pop()
        if _LABELS.fullmatch(written):
            blocks.append((depth, above))
        elif found := _LABEL.fullmatch(line):
            said = [*(each for _, over in blocks for each in over), *above, found["beside"] or ""]
            if words := " ".join(filter(None, (each.strip(" #") for each in said))):
                yield found["key"], words
        above = []


def _inline(resource: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """NamespaceTransformers written inside a kustomization as text."""
    found: list[Mapping[str, Any]] = []
    for written in resource.get("transformers") or []:
        if isinstance(written, str) and "\n" in written:
            inner, _ = documents(written, lambda text: "NamespaceTransformer" in text)
            found += [each for document in inner for each in resources(document)]
    return found
