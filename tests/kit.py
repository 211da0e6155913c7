"""What most tests need: webhook payloads, and a tocsin process to send them to."""

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

ONE_BY_ONE = {"own_messages": 1_000_000, "per_hour": 1_000_000}
"""Settings of `storm` with which every incident has a message of its own, to be counted."""
START = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)


def alert(
    name: str = "EgressNovelDestination",
    *,
    status: str = "firing",
    starts_at: datetime = START,
    fingerprint: str | None = None,
    annotations: Mapping[str, str] | None = None,
    **labels: str,
) -> dict[str, Any]:
    """One alert as Alertmanager writes it. The fingerprint follows from the labels unless it is given."""
    labels = {"alertname": name, **labels}
    ends = "0001-01-01T00:00:00Z" if status == "firing" else (starts_at + timedelta(minutes=9)).isoformat()
    digest = hashlib.sha256(json.dumps(sorted(labels.items())).encode()).hexdigest()[:16]
    return {
        "status": status,
        "labels": labels,
        "annotations": dict(annotations or {"summary": "a summary"}),
        "startsAt": starts_at.isoformat().replace("+00:00", "Z"),
        "endsAt": ends,
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=up",
        "fingerprint": fingerprint or digest,
    }


def novel(name: str = "files.paste-drop.example", **changes: Any) -> dict[str, Any]:
    """The alert of messages.md 1: media/recyclarr asks for a name."""
    return alert(
        **{"namespace": "media", "workload": "recyclarr", "destination": name, "severity": "warning", **changes}
    )


def webhook(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A webhook of version 4."""
    firing = any(each["status"] == "firing" for each in alerts)
    return {
        "version": "4",
        "groupKey": '{}:{alertname="EgressNovelDestination"}',
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": "tocsin",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
        "alerts": list(alerts),
        **changes,
    }


def body(*alerts: dict[str, Any], **changes: Any) -> bytes:
    """The bytes of such a webhook."""
    return json.dumps(webhook(*alerts, **changes)).encode()


@dataclass
class Process:
    """A running `tocsin serve`."""

    url: str
    process: asyncio.subprocess.Process
    log: list[dict[str, Any]]

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal and waits for the end; returns the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.process.wait()


@asynccontextmanager
async def tocsin(
    directory: Path, configuration: Mapping[str, Any], *, program: Sequence[str] = ("-m", "tocsin")
) -> AsyncIterator[Process]:
    """Runs `tocsin serve` on a free port with its store in `directory`; ends it with SIGTERM, then SIGKILL.

    `program` is what Python runs in tocsin's place.
    """
    settings = {
        **configuration,
        "server": {"host": "127.0.0.1", "port": 0, **configuration.get("server", {})},
        "store": {"path": str(directory / "tocsin.db"), **configuration.get("store", {})},
        "storm": {**ONE_BY_ONE, **configuration.get("storm", {})},
    }
    path = directory / "tocsin.yaml"
    path.write_text(yaml.safe_dump(settings))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *program, "serve", "--config", str(path),
        stderr=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    log: list[dict[str, Any]] = []
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    scheme = "https" if "tls_cert" in settings["server"] else "http"
    async with asyncio.TaskGroup() as tasks:
        reader = tasks.create_task(_read(process, log, ready))
        try:
            address = await asyncio.wait_for(asyncio.shield(ready), 20)
            yield Process(f"{scheme}://{address}", process, log)
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), 30)
                except TimeoutError:
                    process.kill()
            await reader


async def _read(process: asyncio.subprocess.Process, log: list[dict[str, Any]], ready: asyncio.Future[str]) -> None:
    assert process.stderr is not None
    async for line in process.stderr:
        try:
            entry = json.loads(line)
        except ValueError:
            entry = {"event": "not json", "line": line.decode(errors="replace")}
        log.append(entry)
        if entry.get("event") == "ready" and not ready.done():
            ready.set_result(entry["address"])
    if not ready.done():
        ready.set_exception(AssertionError(f"tocsin ended before it was ready: {log}"))


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


async def command(*arguments: str, directory: Path, stdin: bytes = b"", **environment: str) -> Done:
    """Runs `tocsin` in `directory` until it ends; of this process's environment nothing that is tocsin's own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tocsin", *arguments, cwd=directory, env=inherited | environment,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate(stdin)
    return Done(process.returncode or 0, out.decode(), err.decode())


async def until(condition: Any, within: float = 20.0, every: float = 0.02) -> Any:
    """Waits for a condition (called again and again) to become true and returns its value."""
    deadline = asyncio.get_running_loop().time() + within
    while not (value := condition()):
        assert asyncio.get_running_loop().time() < deadline, "it did not come about in time"
        await asyncio.sleep(every)
    return value
