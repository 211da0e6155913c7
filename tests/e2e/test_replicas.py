"""Three real processes share a real PostgreSQL behind one address, to which two real Alertmanagers post the same."""

import asyncio
import contextlib
import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import psycopg
import pytest

from fake_ntfy import FakeNtfy
from kit import Process, body, novel, tocsin, until
from real_alertmanager import fire, running
from real_postgres import Server

REPLICAS = 3
KILLS = int(os.environ.get("REPLICA_KILLS", "15"))
LANES = 2
"""Messages that a process may have under way to ntfy at once."""
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120 + 2 * KILLS)]

STRANGER = {"alertname": "EgressNovelDestination", "namespace": "media", "severity": "warning"}


@dataclass
class Address:
    """One address for all replicas, as a Service is: connections go to those that are ready, in turn."""

    ready: dict[int, Process] = field(default_factory=dict)
    port: int = 0
    _turn: count = field(default_factory=count)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhook"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        others = list(self.ready.values())
        try:
            target = urlsplit(others[next(self._turn) % len(others)].url)
            there, back = await asyncio.open_connection(target.hostname, target.port)
        except (OSError, ZeroDivisionError):  # it is just gone, or none is there: whoever posts tries again
            writer.close()
            return
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


class Deployment:
    """Keeps REPLICAS processes running: one that ends is started again."""

    def __init__(self, directory: Path, url: str, ntfy: FakeNtfy) -> None:
        self.address = Address()
        self._ending = False
        self._directory = directory
        self._configuration: dict[str, Any] = {
            "store": {"url": url},
            "channels": {"phone": {"type": "ntfy", "url": ntfy.url, "topic": "egress"}},
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.address.open(), asyncio.TaskGroup() as tasks:
            for number in range(REPLICAS):
                tasks.create_task(self._keep(number))
            await until(lambda: len(self.address.ready) == REPLICAS)
            yield
            self._ending = True
            for process in list(self.address.ready.values()):
                await process.stop()

    async def kill_one(self, number: int) -> None:
        """SIGKILL, without a word to anybody, to the next one that is ready."""
        await until(lambda: self.address.ready)
        ready = sorted(self.address.ready)
        await self.address.ready[ready[number % len(ready)]].stop(signal.SIGKILL)

    async def _keep(self, number: int) -> None:
        directory = self._directory / str(number)
        directory.mkdir()
        while not self._ending:
            async with tocsin(directory, self._configuration) as process:
                if not self._ending:
                    self.address.ready[number] = process
                    await process.process.wait()
                    del self.address.ready[number]


def told(ntfy: FakeNtfy) -> Counter[str]:
    """How many messages there were about each workload."""
    found = (re.match(r"Unexplained: media/(\S+) ->", message["title"]) for message in ntfy.received)
    return Counter(each[1] if each else "?" for each in found)


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def told_twice_is_what_was_in_flight(url: str, counts: Counter[str], most: int) -> int:
    """Each incident was decided once; what was sent again was claimed again, and is no more than `most`."""
    assert rows(url, "SELECT incident_id FROM notice GROUP BY incident_id HAVING COUNT(*) > 1") == []
    claimed_again = {
        row[0]
        for row in rows(
            url, "SELECT workload FROM incident i JOIN delivery d ON d.incident_id = i.id WHERE attempts > 1"
        )
    }
    twice = {workload for workload, number in counts.items() if number > 1}
    assert twice <= claimed_again
    repeated = sum(counts.values()) - len(counts)
    assert repeated <= most
    return repeated


@asynccontextmanager
async def under_load(urls: tuple[str, str], fired: set[str]) -> AsyncIterator[None]:
    """Prometheus has ever new alerts, and tells both Alertmanagers of each."""
    ending = asyncio.Event()

    async def load() -> None:
        for number in count():
            if ending.is_set():
                return
            labels = {**STRANGER, "workload": f"w{number}", "destination": f"n{number}.paste-{number}.example"}
            now = datetime.now(UTC)
            await asyncio.gather(*(fire(url, labels, starts_at=now) for url in urls))
            fired.add(f"w{number}")
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load())
        yield
        ending.set()


@pytest.fixture
async def ntfy() -> AsyncIterator[FakeNtfy]:
    async with FakeNtfy() as server:
        yield server


async def test_a_replica_killed_each_second_loses_nothing_and_each_incident_is_told_once(
    tmp_path: Path, postgres_url: str, ntfy: FakeNtfy
) -> None:
    deployment, fired = Deployment(tmp_path, postgres_url, ntfy), set[str]()
    async with deployment.running():
        hooks = [deployment.address.url]
        async with running(hooks, repeat_interval="1h") as one, running(hooks, repeat_interval="1h") as other:
            async with under_load((one, other), fired):
                for number in range(KILLS):
                    await asyncio.sleep(1)
                    await deployment.kill_one(number)
            await until(lambda: fired <= told(ntfy).keys(), within=60)
        unsettled = "SELECT 1 FROM event WHERE state <> 'done' UNION ALL SELECT 1 FROM delivery WHERE state <> 'sent'"
        await until(lambda: rows(postgres_url, unsettled) == [], within=30)
    counts = told(ntfy)
    assert counts.keys() == fired and len(fired) > 100
    repeated = told_twice_is_what_was_in_flight(postgres_url, counts, KILLS * LANES)
    print(f"{len(fired)} incidents, {KILLS} kills, 0 lost, {repeated} told twice")


async def test_while_the_database_is_restarted_webhooks_are_refused_and_nothing_is_lost(
    tmp_path: Path, postgres_server: Server, postgres_url: str, ntfy: FakeNtfy
) -> None:
    deployment, fired = Deployment(tmp_path, postgres_url, ntfy), set[str]()
    async with deployment.running():
        hooks = [deployment.address.url]
        async with running(hooks, repeat_interval="1h") as one, running(hooks, repeat_interval="1h") as other:
            async with under_load((one, other), fired):
                await until(lambda: len(told(ntfy)) >= 20)
                await asyncio.to_thread(postgres_server.stop)
                try:
                    async with aiohttp.ClientSession() as session:
                        for process in deployment.address.ready.values():
                            async with session.post(f"{process.url}/webhook", data=body(novel())) as response:
                                assert response.status == 503, await response.text()
                            async with session.get(f"{process.url}/readyz") as response:
                                assert response.status == 503
                finally:
                    await asyncio.to_thread(postgres_server.start)
                before = len(told(ntfy))
                await until(lambda: len(told(ntfy)) >= before + 20, within=60)
            await until(lambda: fired <= told(ntfy).keys(), within=60)
    counts = told(ntfy)
    assert counts.keys() == fired
    repeated = told_twice_is_what_was_in_flight(postgres_url, counts, REPLICAS * LANES)
    print(f"{len(fired)} incidents, one restart, 0 lost, {repeated} told twice")
