"""Which connections are kept: no more than so many, and of those that wait the oldest goes first.

A client that opens connections and sends a head byte by byte, or never, must not keep Alertmanager out. Its connections
wait, and so make room; one whose request is being answered is never closed for another.
"""

import asyncio
import logging
import ssl
import time
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

BACKLOG = 1024
"""Connections the kernel holds while the loop is busy; Alertmanager opens one a group after its own restart."""

LINE_BYTES = 8190
"""Longest request line. Nothing that tocsin answers has more than a short path."""

FIELD_BYTES = 4096
"""Longest header; a token of a service account has about 1,000 bytes. All heads under way are held in memory."""

FIELDS = 64
"""Most headers of a request; proxies and meshes add a dozen or two to Alertmanager's six."""

OPENED_WITHIN = 0.01
"""Seconds after which an accepted connection counts: many are accepted at a stretch, and open only after that."""

TELL_EVERY = 60.0
"""Seconds between two lines of the log about requests that are no HTTP: whoever sends them writes no log."""


class Connections:
    """Those that are open, of one server. Only connections whose requests are being answered may exceed `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._requests: dict[asyncio.BaseProtocol, web.Request] = {}

    @web.middleware
    async def middleware(self, request: web.Request, handler: "Handler") -> web.StreamResponse:
        """Notes which connection has a request under way."""
        connection = request.protocol
        self._requests[connection] = request
        try:
            return await handler(request)
        finally:
            del self._requests[connection]

    def make_room(self, server: web.Server) -> None:
        """Closes connections that wait, the oldest first, until no more are open than the limit says."""
        connections = [each for each in server.connections if each.transport is not None]  # None: it is being closed
        excess = len(connections) - self._most
        if excess > 0:
            for connection in [each for each in connections if self._waits(each)][:excess]:
                connection.force_close()

    def _waits(self, connection: asyncio.BaseProtocol) -> bool:
        """Whether the client has still to send something: a request, or the rest of its body."""
        request = self._requests.get(connection)
        return request is None or not request.content.is_eof()


class Site(web.BaseSite):
    """Listens on an address, and makes room for each connection that comes."""

    def __init__(
        self,
        runner: web.AppRunner,
        connections: Connections,
        address: tuple[str, int],
        tls: ssl.SSLContext | None,
        handshake_within: float,
    ) -> None:
        super().__init__(runner, ssl_context=tls, backlog=BACKLOG)
        self._connections = connections
        self._address = address
        self._handshake_within = handshake_within if tls else None

    @property
    def name(self) -> str:
        return f"{'https' if self._ssl_context else 'http'}://{self._address[0]}:{self._address[1]}"

    async def start(self) -> None:
        await super().start()
        server = self._runner.server
        if server is None:
            raise RuntimeError("a site is started after its runner")

        loop = asyncio.get_running_loop()

        def accept() -> asyncio.Protocol:
            loop.call_later(OPENED_WITHIN, self._connections.make_room, server)
            return server()

        self._server = await loop.create_server(
            accept,
            *self._address,
            ssl=self._ssl_context,
            ssl_handshake_timeout=self._handshake_within,
            backlog=self._backlog,
        )


class Seldom(logging.Filter):
    """Lets a line about a request that is no HTTP through every TELL_EVERY seconds, without its stack trace."""

    def __init__(self) -> None:
        super().__init__()
        self._told_at = -TELL_EVERY

    def filter(self, record: logging.LogRecord) -> bool:
        failure = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if not isinstance(failure, HttpProcessingError):
            return True
        now = time.monotonic()
        if now - self._told_at < TELL_EVERY:
            return False
        self._told_at = now
        record.levelno, record.levelname, record.exc_info = logging.WARNING, "WARNING", None
        return True
