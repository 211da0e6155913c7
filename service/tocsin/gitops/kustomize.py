"""What a kustomization.yaml says about the files it takes in. Pure.

Source of the fields: kustomize's api/types/kustomization.go (v5). Only what decides about where an object ends up and
what its pods are called is kept; remote resources are left to whoever can fetch them.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tocsin.gitops import patches
from tocsin.gitops.patches import NONE, Patches, Target
from tocsin.policy.fields import optional

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
class Overlay:
    """One kustomization. Paths are as written, relative to its directory; `files` are those of generated ConfigMaps.

    `patch_files` are paths, with the target written beside each; `patches` are those written in it.
    """

    resources: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    transformers: tuple[str, ...] = ()
    patch_files: tuple[tuple[str, Target | None], ...] = ()
    patches: Patches = NONE
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
        patch_files=tuple(patches.files(value)),
        patches=patches.written(value),
        namespace=optional(value.get("namespace")),
        prefix=optional(value.get("namePrefix")) or "",
        suffix=optional(value.get("nameSuffix")) or "",
        pod_labels=tuple(sorted(_pod_labels(value))),
        files=tuple(_generated(value)),
        charts=tuple(_charts(value)),
        inline_transformers=inline,
    )


def transformer(value: Mapping[str, Any]) -> NamespaceTransformer | None:
    """Reads a NamespaceTransformer; None where it names no namespace."""
    namespace = optional((value.get("metadata") or {}).get("namespace")) or optional(value.get("namespace"))
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
            namespace=optional(each.get("namespace")),
            version=optional(each.get("version")),
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
