"""The HTTP server: its routes, and what it says of itself."""

import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from tocsin import metrics
from tocsin.web.settings import ServerSettings
from tocsin.web.webhook import Webhook

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
        return web.Response(body=generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(client_max_size=settings.max_body)
    app.router.add_post("/webhook", webhook.post)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", exposition)
    return app


def tls(settings: ServerSettings) -> ssl.SSLContext | None:
    """The TLS context, None for plain HTTP. Raises OSError for a file that cannot be read."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    return context
