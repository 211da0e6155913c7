"""Bad and odd requests without end, the same for the same seed, and what a running tocsin does with them."""

import asyncio
import json
import random
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit import Process, body, novel, webhook
from nasty import NAMES

RECORDED = [
    path.read_bytes() for path in sorted((Path(__file__).parent / "fixtures" / "alertmanager").glob("*/*.json"))
]
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**31, 2**63, 10**400, 1.5, 1e308, "", "4", "\0", "a" * 5000, "é\u202e\u200b", "\ud800",
    [], [None], {}, {"": ""}, {"a": {}}, [[[]]], "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59",
    "2026-02-30T00:00:00Z", "2026-11-22T14:02:60Z", "2026-11-22T14:02:00+24:00", "2026-11-22 14:02", "resolved",
)  # fmt: skip
OCTETS = (
    b"\0",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b'"',
    b"\\",
    b"\\u",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"\xef\xbb\xbf",
)
HEADS = (
    "Content-Encoding: gzip", "Content-Encoding: deflate", "Content-Encoding: br", "Content-Encoding: zstd",
    "Content-Encoding: x", "Transfer-Encoding: chunked", "Transfer-Encoding: x", "Content-Length: 1", "Expect: x",
    "Upgrade: websocket", "Content-Type: application/json; charset=utf-16", "Host:", "X-A : b", "X-A: \0", ": a", "a",
    "Connection: upgrade", "Cookie: " + "a" * 5000, "Range: bytes=0-", "X-HTTP-Method-Override: DELETE",
)  # fmt: skip
LINES = (
    "POST /webhook HTTP/1.1", "POST /webhook HTTP/1.0", "POST /webhook HTTP/2.0", "POST /webhook",
    "POST webhook HTTP/1.1", "post /webhook HTTP/1.1", "PUT /webhook HTTP/1.1", "GET /metrics HTTP/1.1",
    "HEAD /healthz HTTP/1.1",
    "OPTIONS * HTTP/1.1", "GET /%00 HTTP/1.1", "GET /..%2f..%2f HTTP/1.1", "CONNECT a:1 HTTP/1.1", "", " ",
    "\x16\x03\x01",
    "POST http://a/webhook HTTP/1.1", "GET /webhook?" + "a" * 9000 + " HTTP/1.1",
)  # fmt: skip

PATIENCE = 0.2
"""Seconds that an answer is waited for before the sender gives up."""


def bodies(seed: int) -> Iterator[bytes]:
    """What is posted as a webhook."""
    dice = random.Random(seed)
    while True:
        kind = dice.random()
        if kind < 0.15:
            yield body(_named(dice))
        elif kind < 0.5:
            yield json.dumps(_bent(dice)).encode()
        elif kind < 0.95:
            yield _mangled(dice, dice.choice(RECORDED))
        else:
            yield dice.randbytes(dice.randrange(300))


def requests(seed: int) -> Iterator[bytes]:
    """Whole requests of which little is right; each ends its connection."""
    dice, posted = random.Random(seed), bodies(seed + 1)
    while True:
        data = next(posted)
        length = dice.choice((len(data), len(data), len(data) // 2, 0, -1, 2**70))
        fields = [dice.choice(HEADS) for _ in range(dice.randrange(4))]
        head = "\r\n".join([dice.choice(LINES), "Host: a", "Connection: close", f"Content-Length: {length}", *fields])
        sent = head.encode() + b"\r\n\r\n" + data
        yield _mangled(dice, sent) if dice.random() < 0.5 else sent


def _named(dice: random.Random) -> dict[str, Any]:
    """An alert that is right but for its names."""
    status = dice.choice(("firing", "firing", "resolved"))
    named = {label: dice.choice(NAMES) for label in ("namespace", "workload", "destination") if dice.random() < 0.7}
    return novel(dice.choice(NAMES), status=status, pod=dice.choice(NAMES), **{**named, dice.choice(NAMES): "x"})


def _bent(dice: random.Random) -> Any:
    """A webhook with odd values in some places."""
    whole: Any = webhook(*(_named(dice) for _ in range(dice.randrange(4))))
    for _ in range(dice.randrange(1, 4)):
        place = whole
        while isinstance(place, dict | list) and place:
            key = dice.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if not isinstance(place[key], dict | list) or not place[key] or dice.random() < 0.2:
                if dice.random() < 0.2:
                    del place[key]
                else:
                    place[key] = deepcopy(dice.choice(VALUES))
                break
            place = place[key]
    return whole


def _mangled(dice: random.Random, data: bytes) -> bytes:
    """Bytes with some lost, doubled, changed or put in."""
    mangled = bytearray(data)
    for _ in range(dice.randrange(1, 6)):
        start = dice.randrange(len(mangled) + 1)
        end = min(len(mangled), start + dice.choice((0, 1, 1, 2, 10, 200)))
        match dice.randrange(4):
            case 0:
                del mangled[start:end]
            case 1:
                mangled[start:start] = mangled[start:end]
            case 2:
                mangled[start:end] = dice.choice(OCTETS)
            case _:
                mangled[start:end] = dice.randbytes(end - start)
    return bytes(mangled)


@dataclass
class Count:
    """What came back. `closed` connections ended without an answer."""

    posted: Counter[int] = field(default_factory=Counter)
    requested: Counter[int] = field(default_factory=Counter)
    closed: int = 0
    bad: list[bytes] = field(default_factory=list)


async def send(process: Process, seed: int, posts: int, whole: int, lanes: int = 8) -> Count:
    """Sends so many bodies over connections that stay open, and so many whole requests over ones of their own."""
    count = Count()
    async with asyncio.TaskGroup() as tasks:
        for lane in range(lanes):
            tasks.create_task(_post(process, bodies(seed * 1000 + lane), posts // lanes, count))
        for lane in range(4 * lanes):
            made = requests(seed * 1000 + 500 + lane)
            tasks.create_task(_request(process, made, whole // (4 * lanes), count))
    return count


async def _post(process: Process, made: Iterator[bytes], number: int, count: Count) -> None:
    reader, writer = await _open(process)
    for _ in range(number):
        data = next(made)
        writer.write(b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data))
        async with asyncio.timeout(60):
            head = await reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"Content-Length: (\d+)", head)
            await reader.readexactly(int(size[1]) if size else 0)
        _note(count, count.posted, head, data)
        if b"Connection: close" in head:
            writer.close()
            reader, writer = await _open(process)
    writer.close()


async def _request(process: Process, made: Iterator[bytes], number: int, count: Count) -> None:
    for _ in range(number):
        sent = next(made)
        reader, writer = await _open(process)
        try:
            writer.write(sent)
            answer = await _answer(reader, writer)
        except ConnectionError:
            answer = b""
        writer.close()
        if answer:
            _note(count, count.requested, answer, sent)
        else:
            count.closed += 1


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """All that comes back. A request that is not complete has no answer yet: it ends when the patience does."""
    reading = asyncio.gather(reader.read())
    await asyncio.wait([reading], timeout=PATIENCE)
    if not reading.done():
        writer.write_eof()
    async with asyncio.timeout(60):
        return (await reading)[0]


def _note(count: Count, statuses: Counter[int], head: bytes, sent: bytes) -> None:
    status = int(head.split(None, 2)[1])
    statuses[status] += 1
    if status >= 500 and len(count.bad) < 20:
        count.bad.append(head[:200] + b" <- " + sent)


async def _open(process: Process) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(process.url.rpartition(":")[2]))


def states(store: Path) -> dict[str, int]:
    """How many webhooks of a store are in which state, read beside the service."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return dict(connection.execute("SELECT state, COUNT(*) FROM event GROUP BY state").fetchall())


def told(store: Path) -> tuple[int, int]:
    """The webhooks that were given up, and the incidents that tell of one."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        (dead,) = connection.execute("SELECT COUNT(*) FROM event WHERE state = 'dead'").fetchone()
        (with_a_message,) = connection.execute(
            "SELECT COUNT(*) FROM event WHERE state = 'dead' AND id IN (SELECT incident_id FROM notice)"
        ).fetchone()
        return dead, with_a_message
