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
    """Tidies for ever; a store that is away is tried again a minute later."""
    while True:
        try:
            await tidy(database, decide, store, datetime.now(UTC))
        except StoreUnavailable as failure:
            log.warning("housekeeping_failed", error=str(failure))
        await asyncio.sleep(EVERY.total_seconds())


async def tidy(database: Database, decide: DecideSettings, store: StoreSettings, now: datetime) -> None:
    """Closes incidents that are over, and deletes what is older than it is kept, in small batches."""
    await database.run(incidents.close_quiet, now, decide)
    while await database.run(events.prune, now - store.keep_events, BATCH) == BATCH:
        pass
    while await database.run(incidents.prune, now - store.keep_incidents, BATCH) == BATCH:
        pass


async def observe(database: Database, now: datetime) -> None:
    """Brings the gauges of inbox and outbox up to date."""
    oldest = await database.run_lightly(events.oldest_at)
    metrics.OLDEST_EVENT.set((now - oldest).total_seconds() if oldest else 0)
    metrics.OUTBOX.clear()
    metrics.OLDEST_MESSAGE.clear()
    for channel, state, number, since_at in await database.run_lightly(deliveries.backlog):
        metrics.OUTBOX.labels(channel, state).set(number)
        if state != "dead":
            metrics.OLDEST_MESSAGE.labels(channel).set((now - since_at).total_seconds())
