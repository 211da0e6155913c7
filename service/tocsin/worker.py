"""Claims a due row, works on it, and again, until told to stop; then drains. Knows nothing of alerts.

Anything that claiming or working lets escape is logged and tried again after a pause: a worker ends only when it is
told to.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger()

STUCK_AFTER = timedelta(minutes=5)
"""A worker that has not looked for work for this long is reported as not running."""

HOLD_WITHIN = 0.5
"""Seconds that claiming gives way to other work."""
SHARE = 4
"""How many times as long as the last row took claiming gives way, HOLD_WITHIN at least and HOLD_AT_MOST at most."""
HOLD_AT_MOST = 5.0

T = TypeVar("T")


class Worker(Generic[T]):
    """`lanes` rows at a time; looks for due rows every `idle_every`, or at once when woken.

    `claim` returns a row, or None when none is due; `work` settles it. While `calm` is not set one lane at a time
    claims, and waits for it first, longer than the last row took: other work of the process goes first. `at_work`
    counts the rows worked on now.
    """

    def __init__(
        self,
        name: str,
        claim: Callable[[datetime], Awaitable[T | None]],
        work: Callable[[T, datetime], Awaitable[object]],
        *,
        lanes: int,
        idle_every: timedelta = timedelta(seconds=1),
        calm: asyncio.Event | None = None,
    ) -> None:
        self.name = name
        self.last_step_at: datetime | None = None
        self.at_work = 0
        self._claim = claim
        self._work = work
        self._lanes = lanes
        self._idle = idle_every.total_seconds()
        self._calm = calm
        self._took = 0.0
        self._turn = asyncio.Lock()
        self._given: deque[T] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._news = False
        self._stopping = False

    @property
    def free(self) -> int:
        """How many rows could be given now and be worked on at once."""
        if self._stopping or (self._calm is not None and not self._calm.is_set()):
            return 0
        return max(len(self._waiting) - len(self._given), 0)

    def give(self, row: T) -> None:
        """Hands over a row that whoever stored it has claimed in the same transaction."""
        self._given.append(row)
        self.wake()

    def wake(self) -> None:
        """Says that a row may be due now. One lane looks; when it finds a row, it wakes another."""
        while self._waiting:
            lane = self._waiting.popleft()
            if not lane.done():
                lane.set_result(None)
                return
        self._news = True

    def stop(self) -> None:
        """Asks the worker to end once nothing is due; whoever runs it sets the limit."""
        self._stopping = True
        for _ in range(self._lanes):
            self.wake()

    def alive(self, now: datetime) -> bool:
        """Whether a lane looked for work lately; working on a row may take minutes, so this is generous."""
        return self.last_step_at is not None and now - self.last_step_at < STUCK_AFTER

    async def run(self) -> None:
        """Works until `stop` was called and nothing is due any more."""
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(self._look_now_and_then())
            async with asyncio.TaskGroup() as lanes:
                for _ in range(self._lanes):
                    lanes.create_task(self._lane())
            looking.cancel()

    async def _look_now_and_then(self) -> None:
        """For what has become due with time. Whichever lane is free looks: none is so busy that nobody does."""
        while True:
            await asyncio.sleep(self._idle)
            self.wake()

    async def _lane(self) -> None:
        while True:
            self.last_step_at = datetime.now(UTC)
            try:
                row = await self._next()
                if row is not None:
                    await self._work_on(row)
                    continue
            except Exception as failure:
                log.error("step_failed", worker=self.name, error=str(failure), exc_info=True)
                await asyncio.sleep(min(self._idle, 1.0))
            if self._stopping:
                return
            if not self._news:
                await self._wait()

    async def _work_on(self, row: T) -> None:
        self.at_work += 1
        began = time.monotonic()
        try:
            await self._work(row, datetime.now(UTC))
        finally:
            self.at_work -= 1
            self._took = time.monotonic() - began

    async def _next(self) -> T | None:
        if self._given:
            return self._given.popleft()
        self._news = False
        if self._calm is not None and not self._calm.is_set():
            async with self._turn:
                await self._give_way(self._calm)
                row = await self._claim(datetime.now(UTC))
        else:
            row = await self._claim(datetime.now(UTC))
        if row is not None:
            self.wake()
        return row

    async def _give_way(self, calm: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(HOLD_WITHIN, SHARE * self._took), HOLD_AT_MOST)):
                await calm.wait()

    async def _wait(self) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(woken)
        await woken
