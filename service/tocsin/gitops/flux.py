"""What Flux is told to apply: its Kustomization objects, and where it starts. Pure.

Fields: fluxcd/kustomize-controller docs/spec/v1 and controlplaneio-fluxcd/flux-operator FluxInstance.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tocsin.gitops import patches
from tocsin.gitops.layout import directory
from tocsin.gitops.patches import NONE, Patches
from tocsin.policy.fields import optional, text
from tocsin.yaml_documents import BROKEN, load

API: Final = "kustomize.toolkit.fluxcd.io/"
MAIN_SOURCE: Final = "flux-system"
"""What `flux bootstrap` and the Flux operator call the source they make of the repository they are in."""
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PostBuild:
    """Variables that are set, and the ConfigMaps further ones come from."""

    substitute: Pairs = ()
    config_maps: tuple[str, ...] = ()


NOTHING_BUILT: Final = PostBuild()


@dataclass(frozen=True, slots=True)
class FluxKustomization:
    """One Flux Kustomization. `path` is from the top of the repository, `for_children` what it patches into others.

    `source` is the kind and name of what `path` is in.
    """

    name: str
    namespace: str | None
    path: str
    target_namespace: str | None = None
    components: tuple[str, ...] = ()
    post_build: PostBuild = NOTHING_BUILT
    prefix: str = ""
    suffix: str = ""
    for_children: PostBuild = NOTHING_BUILT
    patches: Patches = NONE
    source: tuple[str, str] = ("", "")


def kustomization(value: Mapping[str, Any]) -> FluxKustomization:
    """Reads `kind: Kustomization` of Flux; raises TypeError, AttributeError or KeyError where it cannot be read."""
    metadata, spec = value.get("metadata") or {}, value.get("spec") or {}
    source = spec.get("sourceRef") or {}
    return FluxKustomization(
        name=str(metadata.get("name") or ""),
        namespace=optional(metadata.get("namespace")),
        path=directory(str(spec.get("path") or "")),
        target_namespace=optional(spec.get("targetNamespace")),
        components=tuple(str(each) for each in spec.get("components") or []),
        post_build=_post_build(spec),
        prefix=str(spec.get("namePrefix") or ""),
        suffix=str(spec.get("nameSuffix") or ""),
        for_children=_for_children(spec),
        patches=patches.written(spec),
        source=(str(source.get("kind") or ""), str(source.get("name") or "")),
    )


def source(value: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Kind, name and URL of a source, also of the one a FluxInstance makes; None for a Bucket, which has none."""
    spec = value.get("spec") or {}
    if value.get("kind") == "FluxInstance":
        sync = spec.get("sync") or {}
        url = sync.get("url")
        return (str(sync.get("kind") or ""), str(sync.get("name") or MAIN_SOURCE), str(url)) if url else None
    name, url = (value.get("metadata") or {}).get("name"), spec.get("url")
    return (str(value.get("kind")), str(name), str(url)) if url else None


def sync_path(value: Mapping[str, Any]) -> str | None:
    """Where a FluxInstance, or the Helm release that makes one, starts; None for anything else."""
    spec = value.get("spec") or {}
    if value.get("kind") == "HelmRelease":
        spec = ((spec.get("values") or {}).get("instance")) or {}
    path = (spec.get("sync") or {}).get("path")
    return directory(path) if isinstance(path, str) else None


def _post_build(spec: Mapping[str, Any]) -> PostBuild:
    build = spec.get("postBuild") or {}
    return PostBuild(
        tuple(sorted((str(key), text(value)) for key, value in (build.get("substitute") or {}).items())),
        tuple(
            str(each.get("name"))
            for each in build.get("substituteFrom") or []
            if each.get("kind", "ConfigMap") != "Secret"
        ),
    )


def _for_children(spec: Mapping[str, Any]) -> PostBuild:
    """The postBuild that the patches of a Kustomization put into every other one below it."""
    found = list(_patched(spec))
    return PostBuild(
        tuple(pair for each in found for pair in each.substitute),
        tuple(dict.fromkeys(name for each in found for name in each.config_maps)),
    )


def _patched(spec: Mapping[str, Any]) -> Iterator[PostBuild]:
    for each in spec.get("patches") or []:
        written = each.get("patch") if isinstance(each, dict) else None
        if not isinstance(written, str) or "postBuild" not in written:
            continue
        try:
            patch = load(written)
        except BROKEN:
            continue
        if isinstance(patch, dict) and str(patch.get("apiVersion", "")).startswith(API):
            yield _post_build(patch.get("spec") or {})
