"""What Argo CD is told to apply: Applications, and the ApplicationSets that make them from directories. Pure.

Fields: argo-cd docs/operator-manual/application.yaml and applicationset.yaml. Of the generators only `git.directories`
says something about a repository by itself.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from tocsin.gitops.layout import directory
from tocsin.yaml_documents import LOADER

_PLACEHOLDER: Final = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_SEGMENT: Final = re.compile(r"path(?:\.segments)?\[(\d+)\]|index\s+\.path\.segments\s+(\d+)")


@dataclass(frozen=True, slots=True)
class Chart:
    """A Helm chart that an Application installs, with the values written in it and beside it in the repository."""

    name: str
    release: str
    version: str | None
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)
    value_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Application:
    """One Application. `paths` are directories of some repository; `namespace` is for objects that name none."""

    name: str
    namespace: str | None
    paths: tuple[str, ...] = ()
    recurse: bool = False
    charts: tuple[Chart, ...] = ()
    own_namespace: str | None = None


@dataclass(frozen=True, slots=True)
class ApplicationSet:
    """Patterns of directories (`*` is one name), and the template of an Application, as text with placeholders."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    template: Application


def application(value: Mapping[str, Any]) -> Application:
    """Reads an Application, or the template of an ApplicationSet."""
    metadata, spec = value.get("metadata") or {}, value.get("spec") or {}
    sources = [each for each in [spec.get("source"), *(spec.get("sources") or [])] if isinstance(each, dict)]
    name = str(metadata.get("name") or "")
    return Application(
        name=name,
        namespace=_text((spec.get("destination") or {}).get("namespace")),
        paths=tuple(directory(str(each["path"])) for each in sources if each.get("path") and not each.get("chart")),
        recurse=any((each.get("directory") or {}).get("recurse") for each in sources),
        charts=tuple(_chart(each, name) for each in sources if each.get("chart")),
        own_namespace=next(
            filter(None, (_text((each.get("kustomize") or {}).get("namespace")) for each in sources)), None
        ),
    )


def application_set(value: Mapping[str, Any]) -> ApplicationSet | None:
    """Reads an ApplicationSet; None where no generator lists directories."""
    spec = value.get("spec") or {}
    entries = [entry for generator in spec.get("generators") or [] for entry in _directories(generator)]
    if not entries:
        return None
    return ApplicationSet(
        tuple(directory(str(each["path"])) for each in entries if not each.get("exclude")),
        tuple(directory(str(each["path"])) for each in entries if each.get("exclude")),
        application(spec.get("template") or {}),
    )


def generated(found: ApplicationSet, directories: Collection[str]) -> Iterator[Application]:
    """The Applications it makes of the directories of a repository."""
    include, exclude = ([_pattern(each) for each in patterns] for patterns in (found.include, found.exclude))
    for path in sorted(directories):
        if any(each.fullmatch(path) for each in include) and not any(each.fullmatch(path) for each in exclude):
            template = found.template
            yield Application(
                name=_filled(template.name, path) or "",
                namespace=_filled(template.namespace, path),
                paths=tuple(directory(_filled(each, path) or "") for each in template.paths),
                recurse=template.recurse,
                charts=template.charts,
                own_namespace=_filled(template.own_namespace, path),
            )


def _directories(generator: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (generator.get("git") or {}).get("directories") or []
    for combined in ("matrix", "merge"):
        for inner in (generator.get(combined) or {}).get("generators") or []:
            yield from _directories(inner)


def _chart(source: Mapping[str, Any], name: str) -> Chart:
    helm = source.get("helm") or {}
    values = helm.get("valuesObject") or {}
    if not values and isinstance(helm.get("values"), str):
        values = yaml.load(helm["values"], Loader=LOADER) or {}  # noqa: S506 - a safe loader
    return Chart(
        name=str(source["chart"]),
        release=str(helm.get("releaseName") or name),
        version=_text(source.get("targetRevision")),
        values=values if isinstance(values, dict) else {},
        value_files=tuple(
            directory(path.partition("/")[2])  # of another source of the same Application, "$values/..."
            for path in map(str, helm.get("valueFiles") or [])
            if path.startswith("$")
        ),
    )


def _pattern(written: str) -> re.Pattern[str]:
    return re.compile("/".join(re.escape(part).replace(r"\*", "[^/]*") for part in written.split("/")))


def _filled(template: str | None, path: str) -> str | None:
    """The placeholders of both template engines; one that is not known leaves its braces, which name nothing."""
    if template is None:
        return None
    segments = path.split("/")

    def one(found: re.Match[str]) -> str:
        word = found[1].removeprefix(".")
        segment = _SEGMENT.fullmatch(found[1]) or _SEGMENT.fullmatch(word)
        number = int(segment[1] or segment[2]) if segment else -1
        if 0 <= number < len(segments):
            return segments[number]
        if word in ("path", "path.path"):
            return path
        return segments[-1] if word in ("path.basename", "path.basenameNormalized") else found[0]

    return _PLACEHOLDER.sub(one, template)


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None
