"""The same story without Prometheus and Alertmanager: their answers were recorded from a run that had them.

`questions` and `webhooks` write down what passes between the real parts and tocsin, and when; `perform` plays it back.
Instants move along, so that everything happened just now. `TOCSIN_DEMO_RECORD=FILE tocsin demo --once` makes a new
record.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tocsin.demo.stage import TOKEN, Stage, say, serving

RECORD = "recorded.json"
_PAST = 30 * 86_400.0
"""Seconds before the recording in which a number is taken for an instant."""
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass
class Record:
    """What passed, each with the Unix time: answers of Prometheus by question, webhooks of Alertmanager in order."""

    answers: dict[str, tuple[float, Any]] = field(default_factory=dict)
    webhooks: list[tuple[float, Any]] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Writes the record as JSON."""
        path.write_text(json.dumps(self.__dict__, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def shipped() -> Record:
    """The record inside the package."""
    return Record(**json.loads(resources.files("tocsin.demo").joinpath("data", RECORD).read_text("utf-8")))


@asynccontextmanager
async def questions(record: Record, prometheus: str) -> AsyncIterator[str]:
    """Stands before Prometheus and writes down; yields the address for tocsin to ask."""

    async def ask(request: web.Request) -> web.Response:
        form = await request.post()
        async with session.request(request.method, f"{prometheus}{request.path_qs}", data=form) as response:
            answer = await response.json(content_type=None)
        record.answers[_question(request, form)] = time.time(), answer
        return web.json_response(answer, status=response.status)

    app = web.Application()
    app.router.add_route("*", "/api/{tail:.*}", ask)
    async with aiohttp.ClientSession() as session, serving(app) as url:
        yield url


@asynccontextmanager
async def webhooks(record: Record, tocsin: str) -> AsyncIterator[str]:
    """Stands before tocsin and writes down; yields the address for Alertmanager to post to."""

    async def post(request: web.Request) -> web.Response:
        payload = await request.json()
        record.webhooks.append((time.time(), payload))
        async with session.post(f"{tocsin}/webhook", json=payload) as response:
            return web.Response(status=response.status)

    app = web.Application()
    app.router.add_post("/webhook", post)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session, serving(app) as url:
        yield url


@asynccontextmanager
async def perform(stage: Stage) -> AsyncIterator[str]:
    """Plays the shipped record; yields tocsin's address."""
    record = shipped()
    # Repeats of an alert must agree on when it began, and it must not begin in the future.
    ended_at = record.webhooks[-1][0]
    later = time.time() - ended_at

    async def ask(request: web.Request) -> web.Response:
        question = _question(request, await request.post())
        answer = record.answers.get(question)
        if answer is None:
            say(f"WRONG not in the record: {question}")
            return web.json_response({"status": "error", "error": "not in the record"}, status=422)
        at, value = answer
        return web.json_response(_moved(value, at, time.time() - at))

    app = web.Application()
    app.router.add_route("*", "/api/{tail:.*}", ask)
    gitops = await asyncio.to_thread(stage.git)
    async with (
        serving(app) as prometheus,
        serving(stage.phone.app()) as phone,
        stage.tocsin(prometheus, gitops, phone) as tocsin,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session,
    ):
        stage.happens()
        for _, payload in record.webhooks:
            async with session.post(f"{tocsin}/webhook", json=_moved(payload, ended_at, later)) as response:
                response.raise_for_status()
            await asyncio.sleep(0.3)
        yield tocsin


def _question(request: web.Request, form: Mapping[str, Any]) -> str:
    """What is asked, without the figures in it: instants and spans differ from run to run."""
    query = request.query.get("query") or form.get("query", "")
    return re.sub(r"\d+(?:[smhdw]\b)?", "#", f"{request.path}?{query}")


def _moved(value: Any, made_at: float, later: float) -> Any:
    """The same value with every instant in it `later` seconds later."""
    if isinstance(value, dict):
        return {key: _moved(each, made_at, later) for key, each in value.items()}
    if isinstance(value, list):
        return [_moved(each, made_at, later) for each in value]
    if isinstance(value, str) and _INSTANT.fullmatch(value) and not value.startswith("0001"):
        return (datetime.fromisoformat(value) + timedelta(seconds=later)).isoformat().replace("+00:00", "Z")
    if isinstance(value, str) and re.fullmatch(r"\d{10}(\.\d+)?", value):
        return str(_moved(float(value), made_at, later))
    if isinstance(value, int | float) and -_PAST < value - made_at < _PAST:
        return value + later
    return value
