"""Which image tags, digests and chart versions a change replaced, read from the lines it took away and put in. Pure.

Lines and not documents, because a patch is all that GitHub tells of a commit in one answer. Values are whatever was
written, of bounded length, not escaped.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

_DIGEST: Final = "digest"
_PAIR: Final = re.compile(
    r"""
    (?: ^\s*(?:-\s+)* | [{,]\s* )                       # in block style, or in flow style
    ["']? (?P<key> tag | newTag | version | targetRevision | appVersion | semver | digest
                 | image | imageName | \w+Image ) ["']? \s*:\s*
    (?: [&!][\w./-]+\s+ )?                              # an anchor or a YAML tag
    (?: "(?P<double>[^"]{1,300})" | '(?P<single>[^']{1,300})'
      | (?P<plain>[^\s"'#,{}\[\]&*!|>][^\s"',{}\[\]]{0,299}) (?=[\s,}\]]|$) )
    """,
    re.VERBOSE,
)
_LISTED_IMAGE: Final = re.compile(
    r"""^\s*-\s+["']?(?P<image>[\w.-]+(?::\d+)?(?:/[\w.-]+)+:[\w.-]+(?:@sha256:[0-9a-f]+)?)["']?\s*$"""
)
_COMMENT: Final = re.compile(r"(?:^|\s)#.*$")
_ENCRYPTED: Final = "ENC[AES256_GCM,"
"""SOPS writes its own `version` beside what it encrypts."""
_MAX_COMPARED: Final = 2000
"""Lines that are compared with each other, which takes time by their square."""
_SHOWN_DIGEST: Final = 14
_SUBJECT: Final = re.compile(
    r"\S\s*(?:➔|→|➡️?|⟶|->|=>)\s*v?\d"
    r"|\bfrom v?\d\S* to v?\d"
    r"|\b(?:update|bump)\b.*\b(?:image|chart|helm release|docker tag|digest)\b"
    r"|\((?:container|helm|chart|image|docker)\)!?:\s*(?:update|bump)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Written:
    """One version as it stands in a line. `name` is that of an image, where the line says it."""

    kind: str
    name: str
    version: str
    digest: str


def patch(before: str, after: str) -> str:
    """The lines that differ between two texts, as `-` and `+` lines in the order of a unified diff."""
    old, new = before.splitlines(), after.splitlines()
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    if not any(True for line in old for _ in _written(line)):
        return ""
    lines: list[str] = []
    whole = [("replace", 0, len(old), 0, len(new))]
    compared = len(old) + len(new) <= _MAX_COMPARED
    steps = SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if compared else whole
    for what, low, high, new_low, new_high in steps:
        if what != "equal":
            lines += [f"-{line}" for line in old[low:high]] + [f"+{line}" for line in new[new_low:new_high]]
    return "\n".join(lines)


def replaced(patches: Iterable[str]) -> list[str]:
    """What the patches of one commit replaced, as "7.4.1 -> 7.5.0"; with the image's name where there are several."""
    pairs = [pair for each in patches if _ENCRYPTED not in each for pair in _pairs(each)]
    several = len({new.name for _, new in pairs if new.name}) > 1
    return list(dict.fromkeys(_sentence(old, new, several) for old, new in pairs))


def is_release(subject: str) -> bool:
    """Whether a commit says that it brings a new version; anyone can."""
    return bool(_SUBJECT.search(subject))


def _pairs(text: str) -> list[tuple[_Written, _Written]]:
    """Old and new version: of the same image where the line names it, else in the order of the lines."""
    lines = text.splitlines()
    removed = [one for line in lines if line.startswith("-") for one in _written(line[1:])]
    added = [one for line in lines if line.startswith("+") for one in _written(line[1:])]
    paired: dict[int, _Written] = {}
    for by_name in (True, False):
        for at, new in enumerate(added):
            fits = (one for one in removed if one.kind == new.kind and (one.name == new.name or not by_name))
            if at not in paired and (old := next(fits, None)):
                removed.remove(old)
                paired[at] = old
    found = [(paired[at], added[at]) for at in sorted(paired) if paired[at] != added[at]]
    versions = [pair for pair in found if pair[1].kind != _DIGEST]
    return versions or found


def _written(line: str) -> Iterator[_Written]:
    line = _COMMENT.sub("", line)
    listed = _LISTED_IMAGE.match(line)
    if listed:
        yield _image(listed["image"])
    for found in () if listed else _PAIR.finditer(line):
        value = found["double"] or found["single"] or found["plain"]
        key = found["key"]
        if key.lower().endswith(("image", "imagename")):
            yield _image(value)
        elif key == _DIGEST:
            yield _Written(_DIGEST, "", "", value)
        else:
            version, _, digest = value.partition("@")
            yield _Written(key, "", version, digest)


def _image(value: str) -> _Written:
    reference, _, digest = value.partition("@")
    name, colon, tag = reference.rpartition(":")
    named = colon and "/" not in tag and name
    return _Written("image", name if named else reference, tag if named else "", digest)


def _sentence(old: _Written, new: _Written, several: bool) -> str:
    if old.name != new.name:
        return f"{_reference(old)} -> {_reference(new)}"
    prefix = f"{new.name.rpartition('/')[2]} " if several and new.name else ""
    if old.version != new.version:
        return f"{prefix}{old.version or _short(old.digest)} -> {new.version or _short(new.digest)}"
    if new.version:
        return f"{prefix}{new.version} (new digest)"
    return f"{prefix}{_short(old.digest)} -> {_short(new.digest)}"


def _reference(written: _Written) -> str:
    return f"{written.name}:{written.version}" if written.version else written.name


def _short(digest: str) -> str:
    return digest[:_SHOWN_DIGEST] or "no tag"
