"""The composition root: builds everything in order, undoes it in reverse, runs until a signal."""

import asyncio
import gc
import importlib
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from tocsin import apps_file, housekeeping
from tocsin.errors import StoreUnavailable
from tocsin.model import Accepted
from tocsin.settings import Settings
from tocsin.store import deliveries, events
from tocsin.store.database import Transaction
from tocsin.store.sqlite import Sqlite
from tocsin.web import server
from tocsin.web.webhook import Webhook
from tocsin.worker import Worker

if TYPE_CHECKING:
    from tocsin.pipeline import Pipeline

log = structlog.get_logger()

EVENT_LANES = 8
"""Events processed at a time: one that waits for slow lookups does not hold up the others."""

BACKLOG = 1024
"""Connections the kernel holds while the loop is busy; Alertmanager opens one a group after its own restart."""


class Story:
    """The pipeline, loaded off the event loop while the server already listens; who needs it sooner waits for it."""

    def __init__(self) -> None:
        self._loaded = asyncio.Event()
        self._pipeline: Pipeline | None = None

    async def receive(self, body: bytes, now: datetime) -> Accepted:
        """See Pipeline.receive."""
        return await (await self._get()).receive(body, now)

    async def advance(self, now: datetime) -> bool:
        """See Pipeline.advance."""
        return await (await self._get()).advance(now)

    def begin(self, pipeline: "Pipeline") -> None:
        """Lets everybody go on who waited."""
        self._pipeline = pipeline
        self._loaded.set()

    async def _get(self) -> "Pipeline":
        await self._loaded.wait()
        if self._pipeline is None:
            raise RuntimeError("a story that has begun has a pipeline")
        return self._pipeline


async def serve(settings: Settings) -> None:
    """Runs the service until SIGTERM or SIGINT, then drains.

    Raises ConfigurationError, StoreUnavailable for a store that cannot be opened, OSError for an address in use.
    """
    apps = apps_file.load(settings.apps_file)
    stopping = _on_signals()
    async with AsyncExitStack() as undo:
        store = Sqlite(settings.store.path)
        await asyncio.to_thread(store.open)
        undo.callback(store.close)
        await store.run(_release)

        story = Story()
        webhook = Webhook(settings.server, story.receive)
        inbox = Worker("inbox", story.advance, lanes=EVENT_LANES, calm=webhook.calm)
        workers = [inbox]
        ready, observe = partial(_not_ready, store, workers), partial(_observe, store)
        runner = web.AppRunner(server.build(settings.server, webhook, ready, observe), access_log=None)
        await runner.setup()
        undo.push_async_callback(runner.cleanup)

        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(inbox.run(), name=inbox.name)]
            site = web.TCPSite(
                runner,
                settings.server.host,
                settings.server.port,
                ssl_context=server.tls(settings.server),
                backlog=BACKLOG,
            )
            await site.start()
            log.info("ready", address=_address(runner))

            wiring = await asyncio.to_thread(importlib.import_module, "tocsin.wiring")
            connected, found = wiring.connect(settings.channels), wiring.sources(settings)
            for each in connected:
                undo.push_async_callback(each.channel.close)
            undo.push_async_callback(found.close)
            outlets = [each.outlet for each in connected]
            pipeline = wiring.build_pipeline(settings, apps, store, found, outlets)
            for outlet in outlets:
                outbox = Worker(outlet.name, partial(pipeline.deliver, outlet.name), lanes=outlet.lanes)
                workers.append(outbox)
                running.append(tasks.create_task(outbox.run(), name=outbox.name))
            pipeline.on_accepted = inbox.wake
            pipeline.on_message = partial(_wake, workers[1:])
            story.begin(pipeline)
            background = [
                tasks.create_task(housekeeping.keep_house(store, settings.decide, settings.store), name="housekeeping")
            ]
            if found.repository is not None:
                background.append(tasks.create_task(wiring.keep_fresh(found.repository), name="gitops"))
            log.info("story_loaded", channels=[outlet.name for outlet in outlets])
            gc.collect()
            gc.freeze()  # modules and settings stay: no collection needs to look at them again
            gc.enable()  # the command line turned it off for the time of loading

            await stopping.wait()
            log.info("stopping", drain=settings.server.drain.total_seconds())
            webhook.stopping = True
            for task in background:
                task.cancel()
            await _drain(workers[:1], running[:1], settings.server.drain.total_seconds() / 2)
            await _drain(workers[1:], running[1:], settings.server.drain.total_seconds() / 2)
            await site.stop()
    log.info("stopped")


def _wake(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.wake()


async def _drain(workers: Sequence[Worker], tasks: Sequence[asyncio.Task[None]], within: float) -> None:
    """Lets workers finish what is due; what is still under way then is cancelled and left to the next start."""
    for worker in workers:
        worker.stop()
    _, late = await asyncio.wait(tasks, timeout=within)
    for task in late:
        log.warning("drain_cut_short", worker=task.get_name())
        task.cancel()


def _release(tx: Transaction) -> None:
    now = datetime.now(UTC)
    released = events.release(tx, now) + deliveries.release(tx, now)
    if released:
        log.info("released", rows=released)


async def _not_ready(store: Sqlite, workers: Sequence[Worker]) -> list[str]:
    wrong = [f"worker {worker.name} is not running" for worker in workers if not worker.alive(datetime.now(UTC))]
    try:
        async with asyncio.timeout(2):
            await store.run(_probe)
    except (StoreUnavailable, TimeoutError) as failure:
        wrong.append(str(failure) or "the store did not answer within 2 s")
    return wrong


def _probe(tx: Transaction) -> None:
    """Writes a row and takes it back, so that a full or read-only disk shows."""
    tx.execute("INSERT INTO channel (name) VALUES ('readyz') ON CONFLICT DO NOTHING")
    tx.execute("DELETE FROM channel WHERE name = 'readyz'")


async def _observe(store: Sqlite) -> None:
    try:
        await housekeeping.observe(store, datetime.now(UTC))
    except StoreUnavailable as failure:
        log.warning("observe_failed", error=str(failure))


def _on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


def _address(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"{host}:{port}"
