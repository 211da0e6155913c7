"""Which comments of a YAML document belong to which of its nodes. Pure.

A comment inside a node or at the end of one of its lines is the node's; so is one on the lines directly above it, up to
a blank line, unless it is indented deeper than the node: then it is the end of what comes before. YAML that was
commented out says nothing and is no comment here, nor are the lines that only tools read.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import yaml

from tocsin.policy import agreed
from tocsin.yaml_documents import BROKEN, Loader

_BREAK: Final = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
"""What YAML 1.1 takes for the end of a line."""
_HASH: Final = re.compile(r"(?:^|(?<=[ \t]))#")
_KEYS: Final = (
    r"to[A-Z]\w+|from[A-Z]\w+|match[A-Z]\w+|egress(?:Deny)?|ingress(?:Deny)?|endpointSelector|nodeSelector|ports?|"
    r"endPort|protocol|rules|dns|https?|serverNames|cidr|cidrGroupRef|except|ipBlock|podSelector|namespaceSelector|"
    r"policyTypes|to|from|key|operator|values|name|namespace|kind|apiVersion|metadata|specs?|labels|annotations|icmps|"
    r"fields|family|type|method|path|(?:k8s|any|reserved):\S+|[\w.-]+/[\w./-]+"
)
_VALUE: Final = r"(?:\"[^\"]*\"|'[^']*'|\[.*\]?|\{.*\}?|[^\s#]+)"
_CODE: Final = re.compile(
    rf"(?:-\s+)*[\"']?(?:{_KEYS})[\"']?:(?:\s+{_VALUE})?(?:\s+#.*)?"
    rf"|-\s+(?:\"[^\"]*\"|'[^']*'|\[.*|\{{.*|[\d.:a-f]+(?:/\d+)?|world|cluster|all|host|remote-node|kube-apiserver"
    r"|Egress|Ingress)(?:\s+#.*)?"
    r"|[\[\]{}-]+"
)
_FOR_TOOLS: Final = re.compile(r"(?i)(?:yaml-language-server|renovate|checkov|kics|trivy|yamllint|prettier)\b.*")


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment: where it begins (from 0), its text without `#`, and whether its line holds nothing else.

    `dead` marks YAML that was commented out.
    """

    line: int
    column: int
    text: str
    alone: bool
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """The lines of a node with the comments around it that are its own, first and last included."""

    first: int
    last: int

    @property
    def lines(self) -> range:
        """Their numbers."""
        return range(self.first, self.last + 1)


class Commented:
    """A document with its nodes and comments. Empty where the text cannot be composed."""

    def __init__(self, text: str) -> None:
        self.root: yaml.Node | None = None
        self.comments: tuple[Comment, ...] = ()
        self._alone: Mapping[int, Comment] = {}
        if "#" not in text:
            return
        try:
            self.root = yaml.compose(text, Loader=Loader)
        except BROKEN:
            return
        end = _last_line(self.root) if self.root else 0
        self.comments = tuple(_about_code_that_is_live(_comments(text, self.root), end))
        self._alone = {one.line: one for one in self.comments if one.alone}

    def texts(self, within: Span | None, without: Collection[int] = ()) -> tuple[str, ...]:
        """The comments of a span (None for the whole document) that are on none of the lines `without`."""
        here = self.comments
        if within is not None:
            here = here[bisect_left(here, within.first, key=_line) : bisect_right(here, within.last, key=_line)]
        return tuple(one.text for one in here if one.text and one.line not in without)

    def entries(self, node: yaml.Node | None) -> list[tuple[yaml.Node, Span]]:
        """The items of a list, each with its lines; none where an item is an alias of something written elsewhere."""
        if not isinstance(node, yaml.SequenceNode) or not all(_inside(item, node) for item in node.value):
            return []
        column = node.start_mark.column if not node.flow_style else -1
        return [
            (item, self._span(item.start_mark.line, _last_line(item), column, opening=index == 0))
            for index, item in enumerate(node.value)
        ]

    def pairs(self, node: yaml.Node | None) -> dict[str, tuple[yaml.Node, Span]]:
        """The values of a mapping, each with the lines of its key and itself."""
        if not isinstance(node, yaml.MappingNode):
            return {}
        column = node.start_mark.column if not node.flow_style else -1
        return {
            str(key.value): (
                value,
                self._span(key.start_mark.line, _last_of_pair(key, value, node), column, opening=index == 0),
            )
            for index, (key, value) in enumerate(node.value)
            if isinstance(key, yaml.ScalarNode)
        }

    def _span(self, first: int, last: int, column: int, *, opening: bool) -> Span:
        while (above := self._alone.get(first - 1)) and (opening or above.column <= column):
            first -= 1
        while (below := self._alone.get(last + 1)) and 0 <= column < below.column:
            last += 1
        return Span(first, last)


def is_code(text: str) -> bool:
    """Whether the text of a comment reads as YAML of a policy that was commented out."""
    return _CODE.fullmatch(text) is not None


def _line(comment: Comment) -> int:
    return comment.line


def _comments(text: str, root: yaml.Node | None) -> Iterator[Comment]:
    taken = _scalars(root)
    for number, line in enumerate(_BREAK.split(text)):
        for found in _HASH.finditer(line):
            if not any(start <= found.start() < end for start, end in taken.get(number, ())):
                said = line[found.end() :].lstrip("#").strip()
                silent = agreed.word(said) is None and (is_code(said) or _FOR_TOOLS.fullmatch(said))
                shown = "" if silent else said
                yield Comment(number, found.start(), shown, not line[: found.start()].strip(), dead=is_code(said))
                break


def _about_code_that_is_live(comments: Iterable[Comment], end: int) -> Iterator[Comment]:
    """Comments without the words directly above lines that were commented out, and those after the line `end`.

    The former are about these lines, the latter about the next document.
    """
    found: list[Comment] = []
    dead_at = -1
    for one in reversed(list(comments)):
        is_above = one.alone and (one.line + 1 == dead_at or (one.line > end and one.column == 0))
        if one.alone and (one.dead or one.line + 1 == dead_at):
            dead_at = one.line
        found.append(replace(one, text="") if is_above and agreed.word(one.text) is None else one)
    yield from reversed(found)


def _scalars(root: yaml.Node | None) -> Mapping[int, list[tuple[int, float]]]:
    """Per line the columns that scalars take up: a `#` in there is text."""
    taken: dict[int, list[tuple[int, float]]] = {}
    for node in _nodes(root):
        if isinstance(node, yaml.ScalarNode):
            start, end = node.start_mark, node.end_mark
            block = node.style in ("|", ">")
            for line in range(start.line + block, end.line + 1):  # a comment may follow "|"
                first = start.column if line == start.line else 0
                taken.setdefault(line, []).append((first, end.column if line == end.line else float("inf")))
    return taken


def _nodes(root: yaml.Node | None) -> Iterator[yaml.Node]:
    """Every node once, however often it is referred to."""
    seen: set[int] = set()
    waiting = [root] if root is not None else []
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            waiting.extend(_children(node))


def _children(node: yaml.Node) -> list[Any]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _inside(node: yaml.Node, parent: yaml.Node) -> bool:
    """Whether the node is written there, not an alias of something written elsewhere."""
    return bool(parent.start_mark.index <= node.start_mark.index <= node.end_mark.index <= parent.end_mark.index)


def _last_line(node: yaml.Node) -> int:
    """The last line with text of the node: a block collection ends for YAML only where the next token begins."""
    last = node.start_mark.line
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, yaml.ScalarNode) or getattr(part, "flow_style", False):
            end = part.end_mark
            last = max(last, end.line - (end.column == 0 and end.line > part.start_mark.line))
        else:
            waiting.extend(child for child in _children(part) if child is not part and _inside(child, part))
    return int(last)


def _last_of_pair(key: yaml.Node, value: yaml.Node, parent: yaml.Node) -> int:
    written = _inside(value, parent) and value.start_mark.index >= key.end_mark.index
    return max(int(key.start_mark.line), _last_line(value) if written else 0)
