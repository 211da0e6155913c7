"""tocsin without its server, for the whole story in process: payload in, messages out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from kit import START, body
from tocsin import apps_file
from tocsin.findings import Findings, Inquiry
from tocsin.model import Message
from tocsin.outlet import Outlet
from tocsin.render import console
from tocsin.settings import Settings
from tocsin.store import deliveries, engine, events
from tocsin.store.database import Transaction
from tocsin.store.settings import StoreSettings
from tocsin.wiring import Sources, build_pipeline

NOW = START + timedelta(minutes=11)


@dataclass
class Phone:
    """A channel that remembers what it was sent, and fails when told to."""

    name: str = "phone"
    sent: list[Message] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    async def send(self, message: Message, delivery_id: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(message)

    @property
    def outlet(self) -> Outlet:
        render = partial(console.report, channel=self.name)
        plain, together = (partial(form, channel=self.name) for form in (console.plain, console.together))
        return Outlet(self.name, render, plain, together, self.send)

    @property
    def texts(self) -> list[str]:
        return [str(message.body["text"]) for message in self.sent]


@dataclass
class Source:
    """An enricher whose answers the test chooses."""

    source: str = "Prometheus"
    missing: tuple[str, ...] = ("first-seen",)
    asks: bool = True
    asked: list[Inquiry] = field(default_factory=list)
    answer: Findings | Exception = field(default_factory=Findings)

    def applies(self, inquiry: Inquiry) -> bool:
        return True

    async def look(self, inquiry: Inquiry) -> Findings:
        self.asked.append(inquiry)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class House:
    """tocsin without its server: a store on disk that survives `crash`, and the steps in between.

    The store is the file `path`, or the PostgreSQL database at a URL.
    """

    def __init__(self, path: Path | str, phones: Sequence[Phone], source: Source, **changes: object) -> None:
        self.path, self.phones, self.source = path, phones, source
        self.settings = Settings(**changes)  # type: ignore[arg-type]
        self.open()

    def open(self) -> None:
        where = {"path": str(self.path)} if isinstance(self.path, Path) else {"url": self.path}
        self.store = engine.build(StoreSettings.model_validate(where))
        self.store.open()
        self.pipeline = build_pipeline(
            self.settings, apps_file.load(), self.store, Sources(None, None), [p.outlet for p in self.phones]
        )
        self.pipeline.explainer.enrichers = [self.source]

    async def crash(self) -> None:
        """The process is gone and a new one starts: what was claimed is released, memory is the file."""
        self.store.close()
        self.open()
        await self.store.run(_release)

    async def restart(self, **changes: object) -> None:
        """The process ends and starts with other settings."""
        self.settings = Settings(**changes)  # type: ignore[arg-type]
        await self.crash()

    async def settle(self, now: datetime = NOW) -> None:
        """Runs every due step."""
        while await self.pipeline.advance(now):
            pass
        for phone in self.phones:
            while await self.pipeline.teller.deliver(phone.name, now):
                pass

    async def hear(self, *alerts: dict[str, object], now: datetime = NOW, **changes: object) -> None:
        """Receives one webhook and runs every due step."""
        await self.pipeline.receive(body(*alerts, **changes), now)
        await self.settle(now)


def _release(tx: Transaction) -> None:
    """At once, where replicas look for the dead for some seconds."""
    for table, release in (("event", events.release), ("delivery", deliveries.release)):
        owners = [row[0] for row in tx.execute(f"SELECT DISTINCT owner FROM {table}").fetchall()]
        release(tx, NOW, owners or [0])


@pytest.fixture
def phone() -> Phone:
    """A channel."""
    return Phone()


@pytest.fixture
def source() -> Source:
    """An enricher."""
    return Source()
