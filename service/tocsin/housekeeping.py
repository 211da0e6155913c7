"""What happens at the start and now and then: claims are given back, incidents closed, old rows pruned, gauges set."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from tocsin import metrics
from tocsin.decide import DecideSettings
from tocsin.errors import StoreUnavailable
from tocsin.store import deliveries, events, incidents
from tocsin.store.database import Database
from tocsin.store.sqlite import StoreSettings

log = structlog.get_logger()

EVERY = timedelta(minutes=1)
BATCH = 200
"""Rows deleted in one transaction: a webhook never waits longer than for one such batch."""


async def release(database: Database) -> None:
    """Makes due again what a process that is gone had claimed, before anything is claimed anew."""
    now = datetime.now(UTC)
    released = await database.run(events.release, now) + await database.run(deliveries.release, now)
    if released:
        log.info("released", rows=released)


async def keep_house(database: Database, decide: DecideSettings, store: StoreSettings) -> None:
    """Tidies for ever; whatever fails is logged and tried again a minute later."""
    while True:
        try:
            await tidy(database, decide, store, datetime.now(UTC))
        except StoreUnavailable as failure:
            log.warning("housekeeping_failed", error=str(failure))
        except Exception as failure:
            log.error("housekeeping_broke", error=str(failure), exc_info=True)
        await asyncio.sleep(EVERY.total_seconds())


async def tidy(database: Database, decide: DecideSettings, store: StoreSettings, now: datetime) -> None:
    """Closes incidents that are over, and deletes what is older than it is kept, in small batches."""
    await database.run(incidents.close_quiet, now, decide)
    while await database.run(events.prune, now - store.keep_events, BATCH) == BATCH:
        pass
    while await database.run(incidents.prune, now - store.keep_incidents, BATCH) == BATCH:
        pass


async def observe(database: Database, now: datetime) -> None:
    """Brings the gauges of inbox and outbox up to date; none of them changes when the store does not answer."""
    oldest = await database.run_lightly(events.oldest_at)
    backlog = await database.run_lightly(deliveries.backlog)
    metrics.OLDEST_EVENT.set((now - oldest).total_seconds() if oldest else 0)
    metrics.OUTBOX.clear()
    metrics.OLDEST_MESSAGE.clear()
    waiting: dict[str, float] = {}
    for channel, state, number, since_at in backlog:
        metrics.OUTBOX.labels(channel, state).set(number)
        if state != "dead":
            waiting[channel] = max(waiting.get(channel, 0.0), (now - since_at).total_seconds())
    for channel, age in waiting.items():
        metrics.OLDEST_MESSAGE.labels(channel).set(age)
