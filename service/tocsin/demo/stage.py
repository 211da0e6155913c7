"""What every performance of the demonstration needs: a phone, a repository, tocsin itself, and an eye on them."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from tocsin.demo import repository
from tocsin.demo.phone import Phone

EXPECTED = (
    ("a bounded app asks for a name nobody explains", "Unexplained: media/recyclarr"),
    ("a rollout that looks new and is not", "Explained: media/sonarr"),
    ("an app sends far more than ever", "Suspicious: home/node-red"),
)
MESSAGES_WITHIN = 120.0
REPEATS_WITHIN = 60.0
REPEATED = 3
"""Webhooks about one incident that must have come before the silence about it means anything."""
TOKEN = "demo"  # noqa: S105 - of a service on loopback that lives for a minute


def say(text: str) -> None:
    """Prints a line at once."""
    print(text, flush=True)


@dataclass
class Stage:
    """The performance: where its files lie, and the phone that everything ends at."""

    home: Path
    phone: Phone = field(default_factory=lambda: Phone(say))

    def git(self) -> Path:
        """Builds the GitOps repository."""
        directory = self.home / "gitops"
        directory.mkdir()
        return repository.build(directory)

    @asynccontextmanager
    async def tocsin(self, prometheus: str, gitops: Path, phone: str) -> AsyncIterator[str]:
        """Runs `tocsin serve` as it ships; yields its address."""
        configuration = {
            "server": {"host": "127.0.0.1", "port": 0, "bearer": TOKEN},
            "store": {"path": str(self.home / "tocsin.db")},
            "prometheus": {"url": prometheus},
            "gitops": {"git": {"path": str(gitops)}},
            "destination": {"lan_domains": ["home.example"]},
            "channels": {"phone": {"type": "ntfy", "url": phone, "topic": "egress"}},
        }
        path = self.home / "tocsin.yaml"
        path.write_text(yaml.safe_dump(configuration))
        async with process(
            [sys.executable, "-m", "tocsin", "serve", "--config", str(path)], self.home / "tocsin.log"
        ) as log:
            yield f"http://{await _ready(log)}"

    async def told(self, url: str) -> bool:
        """Waits for the messages, then for repeats that must send none; says what came of it."""
        await self.phone.wait_for(len(EXPECTED), MESSAGES_WITHIN)
        quiet = await self._repeats(url)
        titles = [str(message.get("title", "")) for message in self.phone.messages]
        say("")
        told = True
        for what, begins in EXPECTED:
            found = sum(title.startswith(begins) for title in titles)
            told &= found == 1
            say(f"{'ok   ' if found == 1 else 'WRONG'} {what}: {found} message{'s' if found != 1 else ''}")
        stray = [title for title in titles if not any(title.startswith(begins) for _, begins in EXPECTED)]
        told &= quiet and not stray
        rarely = "" if quiet else " too rarely to tell"
        say(f"{'ok   ' if quiet else 'WRONG'} Alertmanager repeated itself{rarely}: nothing more was sent")
        for title in stray:
            say(f"WRONG not part of the story: {title}")
        if not told:
            say((self.home / "tocsin.log").read_text()[-3000:])
        return told

    async def _repeats(self, url: str) -> bool:
        """Whether the service counted enough repeats that it kept silent about."""
        try:
            async with asyncio.timeout(REPEATS_WITHIN), aiohttp.ClientSession() as session:
                while True:
                    async with session.get(f"{url}/metrics") as response:
                        if duplicates(await response.text()) >= REPEATED:
                            return True
                    await asyncio.sleep(0.3)
        except TimeoutError:
            return False


def duplicates(exposition: str) -> float:
    """How often the service decided to stay silent because nothing was new."""
    wanted = 'tocsin_decisions_total{action="skip",reason="duplicate"}'
    return next((float(line.split()[-1]) for line in exposition.splitlines() if line.startswith(wanted)), 0.0)


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """Serves an application on a free port of loopback; yields its address."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def process(command: list[str], log: Path) -> AsyncIterator[Path]:
    """Runs a command with its output in a file; ends it with SIGTERM."""
    with log.open("wb") as out:
        running = await asyncio.create_subprocess_exec(
            *command, stdout=out, stderr=out, env={**os.environ, "PYTHONUNBUFFERED": "1"}, start_new_session=True
        )
    try:
        yield log
    finally:
        if running.returncode is None:
            running.terminate()
            await running.wait()


async def _ready(log: Path) -> str:
    async with asyncio.timeout(30):
        while True:
            for line in log.read_text().splitlines():
                entry: Mapping[str, Any] = json.loads(line) if line.startswith("{") else {}
                if entry.get("event") == "ready":
                    return str(entry["address"])
            await asyncio.sleep(0.05)
