"""POST /webhook over a real socket and a real store: what is answered, to whom, and that nothing ends the process."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit import body, novel, webhook
from tocsin import apps_file
from tocsin.errors import StoreUnavailable
from tocsin.settings import Settings
from tocsin.store.sqlite import Sqlite
from tocsin.web import server
from tocsin.web.settings import ServerSettings
from tocsin.web.webhook import Webhook
from tocsin.wiring import Sources, build_pipeline

Start = Callable[..., Awaitable[TestClient[Any, Any]]]


@pytest.fixture
async def start(tmp_path: Path, aiohttp_client: Any) -> AsyncIterator[Start]:
    store = Sqlite(str(tmp_path / "tocsin.db"))
    store.open()

    async def start(receive: Any = None, wrong: list[str] | None = None, **changes: Any) -> TestClient[Any, Any]:
        configured = ServerSettings(**changes)
        pipeline = build_pipeline(Settings(), apps_file.load(), store, Sources(None, None), [])
        hook = Webhook(configured, receive or pipeline.receive)

        async def not_ready() -> list[str]:
            return wrong or []

        async def observe() -> None:
            return

        client: TestClient[Any, Any] = await aiohttp_client(server.build(configured, hook, not_ready, observe))
        return client

    yield start
    store.close()


async def post(client: TestClient[Any, Any], data: bytes, **headers: str) -> tuple[int, Any]:
    response = await client.post("/webhook", data=io.BytesIO(data), headers=headers)
    return response.status, await response.json()


async def test_answers_after_commit_with_event_and_number(start: Start) -> None:
    status, answer = await post(await start(), body(novel(), novel("b.example")))
    assert status == 200
    assert answer["alerts"] == 2 and len(answer["event"]) == 24


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"[]", "object"),
        (body(version="3"), '"4"'),
        (json.dumps({"alerts": []}).encode(), "version"),
        (json.dumps({**webhook(), "alerts": {}}).encode(), "alerts"),
        (body({**novel(), "startsAt": "yesterday"}), "startsAt"),
        (body({**novel(), "labels": {"a": 1}}), "labels"),
        (b"\xff\xfe", "JSON"),
    ],
)
async def test_what_is_no_webhook_is_refused_with_a_reason(start: Start, data: bytes, says: str) -> None:
    status, answer = await post(await start(), data)
    assert status == 400
    assert says.lower() in answer["error"].lower()


async def test_bearer(start: Start) -> None:
    client = await start(bearer="sekret")
    assert (await post(client, body(novel()), Authorization="Bearer sekret"))[0] == 200
    for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic sekret"}, {"Authorization": "é"}):
        status, answer = await post(client, body(novel()), **header)
        assert status == 401 and "sekret" not in str(answer)


async def test_basic(start: Start) -> None:
    client = await start(username="am", password="s:e")
    good = base64.b64encode(b"am:s:e").decode()
    assert (await post(client, body(novel()), Authorization=f"Basic {good}"))[0] == 200
    for wrong in ("!!!", base64.b64encode(b"am:").decode(), base64.b64encode(b"\xff:x").decode(), ""):
        assert (await post(client, body(novel()), Authorization=f"Basic {wrong}"))[0] == 401


async def test_a_body_over_the_limit_is_413_and_one_of_10_mb_is_fine(start: Start) -> None:
    client = await start(max_body=2048)
    status, answer = await post(client, b" " * 4096 + body(novel()))
    assert status == 413 and "server.max_body" in answer["error"]
    client = await start()
    big = body(*(novel(f"n{number}.example", filler="x" * 900) for number in range(9500)))
    assert len(big) > 10_000_000
    status, answer = await post(client, big)
    assert (status, answer["alerts"]) == (200, 9500)


async def test_no_room_and_no_store_are_503(start: Start) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    status, answer = await post(await start(receive=away), body(novel()))
    assert (status, answer["error"]) == (503, "the disk is full")

    gate, entered = asyncio.Event(), asyncio.Event()

    async def slow(*_: object) -> None:
        entered.set()
        await gate.wait()
        raise StoreUnavailable("late")

    client = await start(receive=slow, max_in_flight=1)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(post(client, body(novel())))
        await entered.wait()
        status, answer = await post(client, body(novel()))
        assert status == 503 and "in flight" in answer["error"]
        gate.set()
    assert first.result() == (503, {"error": "late"})


async def test_health_readiness_and_metrics(start: Start) -> None:
    client = await start()
    assert (await client.get("/healthz")).status == 200
    assert (await client.get("/readyz")).status == 200
    assert (await (await start(wrong=["worker inbox is not running"])).get("/readyz")).status == 503
    text = await (await client.get("/metrics")).text()
    assert "tocsin_webhooks_total" in text


plain_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
json_values = st.recursive(
    plain_values, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
keys = st.sampled_from(["version", "alerts", "groupKey", "status", "externalURL", "truncatedAlerts", "commonLabels"])
alert_keys = st.sampled_from(["labels", "annotations", "startsAt", "endsAt", "status", "fingerprint", "generatorURL"])


@st.composite
def bent(draw: st.DrawFn) -> bytes:
    """A webhook with something wrong somewhere, or bytes of any kind."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=200))
    changes = draw(st.dictionaries(keys, json_values, max_size=2))
    changed_alert = {**novel(draw(st.text())), **draw(st.dictionaries(alert_keys, json_values, max_size=2))}
    whole = json.dumps({**webhook(novel(), changed_alert), **changes}).encode()
    cut = draw(st.none() | st.integers(0, len(whole)))
    return whole if cut is None else whole[:cut]


async def test_nothing_malformed_is_5xx_or_ends_the_process(start: Start) -> None:
    client = await start()
    seen: list[bytes] = []

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(bent())
    def collect(data: bytes) -> None:
        seen.append(data)

    collect()
    assert len(seen) >= 200
    for data in seen:
        status, answer = await post(client, data)
        assert status in (200, 400), (status, data)
        assert status == 200 or len(answer["error"]) > 5
    assert (await post(client, body(novel())))[0] == 200
