"""The fields of a parsed YAML object, with the shape they must have; a wrong shape raises TypeError. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from tocsin.policy.document import Requirement, Selector

_OWN_LABELS: Final = re.compile(r"^(?:k8s|any):(?=.)")


def mapping(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A mapping; empty where there is none."""
    value = parent.get(key)
    if value is not None and not isinstance(value, dict):
        raise TypeError(f"{key} is not a mapping")
    return value or {}


def items(parent: Mapping[str, Any], key: str) -> list[Any]:
    """A list; empty where there is none."""
    value = parent.get(key)
    if value is not None and not isinstance(value, list):
        raise TypeError(f"{key} is not a list")
    return value or []


def text(value: Any) -> str:
    """A scalar as Kubernetes would read it."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def optional(value: Any) -> str | None:
    """A scalar as it is written, None where there is none or it is empty."""
    return None if value is None or value == "" else str(value)


def texts(parent: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of scalars."""
    return tuple(map(text, items(parent, key)))


def canonical(value: Any) -> str:
    """The same text for the same value, whatever its keys' order."""
    return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False, separators=(",", ":"))


def selector(value: Mapping[str, Any]) -> Selector:
    """Reads a label selector; the label sources `k8s:` and `any:` mean the pod's own labels and are dropped."""
    labels = [
        Requirement(_key(key), "In", frozenset({text(wanted)})) for key, wanted in mapping(value, "matchLabels").items()
    ]
    expressions = [
        Requirement(_key(entry["key"]), str(entry["operator"]), frozenset(texts(entry, "values")))
        for entry in items(value, "matchExpressions")
    ]
    return Selector(tuple(labels + expressions))


def described(selected: Selector) -> str:
    """A selector in one line; empty for one that selects everything."""
    parts = []
    for item in selected.requirements:
        values = ",".join(sorted(item.values))
        single = item.operator == "In" and len(item.values) == 1
        parts.append(f"{item.key}={values}" if single else f"{item.key} {item.operator} {values}".rstrip())
    return ", ".join(parts)


def _key(key: Any) -> str:
    return _OWN_LABELS.sub("", str(key))
