"""A real Alertmanager that posts at once and repeats every second, and alerts as Prometheus sends them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from tocsin.demo import alertmanager

QUICK = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1s"}


@asynccontextmanager
async def running(webhooks: Sequence[str], **settings: Any) -> AsyncIterator[str]:
    """A real Alertmanager that posts to `webhooks`; it starts and stops off the event loop."""
    context: AbstractContextManager[str] = alertmanager.running(webhooks, **{**QUICK, **settings})
    url = await asyncio.to_thread(context.__enter__)
    try:
        yield url
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


async def fire(url: str, *labels: dict[str, str], starts_at: datetime | None = None, over: bool = False) -> None:
    """Posts alerts as Prometheus does; with `over` they have just ended."""
    now = datetime.now(UTC)
    starts_at = starts_at or now
    ends_at = now if over else now + timedelta(minutes=5)
    alerts = [
        {"labels": each, "annotations": {}, "startsAt": starts_at.isoformat(), "endsAt": ends_at.isoformat()}
        for each in labels
    ]
    async with aiohttp.ClientSession() as session, session.post(f"{url}/api/v2/alerts", json=alerts) as response:
        assert response.status == 200, await response.text()
