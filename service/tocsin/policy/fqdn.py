"""Whether a `toFQDNs` entry matches a DNS name, exactly as Cilium 1.19 does (pkg/fqdn/matchpattern). Pure.

`*` alone is every name; elsewhere it is any run of `[-a-zA-Z0-9_]` inside one label, possibly empty; a leading
`**.` is one or more whole labels; `**` anywhere else equals `*`. A name holding any other byte matches nothing.
Matching goes label by label without regular expressions, so no pattern can make it slow.
"""

import re
from typing import Final

_LABEL: Final = re.compile(r"[-a-zA-Z0-9_]+", re.ASCII)
_EVERY_NAME: Final = frozenset({"*", "**"})


def matches_name(match_name: str, name: str) -> bool:
    """`matchName`: the same name, ignoring case and a trailing dot."""
    return _normal(match_name) == _normal(name)


def matches_pattern(match_pattern: str, name: str) -> bool:
    """`matchPattern` against one name, ignoring case and a trailing dot."""
    labels = _normal(name).split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        return False
    pattern = _normal(match_pattern)
    if pattern in _EVERY_NAME:
        return True
    wanted = pattern.removeprefix("**.").split(".")
    if pattern.startswith("**."):
        labels = labels[-len(wanted) :] if len(labels) > len(wanted) else []
    return len(labels) == len(wanted) and all(map(_label_matches, wanted, labels))


def names_little(match_pattern: str) -> bool:
    """Whether the pattern stands for names of too many owners to name any: `*`, `*.com`, `*.*.net`.

    A variable holds a domain, which is more than one label.
    """
    return sum(2 if "${" in label else "*" not in label for label in _normal(match_pattern).split(".")) < 2


def without_suffix(match_pattern: str) -> str | None:
    """The `name` of a pattern `name.*`, `name.*.*.*.*`; None for any other.

    It is written to catch look-ups that a resolver appended a search domain to, and matches `name` itself never.
    """
    name = re.sub(r"(?:\.\*+)+$", "", _normal(match_pattern))
    return name if name not in ("", _normal(match_pattern)) and not name.startswith("*") else None


def _normal(name: str) -> str:
    return name.strip().lower().removesuffix(".")


def _label_matches(pattern: str, label: str) -> bool:
    """Glob match of one label with `*` as the only wildcard; at most len(pattern) * len(label) steps."""
    at = star = resume = 0
    seen_star = False
    here = 0
    while here < len(label):
        if at < len(pattern) and pattern[at] == "*":
            seen_star, star, resume = True, at, here
            at += 1
        elif at < len(pattern) and pattern[at] == label[here]:
            at += 1
            here += 1
        elif seen_star:
            resume += 1
            at, here = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")
