"""Explains the cases of one webhook: who they are about, what is found out of it, what follows. Every stage in order.

What goes wrong on the way becomes a gap, never a failure.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from tocsin import cases, destination, identify, metrics
from tocsin.allowance import Allowance
from tocsin.assess.judge import assess
from tocsin.assess.settings import AssessSettings
from tocsin.cases import Case
from tocsin.classify import AppsFile, classify
from tocsin.decide import DecideSettings, Decision, Memory, reconsider
from tocsin.destination import DestinationSettings
from tocsin.enrich.enricher import Enricher, NotAsked, gather
from tocsin.enrich.settings import EnrichSettings
from tocsin.errors import LookupFailed
from tocsin.findings import Findings, Gap
from tocsin.identify import IdentifySettings, Owner, PodId
from tocsin.model import Group, NoticeReason
from tocsin.pace import StormSettings
from tocsin.report import Report
from tocsin.retry import RetrySettings
from tocsin.routing import RoutingSettings, route
from tocsin.store import incidents
from tocsin.store.database import Database, new_id

MANY_ALERTS = 100
"""Alerts of one webhook that may be sorted out at a stretch: others want an answer meanwhile."""
OWNERS_SHARE = 0.4
"""Part of the enrichment deadline that finding the owners of pods may use up."""


class OwnerLookup(Protocol):
    """Finds the workload of pods whose alert does not name one. `source` is its name in a gap."""

    @property
    def source(self) -> str: ...

    @property
    def evidence(self) -> str:
        """How it knows, for a message: "owner of the pod"."""
        ...

    async def owners(self, pods: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """Workloads by (namespace, pod), as far as they are known; raises LookupFailed."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of every pure stage."""

    identify: IdentifySettings
    destination: DestinationSettings
    apps: AppsFile
    decide: DecideSettings
    enrich: EnrichSettings
    assess: AssessSettings
    routes: RoutingSettings
    retry: RetrySettings
    storm: StormSettings


class Explainer:
    """Asks the lookups about cases and concludes. `enrichers` and `owners` are the lookups there are.

    Of `owners` the first that knows a pod is believed.
    """

    def __init__(
        self, database: Database, rules: Rules, enrichers: Sequence[Enricher], owners: Sequence[OwnerLookup] = ()
    ) -> None:
        self.enrichers = enrichers
        self._database = database
        self._rules = rules
        self._owners = owners
        self._allowance = Allowance(rules.enrich.workloads_per_minute, time.monotonic)
        self._spared = f"was not asked, more than {rules.enrich.workloads_per_minute} workloads came in a minute"
        self._prepared = False
        self._preparing = asyncio.Lock()

    async def identify(self, group: Group) -> tuple[list[Case], tuple[Gap, ...]]:
        """The incidents a webhook is about, and a gap where the owners of pods could not be asked for."""
        rules = self._rules
        owners: dict[PodId, Owner] = {}
        asked: set[PodId] = set()
        unnamed = {alert.fingerprint: identify.pods_to_look_up([alert], rules.identify) for alert in group.alerts}
        unnamed = {fingerprint: pods for fingerprint, pods in unnamed.items() if pods}
        known = await self._database.run_lightly(incidents.known_alerts, list(unnamed)) if unnamed else {}
        for fingerprint, pods in unnamed.items():
            if fingerprint not in known:
                asked |= pods
            elif known[fingerprint].workload:
                owners.update(dict.fromkeys(pods, Owner(known[fingerprint].workload, "known from before")))
        answers = [await self._ask_owners(lookup, asked - owners.keys(), owners) for lookup in self._owners]
        async with self._preparing:
            if not self._prepared:
                await asyncio.to_thread(destination.prepare)
                self._prepared = True
        sort_out = partial(cases.sort_out, group, owners, rules.identify, rules.destination)
        return sort_out() if len(group.alerts) <= MANY_ALERTS else await asyncio.to_thread(sort_out), tuple(
            gap for gap in answers if gap
        )

    async def _ask_owners(self, lookup: OwnerLookup, pods: set[PodId], owners: dict[PodId, Owner]) -> Gap | None:
        """Adds what one lookup knows; a gap where it could not be asked."""
        if not pods:
            return None
        try:
            async with asyncio.timeout(self._rules.enrich.deadline.total_seconds() * OWNERS_SHARE):
                known = await lookup.owners(pods)
        except (LookupFailed, TimeoutError) as failure:
            return Gap(lookup.source, str(failure) or "timed out", ("the pod's owner",))
        owners.update({pod: Owner(workload, lookup.evidence) for pod, workload in known.items()})
        return None

    async def enrich(
        self, found: list[Case], deadline_at: float, now: datetime
    ) -> Mapping[tuple[str, str | None, str | None], Findings]:
        """One set of lookups a subject, all subjects side by side, all within what is left of the deadline."""
        inquiries = cases.inquiries(found, now)
        allowed = self._allowance.take(len(inquiries))
        left = timedelta(seconds=max(deadline_at - asyncio.get_running_loop().time(), 0.05))
        with metrics.STAGE_SECONDS.labels("enrich").time():
            async with asyncio.TaskGroup() as group:
                asked: list[asyncio.Task[Findings]] = []
                for inquiry in inquiries.values():
                    if len(asked) >= allowed:
                        inquiry = replace(inquiry, spared=self._spared)  # noqa: PLW2901
                    asked.append(group.create_task(gather(self.enrichers, inquiry, left)))
                    if len(asked) % MANY_ALERTS == 0:
                        await asyncio.sleep(0)
        answers = [task.result() for task in asked]
        unasked = {each.source for each in self.enrichers if isinstance(each, NotAsked)}
        for gap in (gap for answer in answers[:allowed] for gap in answer.gaps):
            if gap.source not in unasked:  # what is not configured did not fail
                metrics.GAPS.labels(gap.source).inc()
        return dict(zip(inquiries, answers, strict=True))

    def assess(
        self,
        case: Case,
        group: Group,
        memory: Memory | None,
        decision: Decision,
        findings: Findings,
        elsewhere: tuple[str, ...],
        now: datetime,
    ) -> tuple[Report, Decision]:
        """All that a message says of one incident, and the decision now that the verdict is known."""
        rules = self._rules
        statements = findings.policy.statements if findings.policy else ()
        classification = classify(case.subject, rules.apps, statements)
        assessment = assess(
            case.kind, case.subject, case.destinations, classification, findings, case.lead, now, rules.assess
        )
        decision = reconsider(decision, memory, assessment.verdict)
        reason = decision.reason if isinstance(decision.reason, NoticeReason) else NoticeReason.FIRST
        priority, _ = route(rules.routes, classification, assessment.verdict, reason, ())
        lead = case.lead
        report = Report(
            incident_id=memory.incident_id if memory else new_id(now),
            kind=case.kind,
            reason=reason,
            subject=case.subject,
            destination=case.destinations[0] if case.destinations else None,
            classification=classification,
            findings=findings,
            assessment=assessment,
            priority=priority,
            alert_name=lead.name,
            summary=lead.annotations.get("summary", ""),
            description=lead.annotations.get("description", ""),
            labels=lead.labels,
            firing=len(case.arrival.firing),
            seen=(memory.seen if memory else 0) + 1,
            started_at=case.started_at,
            written_at=now,
            alertmanager_url=group.external_url,
            generator_url=lead.generator_url,
            truncated=group.truncated,
            elsewhere=elsewhere,
        )
        return report, decision
