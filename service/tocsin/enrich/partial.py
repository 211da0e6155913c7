"""One lookup that asks several questions keeps the answers it got; a question that failed or is late becomes a gap."""

import asyncio
from collections.abc import Awaitable
from contextvars import ContextVar
from datetime import timedelta
from typing import TypeVar

from tocsin.errors import LookupFailed
from tocsin.findings import Gap

T = TypeVar("T")

_SPARE = 0.2
"""Seconds before the deadline of the whole lookup in which its last questions end and its findings are put together."""
_bound: ContextVar[tuple[float | None, str]] = ContextVar("bound", default=(None, "timed out"))


def end_within(deadline: timedelta) -> str:
    """Bounds all questions that the running task asks through `or_gap`. Returns what is said of those that are late."""
    seconds = deadline.total_seconds()
    late = f"timed out after {max(round(seconds, 1), 0.1):g} s"
    _bound.set((asyncio.get_running_loop().time() + seconds - min(_SPARE, seconds / 10), late))
    return late


async def or_gap(question: Awaitable[T], source: str, *missing: str) -> T | Gap:
    """Returns the answer, or the gap that says what is therefore `missing`."""
    ends_at, reason = _bound.get()
    try:
        async with asyncio.timeout_at(ends_at):
            return await question
    except TimeoutError:
        return Gap(source, reason, missing)
    except LookupFailed as failure:
        return Gap(source, str(failure), missing)
