"""From a POST to a real Alertmanager (group_wait 0) to the provider: through tocsin, against directly, alternating.

Twice: with lookups that cost nothing because no source is configured, and with a Prometheus, played by a server that
answers every question at once with nothing, so that it is the client's own time that shows.
"""

import asyncio
import statistics
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import load
from aiohttp import web

from tocsin.demo import alertmanager

ROUNDS = 60
WARM_UP = 5
WITHIN = 10.0


class Provider:
    """Takes what ntfy would and what Alertmanager posts; says when the name of a round arrived."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[float]] = {}

    def expect(self, word: str) -> "asyncio.Future[float]":
        return self._waiting.setdefault(word, asyncio.get_running_loop().create_future())

    async def take(self, request: web.Request) -> web.Response:
        at, text = time.perf_counter(), await request.text()
        for word in [word for word in self._waiting if word in text]:
            self._waiting.pop(word).set_result(at)
        return web.json_response({"id": "bench", "event": "message"})

    async def nothing(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": []}})


async def serving(provider: Provider) -> tuple[web.AppRunner, int]:
    app = web.Application()
    app.router.add_post("/", provider.take)
    app.router.add_post("/direct", provider.take)
    app.router.add_route("*", "/api/v1/{tail:.*}", provider.nothing)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, runner.addresses[0][1]


async def took(session: aiohttp.ClientSession, provider: Provider, url: str, word: str) -> float:
    """Seconds from the POST until the provider has the message."""
    now = datetime.now(UTC)
    labels = {
        "alertname": "EgressNovelDestination", "namespace": "media", "workload": word, "destination": f"{word}.example"
    }  # fmt: skip
    alert = {"labels": labels, "startsAt": now.isoformat(), "endsAt": (now + timedelta(minutes=5)).isoformat()}
    arrived = provider.expect(word)
    started = time.perf_counter()
    async with session.post(f"{url}/api/v2/alerts", json=[alert]) as response:
        response.raise_for_status()
    return await asyncio.wait_for(arrived, WITHIN) - started


async def compare(label: str, prometheus: str, provider: Provider, port: int) -> None:
    with tempfile.TemporaryDirectory() as directory, ExitStack() as undo:
        path = Path(directory) / "tocsin.yaml"
        path.write_text(
            f"server: {{host: 127.0.0.1, port: 0}}\nstore: {{path: {directory}/tocsin.db}}\n"
            f"{prometheus}"
            f"channels: {{phone: {{type: ntfy, topic: a, url: 'http://127.0.0.1:{port}'}}}}\n"
        )
        start = undo.enter_context
        serve = load.running(["-m", "tocsin", "serve", "--config", str(path)], r'"address": "127.0.0.1:(\d+)"')
        _, ours, _ = start(serve)
        waits = {"group_wait": "0s", "group_interval": "1h", "repeat_interval": "1h"}
        direct = start(alertmanager.running([f"http://127.0.0.1:{port}/direct"], **waits))
        through = start(alertmanager.running([f"http://127.0.0.1:{ours}/webhook"], **waits))
        seconds: dict[str, list[float]] = {"direct": [], "through": []}
        async with aiohttp.ClientSession() as session:
            for round_ in range(WARM_UP + ROUNDS):
                for name, url in (("direct", direct), ("through", through)):
                    found = await took(session, provider, url, f"{name}-{label[:2]}{round_}x")
                    if round_ >= WARM_UP:
                        seconds[name].append(found)
    bare, mine = (statistics.median(seconds[name]) for name in ("direct", "through"))
    print(
        f"POST to message, {label}: {mine / bare:.2f} of Alertmanager posting directly"
        f" ({mine * 1000:.1f} against {bare * 1000:.1f} ms, medians of {ROUNDS})"
    )


async def main() -> None:
    provider = Provider()
    runner, port = await serving(provider)
    await compare("instant lookups", "", provider, port)
    await compare("Prometheus asked", f"prometheus: {{url: 'http://127.0.0.1:{port}'}}\n", provider, port)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
