"""What is concluded of an incident, and all that a message says of it, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tocsin.findings import Findings
from tocsin.model import Classification, Destination, Kind, NoticeReason, Priority, Subject, Verdict


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
