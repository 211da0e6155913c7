"""What the patches of kustomize and Flux do, as far as it matters here: remove an object, rename or change it. Pure.

A patch that changes anything but a name is not applied. It is known whose labels or rules it may have changed, so that
nothing is called certain that depends on them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tocsin.policy.document import CLUSTERWIDE, KUBERNETES, POLICY
from tocsin.yaml_documents import documents, resources

_LABELS: Final = re.compile(r"(?i)labels\b")
_SELECTED_BY_LABEL: Final = frozenset({"labelSelector", "annotationSelector"})


@dataclass(frozen=True, slots=True)
class Target:
    """The objects that a patch is for; both are regular expressions for the whole word."""

    kind: str
    name: str

    def hits(self, kind: str, *names: str) -> bool:
        """Whether it is for an object that has had these names."""
        return bool(re.fullmatch(self.kind, kind)) and any(re.fullmatch(self.name, name) for name in names)


@dataclass(frozen=True, slots=True)
class Patches:
    """What is `deleted`, what is `changed` (the labels of pods, or a policy), and what is `renamed` to what.

    Those of an inner layer come last.
    """

    deleted: tuple[Target, ...] = ()
    changed: tuple[Target, ...] = ()
    renamed: tuple[tuple[Target, str], ...] = ()

    def __add__(self, other: "Patches") -> "Patches":
        return Patches(self.deleted + other.deleted, self.changed + other.changed, self.renamed + other.renamed)

    def called(self, kind: str, name: str) -> str:
        """The name that an object ends up with; a target may be the name it was written with."""
        found = name
        for target, new in reversed(self.renamed):
            if target.hits(kind, name, found):
                found = new
        return found


NONE: Final = Patches()


def written(value: Mapping[str, Any]) -> Patches:
    """The patches written in a kustomization or the spec of a Flux Kustomization; raises ValueError for no pattern."""
    found = NONE
    for key in ("patches", "patchesStrategicMerge", "patchesJson6902"):
        for each in value.get(key) or []:
            patch, target = (each.get("patch"), each.get("target")) if isinstance(each, dict) else (each, None)
            if isinstance(patch, str) and "\n" in patch:
                found += _written(patch, target)
    return found


def files(value: Mapping[str, Any]) -> Iterator[tuple[str, Target | None]]:
    """The paths of those that are files of their own, each with the target that is written beside it."""
    for key in ("patches", "patchesStrategicMerge", "patchesJson6902"):
        for each in value.get(key) or []:
            path, target = (each.get("path"), each.get("target")) if isinstance(each, dict) else (each, None)
            if isinstance(path, str) and "\n" not in path:
                yield path, targeted(target) if target else None


def targeted(target: Mapping[str, Any]) -> Target:
    """Reads a `target`; raises ValueError where it is no pattern."""
    return Target(_pattern(target.get("kind")), _pattern(target.get("name")))


def of_document(resource: Mapping[str, Any], text: str) -> Patches:
    """What a document does where it is a patch."""
    name = str((resource.get("metadata") or {}).get("name"))
    target = Target(re.escape(str(resource.get("kind"))), re.escape(name))
    if resource.get("$patch") == "delete":
        return Patches(deleted=(target,))
    return Patches(changed=(target,)) if _matters(target, text) else NONE


def _written(patch: str, target: Mapping[str, Any] | None) -> Patches:
    read, _ = documents(patch, lambda _: True)
    found = NONE
    names = [name for document in read for name in _names(document.value)] if target else []
    for document in read:
        for resource in resources(document):
            found += of_document(resource, document.text)
    if target is None:
        return found
    told = targeted(target)
    if found.deleted:  # what a label selects is not known here: better too much than too little
        return NONE if target.keys() & _SELECTED_BY_LABEL else Patches(deleted=(told,))
    only_names = bool(names) and len(names) == len(read[0].value)
    changed = (told,) if _matters(told, patch) and not only_names else ()
    return Patches(changed=changed, renamed=tuple((told, name) for name in names))


def _names(operations: Any) -> Iterator[str]:
    """The new names that the operations of a JSON patch give (RFC 6902)."""
    for each in operations if isinstance(operations, list) else ():
        if isinstance(each, dict) and each.get("path") == "/metadata/name" and each.get("op") in ("replace", "add"):
            yield str(each.get("value"))


def _matters(target: Target, text: str) -> bool:
    return bool(_LABELS.search(text)) or any(
        re.fullmatch(target.kind, kind) for kind in (POLICY, CLUSTERWIDE, KUBERNETES)
    )


def _pattern(said: Any) -> str:
    text = str(said or ".*")
    try:
        re.compile(text)
    except re.error as failure:
        raise ValueError(f"{text} is not a regular expression") from failure
    return text
