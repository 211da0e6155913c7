"""Whatever a lookup does, the others keep their answers, the deadline holds, and the failure is a visible gap."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tocsin.enrich.enricher import NotAsked, gather, merge
from tocsin.enrich.partial import or_gap
from tocsin.errors import LookupFailed
from tocsin.findings import Findings, Gap, Inquiry, Lookups, PodFacts, PolicyFacts, Volume
from tocsin.model import Kind, Subject

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
SOON = timedelta(seconds=0.3)
FOUND = Findings(volume=Volume(rate=1.0))

Look = Callable[[], Awaitable[Findings]]


def inquiry(*kinds: Kind) -> Inquiry:
    return Inquiry(Subject("main", "media", "sonarr"), frozenset(kinds or {Kind.NOVEL}), (), NOW, NOW)


@dataclass(frozen=True)
class Scripted:
    """A lookup that does what the test says."""

    looks: Look
    source: str = "Prometheus"
    missing: tuple[str, ...] = ("first-seen",)
    wanted: bool = True

    def applies(self, inquiry: Inquiry) -> bool:
        return self.wanted

    async def look(self, inquiry: Inquiry) -> Findings:
        return await self.looks()


async def answers() -> Findings:
    return FOUND


async def hangs() -> Findings:
    await asyncio.Event().wait()
    return FOUND


async def refused() -> Findings:
    raise LookupFailed("connection refused")


async def broken() -> Findings:
    raise ZeroDivisionError("secret details")


async def test_answers_of_all_are_joined() -> None:
    async def policy() -> Findings:
        return Findings(policy=PolicyFacts())

    found = await gather([Scripted(answers), Scripted(policy, "git")], inquiry(), SOON)
    assert found == Findings(volume=FOUND.volume, policy=PolicyFacts())


@pytest.mark.parametrize(
    ("looks", "reason"),
    [
        (refused, "connection refused"),
        (hangs, "timed out after 0.3 s"),
        (broken, "internal error (ZeroDivisionError)"),
    ],
)
async def test_a_failure_is_a_gap_and_takes_nothing_along(looks: Look, reason: str) -> None:
    lookups = [Scripted(looks, "git", ("policy", "its history")), Scripted(answers)]
    with capture_logs() as log:
        found = await gather(lookups, inquiry(), SOON)
    assert found == Findings(volume=FOUND.volume, gaps=(Gap("git", reason, ("policy", "its history")),))
    assert [entry["event"] for entry in log] == (["lookup_broke"] if looks is broken else [])
    assert "secret" not in found.gaps[0].reason


async def test_a_mistake_in_the_question_whether_it_applies_is_a_gap_as_well() -> None:
    class Undecided(Scripted):
        def applies(self, inquiry: Inquiry) -> bool:
            raise KeyError("namespace")

    with capture_logs():
        found = await gather([Undecided(answers, "git"), Scripted(answers)], inquiry(), SOON)
    assert found.volume == FOUND.volume
    assert found.gaps == (Gap("git", "internal error (KeyError)", ("first-seen",)),)


async def test_one_that_does_not_apply_is_neither_asked_nor_a_gap() -> None:
    assert await gather([Scripted(broken, wanted=False)], inquiry(), SOON) == Findings()
    assert await gather([], inquiry(), SOON) == Findings()


async def test_all_run_side_by_side_under_one_deadline() -> None:
    started = time.monotonic()
    found = await gather([Scripted(hangs, f"source {number}") for number in range(50)], inquiry(), SOON)
    assert time.monotonic() - started < 5
    assert len(found.gaps) == 50


async def test_a_lookup_that_cleans_up_is_still_late() -> None:
    cleaned = []

    async def tidy() -> Findings:
        try:
            return await hangs()
        finally:
            cleaned.append(True)

    found = await gather([Scripted(tidy)], inquiry(), SOON)
    assert found.gaps[0].reason == "timed out after 0.3 s"
    assert cleaned


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.05, "0.1 s"), (0.2004, "0.2 s"), (0.0, "0.1 s"), (0.3499, "0.3 s"), (-1.0, "0.1 s")]
)
async def test_what_is_left_of_the_deadline_is_told_in_round_figures(seconds: float, told: str) -> None:
    found = await gather([Scripted(hangs)], inquiry(), timedelta(seconds=seconds))
    assert found.gaps[0].reason == f"timed out after {told}"


async def test_being_stopped_is_no_gap() -> None:
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(gather([Scripted(hangs)], inquiry(), timedelta(seconds=60)))
        await asyncio.sleep(0.01)
        running.cancel()
    assert running.cancelled()


async def test_the_answers_to_some_questions_outlive_the_late_one() -> None:
    async def several() -> Findings:
        slow = await or_gap(hangs(), "Prometheus", "who else asks")
        after = await or_gap(hangs(), "Prometheus", "new names")
        return Findings(volume=FOUND.volume, gaps=tuple(each for each in (slow, after) if isinstance(each, Gap)))

    found = await gather([Scripted(several)], inquiry(), timedelta(seconds=2))
    assert found.volume == FOUND.volume
    assert found.gaps == (Gap("Prometheus", "timed out after 2 s", ("who else asks", "new names")),)


async def test_a_question_answers_or_becomes_a_gap() -> None:
    async def seven() -> int:
        return 7

    async def fails() -> int:
        raise LookupFailed("HTTP 503: overloaded")

    assert await or_gap(seven(), "Prometheus", "x") == 7
    assert await or_gap(fails(), "Prometheus", "x", "y") == Gap("Prometheus", "HTTP 503: overloaded", ("x", "y"))
    with pytest.raises(ZeroDivisionError):
        await or_gap(broken(), "Prometheus", "x")


async def test_the_deadline_of_one_inquiry_does_not_bound_the_next() -> None:
    async def asks() -> Findings:
        answer = await or_gap(asyncio.sleep(0.2), "Prometheus")
        return Findings(gaps=(answer,) if isinstance(answer, Gap) else ())

    brief, ample = await asyncio.gather(
        gather([Scripted(asks)], inquiry(), timedelta(seconds=0.1)),
        gather([Scripted(asks)], inquiry(), timedelta(seconds=20)),
    )
    assert [gap.reason for gap in brief.gaps] == ["timed out after 0.1 s"]
    assert ample.gaps == ()
    assert await or_gap(asyncio.sleep(0.2, 7), "Prometheus") == 7


@pytest.mark.parametrize(
    ("kinds", "asked"),
    [({Kind.NOVEL}, True), ({Kind.VOLUME}, True), ({Kind.NOVEL, Kind.OTHER}, True), ({Kind.OTHER}, False)],
)
async def test_a_source_there_is_none_of_shows_where_it_would_matter(kinds: set[Kind], asked: bool) -> None:
    absent = NotAsked("Prometheus", "is not configured", ("first-seen", "neighbours"))
    found = await gather([absent], inquiry(*kinds), SOON)
    gap = Gap("Prometheus", "is not configured", ("first-seen", "neighbours"))
    assert found == Findings(gaps=(gap,) if asked else ())


def test_gaps_of_one_source_and_reason_are_joined() -> None:
    merged = merge(
        [
            Findings(gaps=(Gap("Prometheus", "timed out", ("a", "b")), Gap("git", "timed out", ("c",)))),
            Findings(gaps=(Gap("Prometheus", "timed out", ("b", "d")), Gap("Prometheus", "refused", ("e",)))),
            Findings(gaps=(Gap("git", "timed out"),)),
        ]
    )
    assert merged.gaps == (
        Gap("Prometheus", "timed out", ("a", "b", "d")),
        Gap("git", "timed out", ("c",)),
        Gap("Prometheus", "refused", ("e",)),
    )


def test_the_first_that_knows_something_wins() -> None:
    one, other = Lookups("example.com", lookups=1), Lookups("example.com", neighbours=())
    pods = PodFacts({"sonarr-0": NOW})
    merged = merge(
        [
            Findings(),
            Findings(lookups={"example.com": one}, volume=Volume(rate=1.0)),
            Findings(lookups={"example.com": other, "example.net": other}, volume=Volume(rate=2.0), pods=pods),
            Findings(policy=PolicyFacts(stale_reason="a"), pods=PodFacts()),
        ]
    )
    assert merged.lookups == {"example.com": one, "example.net": other}
    assert merged.volume == Volume(rate=1.0)
    assert (merged.policy, merged.pods) == (PolicyFacts(stale_reason="a"), pods)


texts = st.sampled_from("abc")
gaps = st.lists(st.builds(Gap, texts, texts, st.lists(texts, max_size=3).map(tuple)), max_size=5).map(tuple)


@given(st.lists(gaps, max_size=4))
def test_no_gap_and_nothing_missing_is_lost_in_a_merge(parts: list[tuple[Gap, ...]]) -> None:
    merged = merge([Findings(gaps=part) for part in parts]).gaps
    told = {(gap.source, gap.reason, name) for part in parts for gap in part for name in gap.missing}
    assert {(gap.source, gap.reason, name) for gap in merged for name in gap.missing} == told
    assert {(gap.source, gap.reason) for part in parts for gap in part} == {(gap.source, gap.reason) for gap in merged}
    assert len({(gap.source, gap.reason) for gap in merged}) == len(merged)
    assert all(len(set(gap.missing)) == len(gap.missing) for gap in merged)
