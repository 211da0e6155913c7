"""What the story writes in one transaction: the outcome of an event, and the end of a message."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

from pydantic import TypeAdapter

from tocsin import inert
from tocsin.decide import Action, Decision, Memory
from tocsin.errors import TemporaryError
from tocsin.findings import Gap
from tocsin.model import Kind, Message, Mode, NoticeReason, Priority, Verdict
from tocsin.outbox import Outgoing, take_for
from tocsin.outlet import Outlet
from tocsin.pace import StormSettings
from tocsin.report import Report
from tocsin.retry import RetrySettings, next_probe, next_try
from tocsin.store import channels, deliveries, events, incidents
from tocsin.store.database import Transaction, new_id
from tocsin.store.deliveries import Delivery
from tocsin.store.incidents import IncidentRow, Key

TROUBLE_EVERY = timedelta(hours=1)
"""How often the trouble of one channel is told through the others."""

Elsewhere = dict[tuple[str, str], list[tuple[Key, str]]]
"""Open incidents, (key, `namespace/workload`), by cluster and registrable domain."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one event does to one incident."""

    row: IncidentRow
    decision: Decision
    report: Report | None
    messages: tuple[Message, ...]


def recall(
    tx: Transaction, keys: Sequence[Key], domains: Collection[tuple[str, str]], mode: Mode
) -> tuple[dict[Key, Memory], Elsewhere]:
    """What is remembered of incidents, and who else has an open one with these (cluster, registrable domain)."""
    return incidents.recall(tx, keys, mode), {pair: incidents.elsewhere(tx, *pair) for pair in domains}


def store(
    tx: Transaction,
    event_ids: Sequence[str],
    plans: Sequence[Plan],
    now: datetime,
    mode: Mode,
    room: Mapping[str, int],
    lease: timedelta,
    storms: Mapping[str, StormSettings],
) -> list[Outgoing]:
    """Writes incidents, notices and deliveries, and settles the events.

    `room` is how many messages of each channel could leave at once; as many, where its `storms` allow, are claimed for
    `lease` and returned. Raises Overtaken, writing nothing, when an incident changed since it was recalled.
    """
    for plan in plans:
        if plan.row.version == 0 and plan.decision.action is Action.SKIP:
            continue  # resolved, and never seen firing: there is no incident to write it to
        incidents.record(tx, plan.row, now)
        if plan.report is None or plan.decision.action is not Action.NOTIFY:
            continue
        verdict = plan.report.assessment.verdict
        notice_id = _tell(tx, plan.row.id, plan.report.reason, verdict, plan.report, now)
        for message in plan.messages:
            loud = verdict is Verdict.SUSPICIOUS
            deliveries.insert(tx, new_id(now), notice_id, plan.row.id, message, now, mode, loud=loud)
    events.finish(tx, event_ids)
    addressed = {message.channel for plan in plans for message in plan.messages} if mode is Mode.LIVE else set()
    return [
        taken
        for channel in sorted(addressed & room.keys())
        for taken in take_for(tx, channel, room[channel], now, lease, storms[channel])
    ]


def give_up(tx: Transaction, event_id: str, error: str, messages: Sequence[Message], now: datetime, mode: Mode) -> None:
    """Buries an event that cannot be processed and puts its plain messages on their way, as an incident of its own."""
    incidents.record(tx, _unexplained_event(event_id), now)
    notice_id = _tell(tx, event_id, NoticeReason.FIRST, Verdict.UNJUDGED, None, now)
    for message in messages:
        deliveries.insert(tx, new_id(now), notice_id, event_id, message, now, mode)
    events.bury(tx, event_id, error)


def _unexplained_event(event_id: str) -> IncidentRow:
    title, kind = "a webhook that could not be explained", Kind.OTHER.value
    return IncidentRow(event_id, 0, ("event", event_id), "", kind, "", "", "", title, None, None, ())


def bury(
    tx: Transaction, delivery: Delivery, error: str, others: Sequence[Outlet], now: datetime, until: datetime | None
) -> None:
    """Gives a message up and tells through `others` what its channel would not take. Until then the channel rests."""
    deliveries.settle_dead(tx, delivery, error, now)
    if until is not None:
        channels.pause(tx, delivery.message.channel, until, error)
    _tell_elsewhere(tx, delivery, error, others, now)


def put_off(
    tx: Transaction,
    delivery: Delivery,
    failure: TemporaryError,
    others: Sequence[Outlet],
    now: datetime,
    retry: RetrySettings,
) -> datetime:
    """Lets a message wait with its whole channel; while that takes long, `others` are told. Returns until when.

    Through a channel that fails the oldest message is tried again and again; when it leaves, the others are due.
    """
    channel, error = delivery.channel, str(failure)
    until = rest = now + (failure.retry_after or retry.first_after)
    if delivery.held is None:
        since, setbacks = channels.fails(tx, channel, delivery.id, now)
        until = rest = next_probe(retry, now - since, now, at_least=failure.retry_after)
        if setbacks > 1:
            until = max(rest, next_try(retry, setbacks, now))
        channels.pause(tx, channel, rest, error)
    deliveries.postpone(tx, delivery, until, error)
    if channels.state(tx, channel, now).gone_for_long(now):
        _tell_elsewhere(tx, delivery, error, others, now)
    return until


def _tell_elsewhere(tx: Transaction, delivery: Delivery, error: str, others: Sequence[Outlet], now: datetime) -> None:
    """Tells of the trouble where the same notice was sent, at most every TROUBLE_EVERY.

    When no channel is left that has it, the whole report goes to those that were not addressed. Trouble about trouble
    is never told.
    """
    stored = deliveries.report_of(tx, delivery.notice_id)
    if stored is None:
        return
    channel = delivery.message.channel
    addressed = deliveries.channels_of(tx, delivery.notice_id)
    fresh = [outlet for outlet in others if outlet.name not in addressed]
    left = [state for name, state in addressed.items() if name != channel]
    if fresh and all(state == "dead" for state in left):
        report = _reports().validate_json(stored)
        gap = Gap(f"channel {channel}", inert.text(error), ("delivery there",))
        report = replace(report, findings=replace(report.findings, gaps=(*report.findings.gaps, gap)))
        for outlet in fresh:
            deliveries.insert(tx, new_id(now), delivery.notice_id, delivery.incident_id, outlet.render(report), now)
        return
    alive = [outlet for outlet in others if addressed.get(outlet.name) in {"due", "claimed", "sent"}]
    if not alive or not deliveries.may_tell_trouble(tx, channel, now, TROUBLE_EVERY):
        return
    title = f"Channel {channel} did not take a message"
    text = (
        f"{inert.text(error, 500)}\nIt was: {delivery.message.title}\nYou also got it here. "
        f"What became of every message: tocsin incidents"
    )
    notice_id = _tell(tx, delivery.incident_id, NoticeReason.FIRST, Verdict.UNJUDGED, None, now)
    for outlet in alive:
        message = outlet.render_plain(title, text, Priority.HIGH)
        deliveries.insert(tx, new_id(now), notice_id, delivery.incident_id, message, now, loud=True)


def _tell(
    tx: Transaction, incident_id: str, reason: NoticeReason, verdict: Verdict, report: Report | None, now: datetime
) -> str:
    notice_id = new_id(now)
    content = _reports().dump_json(report).decode() if report else ""
    deliveries.tell(tx, notice_id, incident_id, reason.value, verdict.value, content, now)
    return notice_id


@cache
def _reports() -> TypeAdapter[Report]:
    """Built with the first notice: it takes a while, and a service that idles needs none."""
    return TypeAdapter(Report)
