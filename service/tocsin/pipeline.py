"""The story of an alert: received, advanced to a message, delivered.

    receive   parse, store, COMMIT; only then is the webhook answered
    advance   identify -> decide -> enrich -> assess -> render -> store: incident, notice, deliveries, COMMIT
    deliver   send one message through one channel, in a storm many as one, then settle: only this is remembered as told

In mode shadow the story ends before the last step: messages are stored as such, and nothing is sent.

Each step claims rows and settles them; webhooks that wait together are explained together. A process that dies before
leaves them claimed; they come back when their lease ends, or at the next start. So nothing accepted is lost, and what
is told twice is what was in flight.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

import structlog

from tocsin import alertmanager, batch, cases, identify, metrics, outbox
from tocsin.batch import Run
from tocsin.cases import Case
from tocsin.decide import Action, Decision, Memory, decide
from tocsin.enrich.enricher import merge
from tocsin.errors import PermanentError, TemporaryError
from tocsin.explain import Explainer, Rules
from tocsin.findings import Findings
from tocsin.hands import Hands
from tocsin.identify import IdentifySettings
from tocsin.model import Accepted, Kind, Message, Mode, Priority
from tocsin.outbox import Limits, Outgoing
from tocsin.outlet import Outlet
from tocsin.progress import Elsewhere, Plan, bury, give_up, put_off, recall, store
from tocsin.report import Report
from tocsin.retry import PROBE_AT_MOST, next_try
from tocsin.routing import route
from tocsin.store import deliveries, events, incidents, roll_ups
from tocsin.store.database import Database, new_id, to_us
from tocsin.store.deliveries import Delivery
from tocsin.store.events import Event
from tocsin.store.inbox import Inbox
from tocsin.store.incidents import AlertRow, IncidentRow, Overtaken
from tocsin.store.roll_ups import SLICES, Bundle

log = structlog.get_logger()

EVENT_LEASE = timedelta(minutes=2)
DELIVERY_LEASE = timedelta(minutes=2)
SLOW = 0.1
"""Seconds from which on the time an answer took matters."""
PLAIN_ALERTS = 10
PLAIN_CHARS = 500
"""What is shown of a webhook that cannot be explained."""
_STAGES = {stage: metrics.STAGE_SECONDS.labels(stage) for stage in metrics.STAGES}


class Pipeline:
    """Steps over the store. `inbox.hands` and `outboxes` are told of rows that they may work on."""

    def __init__(
        self,
        database: Database,
        rules: Rules,
        explainer: Explainer,
        outlets: Sequence[Outlet],
        mode: Mode = Mode.LIVE,
    ) -> None:
        self._mode = mode
        self._database = database
        self.inbox = Inbox(database, EVENT_LEASE + rules.enrich.deadline)
        self.outboxes: Mapping[str, Hands[Outgoing]] = {}
        self._rules = rules
        self.explainer = explainer
        self._outlets = {outlet.name: outlet for outlet in outlets}
        self._limits = {outlet.name: Limits(rules.storm, outlet.per_hour or rules.storm.per_hour) for outlet in outlets}

    @property
    def sends(self) -> bool:
        """Whether messages leave; in mode shadow they are only recorded."""
        return self._mode is Mode.LIVE

    # -- receive ------------------------------------------------------------------------------------------------

    async def receive(self, body: bytes, now: datetime) -> Accepted:
        """Stores a webhook. Returns after COMMIT.

        Raises BadPayload for what is no webhook of version 4, StoreUnavailable when it could not be stored.
        """
        with _timed("receive"):
            accepted = Accepted(new_id(now), alertmanager.count(body))
            await self.inbox.put((accepted.event, to_us(now), body.decode("utf-8"), accepted.alerts))
        metrics.ALERTS.inc(accepted.alerts)
        return accepted

    # -- advance ------------------------------------------------------------------------------------------------

    async def advance(self, now: datetime) -> bool:
        """Takes what is due in the inbox to messages in the outbox, at most a batch. False when nothing was due."""
        found = await self.claim_events(now)
        if found is not None:
            await self.work_on_events(found, now)
        return found is not None

    async def claim_events(self, now: datetime) -> Sequence[Event] | None:
        """The oldest due events, a batch at most; None when none is due."""
        lease = EVENT_LEASE + self._rules.enrich.deadline
        return await self._database.run_lightly(events.claim, now, lease) or None

    async def work_on_events(self, claimed: Sequence[Event], now: datetime) -> None:
        """Explains claimed events and settles them, whatever happens."""
        if len(claimed) == 1:
            return await self._work_on_event(claimed[0], now)
        try:
            with _timed("parse"):
                parsed = [(event.id, alertmanager.parse(event.body), event.attempts > 1) for event in claimed]
            together = batch.runs(parsed)
        except Exception:  # noqa: BLE001 - whichever it was, each is worked on by itself
            together = []
        waiting = {event.id: event for event in claimed}
        for run in together:
            if len(run.events) > 1 and await self._work_on_run(run, now):
                waiting = {each: event for each, event in waiting.items() if each not in set(run.events)}
            else:
                for each in run.events:
                    await self._work_on_event(waiting.pop(each), now)
        for event in waiting.values():
            await self._work_on_event(event, now)

    async def _work_on_run(self, run: Run, now: datetime) -> bool:
        """Explains events together; False where that failed, and each has to be worked on by itself."""
        try:
            with _timed("advance"):
                await self._advance(run, now)
        except Exception as failure:  # noqa: BLE001 - the one that did it is found by working on each
            log.warning("batch_failed", events=len(run.events), error=f"{type(failure).__name__}: {failure}"[:500])
            return False
        return True

    async def _work_on_event(self, event: Event, now: datetime) -> None:
        try:
            with _timed("advance"):
                run = Run()
                with _timed("parse"):
                    run.add(event.id, alertmanager.parse(event.body))
                await self._advance(run, now)
        except Overtaken:
            await self._database.run(events.postpone, event.id, now, "another event changed the same incident")
        except Exception as failure:  # noqa: BLE001 - an event must never be lost to a mistake of ours
            await self._advance_failed(event, failure, now)

    async def _advance(self, run: Run, now: datetime) -> None:
        group = run.group
        deadline_at = asyncio.get_running_loop().time() + self._rules.enrich.deadline.total_seconds()
        with _timed("identify"):
            found, gaps = await self.explainer.identify(group)
        memories, elsewhere = await self._database.run_lightly(
            recall,
            [case.key for case in found],
            {(case.subject.cluster, case.domain) for case in found if case.domain},
            self._mode,
        )
        decisions = {case.key: self._decide(case, memories, elsewhere, now) for case in found}
        open_cases = [case for case in found if decisions[case.key].action is not Action.SKIP]
        findings = await self.explainer.enrich(open_cases, deadline_at, now)
        plans = []
        for case in found:
            await asyncio.sleep(0)  # a webhook may hold thousands; others want an answer meanwhile
            with _timed("assess"):
                memory, decision = memories.get(case.key), decisions[case.key]
                report = None
                if decision.action is not Action.SKIP:
                    judged = case.kind is not Kind.OTHER  # what is only forwarded needs no lookup and misses none
                    known = merge([findings[cases.subject_key(case)], Findings(gaps=gaps)]) if judged else Findings()
                    others = _others(case, elsewhere)
                    report, decision = self.explainer.assess(case, group, memory, decision, known, others, now)
                messages = self._render(report, decision)
                row = _row(case, memory, report, run.heard_of(case.fingerprints), self._rules.identify, now)
                plans.append(Plan(row, decision, report, messages))
        room = {name: hands.free for name, hands in self.outboxes.items()}
        with _timed("record"):
            given = await self._database.run_lightly(
                store, run.events, plans, now, self._mode, room, DELIVERY_LEASE, self._limits
            )
        for outgoing in given:
            self.outboxes[outgoing.channel].give(outgoing)
        self._wake_outboxes(name for name, lanes in room.items() if not lanes)
        await asyncio.sleep(0)  # messages first, then the log
        for plan in plans:
            metrics.DECISIONS.labels(plan.decision.action.value, plan.decision.reason.value).inc()
            tell = log.debug if plan.decision.action is Action.SKIP else log.info
            tell(
                "decided",
                event_id=run.events[0],
                incident=plan.row.id,
                action=plan.decision.action.value,
                reason=plan.decision.reason.value,
                subject=plan.row.title,
                verdict=plan.row.verdict,
            )

    def _decide(
        self,
        case: Case,
        memories: Mapping[incidents.Key, Memory],
        elsewhere: Elsewhere,
        now: datetime,
    ) -> Decision:
        others = bool(_others(case, elsewhere))
        return decide(memories.get(case.key), case.arrival, elsewhere=others, now=now, settings=self._rules.decide)

    def _render(self, report: Report | None, decision: Decision) -> tuple[Message, ...]:
        if report is None or decision.action is not Action.NOTIFY:
            return ()
        metrics.NOTICES.labels(report.kind.value, report.assessment.verdict.value).inc()
        _, names = route(
            self._rules.routes, report.classification, report.assessment.verdict, report.reason, list(self._outlets)
        )
        return tuple(self._outlets[name].render(report) for name in names)

    async def _advance_failed(self, event: Event, failure: Exception, now: datetime) -> None:
        """Tries again later; in the end forwards the webhook plainly, because silence is the worst answer."""
        metrics.EVENT_FAILURES.inc()
        log.error("event_failed", event_id=event.id, attempts=event.attempts, error=str(failure), exc_info=failure)
        error = f"{type(failure).__name__}: {failure}"[:500]
        if event.attempts < self._rules.enrich.plain_after:
            until = next_try(self._rules.retry, event.attempts, now)
            await self._database.run(events.postpone, event.id, until, error)
            return
        title = "tocsin could not explain an alert"
        text = f"Processing failed {event.attempts} times ({error}). What Alertmanager sent:\n{_plainly(event.body)}"
        messages = [outlet.render_plain(title, text, Priority.HIGH) for outlet in self._outlets.values()]
        await self._database.run(give_up, event.id, error, messages, now, self._mode)
        metrics.EVENTS_DEAD.inc()
        self._wake_outboxes(self.outboxes)

    # -- deliver ------------------------------------------------------------------------------------------------

    async def deliver(self, channel: str, now: datetime) -> bool:
        """Sends what may leave next through a channel and settles it. False when nothing may."""
        outgoing = await self.claim_outgoing(channel, now)
        if outgoing is not None:
            await self.work_on_outgoing(outgoing, now)
        return outgoing is not None

    async def claim_outgoing(self, channel: str, now: datetime) -> Outgoing | None:
        """One message, or in a storm many as one; None when nothing may leave now, in mode shadow always."""
        if not self.sends:
            return None
        return await self._database.run_lightly(outbox.take, channel, now, DELIVERY_LEASE, self._limits[channel])

    async def work_on_outgoing(self, outgoing: Outgoing, now: datetime) -> None:
        """Sends what was claimed and settles it, whatever happens."""
        if isinstance(outgoing, Bundle):
            return await self._tell_together(outgoing, now)
        if outgoing.held is not None:
            wait = outgoing.held.until - now
            held = TemporaryError(outgoing.held.reason, retry_after=wait, whole_channel=True)
            return await self._deliver_later(outgoing, held, now)
        began = asyncio.get_running_loop().time()
        failure = await self._send(outgoing.message, outgoing.id)
        if failure is None:
            await self._database.run_lightly(outbox.settle_sent, outgoing, now)
            self._sent(outgoing, now, incident=outgoing.incident_id)
        else:
            took = asyncio.get_running_loop().time() - began
            await self._failed(outgoing, _from_the_answer_on(failure, took, self._rules.retry.first_after), now)

    async def _tell_together(self, bundle: Bundle, now: datetime) -> None:
        """Sends one message for many incidents; what is claimed for it grows first, and is settled, slice by slice."""
        for _ in range(SLICES):
            if not await self._database.run_lightly(roll_ups.claim, bundle.id, bundle.channel, now, DELIVERY_LEASE):
                break
        summary = await self._database.run_lightly(outbox.sum_up_bundle, bundle, now)
        failure = await self._send(self._outlets[bundle.channel].render_roll_up(summary), bundle.id)
        if failure is None:
            await self._database.run_lightly(outbox.confirm, bundle, now, self._limits[bundle.channel])
            while await self._database.run_lightly(roll_ups.settle_sent, bundle, now):
                pass
            metrics.ROLLED_UP.labels(bundle.channel).inc(summary.totals.incidents)
            self._sent(bundle, now, incidents=summary.totals.incidents)
            return
        while members := await self._database.run_lightly(deliveries.rolled_up, bundle.id, 1):
            await self._failed(members[0], failure, now)
            if isinstance(failure, TemporaryError):  # what it says of the channel now holds for the others as well
                until = now + self._rules.retry.first_after
                while await self._database.run_lightly(roll_ups.release, bundle, until):
                    pass

    async def _send(self, message: Message, message_id: str) -> TemporaryError | PermanentError | None:
        """Gives a message to its channel; what went wrong, None when the provider confirmed it."""
        try:
            with _timed("deliver"):
                await self._outlets[message.channel].send(message, message_id)
        except (TemporaryError, PermanentError) as failure:
            return failure
        except Exception as failure:
            log.exception("channel_broke", channel=message.channel, delivery=message_id)
            return TemporaryError(f"internal error ({type(failure).__name__})")
        return None

    def _sent(self, outgoing: Outgoing, now: datetime, **about: object) -> None:
        metrics.DELIVERIES.labels(outgoing.channel, "sent").inc()
        metrics.TOLD_SECONDS.labels(outgoing.channel).observe(max((now - outgoing.created_at).total_seconds(), 0))
        log.info("sent", channel=outgoing.channel, delivery=outgoing.id, **about)

    async def _failed(self, delivery: Delivery, failure: TemporaryError | PermanentError, now: datetime) -> None:
        if isinstance(failure, TemporaryError):
            return await self._deliver_later(delivery, failure, now)
        rest = now + self._rules.retry.at_most if failure.whole_channel else None
        await self._deliver_never(delivery, str(failure), now, rest)

    async def _deliver_later(self, delivery: Delivery, failure: TemporaryError, now: datetime) -> None:
        channel = delivery.channel
        until = next_try(self._rules.retry, delivery.attempts, now, at_least=failure.retry_after)
        soonest = now + (failure.retry_after or self._rules.retry.first_after) if failure.whole_channel else until
        if soonest - delivery.created_at >= self._rules.retry.give_up_after:
            rest = soonest if failure.whole_channel else None
            await self._deliver_never(delivery, f"gave up after {delivery.attempts} attempts: {failure}", now, rest)
            return
        if failure.whole_channel:
            others = self._others(channel)
            until = await self._database.run(put_off, delivery, failure, others, now, self._rules.retry)
            self._wake_outboxes(self.outboxes)
            self._wake_later(channel, until - now)
        else:
            await self._database.run(deliveries.postpone, delivery, until, str(failure))
        metrics.DELIVERIES.labels(channel, "retry").inc()
        log.warning(
            "delivery_postponed", channel=channel, delivery=delivery.id, until=until.isoformat(), error=str(failure)
        )

    async def _deliver_never(self, delivery: Delivery, error: str, now: datetime, rest: datetime | None) -> None:
        """Keeps the message as dead, and tells through the other channels what this one would not take.

        Until `rest`, if any, the channel is asked nothing.
        """
        channel = delivery.channel
        metrics.DELIVERIES.labels(channel, "dead").inc()
        log.error("delivery_dead", channel=channel, delivery=delivery.id, error=error)
        await self._database.run(bury, delivery, error, self._others(channel), now, rest)
        self._wake_outboxes(self.outboxes)

    def _others(self, channel: str) -> list[Outlet]:
        return [outlet for name, outlet in self._outlets.items() if name != channel]

    def _wake_later(self, channel: str, after: timedelta) -> None:
        """Has a channel that waits for moments look again in time, not with the next second."""
        if channel in self.outboxes and after <= PROBE_AT_MOST:
            asyncio.get_running_loop().call_later(after.total_seconds(), self.outboxes[channel].wake)

    def _wake_outboxes(self, channels: Iterable[str]) -> None:
        for channel in channels:
            self.outboxes[channel].wake()


def _from_the_answer_on(
    failure: TemporaryError | PermanentError, took: float, usual: timedelta
) -> TemporaryError | PermanentError:
    """A wait counts from the answer, or from when there was none; it may have taken many seconds."""
    if isinstance(failure, TemporaryError) and took >= SLOW:
        wait = (failure.retry_after or usual) + timedelta(seconds=took)
        return TemporaryError(str(failure), retry_after=wait, whole_channel=failure.whole_channel)
    return failure


def _timed(stage: str) -> AbstractContextManager[object]:
    return _STAGES[stage].time()


def _plainly(body: str) -> str:
    """The alerts of a webhook by name and labels, a line each; the text is made inert by the channel."""
    try:
        alerts = alertmanager.parse(body).alerts
    except Exception:  # noqa: BLE001 - whatever it is that cannot be read, somebody has to be told of it
        return body[:PLAIN_CHARS]
    lines = [
        " ".join([alert.status.value, alert.name, *(f"{key}={value}" for key, value in sorted(alert.labels.items()))])
        for alert in alerts[:PLAIN_ALERTS]
    ]
    return "\n".join([*lines, f"and {len(alerts) - len(lines)} more" if len(alerts) > len(lines) else ""])


def _others(case: Case, elsewhere: Elsewhere) -> tuple[str, ...]:
    found = elsewhere.get((case.subject.cluster, case.domain), ())
    return tuple(who for key, who in found if key != case.key)


def _row(
    case: Case, memory: Memory | None, report: Report | None, heard: int, naming: IdentifySettings, now: datetime
) -> IncidentRow:
    return IncidentRow(
        id=report.incident_id if report else memory.incident_id if memory else new_id(now),
        version=memory.version if memory else 0,
        heard=heard,
        key=case.key,
        cluster=case.subject.cluster,
        kind=case.kind.value,
        namespace=case.subject.namespace or "",
        workload=case.subject.workload or "",
        domain=case.domain,
        title=case.title,
        posture=report.classification.posture.value if report else None,
        verdict=report.assessment.verdict.value if report else None,
        alerts=tuple(
            AlertRow(alert.fingerprint, alert.status, alert.starts_at, identify.pod_of(alert, naming) or "")
            for alert in case.alerts
        ),
    )
