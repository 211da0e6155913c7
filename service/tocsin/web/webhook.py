"""POST /webhook: the only way in.

Alertmanager retries 5xx and transport errors, and drops a payload answered 4xx until the group's next flush
(`Retrier` in prometheus/alertmanager `notify/util.go`). So a valid payload is answered 200 or 503, never 4xx.
"""

import asyncio
import json
import resource
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from tocsin import inert
from tocsin.errors import BadPayload, PayloadTooLarge, StoreUnavailable
from tocsin.web.authentication import WINDOW, Gate, Refusals
from tocsin.web.settings import ServerSettings

if TYPE_CHECKING:
    from prometheus_client import Counter

    from tocsin.model import Accepted

log = structlog.get_logger()

Receive = Callable[[bytes, datetime], Awaitable["Accepted"]]


READ_WITHIN = 10.0
"""Seconds for a body to arrive. Alertmanager gives a flush about as long; a sender that is gone must free its place."""

CLOSE_TOGETHER = 0.02
"""Seconds between two webhooks below which they can be a rush: storing them goes before explaining them."""


class Rush:
    """Tells when webhooks come close together and faster than they are explained; `calm` is set while they do not.

    One that waits for its answer is a rush as well: explaining others makes all of them come further apart.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        self._waiting = waiting
        self.calm = asyncio.Event()
        self.calm.set()
        self._last = -CLOSE_TOGETHER

    def arrived(self, unfinished: int) -> None:
        """Takes note of a webhook that comes while so many earlier ones are being stored or explained."""
        loop = asyncio.get_running_loop()
        before, self._last = self._last, loop.time()
        if unfinished and self._last - before < CLOSE_TOGETHER and self.calm.is_set():
            self.calm.clear()
            loop.call_later(CLOSE_TOGETHER, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        left = self._last + CLOSE_TOGETHER - loop.time()
        if left > 0 or self._waiting():
            loop.call_later(max(left, CLOSE_TOGETHER / 4), self._look, loop)
        else:
            self.calm.set()


class Webhook:
    """Answers one POST: authenticated, bounded, stored, 200."""

    def __init__(self, settings: ServerSettings, receive: Receive) -> None:
        self._settings = settings
        self._receive = receive
        self._gate = Gate(settings)
        self._refusals = Refusals()
        self._most = within_files(settings.max_in_flight)
        self._storing = 0
        self._bytes = 0
        self.in_flight = 0
        self.stopping = False
        self.rush = Rush(lambda: self.in_flight)
        self.explaining: Callable[[], int] = lambda: 0

    async def post(self, request: web.Request) -> web.Response:
        """The handler. The body of a failure says what is wrong and repeats nothing of the payload's values."""
        if not self._gate.admits(request.headers.getall("Authorization", [])):
            return self._refuse(request)
        if self.stopping:
            return _answer(503, {"error": "shutting down"})
        self.rush.arrived(self.in_flight + self.explaining())
        self.in_flight += 1
        try:
            return await self._store(request)
        finally:
            self.in_flight -= 1

    def _refuse(self, request: web.Request) -> web.Response:
        """Answers wrong credentials without reading the body; a flood of them costs a connection each, and no log."""
        refusal = self._refusals.count(request.remote, asyncio.get_running_loop().time())
        if refusal.untold:
            log.warning("webhook_unauthorized", client=request.remote, refused=refusal.untold)
        response = _answer(429 if refusal.too_many else 401, {"error": "missing or wrong credentials"})
        if refusal.too_many:
            response.headers["Retry-After"] = f"{WINDOW:g}"
            response.force_close()
        else:
            response.headers["WWW-Authenticate"] = self._gate.challenge
        return response

    async def _store(self, request: web.Request) -> web.Response:
        body = bytearray()
        try:
            await self._read(request, body)
            if self._storing >= self._most:
                raise StoreUnavailable(f"{self._storing} webhooks in flight; try again")
            self._storing += 1
            try:
                accepted = await self._receive(bytes(body), datetime.now(UTC))
            finally:
                self._storing -= 1
        except PayloadTooLarge as failure:
            log.warning("webhook_refused", error=str(failure))
            return _answer(413, {"error": str(failure)})
        except BadPayload as failure:
            log.warning("webhook_refused", error=str(failure))
            return _answer(400, {"error": str(failure)})
        except StoreUnavailable as failure:
            return _answer(503, {"error": str(failure)})
        finally:
            self._bytes -= len(body)
        _counter(200).inc()
        said = f'{{"event": "{accepted.event}", "alerts": {accepted.alerts}}}'
        return web.Response(body=said.encode(), content_type="application/json")

    async def _read(self, request: web.Request, body: bytearray) -> None:
        """Appends the whole body, unpacked.

        Raises PayloadTooLarge for one over the limit, BadPayload for one that breaks off or is not packed as its
        headers say, StoreUnavailable for a late one and for one too many.
        """
        try:
            async with asyncio.timeout(READ_WITHIN):
                async for chunk in request.content.iter_any():
                    body += chunk
                    self._bytes += len(chunk)
                    self._check_size(len(body))
        except (web.RequestPayloadError, HttpProcessingError) as failure:
            encoding = request.headers.get("Content-Encoding", "")
            packed = f"Content-Encoding {inert.text(encoding, 40)}" if encoding else "its headers"
            raise BadPayload(f"the body is not encoded as {packed} says") from failure
        except ConnectionError as failure:  # nobody reads the answer, but it is counted
            raise BadPayload("the connection was lost before the body was complete") from failure
        except TimeoutError as failure:
            raise StoreUnavailable(f"the body did not arrive within {READ_WITHIN:g} s") from failure

    def _check_size(self, read: int) -> None:
        most, together = self._settings.max_body, self._settings.max_in_flight_bytes
        if read > most:
            raise PayloadTooLarge(f"the body is larger than server.max_body ({most} bytes)")
        if self._bytes > max(together, read):
            raise StoreUnavailable(f"more than {together} bytes of webhooks in flight; try again")


def within_files(configured: int) -> int:
    """No more than half the files the process may open: each connection is one, and others need some too."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return configured if files == resource.RLIM_INFINITY else max(1, min(configured, files // 2))


def _answer(status: int, body: dict[str, object]) -> web.Response:
    _counter(status).inc()
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")


@cache
def _counter(status: int) -> "Counter":
    from tocsin import metrics  # noqa: PLC0415 - the server listens before its metrics are loaded

    return metrics.WEBHOOKS.labels(str(status))
