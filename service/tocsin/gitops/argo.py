"""What Argo CD is told to apply: Applications. Pure.

Fields: argo-cd docs/operator-manual/application.yaml.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tocsin.gitops import kustomize
from tocsin.gitops.kustomize import Overlay
from tocsin.gitops.layout import directory
from tocsin.policy.fields import optional
from tocsin.yaml_documents import load

NO_OVERLAY: Final = Overlay()


@dataclass(frozen=True, slots=True)
class Chart:
    """A Helm chart that an Application installs, with the values written in it and beside it in the repository."""

    name: str
    release: str
    version: str | None
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)
    value_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A directory of the repository at `url`; where that is a chart, `release` and the values for it.

    `value_files` are paths from the top of the repository, `values` those written in the Application. `overlay` is what
    it lets kustomize do. `include` and `exclude` are regular expressions for plain files below, empty for none.
    """

    url: str
    path: str
    release: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)
    value_files: tuple[str, ...] = ()
    overlay: Overlay = NO_OVERLAY
    recurse: bool = False
    include: str = ""
    exclude: str = ""

    def takes(self, path: str) -> bool:
        """Whether it applies a file of a directory that is neither a chart nor a kustomization."""
        below = path.removeprefix(f"{self.path}/")
        included = not self.include or re.fullmatch(self.include, below) is not None
        return included and not (self.exclude and re.fullmatch(self.exclude, below))


@dataclass(frozen=True, slots=True)
class Application:
    """One Application. `sources` are its directories; `namespace` is for objects that name none."""

    name: str
    namespace: str | None
    sources: tuple[Source, ...] = ()
    charts: tuple[Chart, ...] = ()


def application(value: Mapping[str, Any]) -> Application:
    """Reads an Application, or what an ApplicationSet makes of its template; raises one of `yaml_documents.BROKEN`."""
    metadata, spec = value.get("metadata") or {}, value.get("spec") or {}
    sources = [each for each in [spec.get("source"), *(spec.get("sources") or [])] if isinstance(each, dict)]
    name = str(metadata.get("name") or "")
    return Application(
        name=name,
        namespace=optional((spec.get("destination") or {}).get("namespace")),
        sources=tuple(_source(each, name) for each in sources if each.get("path") and not each.get("chart")),
        charts=tuple(_chart(each, name) for each in sources if each.get("chart")),
    )


def _source(source: Mapping[str, Any], name: str) -> Source:
    helm, path = source.get("helm") or {}, directory(str(source["path"]))
    plain = source.get("directory") or {}
    return Source(
        str(source.get("repoURL") or ""),
        path,
        release=str(helm.get("releaseName") or name),
        values=_values(helm),
        value_files=tuple(filter(None, (_value_file(str(each), path) for each in helm.get("valueFiles") or []))),
        overlay=kustomize.overlay(source["kustomize"]) if source.get("kustomize") else NO_OVERLAY,
        recurse=bool(plain.get("recurse")),
        include=_pattern(str(plain.get("include") or "")),
        exclude=_pattern(str(plain.get("exclude") or "")),
    )


def _pattern(glob: str) -> str:
    """A regular expression: `*` goes beyond a slash, `{a,b}` is a choice."""
    words = {"*": ".*", "?": ".", "{": "(?:", "}": ")", ",": "|" if "{" in glob else ","}
    if glob.count("{") != glob.count("}"):
        raise ValueError(f"{glob} is not a pattern")
    return "".join(words.get(char) or re.escape(char) for char in glob)


def _value_file(written: str, path: str) -> str | None:
    """One of another source of the same Application ("$values/..."), from the top, or beside the chart."""
    if written.startswith(("$", "/")):
        return directory(written.partition("/")[2])
    return kustomize.resolve(path, written)


def _values(helm: Mapping[str, Any]) -> Mapping[str, Any]:
    values = helm.get("valuesObject") or {}
    if not values and isinstance(helm.get("values"), str):
        values = load(helm["values"]) or {}
    return values if isinstance(values, dict) else {}


def _chart(source: Mapping[str, Any], name: str) -> Chart:
    helm = source.get("helm") or {}
    return Chart(
        name=str(source["chart"]),
        release=str(helm.get("releaseName") or name),
        version=optional(source.get("targetRevision")),
        values=_values(helm),
        value_files=tuple(
            path
            for written in map(str, helm.get("valueFiles") or [])
            if written.startswith("$") and (path := _value_file(written, "")) is not None
        ),
    )
