"""What a kustomization.yaml says about the files it takes in. Pure.

Source of the fields: kustomize's api/types/kustomization.go (v5). Only what decides about where an object ends up and
what its pods are called is kept; remote resources are left to whoever can fetch them.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tocsin.yaml_documents import documents, resources

FILE_NAMES: Final = ("kustomization.yaml", "kustomization.yml")
_REMOTE: Final = re.compile(r"^(?:[a-z][a-z0-9+.-]*://|git@|github\.com/|gitlab\.com/|oci:)|[?&]ref=|//")


@dataclass(frozen=True, slots=True)
class NamespaceTransformer:
    """`kind: NamespaceTransformer`: sets the namespace of every object, or with `unset_only` of those without one.

    `of_flux` marks one that sets `spec.targetNamespace` of Flux Kustomizations.
    """

    namespace: str
    unset_only: bool = False
    of_flux: bool = False


@dataclass(frozen=True, slots=True)
class HelmChart:
    """One entry of `helmCharts`. `value_files` are paths from the kustomization, `values` those written in it."""

    name: str
    release: str
    namespace: str | None
    version: str | None
    value_files: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Deletion:
    """A patch that removes objects; both are regular expressions for the whole word."""

    kind: str
    name: str

    def removes(self, kind: str, *names: str) -> bool:
        """Whether an object that has had these names is removed."""
        return bool(re.fullmatch(self.kind, kind)) and any(re.fullmatch(self.name, name) for name in names)


@dataclass(frozen=True, slots=True)
class Overlay:
    """One kustomization. Paths are as written, relative to its directory; `files` are those of generated ConfigMaps.

    `patches` are files, `deleted` is what patches written in it remove.
    """

    resources: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    transformers: tuple[str, ...] = ()
    patches: tuple[str, ...] = ()
    deleted: tuple[Deletion, ...] = ()
    namespace: str | None = None
    prefix: str = ""
    suffix: str = ""
    pod_labels: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str, str], ...] = ()
    charts: tuple[HelmChart, ...] = ()
    inline_transformers: tuple[NamespaceTransformer, ...] = ()


def overlay(value: Mapping[str, Any], inline: tuple[NamespaceTransformer, ...] = ()) -> Overlay:
    """Reads a kustomization or component; raises TypeError, AttributeError or KeyError where it cannot be read."""
    return Overlay(
        resources=_texts(value, "resources") + _texts(value, "bases"),
        components=_texts(value, "components"),
        transformers=tuple(each for each in _texts(value, "transformers") if "\n" not in each),
        patches=tuple(path for path in _patches(value) if "\n" not in path),
        deleted=tuple(deletions(value)),
        namespace=_text(value.get("namespace")),
        prefix=_text(value.get("namePrefix")) or "",
        suffix=_text(value.get("nameSuffix")) or "",
        pod_labels=tuple(sorted(_pod_labels(value))),
        files=tuple(_generated(value)),
        charts=tuple(_charts(value)),
        inline_transformers=inline,
    )


def transformer(value: Mapping[str, Any]) -> NamespaceTransformer | None:
    """Reads a NamespaceTransformer; None where it names no namespace."""
    namespace = _text((value.get("metadata") or {}).get("namespace")) or _text(value.get("namespace"))
    if namespace is None:
        return None
    paths = {str(each.get("path")) for each in value.get("fieldSpecs") or []}
    return NamespaceTransformer(namespace, bool(value.get("unsetOnly")), of_flux="spec/targetNamespace" in paths)


def is_remote(path: str) -> bool:
    """Whether a resource is fetched from elsewhere."""
    return _REMOTE.search(path) is not None


def resolve(directory: str, path: str) -> str | None:
    """A path written in a kustomization, from the top of the repository; None where it leads out of it."""
    joined = posixpath.normpath(posixpath.join(directory, path))
    if joined == ".":
        return ""
    return None if joined.startswith(("..", "/")) else joined


def _patches(value: Mapping[str, Any]) -> Iterator[str]:
    for key in ("patches", "patchesStrategicMerge", "patchesJson6902"):
        for each in value.get(key) or []:
            path = each.get("path") if isinstance(each, dict) else each
            if isinstance(path, str):
                yield path


def deletions(value: Mapping[str, Any]) -> Iterator[Deletion]:
    """What the patches written in a kustomization, of kustomize or of Flux, remove (`$patch: delete`)."""
    for key in ("patches", "patchesStrategicMerge"):
        for each in value.get(key) or []:
            patch, target = (each.get("patch"), each.get("target")) if isinstance(each, dict) else (each, None)
            if not isinstance(patch, str) or "$patch" not in patch:
                continue
            read, _ = documents(patch, _deletes)
            removed = [gone for document in read for gone in map(deletion, resources(document)) if gone]
            if removed and target and not target.keys() & {"labelSelector", "annotationSelector"}:
                yield Deletion(_regex(target.get("kind")), _regex(target.get("name")))
            elif not target:
                yield from removed


def deletion(resource: Mapping[str, Any]) -> Deletion | None:
    """What a strategic merge patch removes; None for one that does not."""
    if resource.get("$patch") != "delete":
        return None
    name = str((resource.get("metadata") or {}).get("name"))
    return Deletion(re.escape(str(resource.get("kind"))), re.escape(name))


def _regex(written: Any) -> str:
    text = str(written or ".*")
    try:
        re.compile(text)
    except re.error as failure:
        raise ValueError(f"{text} is not a regular expression") from failure
    return text


def _deletes(text: str) -> bool:
    return "$patch" in text


def _pod_labels(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, text in (value.get("commonLabels") or {}).items():
        yield str(key), str(text)
    for each in value.get("labels") or []:
        if each.get("includeSelectors") or each.get("includeTemplates"):
            for key, text in (each.get("pairs") or {}).items():
                yield str(key), str(text)


def _generated(value: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name of the ConfigMap, key and file."""
    for each in value.get("configMapGenerator") or []:
        for written in each.get("files") or []:
            key, equals, path = str(written).partition("=")
            yield str(each.get("name", "")), key if equals else posixpath.basename(key), path or key


def _charts(value: Mapping[str, Any]) -> Iterator[HelmChart]:
    for each in value.get("helmCharts") or []:
        yield HelmChart(
            name=str(each["name"]),
            release=str(each.get("releaseName") or each["name"]),
            namespace=_text(each.get("namespace")),
            version=_text(each.get("version")),
            value_files=tuple(
                str(path) for path in [each.get("valuesFile"), *(each.get("additionalValuesFiles") or [])] if path
            ),
            values=dict(each.get("valuesInline") or {}),
        )


def _texts(value: Mapping[str, Any], key: str) -> tuple[str, ...]:
    written = value.get(key) or []
    if not isinstance(written, list):
        raise TypeError(f"{key} is not a list")
    return tuple(each for each in written if isinstance(each, str))


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None
