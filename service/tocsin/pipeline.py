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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from tocsin import alertmanager, batch, cases, identify, metrics
from tocsin.batch import Run
from tocsin.cases import Case
from tocsin.decide import Action, Decision, Memory, decide
from tocsin.enrich.enricher import merge
from tocsin.explain import Explainer, Rules
from tocsin.findings import Findings
from tocsin.identify import IdentifySettings
from tocsin.model import Accepted, Kind, Message, Mode, Priority
from tocsin.outlet import Outlet
from tocsin.progress import Elsewhere, Plan, give_up, recall, store
from tocsin.report import Report
from tocsin.retry import next_try
from tocsin.routing import route
from tocsin.store import events, incidents
from tocsin.store.database import Database, new_id, to_us
from tocsin.store.events import Event
from tocsin.store.inbox import Inbox
from tocsin.store.incidents import AlertRow, IncidentRow, Overtaken
from tocsin.teller import DELIVERY_LEASE, Teller

log = structlog.get_logger()

T = TypeVar("T")

EVENT_LEASE = timedelta(minutes=2)
SLICE = 25
"""Incidents that are recalled, or written, in one transaction."""
BREATH = 0.05
"""Seconds that the explanation of an incident waits in a rush, at most."""
PLAIN_ALERTS = 10
PLAIN_CHARS = 500
"""What is shown of a webhook that cannot be explained."""
_STAGES = {stage: metrics.STAGE_SECONDS.labels(stage) for stage in metrics.STAGES}


class Pipeline:
    """Steps over the store. `inbox.hands` are told of webhooks that they may work on; `teller` tells what was decided.

    While `calm` is not set explaining goes slowly: webhooks come in a rush, and want their answer.
    """

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
        self.teller = Teller(database, outlets, rules.retry, rules.storm, mode)
        self.calm: asyncio.Event | None = None
        self._rules = rules
        self.explainer = explainer
        self._outlets = {outlet.name: outlet for outlet in outlets}

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
        parsed = []
        try:
            for event in claimed:
                await self._give_way()
                with _timed("parse"):
                    parsed.append((event.id, alertmanager.parse(event.body), event.attempts > 1))
            together = batch.runs(parsed)
        except Exception:  # noqa: BLE001 - whichever it was, each is worked on by itself
            together = []
        waiting = {event.id: event for event in claimed}
        for run in together:
            members = [waiting.pop(each) for each in run.events]
            if len(members) == 1:
                await self._work_on_event(members[0], now, run)
            elif not await self._work_on_run(run, now):
                for event in members:
                    await self._work_on_event(event, now)
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

    async def _work_on_event(self, event: Event, now: datetime, run: Run | None = None) -> None:
        """Explains one event, which `run` holds where it was parsed already."""
        try:
            with _timed("advance"):
                if run is None:
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
        memories, elsewhere = await self._recall(found)
        decisions = {case.key: self._decide(case, memories, elsewhere, now) for case in found}
        open_cases = [case for case in found if decisions[case.key].action is not Action.SKIP]
        findings = await self.explainer.enrich(open_cases, deadline_at, now)
        plans = []
        for case in found:
            await self._give_way()  # a webhook may hold thousands; others want an answer meanwhile
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
        with _timed("record"):
            await self._record(run.events, plans, now)
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

    async def _recall(self, found: Sequence[Case]) -> tuple[dict[incidents.Key, Memory], Elsewhere]:
        """Slice by slice: a webhook that comes meanwhile waits for one of them."""
        memories: dict[incidents.Key, Memory] = {}
        elsewhere: Elsewhere = {}
        for part in _slices(found):
            domains = {(case.subject.cluster, case.domain) for case in part if case.domain} - elsewhere.keys()
            known = await self._database.run_lightly(recall, [case.key for case in part], domains, self._mode)
            memories |= known[0]
            elsewhere |= known[1]
        return memories, elsewhere

    async def _record(self, event_ids: Sequence[str], plans: Sequence[Plan], now: datetime) -> None:
        """Slice by slice as well; the events are settled with the last. What a crash leaves of it is done again, and
        tells nothing twice: an incident that was written is known."""
        slices = list(_slices(plans)) or [()]
        for at, each in enumerate(slices):
            room = {name: hands.free for name, hands in self.teller.outboxes.items()}
            settled = event_ids if at == len(slices) - 1 else ()
            given = await self._database.run_lightly(
                store, settled, each, now, self._mode, room, DELIVERY_LEASE, self.teller.storms
            )
            for outgoing in given:
                self.teller.outboxes[outgoing.channel].give(outgoing)
            self.teller.wake(name for name, lanes in room.items() if not lanes)

    async def _give_way(self) -> None:
        if self.calm is None or self.calm.is_set():
            return await asyncio.sleep(0)
        with suppress(TimeoutError):
            async with asyncio.timeout(BREATH):
                await self.calm.wait()

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
        self.teller.wake(self.teller.outboxes)


def _slices(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + SLICE] for start in range(0, len(values), SLICE))


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
