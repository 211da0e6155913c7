"""The words of the design as frozen values.

Instants end in `_at` and are aware UTC. Durations are `timedelta` and end in `_for`, `_after`, `_within`
or `_every`. An enum value is one lower-case word and the same string in the database, the metrics,
the log and the documentation. Rates are bytes per second, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class Kind(StrEnum):
    """What an alert is about; the alert name decides, through the configuration."""

    NOVEL = "novel"
    VOLUME = "volume"
    OTHER = "other"


class AlertStatus(StrEnum):
    """Alertmanager's word for the state of one alert."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Posture(StrEnum):
    """How a workload's egress is meant to be; the design calls it the class."""

    BOUNDED = "bounded"
    UNBOUNDED = "unbounded"
    BETWEEN = "between"
    LAN_ONLY = "lan_only"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What to conclude, in rising order of concern. `unjudged` is for alerts that are only forwarded."""

    UNJUDGED = "unjudged"
    EXPECTED = "expected"
    EXPLAINED = "explained"
    UNEXPLAINED = "unexplained"
    SUSPICIOUS = "suspicious"

    @property
    def rank(self) -> int:
        """Position in rising order of concern, from 0; higher is worse."""
        return list(Verdict).index(self)


class NoticeReason(StrEnum):
    """Why somebody is told."""

    FIRST = "first"
    WORSE = "worse"
    WIDER = "wider"
    REPEAT = "repeat"
    RESOLVED = "resolved"


class Priority(StrEnum):
    """How loudly somebody is told; ntfy's five names."""

    MIN = "min"
    LOW = "low"
    DEFAULT = "default"
    HIGH = "high"
    URGENT = "urgent"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of an Alertmanager webhook (v4), as sent. `ends_at` is None while it fires."""

    status: AlertStatus
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None
    generator_url: str
    fingerprint: str

    @property
    def name(self) -> str:
        """The `alertname` label, or an empty string."""
        return self.labels.get("alertname", "")


@dataclass(frozen=True, slots=True)
class Group:
    """One Alertmanager webhook: the alerts of one aggregation group.

    `truncated` counts alerts that Alertmanager's `max_alerts` cut off.
    """

    group_key: str
    receiver: str
    external_url: str
    truncated: int
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Destination:
    """A DNS name a pod asked for, normalised.

    `name` is lower case, without trailing dot and search suffixes, every byte outside `[a-z0-9_.*-]` written
    `\\xNN`. `domain` is the registrable domain (the name itself where there is none). `shown` is `name`
    defanged for people. `name` starting with `*.`, or `*` alone, stands for many names at once.
    """

    raw: str
    name: str
    domain: str
    shown: str
    internal: bool = False

    @property
    def wildcard(self) -> bool:
        """Whether the alert stands for many names (collapsed by the rules)."""
        return self.name.startswith("*")


@dataclass(frozen=True, slots=True)
class Subject:
    """Who an alert is about. `namespace` or `workload` is None where it cannot be told.

    `evidence` says how the workload was found, for example "label workload" or "owner of the pod".
    All texts are as they came and are hostile; show them through `inert.text`.
    """

    cluster: str
    namespace: str | None
    workload: str | None
    pods: tuple[str, ...] = ()
    evidence: str = "unresolved"

    @property
    def label(self) -> str:
        """`namespace/workload` as far as it is known, unescaped."""
        who = self.workload or (self.pods[0] if self.pods else None)
        return "/".join(part for part in (self.namespace, who) if part) or "unknown subject"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for a classification: where it was read and what it says."""

    source: str
    statement: str


@dataclass(frozen=True, slots=True)
class Classification:
    """What a workload's egress is meant to be, with what says so.

    `expected` holds the configured patterns (`*` matches within one label, a leading `**.` one or more labels).
    """

    posture: Posture
    evidence: tuple[Evidence, ...] = ()
    conflicts: tuple[Evidence, ...] = ()
    expected: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """A lookup that visibly failed: the source, why, and what is therefore not known."""

    source: str
    reason: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What the enrichers are asked: one subject and everything its alerts of one event name."""

    subject: Subject
    kinds: frozenset[Kind]
    destinations: tuple[Destination, ...]
    started_at: datetime
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Lookups:
    """What Prometheus knows of one registrable domain, as asked for by one workload.

    `lookups` counts those of the last hour. `earlier_pods` are pods of the same workload, other than those of
    the alert, that asked within retention; `earlier_at` is when one last did. `neighbours` are other workloads
    (`namespace/workload`) that ask for the same registrable domain. `watched_for` is how long DNS series
    of this workload have been recorded: the true age of the baseline.
    """

    domain: str
    names: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    first_asked_at: datetime | None = None
    last_asked_at: datetime | None = None
    lookups: int | None = None
    earlier_pods: tuple[str, ...] = ()
    earlier_at: datetime | None = None
    neighbours: tuple[str, ...] | None = None
    watched_for: timedelta | None = None
    denied: bool = False


@dataclass(frozen=True, slots=True)
class Volume:
    """How much a workload sends, against its own past. Rates in bytes per second over 10 minutes.

    `sigma_7d` is the standard deviation of that rate over 7 days. `multiple` is `rate` over `avg_24h`. `since_at` is
    when it left its usual range and `sent` the bytes since then. `new_names` were first asked for in the
    same window. `baseline_for` is the true age of the series behind the averages.
    """

    rate: float | None = None
    avg_24h: float | None = None
    avg_7d: float | None = None
    sigma_7d: float | None = None
    multiple: float | None = None
    sent: float | None = None
    since_at: datetime | None = None
    new_names: tuple[str, ...] | None = None
    baseline_for: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One commit that touched a policy or a component. `what` is the rule-level change ("+ world:443").

    `url` is the page of the pull request or commit, empty where it is not known.
    """

    sha: str
    at: datetime
    author: str
    bot: bool
    subject: str
    pull_request: int | None = None
    what: tuple[str, ...] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class PolicyMatch:
    """One policy that selects the workload. `allows` maps a destination name to the rule that lets it through.

    A destination without an entry in `allows` is let through by no rule of this policy. `named` lists the
    destination names for which that rule is a `toFQDNs` entry other than a bare `*`.
    """

    name: str
    namespace: str
    file: str
    primary: bool = True
    allows: Mapping[str, str] = field(default_factory=dict)
    named: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """The policies that select the workload and what lately changed beside them.

    `releases` are recent commits to the component's own directory that bump an image or a chart. `stale_for` is
    how old the GitOps data is when the last refresh failed, None when it is fresh; `stale_reason` says why.
    """

    policies: tuple[PolicyMatch, ...] = ()
    releases: tuple[Change, ...] = ()
    stale_for: timedelta | None = None
    stale_reason: str = ""


@dataclass(frozen=True, slots=True)
class PodFacts:
    """When the pods of the alert were created, by pod name."""

    created_at: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything the lookups of one inquiry found; what is None was not asked for or is named in `gaps`."""

    lookups: Mapping[str, Lookups] = field(default_factory=dict)
    volume: Volume | None = None
    policy: PolicyFacts | None = None
    pods: PodFacts | None = None
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Assessment:
    """The conclusion, its reasons (most telling first, already inert for display) and what to do next."""

    verdict: Verdict
    headline: str
    reasons: tuple[str, ...] = ()
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All that a message says of one incident at one moment; kept with the notice so it can be rendered again.

    `elsewhere` names other workloads that have an open incident with the same registrable domain.
    """

    incident_id: str
    kind: Kind
    reason: NoticeReason
    subject: Subject
    destination: Destination | None
    other_destinations: tuple[Destination, ...]
    classification: Classification
    findings: Findings
    assessment: Assessment
    priority: Priority
    alert_name: str
    summary: str
    description: str
    labels: Mapping[str, str]
    firing: int
    seen: int
    started_at: datetime
    written_at: datetime
    alertmanager_url: str = ""
    generator_url: str = ""
    truncated: int = 0
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent through one channel: the fields of the request, without secrets.

    `title` repeats the title inside `body` for logs and listings.
    """

    channel: str
    title: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a webhook that was stored."""

    event: str
    alerts: int
