"""What `tocsin check` and `tocsin send-test` find out."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta

import aiohttp

from tocsin import apps_file
from tocsin.errors import TocsinError
from tocsin.model import Priority
from tocsin.settings import Settings
from tocsin.store.database import new_id
from tocsin.store.sqlite import Sqlite
from tocsin.wiring import connect, sources

Result = tuple[bool, str]
"""Whether it is well, and the line to print."""

_WITHIN = 30.0


def configuration(settings: Settings) -> list[Result]:
    """What can be said without asking another system. Mistakes in keys were already reported by loading."""
    apps = apps_file.load(settings.apps_file)
    results = [(True, f"ok    configuration; {len(apps.apps)} entries for apps")]
    if not settings.channels:
        results.append((True, "note  no channel is configured: messages go to standard output"))
    for route_channels in _routed(settings):
        for name in sorted(route_channels - set(settings.channels)):
            results.append((False, f"wrong routes send to channel {name}, which is not configured"))
    if settings.server.bearer is None and settings.server.password is None:
        results.append((True, "note  /webhook takes posts from everybody: set server.bearer_file"))
    if settings.prometheus.url is None:
        results.append((True, "note  prometheus.url is not set: messages cannot say who else asks, or since when"))
    if settings.gitops.git is None and settings.gitops.github is None:
        results.append((True, "note  gitops is not set: messages cannot say what the policy allows"))
    return results


async def reachability(settings: Settings) -> list[Result]:
    """Asks every configured system, all at once."""
    found = sources(settings)
    connected = connect(settings.channels)
    asked: dict[str, Awaitable[str]] = {"store": _store(settings)}
    if found.prometheus is not None:
        asked["prometheus"] = found.prometheus.check()
    if found.repository is not None:
        asked["gitops"] = found.repository.check()
    for each in connected:
        asked[f"channel {each.outlet.name}"] = each.channel.check()
    try:
        return list(await asyncio.gather(*(_one(name, question) for name, question in asked.items())))
    finally:
        for each in connected:
            await each.channel.close()
        await found.close()


async def send_test(settings: Settings) -> list[Result]:
    """Sends one message through every channel."""
    connected = connect(settings.channels)
    try:
        results = []
        for each in connected:
            at = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
            text = f"A test, sent {at} through channel {each.outlet.name}. Nothing is wrong."
            message = each.outlet.render_plain("tocsin test message", text, Priority.DEFAULT)
            question = _sent(each.outlet.send(message, new_id(datetime.now(UTC))))
            results.append(await _one(f"channel {each.outlet.name}", question))
        return results
    finally:
        for each in connected:
            await each.channel.close()


async def post_test_alert(url: str, settings: Settings) -> Result:
    """Posts an alert of a known name to Alertmanager's API (v2); it resolves by itself after five minutes."""
    name = next(iter(settings.identify.alerts), "EgressNovelDestination")
    now = datetime.now(UTC)
    alert = {
        "labels": {
            "alertname": name, "severity": "warning", "namespace": "tocsin-test", "workload": "send-test",
            "destination": "test.tocsin.example",
        },
        "annotations": {"summary": "A test of the way from Alertmanager to your phone. Nothing is wrong."},
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=5)).isoformat(),
    }  # fmt: skip
    target = f"{url.rstrip('/')}/api/v2/alerts"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.post(target, json=[alert], allow_redirects=False) as response,
        ):
            if response.status != 200:
                return False, f"wrong Alertmanager answered {response.status}: {(await response.text())[:200]}"
    except (aiohttp.ClientError, TimeoutError, OSError) as failure:
        return False, f"wrong Alertmanager at {url}: {failure or 'timed out'}"
    return True, f"ok    {name} for tocsin-test/send-test is in Alertmanager; the message follows after its group_wait"


def _routed(settings: Settings) -> list[set[str]]:
    found = []
    for row in (getattr(settings.routes, name) for name in type(settings.routes).model_fields):
        every = [row] if hasattr(row, "priority") else [getattr(row, name) for name in type(row).model_fields]
        found += [set(route.channels) for route in every if route.channels]
    return found


async def _store(settings: Settings) -> str:
    def probe() -> str:
        store = Sqlite(settings.store.path)
        store.open()
        store.close()
        return settings.store.path

    return await asyncio.to_thread(probe)


async def _sent(sending: Awaitable[None]) -> str:
    await sending
    return "sent"


async def _one(name: str, question: Awaitable[str]) -> Result:
    try:
        async with asyncio.timeout(_WITHIN):
            return True, f"ok    {name}: {await question}"
    except TimeoutError:
        return False, f"wrong {name}: no answer within {_WITHIN:g} s"
    except TocsinError as failure:
        return False, f"wrong {name}: {failure}"
