"""The Applications that Argo CD's ApplicationSets make of a repository. Pure.

Fields: argo-cd docs/operator-manual/applicationset.yaml and its pages on generators. Those that ask a cluster or an API
say nothing about a repository: a placeholder for what they would answer stays as it is written, and names nothing.
"""

import itertools
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tocsin.gitops.argo import Application, application
from tocsin.gitops.layout import directory

MAX_MADE: Final = 5_000
"""Applications of one generator: a matrix of long lists is built to exhaust its reader."""
_PLACEHOLDER: Final = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_INDEX: Final = re.compile(r"index\s+\.(?P<list>[\w.]+?)(?:\.segments)?\s+(?P<number>\d+)")
_WILD: Final = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_PART: Final = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")

Parameters = Mapping[str, str]
"""What stands between the braces, without the dot of Go templates, and what is put there."""


@dataclass(frozen=True, slots=True)
class ApplicationSet:
    """The generators and the template, as they are written."""

    generators: tuple[Mapping[str, Any], ...] = field(hash=False)
    template: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Repository:
    """What generators look at: the directories of a repository, and its files of values by path."""

    directories: Collection[str]
    values: Mapping[str, Mapping[str, Any]]


def application_set(value: Mapping[str, Any]) -> ApplicationSet:
    """Reads an ApplicationSet; raises one of `yaml_documents.BROKEN` for one that cannot be read."""
    spec = value.get("spec") or {}
    found = ApplicationSet(tuple(dict(each) for each in spec.get("generators") or []), dict(spec.get("template") or {}))
    outline(found)
    return found


def outline(found: ApplicationSet) -> Application:
    """What all that it makes have in common, with placeholders."""
    return application(found.template)


def generated(found: ApplicationSet, repository: Repository) -> Iterator[Application]:
    """The Applications it makes; raises one of `yaml_documents.BROKEN` where a generator cannot be read."""
    for each in _each(found.generators, repository):
        for parameters in each:
            yield application(_filled(found.template, parameters))


def _each(generators: Iterable[Mapping[str, Any]], repository: Repository) -> list[list[Parameters]]:
    """What each generator yields."""
    return [list(itertools.islice(_parameters(each, repository), MAX_MADE)) for each in generators]


def _parameters(generator: Mapping[str, Any], repository: Repository) -> Iterator[Parameters]:
    if elements := (generator.get("list") or {}).get("elements"):
        yield from (dict(_flat("", each)) for each in elements)
    elif git := generator.get("git"):
        own = dict(_flat("values.", git.get("values") or {}))
        for path, read in _files(git, repository) if git.get("files") else _directories(git, repository):
            yield {**dict(_flat("", read)), **_of_path(path), **own}
    elif matrix := generator.get("matrix"):
        for combined in itertools.product(*_each(matrix["generators"], repository)):
            yield {key: text for each in combined for key, text in each.items()}
    elif merge := generator.get("merge"):
        yield from _merged(merge, repository)
    else:
        yield {}


def _merged(merge: Mapping[str, Any], repository: Repository) -> Iterator[Parameters]:
    keys = [str(key).removeprefix(".") for key in merge.get("mergeKeys") or []]
    first, *others = _each(merge["generators"], repository)
    for base in first:
        found = dict(base)
        for each in itertools.chain.from_iterable(others):
            if all(key in each and each[key] == base.get(key) for key in keys):
                found.update(each)
        yield found


def _directories(git: Mapping[str, Any], repository: Repository) -> Iterator[tuple[str, Mapping[str, Any]]]:
    entries = git.get("directories") or []
    include = [_pattern(directory(str(each["path"]))) for each in entries if not each.get("exclude")]
    exclude = [_pattern(directory(str(each["path"]))) for each in entries if each.get("exclude")]
    for path in sorted(repository.directories):
        if any(each.fullmatch(path) for each in include) and not any(each.fullmatch(path) for each in exclude):
            yield path, {}


def _files(git: Mapping[str, Any], repository: Repository) -> Iterator[tuple[str, Mapping[str, Any]]]:
    patterns = [_pattern(directory(str(each["path"]))) for each in git["files"]]
    for path, read in sorted(repository.values.items()):
        if any(each.fullmatch(path) for each in patterns):
            yield posixpath.dirname(path), read


def _of_path(path: str) -> dict[str, str]:
    segments, last = path.split("/"), posixpath.basename(path)
    found = {"path": path, "path.path": path, "path.basename": last}
    found["path.basenameNormalized"] = re.sub(r"[^a-z0-9.-]", "-", last.lower()).strip("-.")
    return found | {f"path[{number}]": segment for number, segment in enumerate(segments)}


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """Keys of mappings joined with dots, of lists in brackets."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{prefix}{key}" if isinstance(inner, str) else f"{prefix}{key}.", inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _flat(f"{prefix.removesuffix('.')}[{number}]" + "." * isinstance(inner, dict | list), inner)
    elif value is not None:
        yield prefix.removesuffix("."), str(value).lower() if isinstance(value, bool) else str(value)


def _pattern(written: str) -> re.Pattern[str]:
    return re.compile("".join(_WILD.get(part) or re.escape(part) for part in _PART.findall(written)))


def _filled(value: Any, parameters: Parameters) -> Any:
    """The placeholders of both template engines; one that is not known leaves its braces, which name nothing."""
    if isinstance(value, str):
        return (
            _PLACEHOLDER.sub(lambda found: parameters.get(_key(found[1]), found[0]), value) if "{{" in value else value
        )
    if isinstance(value, dict):
        return {key: _filled(inner, parameters) for key, inner in value.items()}
    return [_filled(inner, parameters) for inner in value] if isinstance(value, list) else value


def _key(written: str) -> str:
    if found := _INDEX.fullmatch(written):
        return f"{found['list']}[{found['number']}]"
    return written.removeprefix(".").replace("path.segments[", "path[")
