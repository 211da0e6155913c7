"""Verdict and reasons for names a workload never asked for before. Pure.

The first rule that applies decides:

| # | what is known | verdict |
|---|---|---|
| 1 | every name is among the expected destinations of apps.yaml | expected |
| 2 | a name imitates an expected one, or carries data as tunnels do | suspicious |
| 3 | the workload is lan_only, the name outside; where only its policies say so, nothing explains it | suspicious |
| 4 | a `toFQDNs` entry of a policy names every one | expected |
| 5 | the name stays inside the cluster or the own network | expected if lan_only or unbounded, else explained |
| 6 | the workload is unbounded | expected |
| 7 | another pod of the workload asked for the domain earlier | explained |
| 8 | enough other workloads ask for the domain | explained |
| 9 | a policy change before the first look-up spells out the name or its domain | explained |
| 10 | the workload is between, and it, its component or its policy changed shortly before | explained |
| 11 | anything else | unexplained |

A release alone explains nothing for a bounded workload (a hostile release comes as one), nor for an unknown one. A
look-up that failed satisfies no rule.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin import inert, units
from tocsin.assess import sentences, signals
from tocsin.assess.settings import AssessSettings
from tocsin.classify import is_expected
from tocsin.findings import Change, Findings, Lookups, PolicyFacts
from tocsin.model import Classification, Destination, Ground, Posture, Subject, Verdict
from tocsin.report import Assessment

Conclusion = tuple[Verdict, str]
"""A verdict and the sentence a message opens with."""

_LOOK = "look at the pod"


@dataclass(frozen=True, slots=True)
class Novelty:
    """Everything a verdict on new names rests on. The names share one registrable domain."""

    subject: Subject
    destinations: tuple[Destination, ...]
    classification: Classification
    findings: Findings
    started_at: datetime
    now: datetime
    settings: AssessSettings

    @property
    def lookups(self) -> Lookups:
        """What Prometheus knows; a record that knows nothing where it was not asked or did not answer."""
        return self.findings.lookups.get(self.destinations[0].domain) or Lookups(self.destinations[0].domain)

    @property
    def looked_up(self) -> bool:
        return self.destinations[0].domain in self.findings.lookups

    @property
    def policy(self) -> PolicyFacts:
        return self.findings.policy or PolicyFacts()

    @property
    def inside(self) -> bool:
        """Whether every name stays inside the cluster or the own network."""
        return all(found.internal for found in self.destinations)

    @property
    def began_at(self) -> datetime:
        """When it was first asked for, as far as that is known."""
        return self.lookups.first_asked_at or self.started_at


def judge(case: Novelty) -> Assessment:
    """Applies the table above."""
    verdict, headline = next(conclusion for rule in _RULES if (conclusion := rule(case)))
    reasons = [*(_trouble(case)[1:] if verdict is Verdict.SUSPICIOUS else ()), *_reasons(case, verdict, headline)]
    return Assessment(verdict, headline, tuple(dict.fromkeys(reasons)), _next_step(case, verdict))


def _listed_as_expected(case: Novelty) -> Conclusion | None:
    if not all(is_expected(found.name, case.classification.expected) for found in case.destinations):
        return None
    return Verdict.EXPECTED, f"Among the expected destinations of {sentences.who(case.subject)} (apps.yaml)."


def _troubling(case: Novelty) -> Conclusion | None:
    trouble = _trouble(case)
    return (Verdict.SUSPICIOUS, f"{sentences.opening(trouble[0])}.") if trouble else None


def _outside_of_lan_only(case: Novelty) -> Conclusion | None:
    if case.classification.posture is not Posture.LAN_ONLY or case.inside:
        return None
    name = sentences.who(case.subject)
    if case.classification.ground is Ground.STRUCTURE:
        if _explanation(case):
            return None
        return Verdict.SUSPICIOUS, f"No rule of {name}'s policies leads outside, and this name is outside."
    return Verdict.SUSPICIOUS, f"{name} is meant to stay on the own network, and this name is outside."


def _named_by_policy(case: Novelty) -> Conclusion | None:
    named = {name for policy in case.policy.policies for name in policy.named}
    if not all(found.name in named for found in case.destinations):
        return None
    return Verdict.EXPECTED, f"The policy of {sentences.who(case.subject)} names it."


def _stays_inside(case: Novelty) -> Conclusion | None:
    if not case.inside:
        return None
    calm = case.classification.posture in (Posture.LAN_ONLY, Posture.UNBOUNDED)
    return Verdict.EXPECTED if calm else Verdict.EXPLAINED, "The name stays inside the cluster or the own network."


def _unbounded(case: Novelty) -> Conclusion | None:
    if case.classification.posture is not Posture.UNBOUNDED:
        return None
    meant = sentences.meant_to_be(case.classification)
    return Verdict.EXPECTED, f"{sentences.who(case.subject)} is {meant}; nothing about the name stands out."


def _explained(case: Novelty) -> Conclusion | None:
    explanation = _explanation(case)
    return (Verdict.EXPLAINED, explanation) if explanation else None


def _unexplained(case: Novelty) -> Conclusion:
    name, expected = sentences.who(case.subject), case.classification.expected
    one = len(case.destinations) == 1
    names = "this name" if one else f"these {len(case.destinations)} names"
    if not case.subject.workload:
        text = f"Which workload asked could not be told, and nothing explains {names}."
    elif case.classification.posture is Posture.UNKNOWN:
        text = f"{sentences.standing(case.subject, case.classification)}, and nothing explains {names}."
    else:
        meant = "bounded" if case.classification.posture is Posture.BOUNDED else "neither bounded nor unbounded"
        meant += sentences.told_by(case.classification)
        missed = f"{names} {'is' if one else 'are'} not among its {units.count(len(expected), 'expected destination')}"
        text = f"{name} is {meant} and {missed}." if expected else f"{name} is {meant}, and nothing explains {names}."
    return Verdict.UNEXPLAINED, text


_RULES: tuple[Callable[[Novelty], Conclusion | None], ...] = (
    _listed_as_expected,
    _troubling,
    _outside_of_lan_only,
    _named_by_policy,
    _stays_inside,
    _unbounded,
    _explained,
    _unexplained,
)


def _trouble(case: Novelty) -> list[str]:
    expected = case.classification.expected
    found: list[str | None] = [signals.lookalike(destination, expected) for destination in case.destinations]
    seen = tuple(_sibling(name, case.destinations[0]) for name in case.lookups.names)
    found.append(signals.tunnel_shaped((*case.destinations, *seen), case.settings.tunnel_domains_ignored))
    return list(dict.fromkeys(signal for signal in found if signal))


def _sibling(name: str, destination: Destination) -> Destination:
    return Destination(name, name, destination.domain, name)


def _explanation(case: Novelty) -> str | None:
    found, settings = case.lookups, case.settings
    if found.earlier_pods:
        return _rollout(case)
    if found.neighbours is not None and len(found.neighbours) >= settings.explained_by_workloads:
        return f"{len(found.neighbours)} other workloads ask for {inert.defang(found.domain)} as well."
    opened = _opening_change(case)
    if opened:
        return f"The policy was opened for it {units.ago(case.now - opened.at)}."
    if case.classification.posture is Posture.BETWEEN:
        released = sentences.released_before(case.policy, case.began_at, settings.changed_within)
        if released:
            gap = units.age(case.began_at - released.at)
            return f"Released {gap} before: {sentences.version_change(released)}."
        if any(_just_before(change.at, case) for policy in case.policy.policies for change in policy.changes):
            return "Its policy changed shortly before."
        changed = sentences.component_change(case.policy, case.began_at, settings.changed_within)
        if changed:
            return f"Its component changed {units.age(case.began_at - changed.at)} before."
    return None


def _rollout(case: Novelty) -> str:
    found = case.lookups
    name = sentences.who(case.subject)
    when = f" {units.ago(case.now - found.earlier_at)}" if found.earlier_at else " before"
    text = f"Another {name} pod asked for it{when}"
    ages = case.findings.pods.created_at.values() if case.findings.pods else ()
    youngest = max(ages, default=None)
    if youngest is None or case.now - youngest > case.settings.changed_within:
        return f"{text}."
    released = sentences.released_before(case.policy, youngest, case.settings.changed_within)
    change = f", {sentences.version_change(released)}" if released else ""
    return f"{text}; this pod is new (rollout {units.ago(case.now - youngest)}{change})."


def _opening_change(case: Novelty) -> Change | None:
    """A recent change that adds a rule with every name, or their registrable domain, spelled out."""
    for policy in case.policy.policies:
        for change in policy.changes:
            added = [words for words in map(str.split, change.what) if words[:1] == ["+"]]
            if _just_before(change.at, case) and all(_spelled_out(found, added) for found in case.destinations):
                return change
    return None


def _spelled_out(destination: Destination, added: Sequence[Sequence[str]]) -> bool:
    words = {word.strip("\"',").lower() for rule in added for word in rule[1:]}
    return any(is_expected(destination.name, (word,)) for word in words if destination.domain in word)


def _just_before(instant: datetime, case: Novelty) -> bool:
    return timedelta(0) <= case.began_at - instant <= case.settings.changed_within


def _reasons(case: Novelty, verdict: Verdict, headline: str) -> list[str]:
    """What is known, most telling first, without what the headline already says."""
    found, first, settings = case.lookups, case.destinations[0], case.settings
    reasons: list[str | None] = []
    if len(case.destinations) > 1:
        reasons.append(f"{len(case.destinations)} names: " + _names([each.shown for each in case.destinations]))
    elif first.wildcard and found.names:
        reasons.append(f"{units.count(len(found.names), 'name')}: {sentences.listed(found.names)}")
    if found.lookups is None:
        reasons.append(sentences.alerted(case.subject, case.started_at, case.now))
    if case.looked_up:
        rolled_out = verdict is Verdict.EXPLAINED and bool(found.earlier_pods)
        past = None if rolled_out else sentences.before(found, case.subject, settings.look_back, case.now)
        others = sentences.elsewhere(found, first)
        reasons += [sentences.asked(found, case.now), "; ".join(part for part in (past, others) if part)]
    if found.denied:
        reasons.append("policy denied lookups of it")
    standing = sentences.standing(case.subject, case.classification)
    if case.classification.posture is Posture.UNKNOWN and case.subject.workload and standing not in headline:
        reasons.append(standing)
    reasons += sentences.conflicts(case.classification)
    if case.findings.policy:
        told = any(sentences.version_change(release) in headline for release in case.policy.releases)
        reasons += sentences.policies(case.policy, case.destinations, case.subject)
        reasons += sentences.policy_changes(case.policy, settings.changed_within, case.now)
        if not told:
            reasons += sentences.releases(case.policy, case.subject, case.began_at, settings.changed_within, case.now)
        reasons += sentences.changed_before(case.policy, case.subject, case.began_at, settings.changed_within)
    return [reason for reason in reasons if reason]


def _names(shown: Sequence[str]) -> str:
    more = len(shown) - 3
    return ", ".join(shown[:3]) + (f" and {more} more" if more > 0 else "")


def _next_step(case: Novelty, verdict: Verdict) -> str:
    if verdict is Verdict.SUSPICIOUS:
        return f"{_LOOK} now, and at what else it asked for."
    if verdict is not Verdict.UNEXPLAINED:
        return ""
    released = sentences.released_before(case.policy, case.began_at, case.settings.changed_within)
    if released:
        return f"{_LOOK}, or accept the name if {sentences.new_version(released) or 'the release'} explains it."
    return f"{_LOOK}, or accept the name if it belongs to it."
