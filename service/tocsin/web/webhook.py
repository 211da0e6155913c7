"""POST /webhook: the only way in.

Alertmanager retries 5xx and transport errors, and drops a payload answered 4xx until the group's next flush
(`Retrier` in prometheus/alertmanager `notify/util.go`). So a valid payload is answered 200 or 503, never 4xx.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from tocsin.errors import BadPayload, StoreUnavailable
from tocsin.web import authentication
from tocsin.web.settings import ServerSettings

if TYPE_CHECKING:
    from prometheus_client import Counter

    from tocsin.model import Accepted

log = structlog.get_logger()

Receive = Callable[[bytes, datetime], Awaitable["Accepted"]]


BUSY = 8
"""Webhooks in flight from which on storing them goes before explaining them."""


class Webhook:
    """Answers one POST: authenticated, bounded, stored, 200. `calm` is set while few are in flight."""

    def __init__(self, settings: ServerSettings, receive: Receive) -> None:
        self._settings = settings
        self._receive = receive
        self.in_flight = 0
        self.stopping = False
        self.calm = asyncio.Event()
        self.calm.set()

    async def post(self, request: web.Request) -> web.Response:
        """The handler. The body of a failure says what is wrong and repeats nothing of the payload's values."""
        if not authentication.allows(self._settings, request.headers.get("Authorization")):
            response = _answer(401, {"error": "missing or wrong credentials"})
            response.headers["WWW-Authenticate"] = authentication.challenge(self._settings)
            return response
        if self.stopping:
            return _answer(503, {"error": "shutting down"})
        if self.in_flight + 1 >= BUSY:
            self.calm.clear()
        if self.in_flight >= self._settings.max_in_flight:
            return _answer(503, {"error": f"{self.in_flight} webhooks in flight; try again"})
        self.in_flight += 1
        try:
            return await self._store(request)
        finally:
            self.in_flight -= 1
            if self.in_flight < BUSY:
                self.calm.set()

    async def _store(self, request: web.Request) -> web.Response:
        try:
            accepted = await self._receive(await request.read(), datetime.now(UTC))
        except web.HTTPRequestEntityTooLarge:
            return _answer(413, {"error": f"the body is larger than server.max_body ({self._settings.max_body} bytes)"})
        except BadPayload as failure:
            log.warning("webhook_refused", error=str(failure))
            return _answer(400, {"error": str(failure)})
        except StoreUnavailable as failure:
            return _answer(503, {"error": str(failure)})
        return _answer(200, {"event": accepted.event, "alerts": accepted.alerts})


def _answer(status: int, body: dict[str, object]) -> web.Response:
    _counter(status).inc()
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")


@cache
def _counter(status: int) -> "Counter":
    from tocsin import metrics  # noqa: PLC0415 - the server listens before its metrics are loaded

    return metrics.WEBHOOKS.labels(str(status))
