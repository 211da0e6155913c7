"""Builds PromQL. Pure; the only place where text becomes part of an expression.

Label values come from alerts and are hostile: they are quoted the way Go quotes strings, and where they stand in a
regular expression every RE2 metacharacter loses its meaning first. Prometheus anchors regular expressions itself.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from tocsin.pod_names import RANDOM

_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

# What Kubernetes appends to the name of a workload; see `pod_names.strip_pod_name`, whose inverse this is.
POD_SUFFIX = "|".join(
    (
        f"[0-9]{{8,10}}(-[0-9]{{1,4}})?-{RANDOM}{{5}}",
        f"{RANDOM}{{6,10}}-{RANDOM}{{5}}",
        "[a-z0-9]{5}-runner-[a-z0-9]{5}",
        f"[0-9]{{1,4}}-(initdb|join|import|full-recovery|snapshot-recovery)-{RANDOM}{{5}}",
        f"{RANDOM}{{5}}",
        "[0-9]{1,4}",
    )
)
"""RE2 for what follows the name of a workload and a hyphen in the name of its pod."""
# k8s.io/apiserver/pkg/storage/names: at most 58 characters of what a controller wrote, then five random ones.
_WRITTEN = 58
_LONGEST_CUT = 10


@dataclass(frozen=True, slots=True)
class Regex:
    """A value to match as RE2, as opposed to a plain string. Build it with the functions below."""

    pattern: str


Matcher = str | Regex


def quote(value: str) -> str:
    """A PromQL string literal. What is no Unicode scalar value becomes U+FFFD, as no label can hold it."""
    return '"' + "".join(_quoted(char) for char in value) + '"'


def _quoted(char: str) -> str:
    if char in '\\"':
        return "\\" + char
    if " " <= char <= "~":
        return char
    code = 0xFFFD if 0xD800 <= ord(char) <= 0xDFFF else ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def literally(value: str) -> str:
    """RE2 source that matches exactly `value`."""
    return _META.sub(r"\\\g<0>", value)


def any_of(values: Iterable[str]) -> Matcher:
    """Matches any of `values` and nothing else; Prometheus looks such a set up without testing every value."""
    unique = sorted(set(values))
    return unique[0] if len(unique) == 1 else Regex("|".join(literally(value) for value in unique))


def pods_of(workload: str | None, pods: Iterable[str] = ()) -> Matcher:
    """Matches the names that pods of `workload` can have, and `pods` themselves."""
    own = [f"{literally(workload)}(-({POD_SUFFIX}))?", *_cut(workload)] if workload else []
    named = sorted(set(pods))
    return Regex("|".join(own + [literally(pod) for pod in named])) if own else any_of(named)


def _cut(workload: str) -> list[str]:
    """Matches pods of a workload whose name is so long that Kubernetes cut what follows it, or its own end."""
    kept = f"{workload}-"[:_WRITTEN]
    left = _WRITTEN - len(kept)
    return [f"{literally(kept)}[0-9bcdfghjklmnpqrstvwxz]{{{left}}}{RANDOM}{{5}}"] if left <= _LONGEST_CUT else []


def below(domains: Iterable[str], cluster_domain: str, suffixes: Iterable[str] = ()) -> Regex:
    """Matches the domains and every name below them, in any case, with or without search suffix and trailing dot.

    Group 1 is the domain; the longest, where one lies below another.
    """
    roots = "|".join(literally(domain) for domain in sorted(set(domains)))
    ends = [
        rf"(?:(?:\.[a-z0-9-]+)?\.svc)?\.{literally(cluster_domain)}",
        *(rf"\.{literally(each)}" for each in suffixes),
    ]
    return Regex(rf"(?i)(?:.*?\.)??({roots})(?:{'|'.join(ends)})?\.?")


def selector(metric: str, matchers: Mapping[str, Matcher]) -> str:
    """Selects series; `metric` and label names are ours, values may be anything."""
    return metric + "{" + ",".join(_matcher(name, value) for name, value in matchers.items()) + "}"


def _matcher(name: str, value: Matcher) -> str:
    if not is_label_name(name):
        raise ValueError(f"not a label name: {name}")
    return f"{name}=~{quote(value.pattern)}" if isinstance(value, Regex) else f"{name}={quote(value)}"


def is_label_name(name: str) -> bool:
    """Whether every Prometheus accepts `name` as the name of a label."""
    return _LABEL_NAME.fullmatch(name) is not None


def duration(value: timedelta) -> str:
    """Writes whole seconds in the largest unit that divides them."""
    seconds = int(value.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def over(function: str, of: str, window: timedelta, offset: timedelta = timedelta(0)) -> str:
    """Applies `function` to the samples of the selector `of` in a window that ended `offset` ago."""
    return f"{function}({of}[{duration(window)}]{_offset(offset)})"


def every(
    function: str, expression: str, look_back: timedelta, step: timedelta, offset: timedelta = timedelta(0)
) -> str:
    """Applies `function` to `expression` evaluated every `step` within `look_back` (a subquery)."""
    return f"{function}(({expression})[{duration(look_back)}:{duration(step)}]{_offset(offset)})"


def _offset(offset: timedelta) -> str:
    return f" offset {duration(offset)}" if offset else ""


def by(aggregation: str, labels: Iterable[str], expression: str) -> str:
    """Aggregates `expression`, keeping `labels`."""
    return f"{aggregation} by ({', '.join(labels)}) ({expression})"


def extract(expression: str, label: str, source: str, pattern: Regex) -> str:
    """Sets `label` to group 1 of `pattern` where the label `source` matches it."""
    return f'label_replace({expression}, "{label}", "$1", "{source}", {quote(pattern.pattern)})'


def union(parts: Mapping[str, str], tag: str) -> str:
    """Several expressions in one, told apart by the label `tag`: one request instead of many."""
    return " or ".join(f'label_replace({part}, "{tag}", "{name}", "", "")' for name, part in parts.items())
