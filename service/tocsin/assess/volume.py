"""Verdict and reasons for a workload that sends more than it uses to. Pure.

The first rule that applies decides:

| # | what is known | verdict |
|---|---|---|
| 1 | far above its own day, and a new outside name that no other workload asks for | suspicious |
| 2 | within three standard deviations of its 7 d average, on 7 d of data or more | explained |
| 3 | unbounded, not far above its own day, and no new name in the same window | expected |
| 4 | anything else | unexplained |

"Far above" is the configured multiple of the 24 h average. A figure that is not known satisfies no rule. The bytes
counted are all that leave the pod, inside the cluster and the own network too.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin import inert, units
from tocsin.assess import sentences
from tocsin.assess.settings import AssessSettings
from tocsin.classify import is_expected
from tocsin.destination import registrable_domain, shorten
from tocsin.findings import Findings, PolicyFacts, Volume
from tocsin.model import Classification, Posture, Subject, Verdict
from tocsin.pod_names import is_kubernetes_name
from tocsin.report import Assessment

_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Everything a verdict on a volume rests on."""

    subject: Subject
    classification: Classification
    findings: Findings
    started_at: datetime
    now: datetime
    settings: AssessSettings

    @property
    def volume(self) -> Volume:
        return self.findings.volume or Volume()

    @property
    def began_at(self) -> datetime:
        return self.volume.since_at or self.started_at

    @property
    def new_names(self) -> tuple[str, ...] | None:
        """New names of the window that are not expected anyway; None when they were not looked up."""
        names = self.volume.new_names
        if names is None:
            return None
        return tuple(name for name in names if not is_expected(name, self.classification.expected))

    def asked_elsewhere(self, name: str) -> tuple[str, ...] | None:
        """Other workloads that ask for the domain of `name`; None when that was not looked up."""
        found = self.findings.lookups.get(registrable_domain(name))
        return found.neighbours if found else None


def judge(case: Anomaly) -> Assessment:
    """Applies the table above."""
    return Assessment(_verdict(case), _headline(case), tuple(_reasons(case)), _next_step(case.subject))


def _verdict(case: Anomaly) -> Verdict:
    volume, names = case.volume, case.new_names
    far = volume.multiple is not None and volume.multiple >= case.settings.volume_multiple
    if far and any(case.asked_elsewhere(name) == () for name in names or ()):
        return Verdict.SUSPICIOUS
    if _usual(volume):
        return Verdict.EXPLAINED
    calm = volume.multiple is not None and not far and names == ()
    if calm and case.classification.posture is Posture.UNBOUNDED:
        return Verdict.EXPECTED
    return Verdict.UNEXPLAINED


def _usual(volume: Volume) -> bool:
    if volume.rate is None or volume.avg_7d is None or volume.sigma_7d is None or volume.baseline_for is None:
        return False
    return volume.baseline_for >= _WEEK and volume.rate <= volume.avg_7d + 3 * volume.sigma_7d


def _headline(case: Anomaly) -> str:
    volume = case.volume
    if volume.rate is None:
        return f"{sentences.who(case.subject)} sends more than it uses to; how much is not known."
    text = f"{units.rate(volume.rate)} over 10 min"
    if volume.avg_24h is not None:
        past = min(volume.baseline_for, _DAY) if volume.baseline_for is not None else _DAY
        text += f" against {units.rate(volume.avg_24h)} on average over {_hours(past)}"
    if volume.sent is not None:
        since = f" since {units.clock(volume.since_at, case.now)}" if volume.since_at else ""
        text += f"; {units.size(volume.sent)}{since}"
    age = volume.baseline_for
    return f"{text}. Baseline {units.age(age)} old." if age is not None else f"{text}. Age of the baseline not known."


def _hours(past: timedelta) -> str:
    return "24 h" if past == _DAY else units.age(past)


def _reasons(case: Anomaly) -> list[str]:
    reasons = [_names(case)] if case.volume.new_names is not None else []
    volume = case.volume
    if _usual(volume):
        reasons.append("within three standard deviations of its 7 d average")
    facts = case.findings.policy
    standing = sentences.standing(case.subject, case.classification)
    rules = dict.fromkeys(rule for policy in facts.policies for rule in policy.allows.values()) if facts else {}
    reasons.append(", ".join((standing, *(sentences.safe(rule, 60) for rule in list(rules)[:3]))))
    reasons += sentences.conflicts(case.classification)
    if facts:
        reasons.append(_history(case, facts))
    return [reason for reason in reasons if reason]


def _names(case: Anomaly) -> str:
    names = case.new_names or ()
    if not names:
        return "no unexpected new name in the same window"
    told = []
    for name in names[:3]:
        others = case.asked_elsewhere(name)
        known = "" if others is None else f" ({_elsewhere(others)})"
        told.append(shorten(inert.defang(inert.text(name, 255))) + known)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"in the same window: {units.count(len(names), 'new name')}, {', '.join(told)}{more}"


def _elsewhere(others: tuple[str, ...]) -> str:
    if not others:
        return "no other workload asks for it"
    return f"{units.count(len(others), 'other workload')} {'asks' if len(others) == 1 else 'ask'} for it"


def _history(case: Anomaly, facts: PolicyFacts) -> str:
    within = case.settings.changed_within
    parts = [
        *sentences.releases(facts, case.subject, case.began_at, within, case.now),
        *sentences.policy_changes(facts, within, case.now),
    ]
    return "; ".join(parts)


def _next_step(subject: Subject) -> str:
    who = subject.workload or (subject.pods[0] if subject.pods else "")
    if subject.namespace and is_kubernetes_name(subject.namespace) and is_kubernetes_name(who):
        return f"`hubble observe --from-pod {subject.namespace}/{who} --since 1h`, then decide."
    return "look at what the pod sends in Hubble, then decide."
