"""What changed between two versions of a policy file, rule by rule, never line by line. Pure."""

from collections.abc import Mapping
from typing import Final

from tocsin.policy import wording
from tocsin.policy.document import EGRESS_ANNOTATION, Parsed, Policy, Rule
from tocsin.policy.parse import parse

CREATED: Final = "created"
DELETED: Final = "deleted"
COMMENT_ONLY: Final = "comment only"


def changes(before: str | None, after: str | None) -> Mapping[str, tuple[str, ...]]:
    """Returns per policy name what the change says; policies that stayed the same are left out.

    None stands for a file that does not exist. Where no policy changed although the text did, every policy of the
    file says "comment only". A version that cannot be read says so under the empty name.
    """
    return _changes(parse(before or ""), parse(after or ""), differ=before != after)


def _changes(old: Parsed, new: Parsed, *, differ: bool) -> Mapping[str, tuple[str, ...]]:
    broken = {"": ("cannot be read",)} if new.problems else {"": ("could not be read before",)} if old.problems else {}
    had, has = ({_key(policy): policy for policy in parsed.policies} for parsed in (old, new))
    said = {key: what_changed(had.get(key), has.get(key)) for key in sorted(had.keys() | has.keys())}
    named = {key[1]: what for key, what in said.items() if what}
    if not named and not broken and differ:
        named = {key[1]: (COMMENT_ONLY,) for key in sorted(has)}
    return named | broken


def summary(before: str | None, after: str | None) -> tuple[str, ...]:
    """The changes of a file in one list; each starts with the policy's name where several policies are involved."""
    old, new = parse(before or ""), parse(after or "")
    said = _changes(old, new, differ=before != after)
    several = len({policy.name for policy in old.policies + new.policies}) > 1
    return tuple(f"{name}: {what}" if several and name else what for name in said for what in said[name])


def what_changed(before: Policy | None, after: Policy | None) -> tuple[str, ...]:
    """The change of one policy: created, deleted, or its statements added and removed in reading order."""
    if before is None or after is None:
        return () if before is after else (CREATED,) if before is None else (DELETED,)
    if before == after:
        return ()
    had, has = _statements(before), _statements(after)
    said = [f"+ {text}" for text in has if text not in had] + [f"- {text}" for text in had if text not in has]
    was, now = (any(rule.default_deny for rule in policy.rules) for policy in (before, after))
    if was != now:
        said.append(f"default deny {'on' if now else 'off'}")
    if before.annotations != after.annotations:
        words = dict(after.annotations)
        said.append(f"{EGRESS_ANNOTATION}: {words[EGRESS_ANNOTATION]}" if words else f"{EGRESS_ANNOTATION} removed")
    if [rule.selector for rule in before.rules] != [rule.selector for rule in after.rules]:
        said.append("selector changed")
    if before.namespace != after.namespace:
        said.append("namespace changed")
    if sorted(rule.rest for rule in before.rules) != sorted(rule.rest for rule in after.rules):
        said.append("ingress or options changed")
    return tuple(said) or ("details changed",)


def _statements(policy: Policy) -> list[str]:
    return list(dict.fromkeys(text for rule in policy.rules for text in _rule(rule)))


def _rule(rule: Rule) -> list[str]:
    allowed = [text for entry in rule.egress for text in wording.statements(entry)]
    return allowed + [f"deny {text}" for entry in rule.egress_deny for text in wording.statements(entry)]


def _key(policy: Policy) -> tuple[str, str]:
    return policy.kind, policy.name
