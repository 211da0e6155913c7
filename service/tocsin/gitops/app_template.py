"""The workloads that the chart app-template of bjw-s renders from its values. Pure.

Facts are from the templates of the library chart `common` (bjw-s/helm-charts, bjw-s-labs/helm-charts), which has the
chart's version number. The chart sets `global.nameOverride` to the release's name where it is not set, so that
`nameOverride` alone changes nothing.

* 1.x: one workload (`controller`), named after the release; `podLabels`.
* 2.x: `controllers`; the identifier is appended unless it is `main`, or else the controller's `nameOverride`.
* 3.x: the identifier is appended where several controllers are enabled and it is not the whole name already.
* 4.x: `forceRename`, `prefix`, `suffix`, `global.alwaysAppendIdentifierToResourceName`; the label of the identifier is
  `app.kubernetes.io/controller` instead of `.../component`; `defaultPodOptionsStrategy`.
* 5.3: the labels that a selector needs can no longer be overwritten; `extraSelectorLabels`.

The first releases of 3.x and 4.0 appended an identifier that equals the release's name; later ones are followed here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tocsin.gitops.pod_template import COMPONENT, CONTROLLER, INSTANCE, NAME, label
from tocsin.policy.fields import mapping

CHART: Final = "app-template"
_KINDS: Final = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "cronjob": "CronJob",
    "job": "Job",
}
_LONGEST_NAME: Final = 63
_VERSION: Final = re.compile(r"\s*[v=^~]*\s*(\d+)(?:\.(\d+))?[\w.+*-]*\s*")
_RELEASE_NAME: Final = re.compile(r"\{\{-?\s*(?:\$\.|\.)Release\.Name\s*-?\}\}")
_UPPER_CASE: Final = re.compile(r"\$\{[^}]*\}|[A-Z]+")


@dataclass(frozen=True, slots=True)
class Controller:
    """One workload. `labels` are those of its pods, sorted; where the version matters and is not known a key has both.

    `complete` says whether these are all of them.
    """

    kind: str
    name: str
    identifier: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    complete: bool = True
    host_network: bool = False


def is_like(values: Mapping[str, Any]) -> bool:
    """Whether values of a chart that is not named are those of app-template 2.x or later."""
    found = values.get("controllers")
    return isinstance(found, dict) and any(
        isinstance(each, dict) and isinstance(each.get("containers"), dict) for each in found.values()
    )


def controllers(values: Mapping[str, Any], release: str, version: str | None = None) -> tuple[Controller, ...]:
    """The enabled controllers, in order. Raises ValueError for a name that only Helm can tell, or an unknown type."""
    major, minor = _version(version)
    if values.get("controllers") is None:
        return _single(values, release) if (major or 1) == 1 else ()
    enabled = {
        str(key): each
        for key, each in mapping(values, "controllers").items()
        if isinstance(each, dict) and each.get("enabled", True)
    }
    return tuple(
        _controller(values, release, key, each, _Generation(major, minor, len(enabled) > 1))
        for key, each in enabled.items()
    )


@dataclass(frozen=True, slots=True)
class _Generation:
    major: int | None
    minor: int | None
    several: bool

    @property
    def part_labels(self) -> tuple[str, ...]:
        if self.major is None:
            return CONTROLLER, COMPONENT
        return (CONTROLLER,) if self.major >= 4 else (COMPONENT,)

    @property
    def selector_wins(self) -> bool | None:
        """Whether pod labels cannot overwrite those of the selector; None where the version does not tell."""
        if self.major is None or (self.major == 5 and self.minor is None):
            return None
        return (self.major, self.minor or 0) >= (5, 3)


def _single(values: Mapping[str, Any], release: str) -> tuple[Controller, ...]:
    controller = mapping(values, "controller")
    if not controller.get("enabled", True) or not (controller or "image" in values):
        return ()
    own, complete = _resolved(mapping(values, "podLabels"), release)
    labels = {NAME: _override(values, release), INSTANCE: release} | own
    return (
        Controller(
            kind=_kind(controller),
            name=_fullname(values, release),
            labels=tuple(sorted(labels.items())),
            complete=complete,
            host_network=values.get("hostNetwork") is True,
        ),
    )


def _controller(
    values: Mapping[str, Any], release: str, identifier: str, controller: Mapping[str, Any], generation: _Generation
) -> Controller:
    labels, complete = _labels(values, release, identifier, controller, generation)
    options = mapping(controller, "pod"), mapping(values, "defaultPodOptions")
    host_network = [each["hostNetwork"] for each in options if isinstance(each.get("hostNetwork"), bool)]
    return Controller(
        kind=_kind(controller),
        name=_name(values, release, identifier, controller, generation),
        identifier=identifier,
        labels=labels,
        complete=complete,
        host_network=any(host_network[:1]),
    )


def _kind(controller: Mapping[str, Any]) -> str:
    written = str(controller.get("type") or "deployment")
    if written not in _KINDS:
        raise ValueError(f"the controller type {written} is not known")
    return _KINDS[written]


def _name(
    values: Mapping[str, Any], release: str, identifier: str, controller: Mapping[str, Any], generation: _Generation
) -> str:
    name, major = _fullname(values, release), generation.major
    override = _text_of(controller, "nameOverride", release)
    if major == 2:
        added = override or ("" if identifier == "main" else identifier)
        return f"{name}-{added}" if added else name
    if major == 3 or (override and major is None):
        added = override or (identifier if generation.several else "")
        return name if added in ("", name) else f"{name}-{added}"
    several = generation.several or mapping(values, "global").get("alwaysAppendIdentifierToResourceName")
    if forced := _text_of(controller, "forceRename", release):
        return _lower(forced)
    if (prefix := _text_of(controller, "prefix", release)) and prefix != name:
        name = f"{prefix}-{name}"
    if several and identifier != name and not name.endswith(f"-{identifier}"):
        name = f"{name}-{identifier}"
    if (suffix := _text_of(controller, "suffix", release)) and not name.endswith(f"-{suffix}"):
        name = f"{name}-{suffix}"
    return _lower(name)


def _labels(
    values: Mapping[str, Any], release: str, identifier: str, controller: Mapping[str, Any], generation: _Generation
) -> tuple[tuple[tuple[str, str], ...], bool]:
    everywhere = mapping(values, "global")
    written = mapping(everywhere, "labels") if everywhere.get("propagateGlobalMetadataToPods") else {}
    common, all_common = _resolved(written, release)
    own, all_own = _pod_labels(values, release, controller, generation)
    extra, all_extra = _resolved(mapping(controller, "extraSelectorLabels"), release)
    selector = {NAME: _override(values, release), INSTANCE: release}
    part = dict.fromkeys(generation.part_labels, identifier)
    found = {tuple(sorted((part | common | selector | own).items()))}
    if generation.selector_wins is not False:
        found.add(tuple(sorted((common | own | selector | part | extra).items())))
    if generation.selector_wins:
        found = {tuple(sorted((common | own | selector | part | extra).items()))}
    pairs = {pair for each in found for pair in each}
    return tuple(sorted(pairs)), all_common and all_own and all_extra


def _pod_labels(
    values: Mapping[str, Any], release: str, controller: Mapping[str, Any], generation: _Generation
) -> tuple[dict[str, str], bool]:
    """The labels of `defaultPodOptions` and of the controller's `pod`, which replaces or (before 4.0) extends them."""
    pod = mapping(controller, "pod")
    defaults, all_defaults = _resolved(mapping(mapping(values, "defaultPodOptions"), "labels"), release)
    own, all_own = _resolved(mapping(pod, "labels"), release)
    strategy = values.get("defaultPodOptionsStrategy")
    if strategy == "merge" or not isinstance(pod.get("labels"), dict) or (generation.major or 4) < 4:
        return defaults | own, all_defaults and all_own
    sure = generation.major is not None or strategy == "overwrite" or not defaults
    return own, all_own and sure


def _fullname(values: Mapping[str, Any], release: str) -> str:
    written = _text_of(mapping(values, "global"), "fullnameOverride", release)
    name = written or _text_of(values, "fullnameOverride", release)
    if not name:
        override = _override(values, release)
        name = release if override in release else f"{release}-{override}"
    return name if "$" in name else name[:_LONGEST_NAME].removesuffix("-")


def _override(values: Mapping[str, Any], release: str) -> str:
    return _text_of(mapping(values, "global"), "nameOverride", release) or release


def _text_of(parent: Mapping[str, Any], key: str, release: str) -> str:
    written = parent.get(key)
    if written is None or written == "":
        return ""
    if isinstance(written, dict | list):
        raise TypeError(f"{key} is not text")
    found = _rendered(str(written), release)
    if found is None:
        raise ValueError(f"{key} is a template: {written}")
    return found


def _resolved(labels: Mapping[str, Any], release: str) -> tuple[dict[str, str], bool]:
    found: dict[str, str] = {}
    complete = True
    for key, value in labels.items():
        if value is None:
            continue
        name, text = _rendered(str(key), release), _rendered(label(value), release)
        if name is None or text is None:
            complete = False
        else:
            found[name] = text
    return found, complete


def _rendered(text: str, release: str) -> str | None:
    known = _RELEASE_NAME.sub(lambda _: release, text)
    return None if "{{" in known else known


def _lower(name: str) -> str:
    return _UPPER_CASE.sub(lambda found: found[0] if found[0].startswith("$") else found[0].lower(), name)


def _version(version: str | None) -> tuple[int | None, int | None]:
    found = _VERSION.fullmatch(str(version or ""))
    if found is None:
        return None, None
    return int(found[1]), int(found[2]) if found[2] and "^" not in found[0] else None
