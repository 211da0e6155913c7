"""The story of an alert: received, advanced to a message, delivered.

    receive   parse, store, COMMIT; only then is the webhook answered
    advance   identify -> decide -> enrich -> assess -> render -> store: incident, notice, deliveries, COMMIT
    deliver   send one message through one channel, then settle its row; what was told is remembered here only

In mode shadow the story ends before the last step: messages are stored as such, and nothing is sent.

Each step claims one row and settles it. A process that dies in between leaves the row claimed; it comes back when its
lease ends, or at the next start. So nothing accepted is lost, and what is told twice is what was in flight.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from tocsin import alertmanager, cases, identify, metrics
from tocsin.cases import Case
from tocsin.decide import Action, Decision, Memory, decide
from tocsin.enrich.enricher import merge
from tocsin.errors import PermanentError, TemporaryError
from tocsin.explain import Explainer, Rules
from tocsin.findings import Findings
from tocsin.hands import Hands
from tocsin.identify import IdentifySettings
from tocsin.model import Accepted, Kind, Message, Mode, Priority
from tocsin.outlet import Outlet
from tocsin.progress import Elsewhere, Plan, bury, give_up, put_off, recall, store
from tocsin.report import Report
from tocsin.retry import next_try
from tocsin.routing import route
from tocsin.store import deliveries, events, incidents
from tocsin.store.database import Database, new_id, to_us
from tocsin.store.deliveries import Delivery
from tocsin.store.events import Event
from tocsin.store.inbox import Inbox
from tocsin.store.incidents import AlertRow, IncidentRow, Overtaken

log = structlog.get_logger()

EVENT_LEASE = timedelta(minutes=2)
DELIVERY_LEASE = timedelta(minutes=2)
PLAIN_ALERTS = 10


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
        self.outboxes: Mapping[str, Hands[Delivery]] = {}
        self._rules = rules
        self.explainer = explainer
        self._outlets = {outlet.name: outlet for outlet in outlets}

    @property
    def sends(self) -> bool:
        """Whether messages leave; in mode shadow they are only recorded."""
        return self._mode is Mode.LIVE

    # -- receive ------------------------------------------------------------------------------------------------

    async def receive(self, body: bytes, now: datetime) -> Accepted:
        """Stores a webhook. Returns after COMMIT.

        Raises BadPayload for what is no webhook of version 4, StoreUnavailable when it could not be stored.
        """
        accepted = Accepted(new_id(now), alertmanager.count(body))
        await self.inbox.put((accepted.event, to_us(now), body.decode("utf-8"), accepted.alerts))
        metrics.ALERTS.inc(accepted.alerts)
        return accepted

    # -- advance ------------------------------------------------------------------------------------------------

    async def advance(self, now: datetime) -> bool:
        """Takes one event from the inbox to messages in the outbox. False when none was due."""
        event = await self.claim_event(now)
        if event is not None:
            await self.work_on_event(event, now)
        return event is not None

    async def claim_event(self, now: datetime) -> Event | None:
        """The oldest due event, None when none is due."""
        return await self._database.run_lightly(events.claim, now, EVENT_LEASE + self._rules.enrich.deadline)

    async def work_on_event(self, event: Event, now: datetime) -> None:
        """Explains a claimed event and settles it, whatever happens."""
        try:
            with metrics.STAGE_SECONDS.labels("advance").time():
                await self._advance(event, now)
        except Overtaken:
            await self._database.run(events.postpone, event.id, now, "another event changed the same incident")
        except Exception as failure:  # noqa: BLE001 - an event must never be lost to a mistake of ours
            await self._advance_failed(event, failure, now)

    async def _advance(self, event: Event, now: datetime) -> None:
        group = alertmanager.parse(event.body)
        deadline_at = asyncio.get_running_loop().time() + self._rules.enrich.deadline.total_seconds()
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
            memory, decision = memories.get(case.key), decisions[case.key]
            report = None
            if decision.action is not Action.SKIP:
                judged = case.kind is not Kind.OTHER  # what is only forwarded needs no lookup and misses none
                known = merge([findings[cases.subject_key(case)], Findings(gaps=gaps)]) if judged else Findings()
                others = _others(case, elsewhere)
                report, decision = self.explainer.assess(case, group, memory, decision, known, others, now)
            messages = self._render(report, decision)
            plans.append(Plan(_row(case, memory, report, self._rules.identify, now), decision, report, messages))
        room = {name: hands.free for name, hands in self.outboxes.items()}
        given = await self._database.run_lightly(store, event.id, plans, now, self._mode, room, DELIVERY_LEASE)
        for delivery in given:
            self.outboxes[delivery.message.channel].give(delivery)
        self._wake_outboxes(name for name, lanes in room.items() if not lanes)
        await asyncio.sleep(0)  # messages first, then the log
        for plan in plans:
            metrics.DECISIONS.labels(plan.decision.action.value, plan.decision.reason.value).inc()
            tell = log.debug if plan.decision.action is Action.SKIP else log.info
            tell(
                "decided",
                event_id=event.id,
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
        """Sends one due message of a channel and settles it. False when none was due."""
        delivery = await self.claim_delivery(channel, now)
        if delivery is not None:
            await self.work_on_delivery(delivery, now)
        return delivery is not None

    async def claim_delivery(self, channel: str, now: datetime) -> Delivery | None:
        """The oldest due message of a channel, None when none is due; in mode shadow none ever is."""
        if not self.sends:
            return None
        return await self._database.run_lightly(deliveries.claim, channel, now, DELIVERY_LEASE)

    async def work_on_delivery(self, delivery: Delivery, now: datetime) -> None:
        """Sends a claimed message and settles it, whatever happens."""
        channel = delivery.message.channel
        if delivery.held is not None:
            wait = delivery.held.until - now
            held = TemporaryError(delivery.held.reason, retry_after=wait, whole_channel=True)
            return await self._deliver_later(delivery, held, now)
        try:
            with metrics.STAGE_SECONDS.labels("deliver").time():
                await self._outlets[channel].send(delivery.message, delivery.id)
        except TemporaryError as failure:
            await self._deliver_later(delivery, failure, now)
        except PermanentError as failure:
            rest = now + self._rules.retry.at_most if failure.whole_channel else None
            await self._deliver_never(delivery, str(failure), now, rest)
        except Exception as failure:
            log.exception("channel_broke", channel=channel, delivery=delivery.id)
            await self._deliver_later(delivery, TemporaryError(f"internal error ({type(failure).__name__})"), now)
        else:
            await self._database.run_lightly(deliveries.settle_sent, delivery, now)
            metrics.DELIVERIES.labels(channel, "sent").inc()
            log.info("sent", channel=channel, delivery=delivery.id, incident=delivery.incident_id)

    async def _deliver_later(self, delivery: Delivery, failure: TemporaryError, now: datetime) -> None:
        channel = delivery.message.channel
        until = next_try(self._rules.retry, delivery.attempts, now, at_least=failure.retry_after)
        if until - delivery.created_at >= self._rules.retry.give_up_after:
            rest = until if failure.whole_channel else None
            await self._deliver_never(delivery, f"gave up after {delivery.attempts} attempts: {failure}", now, rest)
            return
        if failure.whole_channel:
            await self._database.run(put_off, delivery, str(failure), self._others(channel), now, until)
            self._wake_outboxes(self.outboxes)
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
        channel = delivery.message.channel
        metrics.DELIVERIES.labels(channel, "dead").inc()
        log.error("delivery_dead", channel=channel, delivery=delivery.id, error=error)
        await self._database.run(bury, delivery, error, self._others(channel), now, rest)
        self._wake_outboxes(self.outboxes)

    def _others(self, channel: str) -> list[Outlet]:
        return [outlet for name, outlet in self._outlets.items() if name != channel]

    def _wake_outboxes(self, channels: Iterable[str]) -> None:
        for channel in channels:
            self.outboxes[channel].wake()


def _plainly(body: str) -> str:
    """The alerts of a webhook by name and labels, a line each; the text is made inert by the channel."""
    alerts = alertmanager.parse(body).alerts
    lines = [
        " ".join([alert.status.value, alert.name, *(f"{key}={value}" for key, value in sorted(alert.labels.items()))])
        for alert in alerts[:PLAIN_ALERTS]
    ]
    return "\n".join([*lines, f"and {len(alerts) - len(lines)} more" if len(alerts) > len(lines) else ""])


def _others(case: Case, elsewhere: Elsewhere) -> tuple[str, ...]:
    found = elsewhere.get((case.subject.cluster, case.domain), ())
    return tuple(who for key, who in found if key != case.key)


def _row(
    case: Case, memory: Memory | None, report: Report | None, naming: IdentifySettings, now: datetime
) -> IncidentRow:
    return IncidentRow(
        id=report.incident_id if report else memory.incident_id if memory else new_id(now),
        version=memory.version if memory else 0,
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
