"""What no honest client sends, byte by byte, to a running tocsin: answered or cut off, and nobody else notices."""

import asyncio
import contextlib
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kit import Process, body, novel, tocsin, until
from tocsin.web.connections import FIELD_BYTES, FIELDS, LINE_BYTES

GOOD = body(novel())
MANY = 500
CLOSED = 0
"""In place of a status: the connection ends without an answer."""


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    async with tocsin(tmp_path, {"mode": "shadow", "server": {"max_body": 1_000_000, "head_within": "1s"}}) as running:
        await until(lambda: "story_loaded" in [entry["event"] for entry in running.log])
        yield running


def port(process: Process) -> int:
    return int(process.url.rpartition(":")[2])


async def exchange(process: Process, sent: bytes, *, end: bool = False) -> list[int]:
    """Sends bytes on a connection of their own; the statuses of all answers until the other side closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port(process))
    try:
        writer.write(sent)
        if end:
            writer.write_eof()
        async with asyncio.timeout(20):
            return statuses(await reader.read())
    except ConnectionError:
        return []
    finally:
        writer.close()


def statuses(answers: bytes) -> list[int]:
    found = []
    while answers:
        head, _, rest = answers.partition(b"\r\n\r\n")
        line, *fields = head.decode("ascii").split("\r\n")
        found.append(int(line.split()[1]))
        headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        assert set(headers) <= {"content-type", "content-length", "date", "server", "connection", "allow"}, headers
        answers = rest[int(headers.get("content-length", 0)) :] if found[-1] != 100 else rest
    return found


def request(data: bytes = GOOD, *fields: str, line: str = "POST /webhook HTTP/1.1", length: int | None = None) -> bytes:
    """A request that asks for the connection to be closed, with a right Content-Length unless another is given."""
    size = len(data) if length is None else length
    told = [] if size < 0 else [f"Content-Length: {size}"]
    head = "\r\n".join([line, "Host: tocsin", "Connection: close", *told, *fields])
    return head.encode("utf-8", "surrogateescape") + b"\r\n\r\n" + data


def packed(data: bytes, how: int) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, how)
    return squeeze.compress(data) + squeeze.flush()


def webhook_with(text: bytes) -> bytes:
    """A good webhook with these bytes in place of the value of a key that is ignored."""
    return GOOD[:-1] + b', "x": ' + text + b"}"


CHUNKED = "Transfer-Encoding: chunked"
ONE_CHUNK = f"{len(GOOD):x}\r\n".encode() + GOOD + b"\r\n0\r\n\r\n"
LARGE = b"\0" * 100_000_000

BODIES: dict[str, tuple[bytes, int]] = {
    "honest": (request(), 200),
    "duplicate keys": (request(GOOD[:-1] + b', "version": "4", "receiver": "x"}'), 200),
    "a key that contradicts itself": (request(GOOD[:-1] + b', "version": "3"}'), 400),
    "deep lists": (request(webhook_with(b"[" * 100_000)), 400),
    "deep objects": (request(webhook_with(b'{"a":' * 50_000)), 400),
    "a huge number": (request(webhook_with(b"9" * 200_000)), 400),
    "a huge exponent": (request(webhook_with(b"1e999999999")), 200),
    "a number of bytes cut off": (request(webhook_with(b"-")), 400),
    "a lone surrogate": (request(webhook_with(b'"\\ud800"')), 400),
    "NUL as an escape": (request(body(novel("a\0b.example"))), 200),
    "NUL as a byte": (request(webhook_with(b'"\0"')), 400),
    "a byte order mark": (request(b"\xef\xbb\xbf" + GOOD), 400),
    "UTF-16": (request(GOOD.decode().encode("utf-16")), 400),
    "UTF-16 as the header says": (request(GOOD.decode().encode("utf-16"), "Content-Type: a/b; charset=utf-16"), 400),
    "overlong UTF-8": (request(webhook_with(b'"\xc0\xaf"')), 400),
    "a surrogate in UTF-8": (request(webhook_with(b'"\xed\xa0\x80"')), 400),
    "two bodies": (request(GOOD + GOOD), 400),
    "another media type": (request(GOOD, "Content-Type: multipart/form-data; boundary=x"), 200),
    "no body": (request(b""), 400),
    "gzip": (request(gzip.compress(GOOD), "Content-Encoding: gzip"), 200),
    "deflate": (request(packed(GOOD, zlib.MAX_WBITS), "Content-Encoding: deflate"), 200),
    "raw deflate": (request(packed(GOOD, -zlib.MAX_WBITS), "Content-Encoding: deflate"), 200),
    "a gzip bomb": (request(gzip.compress(LARGE), "Content-Encoding: gzip"), 413),
    "a bomb of deflate": (request(packed(LARGE, zlib.MAX_WBITS), "Content-Encoding: deflate"), 413),
    "a bomb in chunks": (
        request(
            b"f\r\n" + b" " * 15 + b"\r\n" + b"ffffff\r\n" + b" " * 0xFFFFFF + b"\r\n0\r\n\r\n", CHUNKED, length=-1
        ),
        413,
    ),
    "gzip that is none": (request(GOOD, "Content-Encoding: gzip"), 400),
    "gzip cut off": (request(gzip.compress(GOOD)[:-50], "Content-Encoding: gzip"), 400),
    "gzip with an end of its own": (request(gzip.compress(GOOD) + b"more", "Content-Encoding: gzip"), 400),
    "gzip twice": (request(gzip.compress(gzip.compress(GOOD)), "Content-Encoding: gzip"), 400),
    "an encoding nobody knows": (request(GOOD, "Content-Encoding: \x1b[31mred"), 400),
    "an encoding that is only a name": (request(GOOD, "Content-Encoding: rot13"), 200),
    "larger than the limit": (request(b" " * 2_000_000 + GOOD), 413),
    "in chunks": (request(ONE_CHUNK, CHUNKED, length=-1), 200),
    "in chunks of one byte": (
        request(b"".join(b"1\r\n%c\r\n" % octet for octet in GOOD) + b"0\r\n\r\n", CHUNKED, length=-1),
        200,
    ),
    "chunks with extensions": (request(ONE_CHUNK.replace(b"\r\n", b";a=b\r\n", 1), CHUNKED, length=-1), 200),
    "HTTP/1.0": (request(line="POST /webhook HTTP/1.0"), 200),
    "an absolute target": (request(line="POST http://elsewhere.example/webhook HTTP/1.1"), 200),
    "a long query": (request(line=f"POST /webhook?{'a' * (LINE_BYTES - 100)} HTTP/1.1"), 200),
    "many headers": (request(GOOD, *(f"X-{number}: a" for number in range(FIELDS - 10))), 200),
    "a continuation that is asked for": (request(GOOD, "Expect: 100-continue"), 200),
}

HEADS: dict[str, tuple[bytes, int]] = {
    "a line too long": (request(line=f"POST /webhook?{'a' * 2 * LINE_BYTES} HTTP/1.1"), 400),
    "a header too long": (request(GOOD, "X-A: " + "a" * (FIELD_BYTES + 1)), 400),
    "a header name too long": (request(GOOD, "X-" + "a" * (FIELD_BYTES + 1) + ": a"), 400),
    "too many headers": (request(GOOD, *(f"X-{number}: a" for number in range(FIELDS + 1))), 400),
    "two lengths": (request(GOOD, "Content-Length: 1"), 400),
    "length and chunks": (request(ONE_CHUNK, CHUNKED, length=5), 400),
    "a negative length": (request(GOOD, "Content-Length: -1", length=-1), 400),
    "a length of letters": (request(GOOD, "Content-Length: 0x10", length=-1), 400),
    "a length with a sign": (request(GOOD, f"Content-Length: +{len(GOOD)}", length=-1), 400),
    "a length beyond 64 bits": (request(GOOD, f"Content-Length: {2**64 + len(GOOD)}", length=-1), 400),
    "chunked twice": (request(ONE_CHUNK, CHUNKED, CHUNKED, length=-1), 400),
    "chunked, but not last": (request(ONE_CHUNK, "Transfer-Encoding: chunked, gzip", length=-1), 400),
    "a size of a chunk that is none": (request(b"zz\r\n", CHUNKED, length=-1), 400),
    "a size of a chunk beyond 64 bits": (request(b"f" * 17 + b"\r\n", CHUNKED, length=-1), 400),
    "a space before the colon": (request(GOOD, "X-A : b"), 400),
    "a folded header": (request(GOOD, "X-A: b\r\n folded"), 400),
    "NUL in a header": (request(GOOD, "X-A: a\0b"), 400),
    "a bare CR in a header": (request(GOOD, "X-A: a\rSet-Cookie: b"), 400),
    "control characters in the target": (request(line="POST /webhook\x1b[31m HTTP/1.1"), 400),
    "no version, which is HTTP/0.9": (request(line="POST /webhook"), 200),
    "version 2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "version 9": (request(line="POST /webhook HTTP/9.9"), 400),
    "a method nobody knows": (request(line="GET\x00 /webhook HTTP/1.1"), 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "an expectation nobody knows": (request(GOOD, "Expect: a miracle"), 417),
    "another path": (request(line="POST /webhook/ HTTP/1.1"), 404),
    "a path that climbs": (request(line="GET /../../etc/passwd HTTP/1.1", data=b""), 404),
    "a path of percent signs": (request(line="GET /%00%ff%0d%0aSet-Cookie:%20a=b HTTP/1.1", data=b""), 404),
    "only a line feed": (b"\n" * 10, CLOSED),
}


@pytest.fixture(scope="module")
def told() -> dict[str, tuple[bytes, int]]:
    return BODIES | HEADS


async def test_each_has_its_answer_and_honest_webhooks_theirs(
    process: Process, told: dict[str, tuple[bytes, int]]
) -> None:
    wrong = {}
    for name, (sent, status) in told.items():
        answers = [answer for answer in await exchange(process, sent) if answer != 100]
        if answers != ([status] if status else []):
            wrong[name] = answers
        assert await exchange(process, request()) == [200], name
    assert wrong == {}
    assert process.process.returncode is None
    assert "not json" not in [entry["event"] for entry in process.log]


async def test_a_head_that_is_no_http_costs_one_line_a_minute(process: Process) -> None:
    for sent, _ in HEADS.values():
        await exchange(process, sent)
    lines = [entry for entry in process.log if "Error handling request" in entry["event"]]
    assert len(lines) == 1 and lines[0]["level"] == "warning" and "exception" not in lines[0]


METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND"]
ALLOWED = {"/webhook": {"POST"}, "/healthz": {"GET", "HEAD"}, "/readyz": {"GET", "HEAD"}, "/metrics": {"GET", "HEAD"}}


@pytest.mark.parametrize("path", ALLOWED)
async def test_other_methods_are_405_with_allow(process: Process, path: str) -> None:
    for method in METHODS:
        reader, writer = await asyncio.open_connection("127.0.0.1", port(process))
        writer.write(request(GOOD if method == "POST" else b"", line=f"{method} {path} HTTP/1.1"))
        head = (await reader.read()).partition(b"\r\n\r\n")[0].decode()
        writer.close()
        if method in ALLOWED[path]:
            assert " 200 " in head.split("\r\n")[0], method
        elif method == "CONNECT":  # names no path
            assert " 404 " in head.split("\r\n")[0]
        else:
            assert " 405 " in head.split("\r\n")[0], method
            assert f"Allow: {','.join(sorted(ALLOWED[path]))}" in head


async def test_pipelined_requests_are_answered_in_order(process: Process) -> None:
    kept = request().replace(b"Connection: close\r\n", b"")
    assert await exchange(process, kept * 50 + kept.replace(b"/webhook", b"/elsewhere", 1) + request()) == [
        *[200] * 50, 404, 200,
    ]  # fmt: skip


async def test_a_length_that_lies_is_cut_off_and_stores_nothing_more(process: Process) -> None:
    assert await exchange(process, request(length=len(GOOD) - 1)) == [400]
    assert await exchange(process, request(length=len(GOOD) + 1), end=True) == []
    kept = request().replace(b"Connection: close\r\n", b"")
    assert await exchange(process, kept + b'{"version": "4"') == [400], "what follows is no request, and spoils both"


async def test_a_header_is_not_repeated_in_an_answer(process: Process) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port(process))
    writer.write(request(GOOD, "Content-Encoding: x\x1b]0;owned\x07", "X-Forwarded-For: <script>"))
    answer = await reader.read()
    writer.close()
    assert b"owned" not in answer.partition(b"\r\n\r\n")[0] and b"<script>" not in answer


async def slow(process: Process, head: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port(process))
    writer.write(head)
    await writer.drain()
    return reader, writer


SLOW = {
    "nothing": b"",
    "half a head": b"POST /webhook HTTP/1.1\r\nHost: a\r\nX-A: ",
    "half a body": b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n{",
    "half a chunk": b"POST /webhook HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n{",
}


@pytest.mark.parametrize("sent", SLOW)
async def test_slow_connections_keep_nobody_out(tmp_path: Path, sent: str) -> None:
    server = {"max_connections": MANY // 5, "max_in_flight": MANY // 10, "head_within": "1h"}
    async with tocsin(tmp_path, {"mode": "shadow", "server": server}) as process:
        await until(lambda: "story_loaded" in [entry["event"] for entry in process.log])
        opened = [await slow(process, SLOW[sent]) for _ in range(MANY)]
        assert await exchange(process, request()) == [200]
        closed = 0
        for reader, _ in opened[: MANY // 2]:  # the oldest made room
            async with asyncio.timeout(20):
                try:
                    closed += await reader.read() == b""
                except ConnectionResetError:
                    closed += 1
        assert closed == MANY // 2
        for _, writer in opened:
            writer.close()
        assert await exchange(process, request()) == [200]


async def test_a_head_that_comes_byte_by_byte_is_cut_off_in_time(process: Process) -> None:
    reader, writer = await slow(process, SLOW["half a head"])
    ended = asyncio.Event()

    async def trickle() -> None:
        while not ended.is_set():
            writer.write(b"a")
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(trickle())
        async with asyncio.timeout(20):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        ended.set()
    writer.close()


async def test_a_connection_that_is_used_stays_open(process: Process) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port(process))
    for _ in range(100):
        writer.write(request().replace(b"Connection: close\r\n", b""))
        assert b" 200 " in await reader.readline()
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(int(line.split()[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
        answer: Any = json.loads(await reader.readexactly(size))
        assert answer["alerts"] == 1
    writer.close()
