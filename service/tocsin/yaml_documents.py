"""The YAML documents of one file, each read by itself: a broken one hides no neighbour, and no anchor crosses over."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

_RESOLVERS: Final = {
    first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
"""What looks like a date stays text, as in Kubernetes: an impossible one loses no document."""
MAX_FILE_CHARS: Final = 1_000_000
BROKEN: Final = (yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError, RecursionError)
"""What reading a document or a value in it may raise."""
MAX_DEPTH: Final = 1_000
"""Lists and mappings inside each other; the parser in C has no limit of its own and dies of 30,000."""
MAX_VALUES: Final = 300_000
"""Values of one document, those that aliases repeat counted each time; one that contains itself has no end."""
_CHAIN: Final = re.compile(r"(?:[-?:][ \t]+)+")
_BRACKET: Final = re.compile(r"[\[\]{}]")
_START: Final = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The quick reader, without dates."""

    yaml_implicit_resolvers = _RESOLVERS


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its value, its text with the comments around it, and the line of the file it begins on, from 1."""

    value: Any
    text: str
    line: int


def documents(text: str, wanted: Callable[[str], object]) -> tuple[list[Document], list[str]]:
    """Reads every document whose text is `wanted`; returns them with a sentence for each that cannot be read."""
    if not wanted(text):
        return [], []
    if len(text) > MAX_FILE_CHARS:
        return [], [f"larger than {MAX_FILE_CHARS} characters"]
    found: list[Document] = []
    problems: list[str] = []
    for part, line in _parts(text):
        if not wanted(part):
            continue
        try:
            found.append(Document(load(part), part, line))
        except BROKEN as failure:
            problems.append(sentence(failure, line))
    return found, problems


def resources(document: Document) -> Iterator[Mapping[str, Any]]:
    """The Kubernetes objects of a document: itself, or the items of a `List`."""
    value = document.value
    if not isinstance(value, dict):
        return
    items = value.get("items") if str(value.get("kind", "")).endswith("List") else None
    for resource in items if isinstance(items, list) else [value]:
        if isinstance(resource, dict):
            yield resource


def name_of(resource: Mapping[str, Any]) -> str:
    """The name of an object, empty where it has none."""
    metadata = resource.get("metadata")
    return str(metadata.get("name") or "") if isinstance(metadata, dict) else ""


def sentence(failure: Exception, line: int = 1) -> str:
    """What is wrong, and where; `line` is the one the document begins on."""
    mark = getattr(failure, "problem_mark", None)
    said = getattr(failure, "problem", None) or str(failure) or type(failure).__name__
    return f"{said} (line {mark.line + line})" if mark else str(said)


def _parts(text: str) -> Iterator[tuple[str, int]]:
    starts = [0, *(found.start() for found in _START.finditer(text))]
    line = 1
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        part = text[start:end]
        lines = (written.removeprefix("---").lstrip() for written in part.splitlines())
        if any(written and not written.startswith(("#", "%")) for written in lines):
            yield part, line
        line += part.count("\n")


def load(text: str) -> Any:
    """The value of a text that holds one document; raises one of :data:`BROKEN`."""
    if _is_deep(text):
        raise ValueError("nested too deeply")
    try:
        value = yaml.load(text, Loader=Loader)  # noqa: S506 - both are safe loaders
    except yaml.composer.ComposerError:
        value = yaml.load(text, Loader=_RedefiningLoader)  # noqa: S506
    if "*" in text and "&" in text:
        _check_aliases(value)
    return value


def _is_deep(text: str) -> bool:
    """Whether a text may open more than :data:`MAX_DEPTH` lists and mappings inside each other."""
    if text.count("[") + text.count("{") > MAX_DEPTH:
        depth = 0
        for bracket in _BRACKET.findall(text):
            depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
            if depth > MAX_DEPTH:
                return True
    return any(len(chain.split()) > MAX_DEPTH for chain in _CHAIN.findall(text) if len(chain) > MAX_DEPTH)


def _check_aliases(value: Any) -> None:
    """Raises ValueError for a value that contains itself, or that its aliases make huge."""
    seen, waiting = 0, [value]
    while waiting:
        inner = waiting.pop()
        seen += 1
        if seen > MAX_VALUES:
            raise ValueError("its aliases expand to too much")
        if isinstance(inner, dict):
            waiting.extend(inner.values())
        elif isinstance(inner, list):
            waiting.extend(inner)


class _RedefiningLoader(yaml.SafeLoader):
    """Lets an anchor be defined again, as YAML 1.2 does and PyYAML does not."""

    yaml_implicit_resolvers = _RESOLVERS

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.NodeEvent) and not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(event.anchor, None)
        return super().compose_node(parent, index)
