"""The reasons a message gives, each one sentence of facts without a verdict. Pure.

Whatever somebody else wrote (names, commit subjects, rules) is made inert here; the sentences are shown as they are.
What was not looked up has no sentence: silence never stands for harmless.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from tocsin import inert, units
from tocsin.classify import SOURCES
from tocsin.destination import shorten
from tocsin.findings import Change, Lookups, PolicyFacts, PolicyMatch
from tocsin.model import Classification, Destination, Ground, Posture, Subject

_LISTED = 3
_ENOUGH_FOR_A_RATE = 3
_NO_FINER = timedelta(minutes=2)
"""When a counter first moved is known to about a minute: what is less long ago is just now."""


def safe(value: str, limit: int = 80) -> str:
    """Text of a stranger, on one line, without anything a phone makes a link of."""
    return inert.defang(inert.text(value, limit))


def who(subject: Subject) -> str:
    """The workload, or the pod, or "it"."""
    return safe(subject.workload or (subject.pods[0] if subject.pods else "") or "it")


def meant_to_be(classification: Classification) -> str:
    """The class in words: "unbounded by design (apps.yaml)"."""
    words = {
        Posture.BOUNDED: "bounded",
        Posture.UNBOUNDED: "unbounded by design",
        Posture.BETWEEN: "neither bounded nor unbounded",
        Posture.LAN_ONLY: "meant to stay on the own network",
        Posture.UNKNOWN: "not classified",
    }
    source = classification.evidence[0].source if classification.evidence else ""
    shown = source if source in SOURCES else safe(source)
    return words[classification.posture] + (f" ({shown})" if shown else "")


def told_by(classification: Classification) -> str:
    """ " (rules of recyclarr-allow)": who says so, where that is not the operator's or a shipped list."""
    if classification.ground in (None, Ground.LISTED) or not classification.evidence:
        return ""
    return f" ({safe(classification.evidence[0].source)})"


def standing(subject: Subject, classification: Classification) -> str:
    """The class of a workload in a sentence: "node-red is unbounded by design (apps.yaml)"."""
    return f"{who(subject)} is {meant_to_be(classification)}"


def opening(sentence: str) -> str:
    """A sentence as it opens a message; one that begins with somebody's name keeps it as it is written."""
    return f"T{sentence[1:]}" if sentence.startswith("the ") else sentence


def alerted(subject: Subject, started_at: datetime, now: datetime) -> str:
    """What the alert itself says of when and where, for want of better."""
    where = f"; {units.count(len(subject.pods), 'pod')} ({listed(subject.pods)})" if subject.pods else ""
    return f"alert since {units.clock(started_at, now)}, {units.ago(now - started_at)}{where}"


def conflicts(classification: Classification) -> Iterator[str]:
    """What else is said of the workload and disagrees."""
    for rival in classification.conflicts:
        source = rival.source if rival.source in SOURCES else safe(rival.source)
        yield f"conflict: {source} says {safe(rival.statement)}"


def asked(found: Lookups, now: datetime) -> str | None:
    """ "first asked 14:02 UTC, 11 min ago; 12 lookups, 1 pod (NAME)"."""
    parts = []
    if found.first_asked_at:
        first = found.first_asked_at
        since = now - first if now - first >= _NO_FINER else timedelta(0)
        parts.append(f"first asked {units.clock(first, now)}, {units.ago(since)}")
    seen = [units.count(found.lookups, "lookup")] if found.lookups is not None else []
    if found.pods:
        seen.append(f"{units.count(len(found.pods), 'pod')} ({listed(found.pods)})")
    if seen:
        parts.append(", ".join(seen))
    return "; ".join(parts) or None


def before(found: Lookups, subject: Subject, look_back: timedelta, now: datetime) -> str | None:
    """Whether other pods of the workload asked, for no longer a past than was watched; None where nobody looked."""
    if found.lookups is None:
        return None
    if found.earlier_pods:
        when = f", last {units.ago(now - found.earlier_at)}" if found.earlier_at else ""
        return f"{units.count(len(found.earlier_pods), 'other pod')} of {who(subject)} asked for it{when}"
    if found.watched_for is None:
        return f"no other pod of {who(subject)} is known to have asked for it; how long that was watched is not known"
    covered = found.watched_for >= look_back
    past = units.age(look_back) if covered else f"{units.age(found.watched_for)} of data"
    return f"no pod of {who(subject)} asked for it in {past}"


def elsewhere(found: Lookups, destination: Destination) -> str | None:
    """Which other workloads ask for the registrable domain; None when that was not looked up."""
    if found.neighbours is None:
        return None
    domain = shorten(inert.defang(destination.domain))
    if not found.neighbours:
        return f"no other workload asks for {domain}"
    others = units.count(len(found.neighbours), "other workload")
    verb = "asks" if len(found.neighbours) == 1 else "ask"
    return f"{others} {verb} for {domain}: {listed(found.neighbours)}"


def policies(facts: PolicyFacts, destinations: Sequence[Destination], subject: Subject) -> Iterator[str]:
    """Which policy lets the names through, by which rule; whose it is where the workload has none of its own."""
    unresolved = facts.app is None and bool(facts.evidence)
    if unresolved:
        yield f"not found in the repository: {safe(facts.evidence.removeprefix('unresolved: '), 160)}"
    if not facts.policies and unresolved:
        return
    if not facts.policies:
        also = f", unlike {listed(facts.siblings)}" if facts.siblings else ""
        yield f"no policy found that selects {who(subject)}{also}"
        return
    rules = list(dict.fromkeys(_ruling(policy, found) for policy in _primary_first(facts) for found in destinations))
    told = [rule for rule in rules if rule]
    remarks = list(dict.fromkeys(facts.remarks[found.name] for found in destinations if found.name in facts.remarks))
    if facts.unrestricted:
        yield f"no policy restricts the egress of {who(subject)} ({listed([one.name for one in facts.policies])})"
    elif destinations and not told and not any("blocks it" in remark for remark in remarks):
        yield f"no rule lets it through ({listed([policy.name for policy in _primary_first(facts)])})"
    if not facts.unrestricted:
        yield from told[:_LISTED]
    yield from (safe(remark, 160) for remark in remarks[:_LISTED])
    if facts.app is not None and not facts.deployed:
        yield f"the repository declares {who(subject)}, but nothing there deploys it"
    if facts.siblings:
        yield f"{who(subject)} has no policy of its own, unlike {listed(facts.siblings)}"


def policy_changes(facts: PolicyFacts, within: timedelta, now: datetime) -> Iterator[str]:
    """How long the primary policy has been as it is, or what lately changed in it."""
    for policy in _primary_first(facts)[:1]:
        if not policy.changes:
            continue
        last = policy.changes[0]
        if now - last.at > within:
            yield f"policy unchanged for {units.age(now - last.at)}{_source(last, quoting=True)}"
        else:
            yield f"policy changed {units.ago(now - last.at)}: {_what(last)}{_source(last, quoting=False)}"


def releases(facts: PolicyFacts, subject: Subject, since: datetime, within: timedelta, now: datetime) -> Iterator[str]:
    """The last release before `since`, where it is recent; else one after it, or how long nothing was deployed.

    A recent one is told with the component's own base rate: a bump a day explains less than one in a year.
    """
    earlier = released_before(facts, since, within)
    rate = _base_rate(facts, now)
    if earlier:
        gap = units.age(since - earlier.at)
        yield f"{who(subject)} {_what(earlier)} {gap} before{_source(earlier, quoting=False, more=rate)}"
    elif facts.releases:
        last = max(facts.releases, key=lambda change: change.at)
        if now - last.at > within:
            yield f"nothing deployed in {units.age(now - last.at)}"
        else:
            when = f"{units.ago(now - last.at)}, after it began"
            yield f"{who(subject)} {_what(last)} {when}{_source(last, quoting=False, more=rate)}"


def component_change(facts: PolicyFacts, since: datetime, within: timedelta) -> Change | None:
    """The latest commit to the component shortly before `since` that is neither a release nor a policy's."""
    told = {change.sha for change in facts.releases}
    told |= {change.sha for policy in facts.policies for change in policy.changes}
    recent = [each for each in facts.changes if each.sha not in told and timedelta(0) <= since - each.at <= within]
    return max(recent, key=lambda change: change.at, default=None)


def changed_before(facts: PolicyFacts, subject: Subject, since: datetime, within: timedelta) -> Iterator[str]:
    """What else was changed in the component's directory shortly before."""
    found = component_change(facts, since, within)
    if found:
        yield f"{who(subject)} changed {units.age(since - found.at)} before{_source(found, quoting=True)}"


def _base_rate(facts: PolicyFacts, now: datetime) -> str:
    """ "one bump every 13 d", where there were enough to speak of a rate."""
    if facts.released_since is None or facts.released_total < _ENOUGH_FOR_A_RATE:
        return ""
    return f"one bump every {units.age((now - facts.released_since) / facts.released_total)}"


def released_before(facts: PolicyFacts, since: datetime, within: timedelta) -> Change | None:
    """The latest release no more than `within` before `since`."""
    recent = [change for change in facts.releases if timedelta(0) <= since - change.at <= within]
    return max(recent, key=lambda change: change.at, default=None)


def version_change(change: Change) -> str:
    """What a release changed, without its source: "image 4.0.9 -> 4.0.10"."""
    return _what(change)


def new_version(change: Change) -> str | None:
    """The version a release brought, where it says which: "7.5.0" of "7.4.1 -> 7.5.0"."""
    return next((safe(what.rpartition(" -> ")[2], 40) for what in change.what if " -> " in what), None)


def listed(values: Sequence[str]) -> str:
    """Up to three of them, and how many more there are."""
    shown = ", ".join(safe(value, 64) for value in values[:_LISTED])
    more = len(values) - _LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def _primary_first(facts: PolicyFacts) -> list[PolicyMatch]:
    return sorted(facts.policies, key=lambda policy: not policy.primary)


def _ruling(policy: PolicyMatch, destination: Destination) -> str | None:
    rule = policy.allows.get(destination.name)
    if not rule:
        return None
    verb = "names it" if destination.name in policy.named else "lets it through"
    likely = "" if policy.sure else " (most likely its own)"
    return f"policy {safe(policy.name)}{likely} {verb}: {safe(rule, 120)}"


def _what(change: Change) -> str:
    return safe(", ".join(change.what), 100) if change.what else f'"{safe(change.subject)}"'


def _source(change: Change, *, quoting: bool, more: str = "") -> str:
    number = f"#{change.pull_request}" if change.pull_request else safe(change.sha[:9])
    subject = change.subject.removesuffix(f"({number})").rstrip()
    text = f'"{safe(subject)}"' if quoting and subject else safe(change.author.removesuffix("[bot]"), 40)
    return f" ({', '.join(part for part in (number, text, more) if part)})"
