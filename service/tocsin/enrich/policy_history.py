"""Lookup: which policies select the workload, which rule lets the destination through, and what changed lately."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from tocsin.enrich.enricher import located
from tocsin.errors import LookupFailed
from tocsin.findings import Change, Findings, Gap, Inquiry, PolicyFacts, PolicyMatch
from tocsin.gitops.index import Selected
from tocsin.gitops.repository import Repository, Snapshot
from tocsin.model import Destination, Kind
from tocsin.policy.reach import Passage, passage
from tocsin.policy.selector import Fit

MAX_POLICIES: Final = 6
MAX_HISTORIES: Final = 3
MAX_CHANGES: Final = 5
MAX_RELEASES: Final = 3
RELEASED_WITHIN: Final = timedelta(days=14)
ANYWHERE: Final = Destination("*", "*", "*", "*")
"""Any name outside."""
HISTORY_WITHIN: Final = timedelta(seconds=4)


class PolicyHistory:
    """The policies come from memory; their history is asked for and may be late without taking them along.

    `history_within` bounds that second half; keep it below the deadline of all lookups.
    """

    missing = ("policy", "its history")

    def __init__(self, repository: Repository, history_within: timedelta = HISTORY_WITHIN) -> None:
        self._repository = repository
        self._history_within = history_within

    @property
    def source(self) -> str:
        """The repository's name: "git" or "GitHub"."""
        return self._repository.source

    def applies(self, inquiry: Inquiry) -> bool:
        """Needs a kind that is judged."""
        return bool(inquiry.kinds & {Kind.NOVEL, Kind.VOLUME})

    async def look(self, inquiry: Inquiry) -> Findings:
        """Never guesses: without a policy that selects the workload, `policies` is empty."""
        namespace, workload = located(inquiry, by_pod=False), inquiry.subject.workload or ""
        snapshot = self._repository.snapshot()
        selected = snapshot.index.selecting(namespace, workload)
        histories, releases, gaps = await self._history(snapshot, selected, inquiry)
        facts = PolicyFacts(
            policies=tuple(
                _match(one, selected, _reaching(inquiry), primary=one is _primary(selected), histories=histories)
                for one in selected[:MAX_POLICIES]
            ),
            releases=releases,
            stale_for=snapshot.stale_for(inquiry.asked_at),
            stale_reason=snapshot.failure,
        )
        return Findings(policy=facts, gaps=gaps)

    async def _history(
        self, snapshot: Snapshot, selected: Sequence[Selected], inquiry: Inquiry
    ) -> tuple[Mapping[str, tuple[Change, ...]], tuple[Change, ...], tuple[Gap, ...]]:
        """Changes by file, the component's releases, and a gap for what could not be had in time."""
        files = list(dict.fromkeys(one.placed.file for one in selected))[:MAX_HISTORIES]
        primary = _primary(selected)
        directory = snapshot.index.component_directory(primary.placed.file) if primary else None
        asked = [self._repository.changes(file, MAX_CHANGES) for file in files]
        if directory is not None:
            since_at = inquiry.asked_at - RELEASED_WITHIN
            asked.append(self._repository.releases(directory, MAX_RELEASES, since_at))
        answers = await asyncio.gather(*(self._in_time(answer) for answer in asked))
        reasons = dict.fromkeys(answer for answer in answers if isinstance(answer, str))
        found = [() if isinstance(answer, str) else answer for answer in answers]
        gaps = tuple(Gap(self.source, reason, ("the policy's history",)) for reason in reasons)
        return dict(zip(files, found, strict=False)), found[len(files)] if directory is not None else (), gaps

    async def _in_time(self, answer: Awaitable[tuple[Change, ...]]) -> tuple[Change, ...] | str:
        try:
            async with asyncio.timeout(self._history_within.total_seconds()):
                return await answer
        except TimeoutError:
            return f"timed out after {self._history_within.total_seconds():g} s"
        except LookupFailed as failure:
            return str(failure)


def _reaching(inquiry: Inquiry) -> tuple[Destination, ...]:
    """What is asked of each policy: the names; of a volume, which names none, whether it lets everything through."""
    return (*inquiry.destinations, *((ANYWHERE,) if Kind.VOLUME in inquiry.kinds else ()))


def _primary(selected: Sequence[Selected]) -> Selected | None:
    """The surest policy, unless it would select any workload."""
    return selected[0] if selected and selected[0].fit >= Fit.LIKELY else None


def _match(
    one: Selected,
    selected: Sequence[Selected],
    destinations: Sequence[Destination],
    *,
    primary: bool,
    histories: Mapping[str, tuple[Change, ...]],
) -> PolicyMatch:
    denying = [rule for other in selected if other is not one for rule in other.rules]
    passages: dict[str, Passage] = {}
    for destination in destinations:
        names = [destination.name, destination.raw.lower().removesuffix(".")]
        found = passage(one.rules, names, internal=destination.internal, denying=denying)
        if found is not None:
            passages[destination.name] = found
    return PolicyMatch(
        name=one.placed.policy.name,
        namespace=one.placed.namespace or "",
        file=one.placed.file,
        primary=primary,
        allows={name: found.rule for name, found in passages.items()},
        named=tuple(name for name, found in passages.items() if found.named),
        changes=histories.get(one.placed.file, ()),
    )
