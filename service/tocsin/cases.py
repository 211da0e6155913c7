"""The alerts of one webhook, grouped into the incidents they belong to. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tocsin import destination, identify, inert
from tocsin.decide import Arrival
from tocsin.destination import DestinationSettings
from tocsin.findings import Inquiry
from tocsin.identify import IdentifySettings
from tocsin.model import Alert, AlertStatus, Destination, Group, Kind, Subject


@dataclass(frozen=True, slots=True)
class Case:
    """What one webhook says of one incident. `lead` is the alert the message speaks of: one that fires, if any."""

    key: tuple[str, ...]
    kind: Kind
    subject: Subject
    destinations: tuple[Destination, ...]
    alerts: tuple[Alert, ...]

    @property
    def title(self) -> str:
        """One line for listings and the log, inert."""
        shown = self.destinations[0].shown if self.destinations else inert.text(self.lead.name)
        return f"{inert.text(self.subject.label)} {shown}"

    @property
    def lead(self) -> Alert:
        return next((alert for alert in self.alerts if alert.status is AlertStatus.FIRING), self.alerts[0])

    @property
    def arrival(self) -> Arrival:
        return Arrival(
            {alert.fingerprint: alert.starts_at for alert in self.alerts if alert.status is AlertStatus.FIRING},
            frozenset(alert.fingerprint for alert in self.alerts if alert.status is AlertStatus.RESOLVED),
        )

    @property
    def domain(self) -> str:
        """The registrable domain, empty where the incident is about none."""
        return self.destinations[0].domain if self.destinations else ""

    @property
    def started_at(self) -> datetime:
        return min(alert.starts_at for alert in self.alerts)


def sort_out(
    group: Group,
    owners: Mapping[tuple[str, str], str],
    identifying: IdentifySettings,
    naming: DestinationSettings,
) -> list[Case]:
    """Groups by incident, in the order in which the incidents first appear."""
    cases: dict[tuple[str, ...], Case] = {}
    for alert in group.alerts:
        kind = identify.kind_of(alert, identifying)
        subject = identify.subject_of(alert, owners, identifying)
        raw = identify.destination_of(alert, identifying) if kind is Kind.NOVEL else None
        asked = destination.normalise(raw, naming) if raw else None
        key = identify.incident_key(kind, subject, asked, alert)
        case = cases.get(key)
        if case is None:
            cases[key] = Case(key, kind, subject, (asked,) if asked else (), (alert,))
            continue
        pods = tuple(dict.fromkeys(case.subject.pods + subject.pods))
        names = tuple(dict.fromkeys(case.destinations + ((asked,) if asked else ())))
        cases[key] = replace(
            case,
            subject=replace(case.subject, pods=pods),
            destinations=names,
            alerts=(*case.alerts, alert),
        )
    return list(cases.values())


def inquiries(cases: list[Case], now: datetime) -> dict[tuple[str, str | None, str | None], Inquiry]:
    """One inquiry a subject, about everything that its cases name."""
    grouped: dict[tuple[str, str | None, str | None], Inquiry] = {}
    for case in cases:
        who = subject_key(case)
        known = grouped.get(who)
        if known is None:
            grouped[who] = Inquiry(case.subject, frozenset({case.kind}), case.destinations, case.started_at, now)
            continue
        grouped[who] = Inquiry(
            replace(known.subject, pods=tuple(dict.fromkeys(known.subject.pods + case.subject.pods))),
            known.kinds | {case.kind},
            tuple(dict.fromkeys(known.destinations + case.destinations)),
            min(known.started_at, case.started_at),
            now,
        )
    return grouped


def subject_key(case: Case) -> tuple[str, str | None, str | None]:
    """What cases must share to share their lookups."""
    subject = case.subject
    who = subject.workload or (subject.pods[0] if subject.pods else None)
    return subject.cluster, subject.namespace, who
