"""Kills the real process again and again under load, and accounts for every accepted alert at the provider."""

import asyncio
import random
import re
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from crashing import STEPS
from fake_ntfy import FakeNtfy
from kit import Process, body, novel, tocsin, until

SENDERS = 6
BACKLOG = 40
"""Accepted and not yet told: above it senders wait, so that the end does not take for ever."""
LANES = 2
"""Messages that may be under way to ntfy at once."""
LATEST_CALL = 15
AT_RANDOM = "at a random instant"
CRASHING = str(Path(__file__).with_name("crashing.py"))


@dataclass
class Tally:
    """What became of it all. `accepted` are alerts answered 200; `told` counts messages by alert."""

    accepted: set[str] = field(default_factory=set)
    told: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    under_load: int = 0
    twice: Counter[str] = field(default_factory=Counter)

    @property
    def lost(self) -> set[str]:
        return self.accepted - self.told.keys()

    @property
    def repeated(self) -> int:
        """Messages beyond the first about an alert."""
        return sum(self.told.values()) - len(self.told)


class Load:
    """Senders that behave as Alertmanager does: a webhook that was not answered 200 is sent again."""

    def __init__(self, tally: Tally, ntfy: FakeNtfy) -> None:
        self._tally = tally
        self._ntfy = ntfy
        self._numbers = count()
        self.url: str | None = None
        self.under_way = 0
        self.ending = False

    @property
    def untold(self) -> int:
        return len(self._tally.accepted) - len(self._tally.told)

    async def run(self) -> None:
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as senders:
            for _ in range(SENDERS):
                senders.create_task(self._send(session))

    async def _send(self, session: aiohttp.ClientSession) -> None:
        while not self.ending:
            take_in(self._tally, self._ntfy)
            if self.url is None or self.untold >= BACKLOG:
                await asyncio.sleep(0.005)
                continue
            name = f"w{next(self._numbers)}"
            data = body(novel(f"{name}.example", workload=name))
            while not self.ending and not await self._accepted(session, data):
                await asyncio.sleep(0.01)
            if not self.ending:
                self._tally.accepted.add(name)

    async def _accepted(self, session: aiohttp.ClientSession, data: bytes) -> bool:
        if self.url is None:
            return False
        self.under_way += 1
        try:
            async with session.post(f"{self.url}/webhook", data=data) as response:
                assert response.status in (200, 503), response.status
                return response.status == 200
        except (aiohttp.ClientError, OSError):
            return False
        finally:
            self.under_way -= 1


def take_in(tally: Tally, ntfy: FakeNtfy) -> None:
    """Counts the messages that the provider got since."""
    received, ntfy.received = ntfy.received, []
    for message in received:
        found = re.search(r"media/(w\d+) ", message["title"])
        assert found, message["title"]
        tally.told[found[1]] += 1


def plans(kills: int, chance: random.Random) -> Iterator[str]:
    """Every second kill at random, the others at each named step in turn."""
    steps = list(STEPS)
    for number in range(kills):
        yield AT_RANDOM if number % 2 == 0 else steps[number // 2 % len(steps)]


async def run(directory: Path, kills: int, seed: int) -> Tally:
    """Kills `kills` times, then lets the last process finish, and returns the account."""
    chance, tally = random.Random(seed), Tally()
    async with FakeNtfy() as ntfy, asyncio.TaskGroup() as tasks:
        configuration: dict[str, Any] = {
            "channels": {"phone": {"type": "ntfy", "url": ntfy.url, "topic": "egress"}},
        }
        load = Load(tally, ntfy)
        sending = tasks.create_task(load.run())
        for step in plans(kills, chance):
            repeated = tally.repeated
            await _kill(directory, configuration, load, step, chance)
            take_in(tally, ntfy)
            tally.kills[step] += 1
            tally.under_load += load.under_way > 0 or load.untold > 0
            tally.twice[step] += tally.repeated - repeated
        async with tocsin(directory, configuration) as process:
            load.url = process.url
            load.ending = True
            await sending

            def done() -> bool:
                take_in(tally, ntfy)
                return not tally.lost

            await until(done, within=60)
    return tally


async def _kill(directory: Path, configuration: dict[str, Any], load: Load, step: str, chance: random.Random) -> None:
    program: Sequence[str] = ("-m", "tocsin")
    if step != AT_RANDOM:
        program = (CRASHING, step, str(chance.randint(1, LATEST_CALL)))
    async with tocsin(directory, configuration, program=program) as process:
        load.url = process.url
        if step == AT_RANDOM:
            await asyncio.sleep(chance.random() * 0.7)
            process.process.kill()
        await asyncio.wait_for(_gone(process), 60)
        load.url = None


async def _gone(process: Process) -> None:
    code = await process.process.wait()
    assert code == -signal.SIGKILL, f"it ended by itself: {code} {process.log[-3:]}"
