"""Which app a directory stands for, and which directory changes when only that app does. Pure.

The name of an app is what people call it: the directory that a path template, or the namespace above it, gives it;
else the directory without the words every repository uses; else the name of the release or workload itself, where
one directory holds several apps.
"""

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tocsin.gitops.template import compiled

GENERIC: Final = frozenset(
    {
        *("app", "apps", "base", "bases", "overlay", "overlays", "components", "template", "templates"),
        *("resources", "config", "src", "common", "yaml", "kustomize", "patches", "variants"),
        *("prod", "production", "preprod", "staging", "dev", "development", "test", "qa", "uat", "main", "default"),
        *("live", "env", "envs", "environments", "stages"),
        *("cronjobs", "daemonsets", "jobs", "statefulsets"),
        *("cluster", "clusters", "k8s", "kubernetes", "kubernetes-manifests", "manifests", "manifest", "workloads"),
        *("deploy", "deployment", "deployments", "helm", "chart", "charts", "release", "releases"),
        *("policy", "policies", "networkpolicy", "networkpolicies", "network-policy", "network-policies"),
        *("netpol", "netpols", "infrastructure", "infra", "platform", "services"),
    }
)
"""Directory names that say nothing about which app is inside."""
CATEGORIES: Final = frozenset(
    {
        *("ai", "auth", "automation", "backup", "backups", "ci", "cicd", "collab", "communication", "core", "data"),
        *("dashboards", "database", "databases", "db", "download", "downloads", "edge", "exporters", "external"),
        *("finance", "games", "gaming", "home", "home-automation", "internal", "iot", "kube-system", "logging"),
        *("media", "metrics", "misc", "monitoring", "network", "networking", "observability", "office", "productivity"),
        *("security", "selfhosted", "self-hosted", "shared", "smart-home", "social", "storage", "system", "tools"),
        *("utilities", "utils", "web"),
    }
)
"""Directory names that say what kind of apps are inside: one of those may bear the name and the others do not."""


@dataclass(frozen=True, slots=True)
class Place:
    """An app as the repository is laid out. `directory` is None where several apps share one."""

    app: str | None
    directory: str | None


@dataclass(frozen=True, slots=True)
class Occupant:
    """Something declared in a directory; `own_name` is the release's, or else the workload's, empty for a policy.

    `units` are what it is part of: the name of the Flux Kustomization or Argo CD Application that applies it, and
    what its label `app.kubernetes.io/part-of` says.
    """

    base: str
    namespace: str | None
    own_name: str
    units: tuple[str, ...] = ()


class Places:
    """Knows the occupants of every directory, so that a shared one is not taken for an app."""

    def __init__(self, occupants: Iterable[Occupant], templates: Sequence[str]) -> None:
        self._templates = templates
        self._names: defaultdict[str, set[str]] = defaultdict(set)
        self._bases: defaultdict[str, set[str]] = defaultdict(set)
        self._units: defaultdict[str, set[str]] = defaultdict(set)
        seen = list(occupants)
        for each in seen:
            found = self._by_template(each.base, each.namespace) or _below_namespace(each.base, each.namespace)
            for directory in {named(each.base), *([found.directory] if found and found.directory else [])}:
                self._names[directory].update(filter(None, [each.own_name]))
                self._units[directory].update(filter(None, each.units))
        for each in seen:
            place = self.place(each.base, each.namespace, each.own_name)
            if place.directory is not None and each.own_name:
                self._bases[place.directory].add(each.base)

    def place(self, base: str, namespace: str | None, own_name: str | None, *, installed: bool = False) -> Place:
        """The app that something in the directory `base` belongs to; `own_name` is None for what bears another name.

        `installed`: it comes from elsewhere, by an Application of that name in the directory.
        """
        templated, below = self._by_template(base, namespace), _below_namespace(base, namespace)
        laid_out = templated or below
        if laid_out and laid_out.directory and not self._holds_several(laid_out.directory):
            return laid_out if templated else self._above(laid_out, namespace or "") or laid_out
        directory = named(base)
        candidate, names = posixpath.basename(directory), self._names.get(directory, set())
        if installed and candidate in self._units.get(directory, ()) and not related(own_name or "", candidate):
            return Place(own_name, None)  # an app that installs others: Argo CD itself
        if self._is_app(directory):
            return Place(candidate, directory)
        if directory and len(names) == 1:
            return Place(next(iter(names)), directory)
        if not names and candidate not in (namespace, *GENERIC):
            return Place(candidate, directory)
        if own_name is not None and related(own_name, candidate) and candidate not in GENERIC | CATEGORIES:
            return Place(candidate, None)
        return Place(own_name, None)

    def _holds_several(self, directory: str) -> bool:
        """Whether a directory where an app is expected has several, each with a name of its own."""
        candidate, names, units = posixpath.basename(directory), self._names[directory], self._units[directory]
        if candidate in CATEGORIES:
            return bool(names) and not self._is_app(directory)
        return len(units) > 1 and not any(related(each, candidate) or candidate in each for each in names | units)

    def _above(self, place: Place, namespace: str) -> Place | None:
        """The app that has a namespace of its own, of which a directory is one part: `immich/server`."""
        directory = place.directory or ""
        parent, names = posixpath.dirname(directory), self._names[directory]
        alone = posixpath.basename(parent) == namespace and namespace not in GENERIC | CATEGORIES
        if not alone or not names or any(related(name, place.app or "") for name in names):
            return None
        ours = all(name == namespace or name.startswith(f"{namespace}-") for name in names)
        return Place(namespace, parent) if ours else None

    def _is_app(self, directory: str) -> bool:
        """Whether what is inside says that a directory is one app, and not a place for several."""
        candidate, names = posixpath.basename(directory), self._names.get(directory, set())
        if not directory or candidate in GENERIC:
            return False
        alike = sum(related(name, candidate) for name in names)
        if candidate in CATEGORIES:
            return candidate in names if len(names) == 1 else 0 < alike == len(names)
        of_unit = any(related(unit, candidate) for unit in self._units.get(directory, ()))
        return candidate in names or 0 < len(names) <= 2 * alike or of_unit

    def component(self, base: str, place: Place, file: str) -> str:
        """The path whose commits are about this part: the app's directory, one inside, or a file in a shared one."""
        if place.directory is None:
            return file
        parts = self._bases[place.directory]
        return place.directory if len(parts) <= 1 or base not in parts else base

    def _by_template(self, base: str, namespace: str | None) -> Place | None:
        for template in self._templates:
            found = compiled(template).fullmatch(f"{base}/file.yaml")
            groups: Mapping[str, str] = found.groupdict() if found else {}
            if found and groups.get("app") and namespace in (None, groups["namespace"]):
                return Place(groups["app"], base[: found.end("app")])
        return None


def _below_namespace(base: str, namespace: str | None) -> Place | None:
    parts = base.split("/")
    for at in range(len(parts) - 2, -1, -1):
        if parts[at] == namespace and parts[at + 1] not in GENERIC:
            return Place(parts[at + 1], "/".join(parts[: at + 2]))
    return None


def named(base: str) -> str:
    """The directory without generic words at its end; the directory itself where it has no other."""
    directory = base
    while directory and posixpath.basename(directory) in GENERIC:
        directory = posixpath.dirname(directory)
    return directory or base


def related(name: str, candidate: str) -> bool:
    """Whether two names are the same or one is the beginning of the other."""
    return name == candidate or name.startswith(f"{candidate}-") or candidate.startswith(f"{name}-")
