"""The measure of all things: an aiohttp handler that reads the body and answers 200."""

from aiohttp import web


async def handle(request: web.Request) -> web.Response:
    await request.read()
    return web.json_response({"ok": True})


async def started(app: web.Application) -> None:
    return


def main() -> None:
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/webhook", handle)
    app.router.add_get("/readyz", handle)
    web.run_app(app, host="127.0.0.1", port=0, access_log=None)


main()
