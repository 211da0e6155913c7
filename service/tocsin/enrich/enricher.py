"""What a lookup is, and how all lookups of one inquiry run side by side under one deadline."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar, Protocol

import structlog

from tocsin.enrich.partial import end_within
from tocsin.errors import LookupFailed
from tocsin.findings import Findings, Gap, Inquiry
from tocsin.model import Kind

log = structlog.get_logger()


class Enricher(Protocol):
    """One lookup. `source` is its name in a gap; `missing` is what nobody knows when it fails."""

    @property
    def source(self) -> str: ...

    @property
    def missing(self) -> tuple[str, ...]: ...

    @property
    def asks(self) -> bool:
        """Whether every look asks another system, so that a storm has to spare it."""
        ...

    def applies(self, inquiry: Inquiry) -> bool:
        """Whether this lookup has something to say about the inquiry; when not, it is no gap either."""
        ...

    async def look(self, inquiry: Inquiry) -> Findings:
        """Returns what was found, the other fields left empty.

        Raises LookupFailed with a short reason ("connection refused") fit for a message.
        """
        ...


@dataclass(frozen=True, slots=True)
class NotAsked:
    """Stands in for a source that there is none of, so that its absence shows in every message."""

    source: str
    reason: str
    missing: tuple[str, ...]
    kinds: frozenset[Kind] = frozenset({Kind.NOVEL, Kind.VOLUME})
    asks: ClassVar[bool] = False

    def applies(self, inquiry: Inquiry) -> bool:
        """Where a real source would have something to say."""
        return bool(inquiry.kinds & self.kinds)

    async def look(self, inquiry: Inquiry) -> Findings:
        """Raises LookupFailed."""
        raise LookupFailed(self.reason)


async def gather(enrichers: Sequence[Enricher], inquiry: Inquiry, deadline: timedelta) -> Findings:
    """Asks every applicable enricher; what fails or is late becomes a gap. Never raises for a lookup.

    Returns no later than `deadline` (plus the scheduling of the event loop).
    """
    absent = [each for each in enrichers if isinstance(each, NotAsked)]  # they need no task of their own
    asked = [each for each in enrichers if not isinstance(each, NotAsked)]
    answers = await asyncio.gather(*(_ask(enricher, inquiry, deadline) for enricher in asked)) if asked else []
    told = [Findings(gaps=(Gap(each.source, each.reason, each.missing),)) for each in absent if each.applies(inquiry)]
    return merge([*answers, *told])


def located(inquiry: Inquiry, *, by_pod: bool = True) -> str:
    """The namespace to look into. Raises LookupFailed where the alert says too little to look anything up.

    Without `by_pod` a workload is needed; a pod whose workload cannot be told does not do.
    """
    subject = inquiry.subject
    if not subject.namespace:
        raise LookupFailed("the alert names no namespace")
    if not subject.workload and not (by_pod and subject.pods):
        raise LookupFailed("the workload cannot be told" if subject.pods else "the alert names no workload and no pod")
    return subject.namespace


async def _ask(enricher: Enricher, inquiry: Inquiry, deadline: timedelta) -> Findings:
    late = end_within(deadline)
    if inquiry.spared and enricher.asks:
        missed = Gap(enricher.source, inquiry.spared, enricher.missing)
        return Findings(gaps=(missed,)) if enricher.applies(inquiry) else Findings()
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            return await enricher.look(inquiry) if enricher.applies(inquiry) else Findings()
    except TimeoutError:
        reason = late
    except LookupFailed as failure:
        reason = str(failure)
    except Exception as failure:
        log.exception("lookup_broke", source=enricher.source)
        reason = f"internal error ({type(failure).__name__})"
    return Findings(gaps=(Gap(enricher.source, reason, enricher.missing),))


def merge(answers: Sequence[Findings]) -> Findings:
    """Joins partial findings, the first that knows something first; gaps of one source and reason become one."""
    lookups = {domain: found for answer in reversed(answers) for domain, found in answer.lookups.items()}
    gaps: dict[tuple[str, str], Gap] = {}
    for gap in (gap for answer in answers for gap in answer.gaps):
        known = gaps.get((gap.source, gap.reason), replace(gap, missing=()))
        gaps[gap.source, gap.reason] = replace(known, missing=tuple(dict.fromkeys(known.missing + gap.missing)))
    return Findings(
        lookups=lookups,
        volume=next((answer.volume for answer in answers if answer.volume), None),
        policy=next((answer.policy for answer in answers if answer.policy), None),
        pods=next((answer.pods for answer in answers if answer.pods), None),
        gaps=tuple(gaps.values()),
    )
