"""The alerts of one webhook, grouped into the incidents they belong to. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tocsin import destination, identify, inert
from tocsin.decide import Arrival
from tocsin.destination import DestinationSettings
from tocsin.findings import Inquiry
from tocsin.identify import IdentifySettings, Owner, PodId
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
    def fingerprints(self) -> tuple[str, ...]:
        return tuple(alert.fingerprint for alert in self.alerts)

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
    owners: Mapping[PodId, Owner],
    identifying: IdentifySettings,
    naming: DestinationSettings,
) -> list[Case]:
    """Groups by incident, in the order in which the incidents first appear. A group may hold tens of thousands."""
    first: dict[tuple[str, ...], tuple[Kind, Subject]] = {}
    alerts: defaultdict[tuple[str, ...], list[Alert]] = defaultdict(list)
    pods: defaultdict[tuple[str, ...], dict[str, None]] = defaultdict(dict)
    names: defaultdict[tuple[str, ...], dict[Destination, None]] = defaultdict(dict)
    for alert in group.alerts:
        kind = identify.kind_of(alert, identifying)
        subject = identify.subject_of(alert, owners, identifying)
        raw = identify.destination_of(alert, identifying) if kind is Kind.NOVEL else None
        asked = destination.normalise(raw, naming) if raw else None
        key = identify.incident_key(kind, subject, asked, alert)
        first.setdefault(key, (kind, subject))
        alerts[key].append(alert)
        pods[key].update(dict.fromkeys(subject.pods))
        if asked:
            names[key][asked] = None
    return [
        Case(key, kind, replace(subject, pods=tuple(pods[key])), tuple(names[key]), tuple(alerts[key]))
        for key, (kind, subject) in first.items()
    ]


def inquiries(cases: Iterable[Case], now: datetime) -> dict[tuple[str, str | None, str | None], Inquiry]:
    """One inquiry a subject, about everything that its cases name."""
    together: defaultdict[tuple[str, str | None, str | None], list[Case]] = defaultdict(list)
    for case in cases:
        together[subject_key(case)].append(case)
    return {
        who: Inquiry(
            replace(found[0].subject, pods=tuple(dict.fromkeys(pod for case in found for pod in case.subject.pods))),
            frozenset(case.kind for case in found),
            tuple(dict.fromkeys(each for case in found for each in case.destinations)),
            min(case.started_at for case in found),
            now,
        )
        for who, found in together.items()
    }


def subject_key(case: Case) -> tuple[str, str | None, str | None]:
    """What cases must share to share their lookups."""
    subject = case.subject
    who = subject.workload or (subject.pods[0] if subject.pods else None)
    return subject.cluster, subject.namespace, who
