"""A server below HTTP: what each connection is answered, byte by byte, is the test's choice."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Wire:
    """Where it listens, the head of each request that was read, and the bytes it wrote in all."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    written: int = 0

    async def read(self, reader: asyncio.StreamReader) -> None:
        """One request, its body included."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or 0))
        self.heads.append(head)

    async def write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Writes and waits until the other side took it, more or less."""
        writer.write(data)
        await writer.drain()
        self.written += len(data)


@asynccontextmanager
async def wire(play: Callable[[Wire], Play], *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """Plays on every connection until the block ends, then drops those that are left."""
    told = Wire()
    open_now: set[asyncio.StreamWriter] = set()

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told.connections += 1
        open_now.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await play(told)(reader, writer)
        open_now.discard(writer)
        writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0, ssl=tls)
    told.port = server.sockets[0].getsockname()[1]
    try:
        yield told
    finally:
        server.close()
        for writer in open_now:
            writer.transport.abort()
