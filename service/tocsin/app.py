"""The composition root: builds everything in order, undoes it in reverse, runs until a signal."""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import structlog
from aiohttp import web

from tocsin import apps_file, housekeeping
from tocsin.channels import connect
from tocsin.enrich.enricher import Enricher
from tocsin.enrich.lookups import DnsLookups
from tocsin.enrich.pods import PodAges, PodOwners
from tocsin.enrich.policy_history import PolicyHistory
from tocsin.enrich.prometheus import Prometheus
from tocsin.enrich.volume import VolumeLookups
from tocsin.errors import StoreUnavailable
from tocsin.gitops.repository import Repository, keep_fresh
from tocsin.outlet import Outlet
from tocsin.pipeline import Pipeline, Rules
from tocsin.settings import Settings
from tocsin.store import deliveries, events
from tocsin.store.database import Database, Transaction
from tocsin.store.sqlite import Sqlite
from tocsin.web import server
from tocsin.web.webhook import Webhook
from tocsin.worker import Worker

log = structlog.get_logger()

EVENT_LANES = 8
"""Events processed at a time: one that waits for slow lookups does not hold up the others."""

BACKLOG = 1024
"""Connections the kernel holds while the loop is busy; Alertmanager opens one a group after its own restart."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where findings come from; None for what is not configured."""

    prometheus: Prometheus | None
    repository: Repository | None

    async def close(self) -> None:
        """Gives connections and threads back."""
        if self.prometheus is not None:
            self.prometheus.close()
        if self.repository is not None:
            await self.repository.close()


def sources(settings: Settings) -> Sources:
    """Builds the configured sources; none of them is asked anything yet."""
    prometheus = Prometheus(settings.prometheus) if settings.prometheus.url else None
    return Sources(prometheus, _repository(settings))


def build_pipeline(
    settings: Settings, database: Database, found: Sources, outlets: Sequence[Outlet], *, offline: bool = False
) -> Pipeline:
    """The story, with every lookup the configuration allows for; with `offline` without any."""
    rules = Rules(
        identify=settings.identify,
        destination=settings.destination,
        apps=apps_file.load(settings.apps_file),
        decide=settings.decide,
        enrich=settings.enrich,
        assess=settings.assess,
        routes=settings.routes,
        retry=settings.retry,
    )
    enrichers: list[Enricher] = []
    owners = None
    if found.prometheus is not None and not offline:
        owners = PodOwners(found.prometheus)
        enrichers += [
            DnsLookups(found.prometheus, settings.destination),
            VolumeLookups(found.prometheus, settings.destination),
            PodAges(found.prometheus),
        ]
    if found.repository is not None and not offline:
        enrichers.append(PolicyHistory(found.repository, settings.enrich.deadline * 0.8))
    return Pipeline(database, rules, enrichers, owners, outlets)


async def serve(settings: Settings) -> None:
    """Runs the service until SIGTERM or SIGINT, then drains.

    Raises StoreUnavailable when the store cannot be opened, OSError when the address cannot be bound.
    """
    async with AsyncExitStack() as undo:
        store = Sqlite(settings.store.path)
        await asyncio.to_thread(store.open)
        undo.callback(store.close)
        await store.run(_release)

        connected = connect(settings.channels)
        for each in connected:
            undo.push_async_callback(each.channel.close)
        found = sources(settings)
        undo.push_async_callback(found.close)
        pipeline = build_pipeline(settings, store, found, [each.outlet for each in connected])

        inbox = Worker("inbox", pipeline.advance, lanes=EVENT_LANES)
        outboxes = [
            Worker(each.outlet.name, partial(pipeline.deliver, each.outlet.name), lanes=each.outlet.lanes)
            for each in connected
        ]
        pipeline.on_accepted = inbox.wake
        pipeline.on_message = partial(_wake, outboxes)

        webhook = Webhook(settings.server, pipeline.receive)
        ready = partial(_not_ready, store, [inbox, *outboxes])
        observe = partial(_observe, store)
        runner = web.AppRunner(server.build(settings.server, webhook, ready, observe), access_log=None)
        await runner.setup()
        undo.push_async_callback(runner.cleanup)

        stopping = _on_signals()
        async with asyncio.TaskGroup() as tasks:
            workers = [tasks.create_task(worker.run(), name=worker.name) for worker in (inbox, *outboxes)]
            background = [
                tasks.create_task(housekeeping.keep_house(store, settings.decide, settings.store), name="housekeeping")
            ]
            if found.repository is not None:
                background.append(tasks.create_task(keep_fresh(found.repository), name="gitops"))
            site = web.TCPSite(
                runner, settings.server.host, settings.server.port,
                ssl_context=server.tls(settings.server), backlog=BACKLOG,
            )  # fmt: skip
            await site.start()
            log.info("ready", address=_address(runner), channels=[each.outlet.name for each in connected])

            await stopping.wait()
            log.info("stopping", drain=settings.server.drain.total_seconds())
            webhook.stopping = True
            for task in background:
                task.cancel()
            await _drain([inbox], workers[:1], settings.server.drain.total_seconds() / 2)
            await _drain(outboxes, workers[1:], settings.server.drain.total_seconds() / 2)
            await site.stop()
    log.info("stopped")


def _repository(settings: Settings) -> Repository | None:
    gitops = settings.gitops
    if gitops.git is not None:
        from tocsin.gitops.git import GitRepository  # noqa: PLC0415 - only what is configured is loaded

        return GitRepository(gitops.git, gitops.path_templates)
    if gitops.github is not None:
        from tocsin.gitops.github import GitHubRepository  # noqa: PLC0415

        return GitHubRepository(gitops.github, gitops.path_templates)
    return None


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
