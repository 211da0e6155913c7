"""One lookup that asks several questions keeps the answers it got; a question that failed becomes a gap."""

from collections.abc import Awaitable
from typing import TypeVar

from tocsin.errors import LookupFailed
from tocsin.findings import Gap

T = TypeVar("T")


async def or_gap(question: Awaitable[T], source: str, *missing: str) -> T | Gap:
    """Returns the answer, or the gap that says what is therefore `missing`."""
    try:
        return await question
    except LookupFailed as failure:
        return Gap(source, str(failure), missing)
