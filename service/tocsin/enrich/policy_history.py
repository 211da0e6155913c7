"""Lookup: which app the workload is, whether the policies that select it let the destination through, what changed."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeVar

from tocsin.enrich.enricher import located
from tocsin.errors import LookupFailed
from tocsin.findings import Change, Findings, Gap, Inquiry, PolicyFacts, PolicyMatch, Releases
from tocsin.gitops.repository import Repository
from tocsin.gitops.resolve import Resolution, resolve
from tocsin.gitops.selection import Selected
from tocsin.gitops.testimony import doubts, hear
from tocsin.model import Destination, Kind
from tocsin.policy.reach import Access, Reach, reach

MAX_POLICIES: Final = 6
MAX_HISTORIES: Final = 3
MAX_CHANGES: Final = 3
MAX_RELEASES: Final = 3
RELEASED_WITHIN: Final = timedelta(days=180)
"""Long enough for a base rate of an app's own."""
ANYWHERE: Final = Destination("*", "*", "*", "*")
"""Any name outside."""
HISTORY_WITHIN: Final = timedelta(seconds=4)
_T = TypeVar("_T")


@dataclass(slots=True)
class _History:
    """What was found of the past; a reason for each thing that could not be had in time."""

    by_file: dict[str, tuple[Change, ...]] = field(default_factory=dict)
    component: tuple[Change, ...] = ()
    releases: Releases | None = None
    reasons: dict[str, None] = field(default_factory=dict)


class PolicyHistory:
    """The policies come from memory; their history is asked for and may be late without taking them along.

    `history_within` bounds that second half; keep it below the deadline of all lookups.
    """

    missing = ("policy", "its history")
    asks = False

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
        namespace = located(inquiry, by_pod=False)
        snapshot = self._repository.snapshot()
        found = resolve(snapshot.index, namespace, workload=inquiry.subject.workload)
        if inquiry.spared:
            history = _History(reasons={inquiry.spared: None})
        else:
            history = await self._history(found, inquiry)
        ways = {each.name: _way(found.policies, each) for each in _reaching(inquiry)}
        said = hear(found)
        releases = history.releases
        facts = PolicyFacts(
            policies=tuple(_match(one, found, ways, history.by_file) for one in found.policies[:MAX_POLICIES]),
            releases=releases.changes if releases else (),
            stale_for=snapshot.stale_for(inquiry.asked_at),
            stale_reason=snapshot.failure,
            app=found.app,
            component=found.component or "",
            evidence=found.evidence,
            deployed=found.deployed,
            siblings=found.siblings,
            unrestricted=any(way.access is Access.UNRESTRICTED for way in ways.values()) and found.app is not None,
            remarks={name: remark for name, way in ways.items() if (remark := _remark(way, found))},
            statements=said.statements,
            undecided=(*said.undecided, *said.problems),
            changes=history.component,
            released_total=releases.total if releases else 0,
            released_since=releases.since_at if releases else None,
        )
        gaps = tuple(Gap(self.source, reason, ("the policy's history",)) for reason in history.reasons)
        return Findings(policy=facts, gaps=gaps)

    async def _history(self, found: Resolution, inquiry: Inquiry) -> _History:
        """The changes of the policies and of the component, and its releases, asked for side by side."""
        history = _History()
        files = list(dict.fromkeys(one.placed.file for one in found.policies))[:MAX_HISTORIES]

        async def of_file(file: str) -> None:
            if changes := await self._in_time(self._repository.changes(file, MAX_CHANGES), history):
                history.by_file[file] = changes

        async def of_component(path: str) -> None:
            history.component = await self._in_time(self._repository.changes(path, MAX_CHANGES), history) or ()

        async def of_releases(path: str) -> None:
            asked = self._repository.releases(path, MAX_RELEASES, inquiry.asked_at - RELEASED_WITHIN)
            history.releases = await self._in_time(asked, history)

        asked = [of_file(file) for file in files]
        asked += [of_component(found.component), of_releases(found.component)] if found.component else []
        await asyncio.gather(*asked)
        return history

    async def _in_time(self, answer: Awaitable[_T], history: _History) -> _T | None:
        try:
            async with asyncio.timeout(self._history_within.total_seconds()):
                return await answer
        except TimeoutError:
            history.reasons[f"timed out after {self._history_within.total_seconds():g} s"] = None
        except LookupFailed as failure:
            history.reasons[str(failure)] = None
        return None


def _reaching(inquiry: Inquiry) -> tuple[Destination, ...]:
    """What is asked of the policies: the names; of a volume, which names none, whether they let everything through."""
    return (*inquiry.destinations, *((ANYWHERE,) if Kind.VOLUME in inquiry.kinds else ()))


def _way(selected: Sequence[Selected], destination: Destination) -> Reach:
    rules = [rule for one in selected for rule in one.rules]
    names = [destination.name, destination.raw.lower().removesuffix(".")]
    return reach(rules, names, internal=destination.internal)


def _remark(way: Reach, found: Resolution) -> str:
    """What the rule alone does not tell."""
    said = []
    if way.access is Access.BLOCKED and found.possible:
        said.append(f"policy {found.possible[0].policy.name} may select it as well")
    said += doubts(found)
    if way.access is Access.POSSIBLE:
        said.append("if its address is among them")
    if way.denied_by:
        said.append(f"{way.denied_by} blocks {'it' if way.access is Access.BLOCKED else 'a part'}")
    if way.suffixed:
        said.append(f"{way.suffixed} names it only with a search suffix")
    return "; ".join(said)


def _match(
    one: Selected,
    found: Resolution,
    ways: Mapping[str, Reach],
    changes: Mapping[str, tuple[Change, ...]],
) -> PolicyMatch:
    owners = [each for each in found.policies for _ in each.rules]
    leading = {name: way for name, way in ways.items() if way.at is not None and owners[way.at] is one and way.rule}
    return PolicyMatch(
        name=one.placed.policy.name,
        namespace=one.placed.namespace or "",
        file=one.placed.file,
        primary=one.primary,
        allows={name: way.rule for name, way in leading.items()},
        named=tuple(name for name, way in leading.items() if way.named),
        changes=changes.get(one.placed.file, ()),
        sure=one.sure,
    )
