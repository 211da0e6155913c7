"""Runs steps until told to stop, then drains. Knows nothing of alerts.

A step claims one due row, does what is to be done, settles the row, and says whether there was one. Anything that
a step lets escape is logged and tried again after a pause: a worker ends only when it is told to.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog

log = structlog.get_logger()

STUCK_AFTER = timedelta(minutes=5)
"""A worker that has not begun a step for this long is reported as not running."""

HOLD_WITHIN = 0.5
"""Seconds a step gives way to other work."""

Step = Callable[[datetime], Awaitable[bool]]


class Worker:
    """`lanes` steps at a time; looks for due rows every `idle_every`, or at once when woken.

    While `calm` is not set each step waits for it, at most HOLD_WITHIN: other work of the process goes first.
    """

    def __init__(
        self,
        name: str,
        step: Step,
        *,
        lanes: int,
        idle_every: timedelta = timedelta(seconds=1),
        calm: asyncio.Event | None = None,
    ) -> None:
        self.name = name
        self._calm = calm
        self.last_step_at: datetime | None = None
        self._step = step
        self._lanes = lanes
        self._idle = idle_every.total_seconds()
        self._news = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Says that a row may be due now."""
        self._news.set()

    def stop(self) -> None:
        """Asks the worker to end once nothing is due; whoever runs it sets the limit."""
        self._stopping = True
        self._news.set()

    def alive(self, now: datetime) -> bool:
        """Whether a lane looked for work lately; a step may take minutes, so this is generous."""
        return self.last_step_at is not None and now - self.last_step_at < STUCK_AFTER

    async def run(self) -> None:
        """Works until `stop` was called and nothing is due any more."""
        async with asyncio.TaskGroup() as lanes:
            for _ in range(self._lanes):
                lanes.create_task(self._lane())

    async def _lane(self) -> None:
        while True:
            self._news.clear()
            if await self._one():
                continue
            if self._stopping:
                return
            try:
                async with asyncio.timeout(self._idle):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _one(self) -> bool:
        if self._calm is not None and not self._calm.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HOLD_WITHIN):
                    await self._calm.wait()
        now = datetime.now(UTC)
        self.last_step_at = now
        try:
            return await self._step(now)
        except Exception as failure:
            log.error("step_failed", worker=self.name, error=str(failure), exc_info=True)
            await asyncio.sleep(min(self._idle, 1.0))
            return False
