"""The YAML documents of one file, each read by itself: a broken one hides no neighbour, and no anchor crosses over."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_FILE_CHARS: Final = 1_000_000
BROKEN: Final = (yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError, RecursionError)
"""What reading a document or a value in it may raise."""
_START: Final = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)


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
            found.append(Document(_load(part), part, line))
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
        if part.strip():
            yield part, line
        line += part.count("\n")


def _load(text: str) -> Any:
    try:
        return yaml.load(text, Loader=LOADER)  # noqa: S506 - both are safe loaders
    except yaml.composer.ComposerError:
        return yaml.load(text, Loader=_RedefiningLoader)  # noqa: S506


class _RedefiningLoader(yaml.SafeLoader):
    """Lets an anchor be defined again, as YAML 1.2 does and PyYAML does not."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.NodeEvent) and not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(event.anchor, None)
        return super().compose_node(parent, index)
