"""What `tocsin shadow report` says: what would have been sent, read from the store beside a running service."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from tocsin import inert
from tocsin.model import Mode, NoticeReason, Posture, Priority
from tocsin.settings import Settings
from tocsin.store import deliveries, notices
from tocsin.store.engine import reading
from tocsin.store.notices import Heard, Notice
from tocsin.units import count

LOUD = frozenset({Priority.HIGH, Priority.URGENT})
"""A day without a message of these priorities is a quiet day."""

QUIET_DAYS = 7
"""So many of them in a row before anything pages."""

DAY = timedelta(days=1)
BUSIEST = 10


@dataclass(frozen=True, slots=True)
class Line:
    """One notice. `states` is what became of its messages; `missing` names sources whose answer it has not."""

    incident_id: str
    at: datetime
    priority: Priority
    verdict: str
    posture: str
    reason: str
    workload: str
    title: str
    channels: tuple[str, ...]
    states: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def loud(self) -> bool:
        """Whether it pages; it does not when its route names no channel."""
        return self.priority in LOUD and bool(self.channels)


@dataclass(frozen=True, slots=True)
class Quiet:
    """How long nothing has paged, shadow or live; `days` are whole ones of 24 hours.

    `since_at` is that of the last loud message (`last`), or of the first thing that is known; None when nothing is.
    """

    days: int
    since_at: datetime | None
    last: str | None = None


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """`lines` would have been sent, the oldest first; of the `recorded` the route names no channel.

    `known_days` are those of the time asked for since the first thing that is known. `repeats` counts how often an
    incident fired again and nothing in it was worse. `sent` messages really left, when mode was live; `waiting` ones
    were stored in mode live and have not left.
    """

    mode: Mode
    since_at: datetime
    until_at: datetime
    known_days: float
    heard: Heard
    lines: tuple[Line, ...]
    recorded: int
    repeats: int
    sent: int
    waiting: int
    quiet: Quiet

    @property
    def a_day(self) -> float:
        """Notices a day, over one day at least."""
        return len(self.lines) / max(self.known_days, 1.0)


def look(settings: Settings, since: timedelta, now: datetime) -> ShadowReport:
    """Reads the store. Raises StoreUnavailable when it cannot be read."""
    since_at, quiet_at = now - since, now - max(since, QUIET_DAYS * DAY)
    with reading(settings.store) as tx:
        first_at = notices.first_at(tx)
        every = [_line(notice) for notice in notices.told(tx, quiet_at)]
        heard, seen, backlog = notices.heard(tx, since_at), notices.seen(tx, since_at), deliveries.backlog(tx)
    asked = [line for line in every if line.at >= since_at]
    return ShadowReport(
        mode=settings.mode,
        since_at=since_at,
        until_at=now,
        known_days=max((now - max(since_at, first_at or now)) / DAY, 0.0),
        heard=heard,
        lines=tuple(line for line in asked if "shadow" in line.states),
        recorded=sum(not line.channels for line in asked),
        repeats=_repeats(asked, seen),
        sent=sum(line.states.count("sent") for line in asked),
        waiting=sum(number for _, state, number, _ in backlog if state != "dead"),
        quiet=_quiet(every, first_at, quiet_at, now),
    )


def advice(report: ShadowReport) -> tuple[bool, list[str]]:
    """Whether going live is sensible; what speaks against it, and then what should be known first."""
    quiet, notes = report.quiet, []
    if quiet.since_at is None:
        notes.append("nothing has come in yet, and quiet days count from the first webhook on")
    elif quiet.days < QUIET_DAYS:
        why = f"the last loud message is {_at(quiet.since_at)}: {quiet.last}"
        begun = f"the first webhook came {_at(quiet.since_at)}"
        notes.append(f"{count(quiet.days, 'quiet day')} of {QUIET_DAYS}; {why if quiet.last else begun}")
    if report.heard.dead:
        notes.append(f"{count(report.heard.dead, 'webhook')} could not be explained; the log says why")
    sensible = not notes
    for source, number in Counter(source for line in report.lines for source in line.missing).most_common():
        notes.append(f"{source} is missing in {number} of {count(len(report.lines), 'notice')}")
    if report.mode is Mode.SHADOW and report.waiting:
        notes.append(f"{count(report.waiting, 'message')} from before shadow will leave first")
    return sensible, notes


def show(settings: Settings, since: timedelta, now: datetime, *, as_json: bool) -> str:
    """The report of the time `since` before `now`. Raises StoreUnavailable when the store cannot be read."""
    report = look(settings, since, now)
    return json.dumps(_plain(report), indent=2, ensure_ascii=False) if as_json else "\n".join(_text(report))


def _line(notice: Notice) -> Line:
    report = json.loads(notice.report) if notice.report else None
    return Line(
        incident_id=notice.incident_id,
        at=notice.created_at,
        priority=Priority(report["priority"]) if report else Priority.HIGH,  # as tocsin tells of its own troubles
        verdict=notice.verdict,
        posture=report["classification"]["posture"] if report else Posture.UNKNOWN.value,
        reason=notice.reason,
        workload=_shown("/".join(part for part in (notice.namespace, notice.workload) if part) or notice.title),
        title=_shown(notice.copies[0].title if notice.copies else notice.title),
        channels=tuple(copy.channel for copy in notice.copies),
        states=tuple(copy.state for copy in notice.copies),
        missing=tuple(dict.fromkeys(gap["source"] for gap in report["findings"]["gaps"])) if report else (),
    )


def _repeats(asked: Iterable[Line], seen: Mapping[str, int]) -> int:
    """Of incidents opened in the time asked for: when older ones fired is not kept."""
    told = Counter(line.incident_id for line in asked if line.reason != NoticeReason.RESOLVED)
    return sum(max(number - told[incident_id], 0) for incident_id, number in seen.items())


def _quiet(every: Sequence[Line], first_at: datetime | None, looked_from: datetime, now: datetime) -> Quiet:
    if first_at is None:
        return Quiet(0, None)
    last = next((line for line in reversed(every) if line.loud), None)
    since_at = last.at if last else max(first_at, looked_from)
    return Quiet(max((now - since_at) // DAY, 0), since_at, last.title if last else None)


def _counts(report: ShadowReport) -> dict[str, Counter[str]]:
    """Notices by what they are, the most frequent first; by channel, messages."""
    lines = report.lines
    return {
        "verdict": Counter(line.verdict for line in lines),
        "class": Counter(line.posture for line in lines),
        "channel": Counter(channel for line in lines for channel in line.channels),
        "priority": Counter(line.priority.value for line in lines),
        "reason": Counter(line.reason for line in lines),
        "workload": Counter(line.workload for line in lines),
    }


def _days(report: ShadowReport) -> Iterator[tuple[str, int, int]]:
    """(day in UTC, notices, loud ones) for each day of the time asked for that something is known of."""
    day = (report.until_at - report.known_days * DAY).date()
    while day <= report.until_at.date():
        lines = [line for line in report.lines if line.at.date() == day]
        yield day.isoformat(), len(lines), sum(line.loud for line in lines)
        day += DAY


def _plain(report: ShadowReport) -> dict[str, Any]:
    sensible, notes = advice(report)
    quiet = report.quiet
    return {
        "mode": report.mode.value,
        "since_at": report.since_at.isoformat(),
        "until_at": report.until_at.isoformat(),
        "known_days": round(report.known_days, 3),
        "webhooks": asdict(report.heard),
        "notices": len(report.lines),
        "notices_a_day": round(report.a_day, 2),
        "messages": sum(len(line.channels) for line in report.lines),
        "loud": sum(line.loud for line in report.lines),
        "by": {name: dict(numbers.most_common()) for name, numbers in _counts(report).items()},
        "days": [{"day": day, "notices": number, "loud": loud} for day, number, loud in _days(report)],
        "suppressed": {"repeats": report.repeats, "no_channel": report.recorded},
        "sent": report.sent,
        "waiting": report.waiting,
        "quiet": {
            "days": quiet.days,
            "needed": QUIET_DAYS,
            "since_at": quiet.since_at.isoformat() if quiet.since_at else None,
            "last": quiet.last,
        },
        "live": {"sensible": sensible, "notes": notes},
        "lines": [
            {
                "at": line.at.isoformat(),
                "incident": line.incident_id,
                "priority": line.priority.value,
                "channels": line.channels,
                "title": line.title,
            }
            for line in report.lines
        ],
    }


def _text(report: ShadowReport) -> Iterator[str]:
    is_shadow = report.mode is Mode.SHADOW
    lines, loud = report.lines, sum(line.loud for line in report.lines)
    messages = count(sum(len(line.channels) for line in lines), "message")
    yield f"{_at(report.since_at)} to {_at(report.until_at)}; mode is {report.mode.value}" + (
        ", nothing is sent" if is_shadow else ": this is what was recorded while it was shadow"
    )
    yield ""
    sensible, notes = advice(report)
    yield f"{'Go live':12}{'sensible' if sensible else 'not yet'}"
    yield f"{'Quiet days':12}{report.quiet.days} in a row: days without a message of priority high or urgent"
    yield from (f"{'':12}- {note}" for note in notes)
    yield ""
    yield f"{'Came in':12}{count(report.heard.webhooks, 'webhook')} with {count(report.heard.alerts, 'alert')}"
    yield f"{'Would send':12}{count(len(lines), 'notice')} as {messages}; {report.a_day:.1f} notices a day, {loud} loud"
    yield f"{'Suppressed':12}{count(report.repeats, 'repeat')} of what was known and no worse" + (
        f"; {count(report.recorded, 'notice')} whose route names no channel" if report.recorded else ""
    )
    if report.sent:
        yield f"{'Really sent':12}{count(report.sent, 'message')}, while mode was live"
    counts = _counts(report)
    busiest = counts.pop("workload").most_common(BUSIEST)
    if lines:
        yield ""
        for name, numbers in counts.items():
            yield f"{name.capitalize():12}" + ", ".join(f"{key} {number}" for key, number in numbers.most_common())
        yield from (f"{'' if index else 'Busiest':12}{number:>4}  {who}" for index, (who, number) in enumerate(busiest))
        yield f"\n{'Day (UTC)':12}{'NOTICES':>7}  LOUD"
        yield from (f"{day:12}{number:>7}  {loud:>4}" for day, number, loud in _days(report))
        yield "\nWhat would have been sent, the oldest first (UTC):"
        yield from (
            f"{line.at:%Y-%m-%d %H:%M:%S}  {line.priority.value:8}{','.join(line.channels)}  {line.title}"
            for line in lines
        )


def _shown(value: str) -> str:
    """A terminal obeys control characters, and the store keeps names as they came."""
    return inert.text(value, 300)


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
