"""What the policies that select a workload say of its egress: bounded, unbounded, between or lan_only. Pure.

Best evidence first: what the operator wrote for tocsin (an annotation, an agreed comment), what the structure proves,
what comments say in passing. Structure never proves "unbounded": `world` is also what people write for one name that
toFQDNs cannot follow. Quoted texts are as written in the repository; make them inert before showing them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tocsin.model import Ground, Posture, Statement
from tocsin.policy import agreed, remarks
from tocsin.policy.document import KUBERNETES, Egress, Peer, PeerKind, Policy
from tocsin.policy.exposure import Exposure, exposure, lets_world_through
from tocsin.policy.selector import specificity

MAX_NAMED: Final = 3
MAX_QUOTED: Final = 160
_TELLING: Final = 2
"""Specificity from which a policy is about some workloads and not about all of a namespace."""

_EVERYTHING: Final = Egress((Peer(PeerKind.EVERYTHING),))
_EMPTY_ENTRY: Final = "an empty egress entry lets everything through, but denied everything before Cilium 1.19"

_MEANT_TO_DENY: Final = "the empty entry is meant to deny, as it did before Cilium 1.19; since then it opens all"
_DENY: Final = re.compile(r"(?:^|[-.])deny(?:[-.]|$)")


@dataclass(frozen=True, slots=True)
class Testimony:
    """The statements, best ground first; they may contradict each other.

    `undecided` are sentences on what was looked at and proves nothing, `problems` on agreed words that are none.
    """

    statements: tuple[Statement, ...] = ()
    undecided: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def testimony(policies: Sequence[Policy]) -> Testimony:
    """Hears the policies that select one workload, each reduced to the rules that do."""
    written = [(ground, source, said) for policy in policies for ground, source, said in _written(policy)]
    meant = [_as_meant(policy) for policy in policies]
    words = [
        Statement(posture, ground, source, f"egress is {posture.value}")
        for ground, source, said in written
        if (posture := agreed.posture(said)) is not None
    ]
    structure, unproven = _structure(meant)
    comment, unclear = _comments(meant)
    if meant != list(policies):
        structure = tuple(replace(one, text=f"{one.text}; {_MEANT_TO_DENY}") for one in structure)
    if structure:  # a name in passing does not contradict what is proven, "anywhere" does
        comment = tuple(one for one in comment if one.posture in (structure[0].posture, Posture.UNBOUNDED))
    return Testimony(
        statements=tuple(sorted(words, key=lambda one: list(Ground).index(one.ground))) + structure + comment,
        undecided=unproven + unclear,
        problems=tuple(
            f'{source} says "{said}", which is none of {", ".join(word.value for word in agreed.WORDS)}'
            for _, source, said in written
            if agreed.posture(said) is None
        ),
    )


def without_remarks(policy: Policy) -> Policy:
    """The policy with only those of its comments that hold an agreed word."""

    def agreed_in(comments: Sequence[str]) -> tuple[str, ...]:
        return tuple(comment for comment in comments if agreed.word(comment) is not None)

    def entries(written: Sequence[Egress]) -> tuple[Egress, ...]:
        return tuple(replace(entry, comments=agreed_in(entry.comments)) for entry in written)

    rules = (
        replace(
            rule,
            comments=agreed_in(rule.comments),
            egress=entries(rule.egress),
            egress_deny=entries(rule.egress_deny),
        )
        for rule in policy.rules
    )
    return replace(policy, rules=tuple(rules), comments=agreed_in(policy.comments))


def _written(policy: Policy) -> Iterator[tuple[Ground, str, str]]:
    for key, said in policy.annotations:
        yield Ground.ANNOTATION, f"annotation {key} of {policy.name}", said
    entries = [entry for rule in policy.rules for entry in (*rule.egress, *rule.egress_deny)]
    heads = (comment for rule in policy.rules for comment in rule.comments)
    for comment in (*policy.comments, *heads, *(comment for entry in entries for comment in entry.comments)):
        if (word := agreed.word(comment)) is not None:
            yield Ground.AGREED, f"comment in {policy.name}", word


def _as_meant(policy: Policy) -> Policy:
    """Without its empty entries where its name says that it denies."""
    if not _has_empty_entry(policy) or not _DENY.search(policy.name):
        return policy
    rules = (replace(rule, egress=tuple(each for each in rule.egress if each != _EVERYTHING)) for rule in policy.rules)
    return replace(policy, rules=tuple(rules))


def _structure(policies: Sequence[Policy]) -> tuple[tuple[Statement, ...], tuple[str, ...]]:
    seen = exposure([rule for policy in policies for rule in policy.rules])
    if not seen.default_deny:
        return (), ("no policy restricts its egress",)
    if seen.world:
        beside = f" beside {len(seen.names)} named destination{'s' * (len(seen.names) > 1)}" if seen.names else ""
        said = f"{_listed(seen.world)}{beside} proves nothing: it may be there for a few names or for any"
        return (), (said, *((_EMPTY_ENTRY,) if any(map(_has_empty_entry, policies)) else ()))
    if seen.public and not seen.few:
        return (), (f"whose addresses {_listed(seen.public)} are is not known",)
    if seen.minor and not (seen.names or seen.public or seen.tunnels or seen.local or seen.inside):
        return (), (f"{_listed(seen.minor)} is all it may reach",)
    ruling = [policy.name for policy in policies if any(rule.egress or rule.default_deny for rule in policy.rules)]
    posture, text = _proven(seen)
    apart = f" ({_listed(seen.minor)} aside: DNS and time)" if seen.minor else ""
    return (Statement(posture, Ground.STRUCTURE, f"rules of {_listed(ruling)}", text + apart),), ()


def _has_empty_entry(policy: Policy) -> bool:
    return policy.kind != KUBERNETES and any(entry == _EVERYTHING for rule in policy.rules for entry in rule.egress)


def _proven(seen: Exposure) -> tuple[Posture, str]:
    outside = (*seen.names, *seen.public, *seen.tunnels)
    if outside:
        return Posture.BOUNDED, f"it may reach {_listed(outside)} and nothing else outside"
    inside = f" beyond {_listed(seen.local)}" if seen.local else ""
    return Posture.LAN_ONLY, f"no rule leads outside{inside}"


def _comments(policies: Sequence[Policy]) -> tuple[tuple[Statement, ...], tuple[str, ...]]:
    heard = [
        (policy.name, text, remark)
        for policy in policies
        for text, remark in _remarks(policy)
        if remark != remarks.Remark()
    ]
    if not heard:
        return (), ()
    total = sum((remark for _, _, remark in heard), remarks.Remark())
    quoted = " and ".join(dict.fromkeys(f'"{_clipped(text)}"' for _, text, _ in heard))
    source = f"comments in {_listed(list(dict.fromkeys(name for name, _, _ in heard)))}"
    if total.posture is None:
        return (), (f"{source} can be read both ways: {quoted}",)
    return (Statement(total.posture, Ground.COMMENT, source, quoted),), ()


def _remarks(policy: Policy) -> Iterator[tuple[str, remarks.Remark]]:
    """The comments beside what opens the world; those at the head only of a policy about some workloads."""
    entries = [entry for rule in policy.rules for entry in rule.egress]
    for entry in entries:
        if lets_world_through(entry):
            text = _joined(entry.comments)
            yield text, remarks.read(text)
    opens = any(lets_world_through(entry) for entry in entries)
    telling = any(specificity(rule.selector, clusterwide=policy.clusterwide) >= _TELLING for rule in policy.rules)
    if telling and (opens or not policy.clusterwide):
        text = _joined([*policy.comments, *(comment for rule in policy.rules for comment in rule.comments)])
        yield text, remarks.read(text, needs_egress=not entries)


def _joined(comments: Sequence[str]) -> str:
    return " ".join(comment for comment in comments if agreed.word(comment) is None)


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - MAX_NAMED
    return ", ".join(texts[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def _clipped(text: str) -> str:
    return text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 1].rstrip() + "\u2026"
