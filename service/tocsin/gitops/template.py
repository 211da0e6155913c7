"""Reads namespace and app from a path: `kubernetes/apps/{namespace}/{app}/**`. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_TOKENS: Final = re.compile(r"(\{namespace\}|\{app\}|\*\*|\*)")
_MEANING: Final = {"{namespace}": r"(?P<namespace>[^/]+)", "{app}": r"(?P<app>[^/]+)", "**": ".*", "*": "[^/]*"}
_MAX_WILDCARDS: Final = 4


@dataclass(frozen=True, slots=True)
class Place:
    """What a path says about the files in it."""

    namespace: str | None = None
    app: str | None = None


@lru_cache(maxsize=64)
def compiled(template: str) -> re.Pattern[str]:
    """Raises ValueError where `{namespace}` is missing, a placeholder is repeated or it has too many wildcards."""
    tokens = _TOKENS.findall(template)
    if tokens.count("{namespace}") != 1 or tokens.count("{app}") > 1:
        raise ValueError("a path template has {namespace} once and {app} at most once")
    if sum(token.startswith("*") for token in tokens) > _MAX_WILDCARDS:
        raise ValueError(f"a path template has at most {_MAX_WILDCARDS} wildcards")
    parts = (_MEANING.get(part) or re.escape(part) for part in _TOKENS.split(template.strip("/")))
    return re.compile("".join(parts), re.DOTALL)


def place(path: str, templates: Sequence[str]) -> Place:
    """What the first template that matches the whole path says; nothing where none does."""
    for template in templates:
        if found := compiled(template).fullmatch(path):
            return Place(**found.groupdict())
    return Place()
