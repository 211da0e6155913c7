"""The composition root: builds everything in order, undoes it in reverse, runs until a signal."""

import asyncio
import gc
import importlib
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from tocsin.boot import Boot
from tocsin.errors import StoreUnavailable, TocsinError
from tocsin.store import engine
from tocsin.store.database import Database, Transaction
from tocsin.web import server
from tocsin.web.webhook import Webhook
from tocsin.worker import Worker

if TYPE_CHECKING:
    from tocsin.model import Accepted
    from tocsin.pipeline import Pipeline
    from tocsin.settings import Settings
    from tocsin.store.events import Event

log = structlog.get_logger()

EVENT_LANES = 8
"""Events processed at a time: one that waits for slow lookups does not hold up the others."""

SHUTDOWN_WITHIN = 5.0
"""Seconds that connections still open after the drain have to end."""

STORE_WITHIN = 2.0
"""Seconds that whoever asks about the process waits for the store."""

Observe = Callable[[datetime], Awaitable[None]]


class Story:
    """The pipeline, loaded off the event loop while the server already listens; who needs it sooner waits for it."""

    def __init__(self) -> None:
        self._loaded = asyncio.Event()
        self._pipeline: Pipeline | None = None
        self._observe: Observe = _nothing

    async def receive(self, body: bytes, now: datetime) -> "Accepted":
        """See Pipeline.receive."""
        return await (await self._get()).receive(body, now)

    async def claim_events(self, now: datetime) -> "Sequence[Event] | None":
        """See Pipeline.claim_events."""
        return await (await self._get()).claim_events(now)

    async def work_on_events(self, claimed: "Sequence[Event]", now: datetime) -> None:
        """See Pipeline.work_on_events."""
        await (await self._get()).work_on_events(claimed, now)

    async def observe(self) -> None:
        """Brings the gauges up to date; a store that is away leaves them as they were."""
        await self._loaded.wait()
        try:
            async with asyncio.timeout(STORE_WITHIN):
                await self._observe(datetime.now(UTC))
        except (StoreUnavailable, TimeoutError) as failure:
            log.warning("observe_failed", error=str(failure) or f"the store did not answer within {STORE_WITHIN:g} s")

    def begin(self, pipeline: "Pipeline", observe: Observe) -> None:
        """Lets everybody go on who waited."""
        self._pipeline, self._observe = pipeline, observe
        self._loaded.set()

    async def _get(self) -> "Pipeline":
        await self._loaded.wait()
        if self._pipeline is None:
            raise RuntimeError("a story that has begun has a pipeline")
        return self._pipeline


async def serve(boot: Boot, load: Callable[[], "Settings"]) -> None:
    """Runs the service until SIGTERM or SIGINT, then drains. `load` gives the settings of everything but the server.

    Raises ConfigurationError, StoreUnavailable for a store that cannot be opened, TocsinError for an address or a
    certificate that cannot be used.
    """
    try:
        await _serve(boot, load)
    except ExceptionGroup as failures:  # of the task group: one told on purpose needs no stack trace
        raise _told_on_purpose(failures) or failures from None


def _told_on_purpose(failure: Exception) -> TocsinError | None:
    if isinstance(failure, ExceptionGroup):
        return next((found for each in failure.exceptions if (found := _told_on_purpose(each))), None)
    return failure if isinstance(failure, TocsinError) else None


async def _serve(boot: Boot, load: Callable[[], "Settings"]) -> None:
    stopping = _on_signals()
    async with AsyncExitStack() as undo:
        store = engine.build(boot.store)
        await asyncio.to_thread(store.open)
        undo.callback(store.close)

        story = Story()
        webhook = Webhook(boot.server, story.receive)
        inbox = Worker("inbox", story.claim_events, story.work_on_events, lanes=EVENT_LANES, calm=webhook.rush.calm)
        webhook.explaining = lambda: inbox.at_work
        workers: list[Worker[Any]] = [inbox]
        application = server.build(boot.server, webhook, partial(_not_ready, store, workers), story.observe)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_WITHIN)
        await runner.setup()
        undo.push_async_callback(runner.cleanup)

        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(inbox.run(), name=inbox.name)]
            site = await server.listen(boot.server, runner)
            log.info("ready", address=_address(runner))

            with _responsive():
                settings = await asyncio.to_thread(load)
                wiring = await asyncio.to_thread(importlib.import_module, "tocsin.wiring")
            connected, found = wiring.connect(settings.channels), wiring.sources(settings)
            for each in connected:
                undo.push_async_callback(each.channel.close)
            undo.push_async_callback(found.close)
            outlets = [each.outlet for each in connected]
            apps = wiring.load_apps(settings.apps_file)
            pipeline = wiring.build_pipeline(settings, apps, store, found, outlets)
            await wiring.release(store)
            await wiring.announce(store, settings.mode)
            for outlet in outlets if pipeline.teller.sends else ():
                claim = partial(pipeline.teller.claim_outgoing, outlet.name)
                outbox = Worker(outlet.name, claim, pipeline.teller.work_on_outgoing, lanes=outlet.lanes)
                workers.append(outbox)
                running.append(tasks.create_task(outbox.run(), name=outbox.name))
            pipeline.inbox.hands, pipeline.calm = inbox, webhook.rush.calm
            pipeline.teller.outboxes = {worker.name: worker for worker in workers[1:]}
            story.begin(pipeline, partial(wiring.observe, store, [outlet.name for outlet in outlets]))
            keeping = wiring.keep_house(store, settings.decide, settings.store)
            background = [tasks.create_task(keeping, name="housekeeping")]
            if found.repository is not None:
                background.append(tasks.create_task(wiring.keep_fresh(found.repository), name="gitops"))
            log.info("story_loaded", mode=settings.mode.value, channels=[outlet.name for outlet in outlets])
            _loaded()

            await stopping.wait()
            log.info("stopping", drain=boot.server.drain.total_seconds())
            webhook.stopping = True
            for task in background:
                task.cancel()
            await _drain(workers[:1], running[:1], boot.server.drain.total_seconds() / 2)
            await _drain(workers[1:], running[1:], boot.server.drain.total_seconds() / 2)
            await site.stop()
    log.info("stopped")


def _loaded() -> None:
    """Modules and settings stay: no collection needs to look at them again. The command line had turned it off."""
    gc.collect()
    gc.freeze()
    gc.enable()


@contextmanager
def _responsive() -> Iterator[None]:
    """Lets the event loop interrupt a busy thread at once, instead of after the usual 5 ms each time."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.0002)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


async def _drain(workers: Sequence[Worker[Any]], tasks: Sequence[asyncio.Task[None]], within: float) -> None:
    """Lets workers finish what is due; what is still under way then is cancelled and left to the next start."""
    for worker in workers:
        worker.stop()
    if not tasks:  # in mode shadow nobody sends
        return
    _, late = await asyncio.wait(tasks, timeout=within)
    for task in late:
        log.warning("drain_cut_short", worker=task.get_name())
        task.cancel()


async def _not_ready(store: Database, workers: Sequence[Worker[Any]]) -> list[str]:
    wrong = [f"worker {worker.name} is not running" for worker in workers if not worker.alive(datetime.now(UTC))]
    try:
        async with asyncio.timeout(STORE_WITHIN):
            await store.run(_probe)
    except (StoreUnavailable, TimeoutError) as failure:
        wrong.append(str(failure) or f"the store did not answer within {STORE_WITHIN:g} s")
    return wrong


def _probe(tx: Transaction) -> None:
    """Writes a row and takes it back, so that a full or read-only disk shows."""
    tx.execute("INSERT INTO channel (name) VALUES ('readyz') ON CONFLICT DO NOTHING")
    tx.execute("DELETE FROM channel WHERE name = 'readyz'")


async def _nothing(_: datetime) -> None:
    return


def _on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


def _address(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
