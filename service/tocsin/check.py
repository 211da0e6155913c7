"""What `tocsin check` and `tocsin send-test` find out."""

import asyncio
import os
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import structlog

from tocsin import apps_file, inert
from tocsin.detection import ask
from tocsin.enrich.prometheus import Prometheus
from tocsin.errors import StoreInUse, StoreUnavailable, TocsinError
from tocsin.model import Mode, Priority
from tocsin.settings import Settings
from tocsin.store import deliveries
from tocsin.store.database import new_id
from tocsin.store.sqlite import Sqlite, reading
from tocsin.web import server
from tocsin.wiring import connect, sources

log = structlog.get_logger()

Result = tuple[bool, str]
"""Whether it is well, and the line to print."""

_WITHIN = 30.0
_ANSWER_WITHIN = 10.0


def configuration(settings: Settings) -> list[Result]:
    """What can be said without asking another system. Mistakes in keys were already reported by loading."""
    apps = apps_file.load(settings.apps_file)
    results = [(True, f"ok    configuration; {len(apps.apps)} entries for apps")]
    if settings.mode is Mode.SHADOW:
        results.append((True, "note  mode is shadow: no channel is sent anything; see tocsin shadow report"))
    if not settings.channels:
        results.append((True, "note  no channel is configured: messages go to standard output"))
    try:
        server.tls(settings.server)
    except TocsinError as failure:
        results.append((False, f"wrong server: {failure}"))
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
        answers = await asyncio.gather(*(_one(name, question) for name, question in asked.items()))
        if found.prometheus is None or not dict(zip(asked, answers, strict=True))["prometheus"][0]:
            return list(answers)
        return [*answers, *await _detection(found.prometheus, settings.rules.learning)]
    finally:
        for each in connected:
            await each.channel.close()
        await found.close()


async def send_test(settings: Settings) -> list[Result]:
    """Sends one message through every channel."""
    connected = connect(settings.channels)
    results: list[Result] = []
    if settings.mode is Mode.SHADOW:
        results.append((True, "note  mode is shadow: the service sends nothing, this test does"))
    try:
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
    target, host = f"{url.rstrip('/')}/api/v2/alerts", urlsplit(url).netloc.rpartition("@")[2]
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_WITHIN)) as session,
            session.post(target, json=[alert], allow_redirects=False) as response,
        ):
            if response.status != 200:
                said = inert.text(await response.text(errors="replace"), 200)
                return False, f"wrong Alertmanager at {host} answered {response.status}: {said}"
    except TimeoutError:
        return False, f"wrong Alertmanager at {host}: no answer within {_ANSWER_WITHIN:g} s"
    except (aiohttp.ClientError, OSError) as failure:
        return False, f"wrong Alertmanager at {host}: {inert.text(str(failure)) or type(failure).__name__}"
    follows = (
        "mode is shadow: no message follows, tocsin shadow report lists it after its group_wait"
        if settings.mode is Mode.SHADOW
        else "the message follows after its group_wait"
    )
    return True, f"ok    {name} for tocsin-test/send-test is in Alertmanager; {follows}"


async def _store(settings: Settings) -> str:
    """Makes no file: it would belong to whoever runs the check, and the service might not be able to write to it."""
    if settings.store.url is not None:
        from tocsin.store import postgres  # noqa: PLC0415

        return await asyncio.to_thread(postgres.look, settings.store.url.get_secret_value())
    if missing := await asyncio.to_thread(_place_for, Path(settings.store.path)):
        return missing
    store = Sqlite(settings.store.path)
    try:
        await asyncio.to_thread(store.open)
    except StoreInUse:
        with reading(settings.store.path):  # a service that runs answers for itself: GET /readyz
            return f"{settings.store.path} is in use by a running tocsin"
    try:
        await store.run(deliveries.backlog)  # every transaction of the store begins as one that writes
    finally:
        await asyncio.to_thread(store.close)
    return settings.store.path


async def _detection(prometheus: Prometheus, learning: timedelta) -> list[Result]:
    try:
        return await ask.look(prometheus, learning)
    except Exception as failure:
        log.error("check_broke", system="detection", exc_info=True)
        return [(False, f"wrong detection: internal error ({type(failure).__name__})")]


def _place_for(path: Path) -> str:
    """What can be said of a store that is not there yet; nothing of one that is."""
    if path.exists():
        return ""
    parent = next(each for each in path.absolute().parents if each.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise StoreUnavailable(f"cannot make {path}: {parent} is no directory that this user may write to")
    return f"{path} does not exist yet; serve will make it"


async def _sent(sending: Awaitable[None]) -> str:
    await sending
    return "sent"


async def _one(name: str, question: Awaitable[str]) -> Result:
    try:
        async with asyncio.timeout(_WITHIN):
            return True, f"ok    {name}: {inert.text(await question, 400)}"
    except TimeoutError:
        return False, f"wrong {name}: no answer within {_WITHIN:g} s"
    except TocsinError as failure:
        return False, f"wrong {name}: {inert.text(str(failure), 400)}"
    except Exception as failure:
        log.error("check_broke", system=name, exc_info=True)
        return False, f"wrong {name}: internal error ({type(failure).__name__})"
