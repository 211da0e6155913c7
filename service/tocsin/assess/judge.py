"""Findings to a verdict with its reasons. Pure: the same facts and the same `now` give the same words.

Every sentence is inert and defanged. Tables of the rules stand at the top of `novel` and `volume`.
"""

from collections.abc import Mapping
from datetime import datetime

from tocsin.assess import novel, volume
from tocsin.assess.sentences import safe
from tocsin.assess.settings import AssessSettings
from tocsin.findings import Findings
from tocsin.model import Alert, Classification, Destination, Kind, Subject, Verdict
from tocsin.report import Assessment


def assess(
    kind: Kind,
    subject: Subject,
    destinations: tuple[Destination, ...],
    classification: Classification,
    findings: Findings,
    alert: Alert,
    now: datetime,
    settings: AssessSettings,
) -> Assessment:
    """Judges one incident; its destinations share one registrable domain. `alert` is the one a message speaks of.

    An alert of another kind, or one about a name that carries none, is only forwarded.
    """
    if kind is Kind.VOLUME:
        return volume.judge(volume.Anomaly(subject, classification, findings, alert.starts_at, now, settings))
    if kind is Kind.NOVEL and destinations:
        return novel.judge(
            novel.Novelty(subject, destinations, classification, findings, alert.starts_at, now, settings)
        )
    return forwarded(alert.annotations)


def forwarded(annotations: Mapping[str, str]) -> Assessment:
    """What is said of an alert that tocsin does not judge: the words it came with."""
    words = [annotations.get(name, "").strip() for name in ("summary", "message", "description")]
    headline = next((word for word in words if word), "")
    return Assessment(Verdict.UNJUDGED, safe(headline, 400) if headline else "An alert without a summary.")
