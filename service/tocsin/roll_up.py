"""Many incidents told in one message: how many, the likely common cause, and those that nothing explains. Pure."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin import inert
from tocsin.model import Kind, Priority, Verdict
from tocsin.units import clock, count

MOST = 0.8
"""The part of the incidents that must share something for it to be a likely cause."""
TOGETHER = timedelta(minutes=15)
"""Pods that were created this close to each other were restarted by one cause."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What most incidents have in common in one respect: the value, and how many have it, of whom."""

    value: str
    incidents: int
    workloads: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over everything in a roll-up. `names` counts alerts that fire: one a name and workload.

    `domain`, `workload` and `namespace` are the most frequent ones, None where there is none.
    """

    incidents: int
    workloads: int
    namespaces: int
    names: int
    kinds: Mapping[Kind, int]
    verdicts: Mapping[Verdict, int]
    since_at: datetime
    domain: Shared | None = None
    workload: Shared | None = None
    namespace: Shared | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One incident of it: the title its own message had, and its report (JSON), empty for word about tocsin itself."""

    title: str
    verdict: Verdict
    report: str


@dataclass(frozen=True, slots=True)
class RollUp:
    """What is rendered, as loud as the loudest in it. `named` are titles, worst first; all texts are inert."""

    totals: Totals
    cause: str
    remarks: tuple[str, ...]
    named: tuple[str, ...]
    priority: Priority
    written_at: datetime


def sum_up(totals: Totals, entries: Sequence[Entry], now: datetime) -> RollUp:
    """`entries` are the worst of them, in that order; causes that need a report are judged by these."""
    reports = [report for entry in entries if (report := _report(entry.report))]
    causes = list(_causes(totals, reports, now))
    named = dict.fromkeys(entry.title for entry in entries)
    return RollUp(
        totals=totals,
        cause=causes[0] if causes else "No common cause shows: look at them one by one.",
        remarks=(*causes[1:], *_gaps(reports)),
        named=tuple(named),
        priority=max(
            (Priority(report["priority"]) for report in reports),
            key=lambda priority: priority.rank,
            default=Priority.DEFAULT,
        ),
        written_at=now,
    )


def _causes(totals: Totals, reports: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[str]:
    """The likeliest first: one who does it all, one name all ask for, one restart of many, one release."""
    enough = MOST * totals.incidents
    if totals.workload and totals.workload.incidents >= enough:
        who = _shown(totals.workload.value)
        yield f"Likely one cause: {who} asks for all kinds of names; a scan, a tunnel or a new feature of it."
    elif totals.domain and totals.domain.incidents >= enough and totals.domain.workloads > 1:
        name, asking = _shown(totals.domain.value), count(totals.domain.workloads, "workload")
        yield f"Likely one cause: {asking} ask for {name}; something they share, such as an image or a library."
    yield from _restart(reports, now)
    yield from _released(reports)
    if totals.namespace and totals.namespaces > 1 and totals.namespace.incidents >= enough:
        yield f"{totals.namespace.incidents} of {totals.incidents} are in namespace {_shown(totals.namespace.value)}."


def _restart(reports: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[str]:
    """Pods that began together: a node, a drain or a restart of everything."""
    known = [created for report in reports if (created := _youngest(report))]
    if len(known) < 2:
        return
    first = min(
        (begin for begin in sorted(known) if sum(begin <= at <= begin + TOGETHER for at in known) >= MOST * len(known)),
        default=None,
    )
    if first is not None and len({_workload(report) for report in reports}) > 1:
        together = sum(first <= at <= first + TOGETHER for at in known)
        when = f"{together} of {len(known)} pods looked at started after {clock(first, now)}"
        yield f"Likely one cause: {when}, as after a node's restart."


def _released(reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    fresh = [report for report in reports if _recent_release(report)]
    if len(fresh) > 1 and len(fresh) >= MOST * len(reports):
        yield f"{len(fresh)} of {len(reports)} looked at were released within a day before."


def _gaps(reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What was not looked up, by source and reason, most frequent first."""
    found = Counter(
        (str(gap["source"]), str(gap["reason"])) for report in reports for gap in report["findings"].get("gaps", ())
    )
    for (source, reason), number in found.most_common(2):
        yield f"Not known for {number} of {len(reports)}: {inert.text(source, 60)} {inert.text(reason, 120)}."


def _youngest(report: Mapping[str, Any]) -> datetime | None:
    created = ((report["findings"].get("pods") or {}).get("created_at") or {}).values()
    return max((datetime.fromisoformat(at).astimezone(UTC) for at in created), default=None)


def _recent_release(report: Mapping[str, Any]) -> bool:
    written_at = datetime.fromisoformat(report["written_at"])
    releases = (report["findings"].get("policy") or {}).get("releases") or ()
    return any(written_at - datetime.fromisoformat(change["at"]) <= timedelta(days=1) for change in releases)


def _workload(report: Mapping[str, Any]) -> tuple[Any, ...]:
    subject = report["subject"]
    return subject["namespace"], subject["workload"]


def _report(text: str) -> Mapping[str, Any] | None:
    return json.loads(text) if text else None


def _shown(value: str) -> str:
    return inert.defang(inert.text(value, 100))
