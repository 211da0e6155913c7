"""The demonstration: a simulated cluster, a real Prometheus and Alertmanager, tocsin as it ships, and a phone.

A bounded app asks for a name nobody explains, a new version for one that its release explains, an app sends far more
than ever, a rollout brings nothing new, and Alertmanager repeats itself. Three messages must arrive, and no fourth.
"""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tocsin.demo import alertmanager, history, program, prometheus, recorded
from tocsin.demo.cluster import Cluster
from tocsin.demo.stage import TOKEN, Stage, say, serving

STRANGER = "files.paste-drop.example"
ARTWORK = "images.tv-artwork.example"
BACKUP = "backup-eu.example.net"
DAYS = 9.0
RECORD = os.environ.get("TOCSIN_DEMO_RECORD", "")
"""A file to write what passed into, for those who have no Prometheus to play it with."""
BURST = {"node-red": history.Burst(18_000_000.0, 600.0, BACKUP)}


async def run(*, once: bool) -> int:
    """Runs the demonstration; the result is an exit code. Without `once` it stays until Ctrl-C."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-", ignore_cleanup_errors=True) as directory:
        stage = Stage(Path(directory))
        missing = [name for name, found in _parts().items() if not found]
        if missing:
            say(f"{' and '.join(missing)} cannot be found here: the same story, from recorded answers.")
            performance = recorded.perform(stage)
        else:
            performance = _perform(stage)
        async with performance as url:
            told = await _unless(stopped, stage.told(url))
            if told and not once and not stopped.is_set():
                say(f"\ntocsin runs at {url} (/healthz, /readyz, /metrics); Ctrl-C ends the demonstration.")
                await stopped.wait()
    return 0 if told else 1


async def _unless(stopped: asyncio.Event, work: Coroutine[Any, Any, bool]) -> bool:
    """What comes of `work`; False as soon as it is stopped."""
    async with asyncio.TaskGroup() as group:
        working, waiting = group.create_task(work), group.create_task(stopped.wait())
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        waiting.cancel()
    return not working.cancelled() and working.result()


def _parts() -> dict[str, bool]:
    return {"Prometheus": prometheus.installed(), "Alertmanager": alertmanager.installed()}


@asynccontextmanager
async def _perform(stage: Stage) -> AsyncIterator[str]:
    """Sets everything up in order, lets the things happen, and yields tocsin's address."""
    async with AsyncExitStack() as undo:
        cluster = Cluster()
        say(f"Simulating {len(cluster.workloads)} workloads and {DAYS:g} days of their past ...")
        past = stage.home / "history.om"
        await asyncio.to_thread(history.write, cluster, past, time.time(), DAYS, BURST)
        target = await undo.enter_async_context(serving(cluster.app()))
        phone = await undo.enter_async_context(serving(stage.phone.app()))
        gitops = await asyncio.to_thread(stage.git)

        # Prometheus must know Alertmanager, Alertmanager tocsin, and tocsin Prometheus: one address is chosen before.
        port = program.free_port()
        asked = f"http://127.0.0.1:{port}"
        record = recorded.Record() if RECORD else None
        if record:
            undo.callback(record.save, Path(RECORD))
            asked = await undo.enter_async_context(recorded.questions(record, asked))
        tocsin = posted = await undo.enter_async_context(stage.tocsin(asked, gitops, phone))
        if record:
            posted = await undo.enter_async_context(recorded.webhooks(record, tocsin))
        notifier = await _enter(undo, alertmanager.running([f"{posted}/webhook"], bearer=TOKEN))
        say("Starting a real Alertmanager and a real Prometheus. It gets that past, the detection rules as they ship,")
        say("and what the rules would have recorded in the past; working that out takes 10 to 30 s ...")
        server = prometheus.running(
            [_target(target)],
            tocsin=_target(tocsin),
            history=past,
            rules=await asyncio.to_thread(stage.rules),
            alertmanagers=[_target(notifier)],
            port=port,
        )
        seen = await _enter(undo, server)
        say(f"Prometheus: {seen}/alerts  Alertmanager: {notifier}")
        _act(cluster)
        stage.happens("The rules are evaluated once a minute, so it may take that long. ")
        yield tocsin


def _act(cluster: Cluster) -> None:
    """Everything at once: no scrape sees one of these things without the others."""
    cluster.rollout("media", "jellyfin")
    cluster.ask(cluster.rollout("media", "sonarr"), ARTWORK)
    cluster.ask(cluster.run("media", "recyclarr"), STRANGER)


async def _enter(undo: AsyncExitStack, context: AbstractContextManager[str]) -> str:
    """Enters a blocking context off the event loop, which serves the cluster's metrics meanwhile."""
    value = await asyncio.to_thread(context.__enter__)
    undo.push_async_callback(asyncio.to_thread, context.__exit__, None, None, None)
    return value


def _target(url: str) -> str:
    return url.removeprefix("http://")
