"""tocsin's own metrics. Label values come from enums and the configuration, never from an alert.

docs/metrics.md says what each is for; `housekeeping.expect` makes every series that can be named beforehand.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from tocsin import __version__

REGISTRY = CollectorRegistry()
CONTENT_TYPE = CONTENT_TYPE_LATEST

WEBHOOKS = Counter("tocsin_webhooks", "Webhooks by answer.", ["code"], registry=REGISTRY)
ALERTS = Counter("tocsin_alerts_accepted", "Alerts in webhooks that were durably stored.", registry=REGISTRY)
DECISIONS = Counter(
    "tocsin_decisions",
    "Decisions by action and named reason, one an incident and event.",
    ["action", "reason"],
    registry=REGISTRY,
)
NOTICES = Counter("tocsin_notices", "Notices by kind and verdict.", ["kind", "verdict"], registry=REGISTRY)
GAPS = Counter("tocsin_gaps", "Lookups that failed into a visible gap, by source.", ["source"], registry=REGISTRY)
EVENT_FAILURES = Counter(
    "tocsin_event_failures", "Events whose processing failed and is tried again.", registry=REGISTRY
)
EVENTS_DEAD = Counter(
    "tocsin_events_dead", "Events that were given up and forwarded without an explanation.", registry=REGISTRY
)
DELIVERIES = Counter(
    "tocsin_deliveries",
    "Attempts to deliver, by channel and outcome (sent, retry, dead).",
    ["channel", "outcome"],
    registry=REGISTRY,
)
ROLLED_UP = Counter(
    "tocsin_rolled_up",
    "Incidents that were told in a roll-up instead of a message of their own.",
    ["channel"],
    registry=REGISTRY,
)
TOLD_SECONDS = Histogram(
    "tocsin_told_seconds",
    "Seconds from the decision to tell until the provider confirmed the message, of a roll-up the oldest in it.",
    ["channel"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600),
    registry=REGISTRY,
)
IN_FLIGHT = Gauge("tocsin_webhooks_in_flight", "Webhooks being read or stored now.", registry=REGISTRY)
STAGES = ("receive", "parse", "identify", "enrich", "assess", "record", "advance", "deliver")
"""`receive` is a webhook that was read, until COMMIT; `advance` holds parse to record; `assess` is one incident."""
STAGE_SECONDS = Histogram(
    "tocsin_stage_seconds",
    "Duration of each stage.",
    ["stage"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
OLDEST_EVENT = Gauge(
    "tocsin_oldest_event_age_seconds", "Age of the oldest webhook not yet processed.", registry=REGISTRY
)
LAST_WEBHOOK = Gauge(
    "tocsin_last_webhook_timestamp_seconds",
    "Unix time of the newest webhook in the store, 0 when there is none.",
    registry=REGISTRY,
)
OUTBOX = Gauge(
    "tocsin_outbox_messages",
    "Messages not sent, by channel and state (due, claimed, dead).",
    ["channel", "state"],
    registry=REGISTRY,
)
OLDEST_MESSAGE = Gauge(
    "tocsin_oldest_message_age_seconds",
    "Age of the oldest message still on its way, by channel.",
    ["channel"],
    registry=REGISTRY,
)
STORE_UP = Gauge("tocsin_store_up", "Whether the store answered this scrape, 1 or 0.", registry=REGISTRY)
SHADOW = Gauge("tocsin_shadow", "Whether mode is shadow, in which nothing is sent, 1 or 0.", registry=REGISTRY)
GITOPS_REFRESHED = Gauge(
    "tocsin_gitops_refreshed_timestamp_seconds",
    "Unix time at which the GitOps repository was last known to stand where it was read; 0 before it was ever read.",
    ["source"],
    registry=REGISTRY,
)
BUILD = Gauge("tocsin_build_info", "Always 1; the version is a label.", ["version"], registry=REGISTRY)
BUILD.labels(__version__).set(1)


def exposition() -> bytes:
    """Everything in Prometheus's text format, of CONTENT_TYPE."""
    return generate_latest(REGISTRY)
