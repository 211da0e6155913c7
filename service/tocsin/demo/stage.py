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

from tocsin import apps_file, settings, units
from tocsin.demo import repository
from tocsin.demo.phone import Phone
from tocsin.rules import pack

HAPPENS = (
    "A run of the cron job media/recyclarr asks for files.paste-drop.example.",
    "media/sonarr is rolled out to 4.0.10; the new pod asks for images.tv-artwork.example and for all the old names.",
    "media/jellyfin is rolled out; the new pod asks for the old names only.",
    "home/node-red has been sending 18 MB/s for ten minutes.",
)
EXPECTED = (
    ("a bounded app asks for a name nobody explains", "Unexplained: media/recyclarr", 1),
    ("a new version asks for one new name and the old ones", "Explained: media/sonarr", 1),
    ("an app sends far more than ever", "Suspicious: home/node-red", 1),
    ("a rollout with the old names only", ": media/jellyfin", 0),
)
"""What happens, what the title of a message about it contains, and how many there must be."""
READY_WITHIN = 30.0
FETCHED = 'tocsin_gitops_refreshed_timestamp_seconds{source="git"}'
"""When the repository was read."""
DUPLICATES = 'tocsin_decisions_total{action="skip",reason="duplicate"}'
"""How often the service decided to stay silent because nothing was new."""
MESSAGES = sum(count for _, _, count in EXPECTED)
MESSAGES_WITHIN = 100.0
"""The rules are evaluated once a minute, each group at a second of its own."""
REPEATS_WITHIN = 40.0
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

    def happens(self, wait: str = "") -> None:
        """Says what happens, and how long one may have to wait."""
        say("".join(f"\n- {what}" for what in HAPPENS))
        say(f"\n{wait}What the phone shows:\n")

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
            url = f"http://{await _ready(log)}"
            await _reaches(url, FETCHED, 1, READY_WITHIN)
            yield url

    def rules(self) -> list[Path]:
        """Renders the detection rules from the configuration of `tocsin`, as `tocsin rules --plain` does."""
        found = settings.load(self.home / "tocsin.yaml")
        apps = apps_file.load(found.apps_file)
        made = []
        for name, groups in pack.render(found.rules, found.destination, found.prometheus, apps).items():
            made.append(self.home / f"{name}.rules.yaml")
            made[-1].write_text(pack.rule_file(groups), encoding="utf-8")
        return made

    async def told(self, url: str) -> bool:
        """Waits for the messages, then for repeats that must send none; says what came of it."""
        await self.phone.wait_for(MESSAGES, MESSAGES_WITHIN)
        quiet = await _reaches(url, DUPLICATES, REPEATED, REPEATS_WITHIN)
        titles = [str(message.get("title", "")) for message in self.phone.messages]
        say("")
        told = True
        for what, contains, count in EXPECTED:
            found = sum(contains in title for title in titles)
            told &= found == count
            say(f"{_mark(found == count)} {what}: {units.count(found, 'message')}")
        stray = [title for title in titles if not any(contains in title for _, contains, _ in EXPECTED)]
        told &= quiet and not stray
        rarely = "" if quiet else " too rarely to tell"
        say(f"{_mark(quiet)} Alertmanager repeated itself{rarely}: nothing more was sent")
        for title in stray:
            say(f"{_mark(False)} not part of the story: {title}")
        if not told:
            say((self.home / "tocsin.log").read_text()[-3000:])
        return told


def _mark(right: bool) -> str:
    return "ok   " if right else "WRONG"


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
    async with asyncio.timeout(READY_WITHIN):
        while True:
            for line in log.read_text().splitlines():
                entry: Mapping[str, Any] = json.loads(line) if line.startswith("{") else {}
                if entry.get("event") == "ready":
                    return str(entry["address"])
            await asyncio.sleep(0.05)


async def _reaches(url: str, series: str, value: float, within: float) -> bool:
    """Whether a series of the service's own metrics gets that high within so many seconds."""
    try:
        async with asyncio.timeout(within), aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"{url}/metrics") as response:
                    lines = (await response.text()).splitlines()
                if any(float(line.split()[-1]) >= value for line in lines if line.startswith(series)):
                    return True
                await asyncio.sleep(0.3)
    except TimeoutError:
        return False
