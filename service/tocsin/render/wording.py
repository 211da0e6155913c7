"""What every channel says about a report, in the order it is read. Pure.

Verdict and subject, why, what changed or is not known, what to do. Text that somebody else wrote passes `inert` here;
markup is the channel's business.
"""

from collections.abc import Iterator
from datetime import timedelta

from tocsin import inert
from tocsin.findings import Gap, PolicyFacts
from tocsin.model import Destination, Kind, NoticeReason, Verdict
from tocsin.render.limits import LINE_CHARS, Line, Role, clip_front
from tocsin.report import Report
from tocsin.roll_up import RollUp
from tocsin.units import age, count, multiple, rate

_SUBJECT_CHARS = 64
_DESTINATION_CHARS = 100
_NAMES_SHOWN = 5
_GAPS_SHOWN = 6
_PARAGRAPHS_SHOWN = 8
_LABELS_SHOWN = 8
_TITLES_SHOWN = 25
_QUIET = (Verdict.EXPECTED, Verdict.EXPLAINED)
_TELLING_LABELS = ("severity", "reason", "pod", "container", "node", "instance", "job")
_PLUMBING_LABELS = frozenset({"alertname", "prometheus", "prometheus_replica", "endpoint", "uid", "service"})
_EXPORTER_LABELS = frozenset({"instance", "job"})
_READS_ON = ("timed out", "answered", "refused", "rejected", "failed", "is ", "was ", "has ", "cannot ", "could not ")


def title(report: Report, *, namespaced: bool = True) -> str:
    """The title: verdict first, then who, then what. Not yet bounded for a channel.

    Without `namespaced` the workload of a judged alert stands alone.
    """
    conclusion = _conclusion(report)
    who = _who(report, namespaced or report.kind is Kind.OTHER)
    if report.kind is Kind.OTHER:
        return f"{conclusion}: {who}" if who else conclusion
    return f"{conclusion}: {who or 'unknown subject'}{_deed(report)}"


def lines(report: Report, *, namespaced: bool = True) -> tuple[Line, ...]:
    """All lines of the body, in reading order, inert and not yet escaped for a channel.

    Without `namespaced` the body names the namespace, because the title does not.
    """
    said = _content(report, namespaced)
    return tuple(Line(role, inert.text(text.strip(), LINE_CHARS)) for role, text in said if text.strip())


def roll_up_title(roll_up: RollUp) -> str:
    """How many of whom, in how long: "31 workloads asked for 214 new names in 5 min"."""
    totals = roll_up.totals
    within = f" in {age(max(roll_up.written_at - totals.since_at, timedelta(minutes=1)))}"
    who = count(totals.workloads, "workload")
    if set(totals.kinds) == {Kind.NOVEL}:
        return f"{who} asked for {count(totals.names, 'new name')}{within}"
    if set(totals.kinds) == {Kind.VOLUME}:
        return f"{who} sent more than usual{within}"
    return f"{count(totals.incidents, 'incident')} of {who}{within}"


def roll_up_lines(roll_up: RollUp) -> tuple[Line, ...]:
    """The likely cause, those that nothing explains by name, what is known of the rest, where all of them are."""
    said = [(Role.HEADLINE, roll_up.cause)]
    said += [(Role.REASON, title) for title in roll_up.named[:_TITLES_SHOWN]]
    counts = ((number, verdict) for verdict, number in roll_up.totals.verdicts.items())
    told = ", ".join(
        f"{number} {_counted(verdict)}" for number, verdict in sorted(counts, key=lambda each: -each[1].rank)
    )
    said.append(
        (Role.GAP, f"{count(roll_up.totals.incidents, 'incident')}: {told}. None of them has a message of its own.")
    )
    said += [(Role.FACT, remark) for remark in roll_up.remarks]
    said.append((Role.NEXT, f"`tocsin incidents --limit {roll_up.totals.incidents}` lists them all."))
    return tuple(Line(role, inert.text(text.strip(), LINE_CHARS)) for role, text in said)


def _counted(verdict: Verdict) -> str:
    return "only forwarded" if verdict is Verdict.UNJUDGED else verdict.value


def plain_title(title: str) -> str:
    """The title of a message that is about tocsin itself."""
    return inert.text(title, LINE_CHARS).strip() or "tocsin"


def plain_lines(text: str) -> tuple[Line, ...]:
    """The lines of a message that is about tocsin itself; the first counts as its headline."""
    said = _paragraphs(text) or ["(no text)"]
    return tuple(Line(Role.FACT if at else Role.HEADLINE, line) for at, line in enumerate(said))


def _conclusion(report: Report) -> str:
    judged = report.kind is not Kind.OTHER and report.assessment.verdict is not Verdict.UNJUDGED
    name = report.assessment.verdict.value.capitalize() if judged else _hostile(report.alert_name.strip()) or "Alert"
    if report.reason is NoticeReason.RESOLVED:
        return "Resolved" if judged else f"Resolved: {name}"
    return name


def _who(report: Report, namespaced: bool) -> str:
    subject = report.subject
    if not (subject.namespace or subject.workload or subject.pods):
        return ""
    return _hostile(subject.label if namespaced or not subject.workload else subject.workload)


def _deed(report: Report) -> str:
    volume = report.findings.volume
    if report.kind is Kind.VOLUME:
        if volume and volume.multiple is not None:
            return f" sends {multiple(volume.multiple)} its day"
        return f" sends {rate(volume.rate)}" if volume and volume.rate is not None else " sends more than usual"
    return f" -> {_shown(report.destination)}" if report.destination else ""


def _content(report: Report, namespaced: bool) -> Iterator[tuple[Role, str]]:
    yield Role.NOTICE, _notice(report)
    yield from _forwarded(report) if report.kind is Kind.OTHER else _judged(report)
    yield Role.FACT, _seen(report, namespaced)
    if report.truncated > 0:
        yield Role.FACT, f"Alertmanager left {count(report.truncated, 'more alert')} out of this group (max_alerts)."
    yield from ((Role.GAP, text) for text in _gaps(report.findings.gaps))
    yield Role.GAP, _stale(report.findings.policy)
    yield Role.NEXT, report.assessment.next_step


def _judged(report: Report) -> Iterator[tuple[Role, str]]:
    said = report.assessment.headline.strip() or inert.defang(report.summary).strip()
    yield Role.HEADLINE, said or f"{_hostile(report.alert_name.strip()) or 'An egress alert'} is firing."
    if report.reason is not NoticeReason.RESOLVED:  # they spoke of the moment it was told
        yield from ((Role.REASON, reason) for reason in report.assessment.reasons)


def _forwarded(report: Report) -> Iterator[tuple[Role, str]]:
    said = list(dict.fromkeys(_paragraphs(report.summary) + _paragraphs(report.description)))
    headline = said.pop(0) if said else report.assessment.headline.strip()
    yield Role.HEADLINE, headline or f"{_hostile(report.alert_name.strip()) or 'An alert'} is firing."
    yield from ((Role.FACT, text) for text in said)
    yield from ((Role.REASON, reason) for reason in report.assessment.reasons)
    yield Role.FACT, _labels(report)


def _notice(report: Report) -> str:
    lasted = age(report.written_at - report.started_at)
    match report.reason:
        case NoticeReason.FIRST:
            return ""
        case NoticeReason.WORSE:
            return "Worse than what you were last told."
        case NoticeReason.WIDER:
            known = ", ".join(_hostile(who) for who in report.elsewhere[:_NAMES_SHOWN])
            left = len(report.elsewhere) - _NAMES_SHOWN
            more = f" and {count(left, 'more workload')}" if left > 0 else ""
            return f"Wider: {known}{more} asked for the same domain; you know of that already."
        case NoticeReason.REPEAT:
            return f"Still firing after {lasted}."
        case NoticeReason.RESOLVED:
            judged = report.kind is not Kind.OTHER and report.assessment.verdict is not Verdict.UNJUDGED
            return f"Resolved after {lasted}." + (f" It was {report.assessment.verdict}." if judged else "")


def _seen(report: Report, namespaced: bool) -> str:
    """Counts what came in, unless it is the first word about something that is news anyway."""
    parts = []
    if report.seen > 1 or report.assessment.verdict in _QUIET:
        parts.append(f"Seen {count(report.seen, 'time')}")
    if report.firing > 1:
        parts.append(f"{count(report.firing, 'alert')} firing")
    if report.subject.namespace and report.subject.workload and not (namespaced or report.kind is Kind.OTHER):
        parts.append(f"namespace {_hostile(report.subject.namespace)}")
    if report.subject.cluster:
        parts.append(f"cluster {_hostile(report.subject.cluster)}")
    said = "; ".join(parts)
    return f"{said[0].upper()}{said[1:]}." if said else ""


def _gaps(gaps: tuple[Gap, ...]) -> Iterator[str]:
    for gap in gaps[:_GAPS_SHOWN]:
        source, reason = inert.text(gap.source, 60), inert.text(gap.reason, 160).rstrip(".")
        told = f"{source} {reason}" if reason.startswith(_READS_ON) else f"{source}: {reason}"
        yield f"Not known: {told}{_missing(gap.missing)}."
    if len(gaps) > _GAPS_SHOWN:
        yield f"Not known: {count(len(gaps) - _GAPS_SHOWN, 'more lookup')} failed."


def _missing(missing: tuple[str, ...]) -> str:
    if not missing:
        return ""
    *most, last = (inert.text(name, 60) for name in missing[:_NAMES_SHOWN])
    several = bool(most) or last.endswith("s")
    return f", so {', '.join(most)}{' and ' if most else ''}{last} {'are' if several else 'is'} missing"


def _stale(policy: PolicyFacts | None) -> str:
    if policy is None or policy.stale_for is None:
        return ""
    why = inert.text(policy.stale_reason, 120)
    return f"GitOps data is {age(policy.stale_for)} old{f' ({why})' if why else ''}."


def _labels(report: Report) -> str:
    """The labels that tell something beyond the title; those of the exporter are not about the subject."""
    titled = {report.subject.namespace, report.subject.workload, report.subject.cluster}
    hidden = _PLUMBING_LABELS | (_EXPORTER_LABELS if report.labels.get("job") == "kube-state-metrics" else frozenset())
    telling = [name for name in _TELLING_LABELS if name in report.labels]
    names = [
        name
        for name in (*telling, *sorted(report.labels.keys() - set(telling)))
        if name not in hidden and report.labels[name] and report.labels[name] not in titled
    ]
    shown = [f"{_hostile(name)}={_hostile(report.labels[name])}" for name in names[:_LABELS_SHOWN]]
    left = len(names) - len(shown)
    return f"Labels: {', '.join(shown)}{f' and {left} more' if left else ''}" if shown else ""


def _paragraphs(text: str) -> list[str]:
    said = (inert.defang(inert.text(line, LINE_CHARS)).strip() for line in text[:20_000].splitlines())
    return [line for line in said if line][:_PARAGRAPHS_SHOWN]


def _shown(destination: Destination) -> str:
    if destination.name == "*":
        return "many names"
    return clip_front(inert.text(destination.shown, 2000), _DESTINATION_CHARS)


def _hostile(value: str | None) -> str:
    """A name chosen by somebody else: inert, unlinkable, and without the marks that begin a tag."""
    shown = inert.defang(inert.text(value or "", _SUBJECT_CHARS))
    return shown.replace("<", "\\x3c").replace(">", "\\x3e")
