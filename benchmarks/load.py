"""Load on one address, and processes to put it on.

Requests are raw bytes over kept connections, so that the client costs little.
"""

import asyncio
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
CONNECTIONS = 32


def request(path: str, body: bytes) -> bytes:
    """The bytes of one POST."""
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def accepted_a_second(port: int, requests: Sequence[bytes]) -> float:
    """Sends every request once over a few connections; all must be answered 200. Returns answers a second."""
    waiting = iter(requests)
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(_connection(port, waiting))
    return len(requests) / (time.perf_counter() - started)


async def _connection(port: int, waiting: Iterator[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for data in waiting:
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise AssertionError(head)
        length = re.search(rb"(?i)content-length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
    writer.close()


@contextmanager
def running(
    arguments: Sequence[str], ready: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], int, float]]:
    """A process, the port found by the pattern `ready` in its output, and the seconds until it said so."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip
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


def resident_mib(pid: int) -> float:
    """Resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")
