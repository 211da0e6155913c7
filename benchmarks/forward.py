"""Stands for the receivers that keep nothing: forwards each alert to one address, then answers. argv: that address."""

import sys
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

SESSION = web.AppKey("session", aiohttp.ClientSession)


async def handle(request: web.Request) -> web.Response:
    for alert in (await request.json())["alerts"]:
        text = "\n".join(f"{name}: {value}" for name, value in sorted(alert["labels"].items()))
        message = {"topic": "a", "title": alert["labels"]["alertname"], "message": text}
        async with request.app[SESSION].post(sys.argv[1], json=message) as answer:
            answer.raise_for_status()
    return web.json_response({"ok": True})


async def session(app: web.Application) -> AsyncIterator[None]:
    async with aiohttp.ClientSession() as app[SESSION]:
        yield


def main() -> None:
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/webhook", handle)
    app.cleanup_ctx.append(session)
    web.run_app(app, host="127.0.0.1", port=0, access_log=None)


main()
