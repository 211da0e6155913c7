"""What a channel makes of a provider that misbehaves below HTTP, or inside it: real sockets, byte by byte."""

import asyncio
import gzip
import ssl
import struct
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

import reports
from certificates import self_signed
from fake_pushover import USER
from kit import command
from tocsin.deliver.channel import Channel
from tocsin.deliver.ntfy import NtfyChannel, NtfySettings
from tocsin.deliver.pushover import PushoverChannel, PushoverSettings
from tocsin.errors import PermanentError, TemporaryError, TocsinError
from tocsin.model import Message
from tocsin.render import ntfy, pushover
from wire import Play, Wire, wire

SECRET = 'tk_"geheim/30"&characters_long'
REPORT = reports.explained()
TAKEN = {"ntfy": b'{"id":"sPs71M8A2T","event":"message"}', "pushover": b'{"status":1,"request":"r"}'}


def channel_of(vendor: str, url: str, timeout: float) -> tuple[Channel, Message]:
    within = timedelta(seconds=timeout)
    if vendor == "ntfy":
        settings = NtfySettings(url=url, topic="egress", token=SECRET, timeout=within)
        return NtfyChannel("phone", settings), ntfy.report(REPORT, channel="phone", topic="egress")
    return (
        PushoverChannel("phone", PushoverSettings(url=url, token=SECRET, user=USER, timeout=within)),
        pushover.report(REPORT, channel="phone"),
    )


@pytest.fixture(params=TAKEN)
def vendor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def connected(vendor: str, url: str, timeout: float = 5) -> AsyncIterator[Callable[[], object]]:
    channel, message = channel_of(vendor, url, timeout)
    try:
        yield lambda: channel.send(message, delivery_id="d1")
    finally:
        await channel.close()


async def outcome(vendor: str, url: str, timeout: float = 5) -> TocsinError | None:
    """What became of one message; None when it was sent."""
    channel, message = channel_of(vendor, url, timeout)
    try:
        await channel.send(message, delivery_id="d1")
    except TocsinError as failure:
        return failure
    finally:
        await channel.close()
    return None


def temporary(failure: TocsinError | None, vendor: str) -> str:
    """Checks that the whole channel waits, politely, and that nothing secret is told; returns what is."""
    assert type(failure) is TemporaryError
    assert failure.whole_channel
    assert failure.retry_after == (None if vendor == "ntfy" else timedelta(seconds=5))
    text = str(failure)
    assert len(text) < 400 and "\n" not in text
    assert not any(part in text for part in ("tk_", "geheim", USER))
    return text


def once(data: bytes, *, then: Play | None = None) -> Callable[[Wire], Play]:
    """Reads a request, writes `data`, and goes on with `then` or closes."""

    def play(told: Wire) -> Play:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await told.read(reader)
            await told.write(writer, data)
            if then is not None:
                await then(reader, writer)

        return run

    return play


def endless(data: bytes, head: bytes = b"", pause: float = 0) -> Callable[[Wire], Play]:
    """Reads a request, then writes `head` and `data` for ever."""

    def play(told: Wire) -> Play:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await told.read(reader)
            await told.write(writer, head)
            while True:
                await told.write(writer, data)
                await asyncio.sleep(pause)

        return run

    return play


def reset(*, after_reading: bool, data: bytes = b"") -> Callable[[Wire], Play]:
    """Resets the connection (RST), before or after the request was read."""

    def play(told: Wire) -> Play:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if after_reading:
                await told.read(reader)
                await told.write(writer, data)
            lingering = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(1, 13, lingering)  # SOL_SOCKET, SO_LINGER: close with a reset
            writer.transport.abort()

        return run

    return play


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


BROKEN = {
    "reset before the request was read": reset(after_reading=False),
    "reset after the request was read": reset(after_reading=True),
    "reset in the middle of the headers": reset(after_reading=True, data=b"HTTP/1.1 200 OK\r\nContent-Le"),
    "closed without a word": once(b""),
    "closed in the middle of the status line": once(b"HTTP/1.1 20"),
    "closed in the middle of the headers": once(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\nX: "),
    "closed in the middle of the body": once(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n" + b'{"id":"x"}'),
    "closed in the middle of a chunk": once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + b'{"id"'),
    "chunks that are none": once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
    "a chunk of a negative size": once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n"),
    "two lengths": once(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} "),
    "a negative length": once(b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}"),
    "a length that is none": once(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"),
    "a status that is none": once(b"HTTP/1.1 TWO OK\r\n\r\n"),
    "a status of one digit": once(b"HTTP/1.1 2 OK\r\nContent-Length: 0\r\n\r\n"),
    "another protocol": once(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "HTTP/9.9": once(b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
    "no HTTP": once(bytes(range(256)) * 4),
    "a header without a name": once(b"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 2\r\n\r\n{}"),
    "a header of a mebibyte": once(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2**20 + b"\r\n\r\n"),
    "a status line of a mebibyte": once(b"HTTP/1.1 200 " + b"x" * 2**20 + b"\r\n\r\n"),
    "a gzip that is none": once(answer(b"not gzip", "200 OK", "Content-Encoding: gzip")),
    "an encoding nobody knows": once(answer(b"\x00\x01", "200 OK", "Content-Encoding: zstd")),
    "a page of a proxy": once(answer(b"<html>log in</html>", "200 OK", "Content-Type: text/html")),
    "a page of a broken proxy": once(answer(b"<html>Bad Gateway</html>", "502 Bad Gateway", "Content-Type: text/html")),
    "no content": once(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "another protocol from here on": once(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    ),
    "a control character in the body": once(answer(b"\x1b[2J\x00\x07\r\nX: y", "500 No")),
}


@pytest.mark.parametrize("how", BROKEN)
async def test_a_reply_that_is_none_is_temporary(vendor: str, how: str) -> None:
    async with wire(BROKEN[how]) as told:
        text = temporary(await outcome(vendor, f"http://127.0.0.1:{told.port}"), vendor)
        assert text.startswith((f"127.0.0.1:{told.port}", f"{vendor} answered", "Pushover answered"))
        assert len(told.heads) <= 1, "and it is not tried again inside"


ENDLESS = {
    "hangs": once(b"", then=lambda reader, writer: reader.read()),  # type: ignore[arg-type, return-value]
    "hangs after the headers": endless(b"", b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n", 0.02),
    "drips a body": endless(b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", 0.02),
    "drips headers": endless(b"X: y\r\n", b"HTTP/1.1 200 OK\r\n", 0.02),
    "drips a status line": endless(b" ", b"HTTP/1.1 200", 0.02),
    "drips chunks": endless(b"1\r\nx\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0.02),
    "drips blank chunks": endless(b"1\r\n \r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0.02),
    "goes on to continue": endless(b"HTTP/1.1 103 Early Hints\r\n\r\n", b"", 0.02),
}


@pytest.mark.parametrize("how", ENDLESS)
async def test_silence_and_dripping_end_with_the_timeout(vendor: str, how: str) -> None:
    async with wire(ENDLESS[how]) as told:
        text = temporary(await outcome(vendor, f"http://127.0.0.1:{told.port}", timeout=0.3), vendor)
        assert text.endswith("did not answer within 0.3 s")


FLOODS = {
    "headers": endless(b"X-Header: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 200, b"HTTP/1.1 200 OK\r\n"),
    "one header": endless(b"y" * 9000, b"HTTP/1.1 200 OK\r\nX: "),
    "a body": endless(b"y" * 9000, b"HTTP/1.1 500 No\r\nContent-Length: 99999999999\r\n\r\n"),
    "chunks": endless(b"2000\r\n" + b"y" * 0x2000 + b"\r\n", b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "an extension of a chunk": endless(b"y" * 9000, b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n1;"),
    "hints": endless(b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 200),
}
MEBIBYTE = 2**20


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    """Checks that the block never holds more than `limit` bytes of memory on top of what is held now."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("of", FLOODS)
async def test_a_flood_ends_early_and_takes_no_memory(vendor: str, of: str) -> None:
    async with wire(FLOODS[of]) as told:
        with memory_below(8 * MEBIBYTE):
            temporary(await outcome(vendor, f"http://127.0.0.1:{told.port}", timeout=1.0), vendor)


@pytest.mark.parametrize("status", ["200 OK", "500 No"])
async def test_a_compressed_bomb_is_not_inflated(vendor: str, status: str) -> None:
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join(packer.compress(bytes(MEBIBYTE)) for _ in range(200)) + packer.flush()
    async with wire(once(answer(packed, status, "Content-Encoding: gzip"))) as told:
        with memory_below(8 * MEBIBYTE):
            temporary(await outcome(vendor, f"http://127.0.0.1:{told.port}"), vendor)


SENT: dict[str, Callable[[bytes], bytes]] = {
    "plainly": answer,
    "compressed though nobody asked": lambda body: answer(gzip.compress(body), "200 OK", "Content-Encoding: gzip"),
    "deflated though nobody asked": lambda body: answer(zlib.compress(body), "200 OK", "Content-Encoding: deflate"),
    "in chunks of a byte": lambda body: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"1\r\n" + bytes([each]) + b"\r\n" for each in body)
        + b"0\r\n\r\n"
    ),
    "until the connection ends": lambda body: b"HTTP/1.0 200 OK\r\n\r\n" + body,
    "after a hint": lambda body: b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + answer(body),
    "as created": lambda body: answer(body, "201 Created"),
    "with more than was announced": lambda body: answer(body) + b"HTTP/1.1 500 No\r\n\r\n",
}


@pytest.mark.parametrize("how", SENT)
async def test_a_confirmation_counts_however_it_comes(vendor: str, how: str) -> None:
    async with wire(once(SENT[how](TAKEN[vendor]))) as told:
        assert await outcome(vendor, f"http://127.0.0.1:{told.port}") is None


async def test_a_slow_answer_within_the_timeout_is_waited_for(vendor: str) -> None:
    confirmation = answer(TAKEN[vendor])

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for each in confirmation:
            writer.write(bytes([each]))
            await asyncio.sleep(0.001)

    async with wire(once(b"", then=drip)) as told:
        assert await outcome(vendor, f"http://127.0.0.1:{told.port}") is None


async def test_a_redirect_to_another_host_is_told_and_not_followed(vendor: str) -> None:
    async with wire(once(answer(TAKEN[vendor]))) as elsewhere:
        for status in ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"):
            location = f"Location: http://127.0.0.1:{elsewhere.port}/{SECRET}"
            async with wire(once(answer(b"", status, location))) as told:
                failure = await outcome(vendor, f"http://127.0.0.1:{told.port}")
                assert type(failure) is PermanentError and failure.whole_channel
                assert "redirects" in str(failure) and SECRET not in str(failure)
        assert elsewhere.connections == 0


async def test_a_reply_lost_after_the_provider_took_it_is_temporary(vendor: str) -> None:
    async with wire(reset(after_reading=True)) as told:
        temporary(await outcome(vendor, f"http://127.0.0.1:{told.port}"), vendor)
        assert len(told.heads) == 1, "it has the message: the next attempt is the one duplicate that cannot be avoided"


@pytest.mark.parametrize("status", ["400 No", "500 No", "429 No"])
@pytest.mark.parametrize("spelled", [SECRET, "tk_%22geheim%2F30%22%26characters_long", SECRET.replace('"', '\\"')])
async def test_an_echoed_secret_is_never_told(vendor: str, status: str, spelled: str) -> None:
    for body in (spelled, f'{{"code":50001,"error":"{spelled}","errors":["{spelled}"],"status":0}}'):
        async with wire(once(answer(body.encode(), status, f"Content-Type: {spelled}", f"X: {spelled}"))) as told:
            failure = await outcome(vendor, f"http://127.0.0.1:{told.port}")
            assert failure is not None
            assert "geheim" not in str(failure) + repr(failure.__context__) + repr(failure.__cause__)


async def test_a_name_that_does_not_resolve_is_temporary(vendor: str) -> None:
    text = temporary(await outcome(vendor, "http://provider.invalid"), vendor)
    assert text == "provider.invalid: its name cannot be resolved"


async def test_a_port_nobody_listens_on_is_temporary(vendor: str) -> None:
    async with wire(once(b"")) as told:
        port = told.port
    text = temporary(await outcome(vendor, f"http://127.0.0.1:{port}"), vendor)
    assert "connection refused" in text


# -- TLS ----


def serving(directory: Path, *names: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*self_signed(directory, *names))
    return context


async def test_a_certificate_nobody_vouches_for_is_temporary(vendor: str, tmp_path: Path) -> None:
    async with wire(once(answer(TAKEN[vendor])), tls=serving(tmp_path, "127.0.0.1")) as told:
        text = temporary(await outcome(vendor, f"https://127.0.0.1:{told.port}"), vendor)
        assert "TLS failed" in text and "self-signed certificate" in text
        assert told.heads == [], "nothing was sent"


async def test_a_server_without_tls_is_temporary(vendor: str) -> None:
    async with wire(once(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as told:
        temporary(await outcome(vendor, f"https://127.0.0.1:{told.port}", timeout=1), vendor)


async def test_a_certificate_for_another_name_is_told(tmp_path: Path) -> None:
    async with wire(once(answer(b'{"healthy":true}')), tls=serving(tmp_path, "another.example")) as told:
        (tmp_path / "tocsin.yaml").write_text(
            f"channels: {{phone: {{type: ntfy, url: 'https://127.0.0.1:{told.port}', topic: egress}}}}\n"
        )
        done = await command(
            "check", "--config", "tocsin.yaml", directory=tmp_path, SSL_CERT_FILE=str(tmp_path / "cert.pem")
        )
        assert done.code != 0
        assert "TLS failed" in done.out + done.err and "mismatch" in done.out + done.err
        assert told.heads == []
