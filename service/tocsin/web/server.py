"""The HTTP server: its routes, and what it says of itself."""

import logging
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

from tocsin.errors import TocsinError
from tocsin.web.connections import FIELD_BYTES, FIELDS, LINE_BYTES, Connections, Seldom, Site
from tocsin.web.settings import ServerSettings
from tocsin.web.webhook import Webhook, within_files

CONNECTIONS = web.AppKey("connections", Connections)

Ready = Callable[[], Awaitable[list[str]]]
Observe = Callable[[], Awaitable[None]]


def build(settings: ServerSettings, webhook: Webhook, not_ready: Ready, observe: Observe) -> web.Application:
    """The application. `not_ready` returns what is wrong; `observe` brings the gauges up to date."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readyz(_: web.Request) -> web.Response:
        wrong = await not_ready()
        return web.json_response({"ready": not wrong, "wrong": wrong}, status=503 if wrong else 200)

    async def exposition(_: web.Request) -> web.Response:
        await observe()
        from tocsin import metrics  # noqa: PLC0415 - the server listens before its metrics are loaded

        metrics.IN_FLIGHT.set(webhook.in_flight)
        return web.Response(body=metrics.exposition(), headers={"Content-Type": metrics.CONTENT_TYPE})

    connections = Connections(within_files(settings.max_connections))
    app = web.Application(
        client_max_size=settings.max_body, middlewares=[connections.middleware], handler_args=_limits(settings)
    )
    app[CONNECTIONS] = connections
    app.router.add_post("/webhook", webhook.post)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", exposition)
    return app


def _limits(settings: ServerSettings) -> dict[str, object]:
    """What one connection may send. aiohttp's keep-alive timer runs until a head is complete, so it serves for both."""
    return {
        "keepalive_timeout": settings.head_within.total_seconds(),
        "max_line_size": LINE_BYTES,
        "max_field_size": FIELD_BYTES,
        "max_headers": FIELDS,
        "logger": _logger(),
    }


def _logger() -> logging.Logger:
    logger = logging.getLogger("aiohttp.server")
    if not any(isinstance(each, Seldom) for each in logger.filters):
        logger.addFilter(Seldom())
    return logger


async def listen(settings: ServerSettings, runner: web.AppRunner) -> web.BaseSite:
    """Listens as configured. Raises TocsinError where the address or the certificate cannot be used."""
    address = (settings.host, settings.port)
    site = Site(runner, runner.app[CONNECTIONS], address, tls(settings), settings.head_within.total_seconds())
    try:
        await site.start()
    except OSError as failure:
        raise TocsinError(f"cannot listen on {settings.host}:{settings.port}: {failure.strerror}") from failure
    return site


def tls(settings: ServerSettings) -> ssl.SSLContext | None:
    """The TLS context, None for plain HTTP. Raises TocsinError for files that cannot be used."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password="")  # None would ask on the terminal
    except OSError as failure:  # ssl.SSLError is one
        raise TocsinError(f"cannot use {settings.tls_cert} and {settings.tls_key}: {failure}") from failure
    return context
