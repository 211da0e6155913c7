"""The store is away for a while, and back: 503 meanwhile, never 200, and afterwards everything works by itself."""

import asyncio
import contextlib
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from fake_ntfy import FakeNtfy
from kit import Process, body, novel, tocsin, until


@pytest.fixture
async def ntfy() -> AsyncIterator[FakeNtfy]:
    async with FakeNtfy() as server:
        yield server


def phone(ntfy: FakeNtfy) -> dict[str, Any]:
    return {"channels": {"phone": {"type": "ntfy", "url": ntfy.url, "topic": "egress"}}}


async def post(process: Process, name: str) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{process.url}/webhook", data=body(novel(f"{name}.example", workload=name))) as response,
    ):
        return response.status


async def ready(process: Process) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{process.url}/readyz") as response:
        return response.status


@contextlib.contextmanager
def no_room(process: Process, directory: Path) -> Iterator[None]:
    """Lets no file of the process grow, as on a disk that is full; the kernel refuses, whoever the user is."""
    pid = process.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def locked(process: Process, directory: Path) -> Iterator[None]:
    """Another process writes to the file and does not end."""
    with contextlib.closing(sqlite3.connect(directory / "tocsin.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.parametrize("trouble", [no_room, locked])
async def test_what_cannot_be_stored_is_503_and_afterwards_all_is_well(
    tmp_path: Path, ntfy: FakeNtfy, trouble: Any
) -> None:
    async with tocsin(tmp_path, phone(ntfy)) as process:
        assert await post(process, "before") == 200
        await until(lambda: len(ntfy.received) == 1)
        with trouble(process, tmp_path):
            answers = await asyncio.gather(*(post(process, f"w{number}") for number in range(5)))
            assert answers == [503] * 5
            assert await ready(process) == 503
            assert process.process.returncode is None
        assert await ready(process) == 200
        for number in range(5):  # Alertmanager sends them again
            assert await post(process, f"w{number}") == 200
        await until(lambda: len(ntfy.received) == 6)
    told = sorted(message["title"].split("media/")[1].split()[0] for message in ntfy.received)
    assert told == ["before", "w0", "w1", "w2", "w3", "w4"]


async def test_a_message_that_left_while_the_disk_was_full_is_told_twice_at_most(
    tmp_path: Path, ntfy: FakeNtfy
) -> None:
    async with tocsin(tmp_path, phone(ntfy)) as process:
        assert await post(process, "a") == 200
        with no_room(process, tmp_path):
            await asyncio.sleep(0)
            await post(process, "b")
        assert await post(process, "c") == 200
        await until(lambda: {"a", "c"} <= {message["title"].split("media/")[1].split()[0] for message in ntfy.received})
    told = [message["title"].split("media/")[1].split()[0] for message in ntfy.received]
    assert told.count("a") <= 2 and told.count("c") == 1
