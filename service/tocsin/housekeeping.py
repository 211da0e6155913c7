"""What happens at the start and now and then: claims are given back, incidents closed, old rows pruned, gauges set."""

import asyncio
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import structlog

from tocsin import metrics
from tocsin.decide import Action, DecideSettings, SkipReason
from tocsin.errors import StoreUnavailable
from tocsin.model import Kind, Mode, NoticeReason, Verdict
from tocsin.pace import HOUR
from tocsin.store import clock, deliveries, events, incidents, roll_ups
from tocsin.store.database import Database
from tocsin.store.settings import StoreSettings

log = structlog.get_logger()

EVERY = timedelta(minutes=1)
CLOCK = timedelta(minutes=1)
BATCH = 200
"""Rows deleted in one transaction: a webhook never waits longer than for one such batch."""


async def release(database: Database) -> None:
    """Makes due again what a process that is gone had claimed, before anything is claimed anew."""
    if database.shared:
        return  # others are at work, and their claims are theirs
    now = datetime.now(UTC)
    released = await database.run(events.release, now) + await database.run(deliveries.release, now)
    if released:
        log.info("released", rows=released)
    newest = await database.run_lightly(events.newest_at)
    if newest is not None:
        await mind_the_clock(database, newest - now, now)


async def mind_the_clock(database: Database, back: timedelta, now: datetime) -> None:
    """Lets nothing wait for hours because the clock was put `back`; by less than CLOCK it is only being set right."""
    if back < CLOCK:
        return
    moved = await database.run(clock.put_back, back, now)
    log.warning("clock_put_back", seconds=round(back.total_seconds()), rows=moved)


async def announce(database: Database, mode: Mode) -> None:
    """Says in metrics and log that nothing will be sent, if so, and how many messages wait for mode live."""
    metrics.SHADOW.set(mode is Mode.SHADOW)
    if mode is Mode.SHADOW:
        backlog = await database.run_lightly(deliveries.backlog)
        log.warning("mode_shadow", sent="nothing", waiting=sum(row[2] for row in backlog if row[1] != "dead"))


async def keep_house(database: Database, decide: DecideSettings, store: StoreSettings) -> None:
    """Tidies for ever; whatever fails is logged and tried again a minute later."""
    expected = datetime.now(UTC)
    while True:
        began, now = time.monotonic(), datetime.now(UTC)
        try:
            await mind_the_clock(database, expected - now, now)
            await tidy(database, decide, store, now)
        except StoreUnavailable as failure:
            log.warning("housekeeping_failed", error=str(failure))
        except Exception as failure:
            log.error("housekeeping_broke", error=str(failure), exc_info=True)
        await asyncio.sleep(EVERY.total_seconds())
        expected = now + timedelta(seconds=time.monotonic() - began)


async def tidy(database: Database, decide: DecideSettings, store: StoreSettings, now: datetime) -> None:
    """Closes incidents that are over, and deletes what is older than it is kept, in small batches."""
    await database.run(incidents.close_quiet, now, decide)
    while await database.run(events.prune, now - store.keep_events, BATCH) == BATCH:
        pass
    while await database.run(incidents.prune, now - store.keep_incidents, BATCH) == BATCH:
        pass
    while await database.run(roll_ups.prune, now - HOUR, BATCH) == BATCH:
        pass


def expect(channels: Collection[str], sources: Collection[str]) -> None:
    """Makes every series that can be named beforehand, at 0: Prometheus sees the first event of each as an increase.

    `channels` are the configured ones, `sources` where lookups are made.
    """
    for code in ("200", "400", "401", "413", "429", "503"):
        metrics.WEBHOOKS.labels(code)
    for told in NoticeReason:
        metrics.DECISIONS.labels(Action.NOTIFY.value, told.value)
    for silent in SkipReason:
        metrics.DECISIONS.labels(Action.SKIP.value, silent.value)
    for kind in Kind:
        for verdict in Verdict:
            metrics.NOTICES.labels(kind.value, verdict.value)
    for source in sources:
        metrics.GAPS.labels(source)
    for channel in channels:
        for outcome in ("sent", "retry", "dead"):
            metrics.DELIVERIES.labels(channel, outcome)
        metrics.TOLD_SECONDS.labels(channel)
        metrics.ROLLED_UP.labels(channel)
    for stage in metrics.STAGES:
        metrics.STAGE_SECONDS.labels(stage)


async def observe(database: Database, channels: Collection[str], now: datetime) -> None:
    """Brings the gauges of inbox and outbox up to date, with 0 for each of `channels` that has nothing to send.

    Where the store does not answer none of them changes, other than the one that says so.
    """
    metrics.STORE_UP.set(0)
    oldest = await database.run_lightly(events.oldest_at)
    newest = await database.run_lightly(events.newest_at)
    backlog = await database.run_lightly(deliveries.backlog)
    metrics.STORE_UP.set(1)
    metrics.OLDEST_EVENT.set((now - oldest).total_seconds() if oldest else 0)
    metrics.LAST_WEBHOOK.set(newest.timestamp() if newest else 0)
    metrics.OUTBOX.clear()
    metrics.OLDEST_MESSAGE.clear()
    waiting = dict.fromkeys(channels, 0.0)
    for channel in channels:
        for state in ("due", "claimed", "dead"):
            metrics.OUTBOX.labels(channel, state)
    for channel, state, number, since_at in backlog:
        metrics.OUTBOX.labels(channel, state).set(number)
        if state != "dead":
            waiting[channel] = max(waiting.get(channel, 0.0), (now - since_at).total_seconds())
    for channel, age in waiting.items():
        metrics.OLDEST_MESSAGE.labels(channel).set(age)
