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
from tocsin.errors import BadPayload, StoreUnavailable
from tocsin.web import authentication
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
    """Tells when webhooks come close together and faster than they are explained; `calm` is set while they do not."""

    def __init__(self) -> None:
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
        if left > 0:
            loop.call_later(left, self._look, loop)
        else:
            self.calm.set()


class Webhook:
    """Answers one POST: authenticated, bounded, stored, 200."""

    def __init__(self, settings: ServerSettings, receive: Receive) -> None:
        self._settings = settings
        self._receive = receive
        self._most = most_in_flight(settings.max_in_flight)
        self.in_flight = 0
        self.stopping = False
        self.rush = Rush()
        self.explaining: Callable[[], int] = lambda: 0

    async def post(self, request: web.Request) -> web.Response:
        """The handler. The body of a failure says what is wrong and repeats nothing of the payload's values."""
        if not authentication.allows(self._settings, request.headers.get("Authorization")):
            response = _answer(401, {"error": "missing or wrong credentials"})
            response.headers["WWW-Authenticate"] = authentication.challenge(self._settings)
            return response
        if self.stopping:
            return _answer(503, {"error": "shutting down"})
        if self.in_flight >= self._most:
            return _answer(503, {"error": f"{self.in_flight} webhooks in flight; try again"})
        self.rush.arrived(self.in_flight + self.explaining())
        self.in_flight += 1
        try:
            return await self._store(request)
        finally:
            self.in_flight -= 1

    async def _store(self, request: web.Request) -> web.Response:
        try:
            accepted = await self._receive(await _body(request), datetime.now(UTC))
        except web.HTTPRequestEntityTooLarge:
            return _answer(413, {"error": f"the body is larger than server.max_body ({self._settings.max_body} bytes)"})
        except BadPayload as failure:
            log.warning("webhook_refused", error=str(failure))
            return _answer(400, {"error": str(failure)})
        except StoreUnavailable as failure:
            return _answer(503, {"error": str(failure)})
        return _answer(200, {"event": accepted.event, "alerts": accepted.alerts})


async def _body(request: web.Request) -> bytes:
    """The whole body, unpacked.

    Raises BadPayload for one that breaks off or is not packed as its headers say, StoreUnavailable for a late one.
    """
    try:
        async with asyncio.timeout(READ_WITHIN):
            return await request.read()
    except (web.RequestPayloadError, HttpProcessingError) as failure:
        encoding = request.headers.get("Content-Encoding", "")
        packed = f"Content-Encoding {inert.text(encoding, 40)}" if encoding else "its headers"
        raise BadPayload(f"the body is not encoded as {packed} says") from failure
    except ConnectionError as failure:  # nobody reads the answer, but it is counted
        raise BadPayload("the connection was lost before the body was complete") from failure
    except TimeoutError as failure:
        raise StoreUnavailable(f"the body did not arrive within {READ_WITHIN:g} s") from failure


def most_in_flight(configured: int) -> int:
    """No more than half the files the process may open: each webhook is a connection, and others need some too."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return configured if files == resource.RLIM_INFINITY else max(1, min(configured, files // 2))


def _answer(status: int, body: dict[str, object]) -> web.Response:
    _counter(status).inc()
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")


@cache
def _counter(status: int) -> "Counter":
    from tocsin import metrics  # noqa: PLC0415 - the server listens before its metrics are loaded

    return metrics.WEBHOOKS.labels(str(status))
