"""Flux's `postBuild` variables, put into values that were read from a file. Pure.

Of the notations of bash that Flux understands (github.com/fluxcd/pkg/envsubst), these occur in practice: `${NAME}`, a
default after one of `:= :- :+ :? = - + ?`, which all mean the same there and serve for empty text too, and `$${NAME}`
for the text itself. A default may hold variables. A variable nobody sets stays as it is written, so that a name that
depends on it is never taken for another.
"""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final, TypeVar

_INNER: Final = r"[^{}]*(?:\$\{[^{}]*\}[^{}]*)*"
_VARIABLE: Final = re.compile(
    rf"(?P<literal>\$)?\$\{{(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    rf"(?::?[=+?-](?P<default>[^{{}}]*(?:\$\{{{_INNER}\}}[^{{}}]*)*))?\}}"
)
"""A default holds variables with defaults, two deep."""
_T = TypeVar("_T")


def unresolved(text: str) -> bool:
    """Whether a text still holds a variable."""
    return "${" in text


def text(value: str, variables: Mapping[str, str]) -> str:
    """Replaces every variable that is set or has a default."""

    def one(found: re.Match[str]) -> str:
        if found["literal"]:
            return found[0][1:]
        told, default = variables.get(found["name"]), found["default"]
        if told or default is None:
            return found[0] if told is None else told
        return text(default, variables)

    return _VARIABLE.sub(one, value) if "${" in value else value


def everywhere(value: _T, variables: Mapping[str, str]) -> _T:
    """The same for all text inside frozen dataclasses, tuples, frozen sets, lists and mappings."""
    changed: Any = value
    if isinstance(value, str):
        changed = text(value, variables)
        return type(value)(changed) if type(value) is str else value
    if isinstance(value, tuple | list | frozenset):
        return type(value)([everywhere(item, variables) for item in value])
    if isinstance(value, dict):
        changed = {everywhere(key, variables): everywhere(item, variables) for key, item in value.items()}
    elif is_dataclass(value) and not isinstance(value, type):
        changed = replace(
            value, **{each.name: everywhere(getattr(value, each.name), variables) for each in fields(value)}
        )
    return changed  # type: ignore[no-any-return]
