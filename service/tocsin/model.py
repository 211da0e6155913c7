"""The words of the design as frozen values.

Instants end in `_at` and are aware UTC. Durations are `timedelta` and end in `_for`, `_after`, `_within`
or `_every`. An enum value is one lower-case word and the same string in the database, the metrics,
the log and the documentation. Rates are bytes per second, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Mode(StrEnum):
    """Whether messages leave; in `shadow` they are only recorded."""

    LIVE = "live"
    SHADOW = "shadow"


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

    @property
    def rank(self) -> int:
        """Position in rising order of loudness, from 0."""
        return list(Priority).index(self)


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


class Ground(StrEnum):
    """What a statement about a workload's egress rests on; of those in policies the best first."""

    LISTED = "listed"
    ANNOTATION = "annotation"
    AGREED = "agreed"
    STRUCTURE = "structure"
    COMMENT = "comment"


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that says what the egress is meant to be; `source` tells where, `text` what, as written there."""

    posture: Posture
    ground: Ground
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Classification:
    """What a workload's egress is meant to be, with what says so.

    `ground` is that of the statement that decided, None where none did. `expected` holds the configured patterns (`*`
    matches within one label, a leading `**.` one or more labels).
    """

    posture: Posture
    evidence: tuple[Evidence, ...] = ()
    conflicts: tuple[Evidence, ...] = ()
    expected: tuple[str, ...] = ()
    note: str = ""
    ground: Ground | None = None


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
