"""The worker: what it claims and when, how it is woken and given rows, and how it ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tocsin import worker
from tocsin.worker import STUCK_AFTER, Worker

NEVER = timedelta(hours=1)
"""Longer than any test: whoever is woken was woken by somebody."""


class Rows:
    """Due rows, and what became of them. `gate` holds back every row that is worked on."""

    def __init__(self, due: Iterable[str] = ()) -> None:
        self.due = list(due)
        self.claims: list[datetime] = []
        self.done: list[str] = []
        self.under_way: set[str] = set()
        self.most_at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.fail: list[Exception] = []
        self.on_claim: Callable[[], object] = lambda: None

    async def claim(self, now: datetime) -> str | None:
        self.claims.append(now)
        await asyncio.sleep(0)
        self.on_claim()
        if self.fail:
            raise self.fail.pop(0)
        return self.due.pop(0) if self.due else None

    async def work(self, row: str, now: datetime) -> None:
        self.under_way.add(row)
        self.most_at_once = max(self.most_at_once, len(self.under_way))
        await self.gate.wait()
        self.under_way.remove(row)
        if row.startswith("broken"):
            raise ValueError(row)
        self.done.append(row)


def worker_of(rows: Rows, *, lanes: int = 1, idle_every: timedelta = NEVER, **more: Any) -> Worker[str]:
    return Worker("inbox", rows.claim, rows.work, lanes=lanes, idle_every=idle_every, **more)


@asynccontextmanager
async def running(subject: Worker[str]) -> AsyncIterator[asyncio.Task[None]]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(subject.run())
        try:
            yield task
        finally:
            task.cancel()


async def reached(condition: Callable[[], object]) -> None:
    """Lets the others go on until something holds, without looking at a clock."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def settled(rows: Rows) -> None:
    """Until nobody claims any more."""
    claims = -1
    while claims != len(rows.claims):
        claims = len(rows.claims)
        for _ in range(20):
            await asyncio.sleep(0)


async def test_it_claims_until_nothing_is_due_and_then_waits() -> None:
    rows = Rows("abc")
    before = datetime.now(UTC)
    async with running(worker_of(rows)):
        await reached(lambda: rows.done == ["a", "b", "c"])
        await settled(rows)
        assert len(rows.claims) == 4
    assert all(before <= now <= datetime.now(UTC) for now in rows.claims)


async def test_it_looks_at_once_when_woken() -> None:
    rows = Rows()
    subject = worker_of(rows)
    async with running(subject):
        await settled(rows)
        assert len(rows.claims) == 1
        rows.due.append("a")
        await settled(rows)
        assert rows.done == [], "nobody told it"
        subject.wake()
        await reached(lambda: rows.done == ["a"])


async def test_being_woken_once_is_enough_for_every_lane() -> None:
    rows = Rows()
    subject = worker_of(rows, lanes=3)
    async with running(subject):
        await settled(rows)
        rows.due += ["a", "b", "c"]
        rows.gate.clear()
        subject.wake()
        await reached(lambda: rows.under_way == {"a", "b", "c"})


async def test_it_looks_now_and_then_without_being_woken() -> None:
    rows = Rows()
    async with running(worker_of(rows, lanes=3, idle_every=timedelta(milliseconds=1))):
        await reached(lambda: len(rows.claims) > 5)
        rows.due.append("a")
        await reached(lambda: rows.done == ["a"])


async def test_a_row_that_becomes_due_while_a_lane_is_busy_is_found_by_another() -> None:
    rows = Rows(["slow"])
    rows.gate.clear()
    async with running(worker_of(rows, lanes=2, idle_every=timedelta(milliseconds=1))):
        await reached(lambda: rows.under_way == {"slow"})
        await settled(rows)
        rows.due.append("a")
        await reached(lambda: rows.under_way == {"slow", "a"})


async def test_a_row_that_comes_while_it_looks_is_not_overlooked() -> None:
    rows = Rows()
    subject = worker_of(rows)

    def comes_too_late() -> None:
        rows.on_claim = lambda: None
        asyncio.get_running_loop().call_soon(rows.due.append, "a")
        subject.wake()

    rows.on_claim = comes_too_late
    async with running(subject):
        await reached(lambda: rows.done == ["a"])


async def test_as_many_rows_at_a_time_as_it_has_lanes() -> None:
    rows = Rows("abcdefgh")
    rows.gate.clear()
    async with running(worker_of(rows, lanes=3)):
        await reached(lambda: len(rows.under_way) == 3)
        await settled(rows)
        assert rows.due == list("defgh")
        rows.gate.set()
        await reached(lambda: len(rows.done) == 8)
    assert rows.most_at_once == 3


async def test_one_slow_row_does_not_hold_up_the_others() -> None:
    rows = Rows(["slow"])
    rows.gate.clear()
    subject = worker_of(rows, lanes=2)
    async with running(subject):
        await reached(lambda: rows.under_way == {"slow"})
        rows.due += ["a", "b"]
        slow, rows.gate = rows.gate, asyncio.Event()
        rows.gate.set()
        subject.wake()
        await reached(lambda: rows.done == ["a", "b"])
        assert rows.under_way == {"slow"}
        slow.set()
        await reached(lambda: "slow" in rows.done)


async def test_a_given_row_is_worked_on_without_being_claimed() -> None:
    rows = Rows()
    subject = worker_of(rows, lanes=2)
    assert subject.free == 0, "nobody is there yet"
    async with running(subject):
        await settled(rows)
        claims = len(rows.claims)
        assert subject.free == 2
        rows.gate.clear()
        subject.give("a")
        await reached(lambda: rows.under_way == {"a"})
        assert subject.free == 1
        subject.give("b")
        await reached(lambda: rows.under_way == {"a", "b"})
        assert subject.free == 0 and len(rows.claims) == claims
        rows.gate.set()
        await reached(lambda: sorted(rows.done) == ["a", "b"])
        await settled(rows)
        assert subject.free == 2


async def test_more_rows_than_free_lanes_are_worked_on_one_after_the_other() -> None:
    rows = Rows()
    subject = worker_of(rows)
    async with running(subject):
        await settled(rows)
        for row in "abc":
            subject.give(row)
        assert subject.free == 0
        await reached(lambda: rows.done == ["a", "b", "c"])


# -- the end ----


async def test_stop_finishes_what_is_due_and_then_ends() -> None:
    rows = Rows("abcd")
    rows.gate.clear()
    subject = worker_of(rows, lanes=2)
    async with running(subject) as task:
        await reached(lambda: len(rows.under_way) == 2)
        subject.stop()
        assert subject.free == 0, "nothing new is given to one that ends"
        await settled(rows)
        assert not task.done()
        rows.gate.set()
        await reached(task.done)
        assert task.exception() is None
    assert sorted(rows.done) == ["a", "b", "c", "d"]


async def test_stop_ends_every_lane_of_one_that_waits() -> None:
    rows = Rows()
    subject = worker_of(rows, lanes=4)
    async with running(subject) as task:
        await settled(rows)
        subject.stop()
        await reached(task.done)
        assert not task.cancelled()


async def test_stop_before_the_start_still_does_what_is_due() -> None:
    rows = Rows("ab")
    subject = worker_of(rows, lanes=2)
    subject.stop()
    async with asyncio.timeout(10):
        await subject.run()
    assert sorted(rows.done) == ["a", "b"]


async def test_cancelling_ends_it_at_once() -> None:
    rows = Rows("a")
    rows.gate.clear()
    subject = worker_of(rows)
    async with running(subject) as task:
        await reached(lambda: rows.under_way == {"a"})
        task.cancel()
        await reached(task.done)
        assert task.cancelled()
    assert rows.done == []


# -- failures ----


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is logged as an error."""
    entries: list[dict[str, Any]] = []

    class Log:
        def error(self, event: str, **values: Any) -> None:
            entries.append({"event": event, **values})

    monkeypatch.setattr(worker, "log", Log())
    return entries


async def test_a_row_that_breaks_is_logged_and_ends_nothing(told: list[dict[str, Any]]) -> None:
    rows = Rows(["broken row", "a"])
    subject = worker_of(rows, idle_every=timedelta(milliseconds=1))
    async with running(subject):
        await reached(lambda: rows.done == ["a"])
    assert told == [{"event": "step_failed", "worker": "inbox", "error": "broken row", "exc_info": True}]


async def test_a_claim_that_breaks_is_tried_again(told: list[dict[str, Any]]) -> None:
    rows = Rows("a")
    rows.fail = [RuntimeError("one"), RuntimeError("two")]
    async with running(worker_of(rows, lanes=2, idle_every=timedelta(milliseconds=1))):
        await reached(lambda: rows.done == ["a"])
    assert {entry["error"] for entry in told} == {"one", "two"}


async def test_one_that_only_fails_can_be_stopped(told: list[dict[str, Any]]) -> None:
    rows = Rows()
    rows.fail = [RuntimeError(f"failure {number}") for number in range(10_000)]
    subject = worker_of(rows, lanes=2, idle_every=timedelta(milliseconds=1))
    async with running(subject) as task:
        await reached(lambda: len(told) > 3)
        subject.stop()
        await reached(task.done)
        assert task.exception() is None
    assert rows.fail, "it did not have to try all of it"


# -- whether it is alive ----


async def test_it_is_alive_while_it_looked_for_work_lately() -> None:
    rows = Rows()
    subject = worker_of(rows)
    assert not subject.alive(datetime.now(UTC)), "it has not begun"
    async with running(subject):
        await settled(rows)
        assert subject.last_step_at is not None
        assert subject.alive(subject.last_step_at + STUCK_AFTER - timedelta(microseconds=1))
        assert not subject.alive(subject.last_step_at + STUCK_AFTER)


# -- giving way ----


async def test_claiming_waits_until_it_is_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "HOLD_WITHIN", 3600)
    rows, calm = Rows("ab"), asyncio.Event()
    async with running(worker_of(rows, calm=calm)):
        await settled(rows)
        assert rows.claims == []
        calm.set()
        await reached(lambda: rows.done == ["a", "b"])


async def test_nothing_is_given_to_one_that_gives_way_but_what_was_given_is_done() -> None:
    rows, calm = Rows(), asyncio.Event()
    calm.set()
    subject = worker_of(rows, lanes=2, calm=calm)
    async with running(subject):
        await settled(rows)
        calm.clear()
        assert subject.free == 0
        subject.give("a")
        await reached(lambda: rows.done == ["a"])


async def test_it_does_not_give_way_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "HOLD_WITHIN", 0.001)
    rows = Rows("ab")
    async with running(worker_of(rows, calm=asyncio.Event())):
        await reached(lambda: rows.done == ["a", "b"])
