"""Load on one address, and processes to put it on.

Requests are raw bytes over kept connections, so that the client costs little.
"""

import asyncio
import math
import os
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
CONNECTIONS = 32


def request(path: str, body: bytes, bearer: str = "") -> bytes:
    """The bytes of one POST."""
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return (head + (f"Authorization: Bearer {bearer}\r\n" if bearer else "") + "\r\n").encode() + body


async def accepted_a_second(port: int, requests: Sequence[bytes], connections: int = CONNECTIONS) -> float:
    """Sends every request once over a few connections; all must be answered 200. Returns answers a second."""
    waiting = iter(requests)
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_connection(port, waiting))
    return len(requests) / (time.perf_counter() - started)


async def answer_times(port: int, requests: Sequence[bytes], a_second: float) -> list[float]:
    """Sends the requests at an even pace, whether or not earlier ones were answered.

    Returns the seconds from when each was due until its answer, so that a server that falls behind shows.
    """
    taken: list[float] = []
    started = time.perf_counter() + 0.05
    waiting = iter([(started + at / a_second, data) for at, data in enumerate(requests)])
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(_paced(port, waiting, taken))
    return taken


async def last_answer(port: int, requests: Sequence[bytes]) -> float:
    """Sends all requests at the same moment, each over a connection of its own; seconds until the last answer."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in requests]
    started = time.perf_counter()
    for (_, writer), data in zip(opened, requests, strict=True):
        writer.write(data)
    await asyncio.gather(*[_answer(reader) for reader, _ in opened])
    seconds = time.perf_counter() - started
    for _, writer in opened:
        writer.close()
    return seconds


async def _connection(port: int, waiting: Iterator[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for data in waiting:
        writer.write(data)
        await _answer(reader)
    writer.close()


async def _paced(port: int, waiting: Iterator[tuple[float, bytes]], taken: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for due, data in waiting:
        await asyncio.sleep(due - time.perf_counter())
        writer.write(data)
        await _answer(reader)
        taken.append(time.perf_counter() - due)
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 20"):
        raise AssertionError(head)
    length = re.search(rb"(?i)content-length: (\d+)", head)
    await reader.readexactly(int(length[1]) if length else 0)


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


@contextmanager
def running(
    arguments: Sequence[str], ready: str, *, program: str = sys.executable, files: int = 0, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], int, float]]:
    """A process, the port found by the pattern `ready` in its output, and the seconds until it said so.

    With `files` it may open no more than so many.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [program, *arguments], stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    if files:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (files, files))
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(ready, line):
                break
        else:
            raise AssertionError("it ended before it was ready")
        seconds = time.perf_counter() - started
        threading.Thread(target=lambda: [None for _ in process.stdout], daemon=True).start()
        yield process, int(found[1]), seconds
    finally:
        process.terminate()
        process.wait()


def resident_mib(pid: int, *, peak: bool = False) -> float:
    """Resident memory of a process in MiB, now or at its largest."""
    name = "VmHWM:" if peak else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no {name}")


def cpu_seconds(pid: int) -> float:
    """Seconds of processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
