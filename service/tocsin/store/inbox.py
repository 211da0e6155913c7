"""The way in: webhooks that arrive while a commit is under way share the next one."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from tocsin.errors import StoreUnavailable
from tocsin.hands import NOBODY, Hands
from tocsin.store import events
from tocsin.store.database import Database, Transaction, from_us
from tocsin.store.events import Arrived, Event

COMMIT_WITHIN = 8.0
"""Seconds. Alertmanager gives a flush at least 10 s; an answer of 503 in time is better than none."""


class _Batch:
    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.followers: list[asyncio.Future[None]] = []
        self.failure: StoreUnavailable | None = None


class Inbox:
    """Whoever comes first after a commit began leads the next batch; the others join it and wait.

    What `hands` are free for is claimed, for `lease`, by the transaction that stores it, and given to them.
    """

    def __init__(self, database: Database, lease: timedelta) -> None:
        self.hands: Hands[Sequence[Event]] = NOBODY
        self._database = database
        self._lease = lease
        self._open: _Batch | None = None
        self._committing = asyncio.Lock()

    async def put(self, arrived: Arrived) -> None:
        """Returns after COMMIT. Raises StoreUnavailable when it did not come about in time."""
        batch = self._open
        if batch is not None:
            batch.arrived.append(arrived)
            settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            batch.followers.append(settled)
            await settled
        else:
            batch = self._open = _Batch()
            batch.arrived.append(arrived)
            await self._lead(batch)
        if batch.failure is not None:
            raise batch.failure

    async def _lead(self, batch: _Batch) -> None:
        batch.failure = StoreUnavailable("the webhook was given up before it was stored")
        try:
            async with asyncio.timeout(COMMIT_WITHIN), self._committing:
                await asyncio.sleep(0)  # what the loop has read at the same time joins
                self._open = None
                free = self.hands.free
                given, rest = batch.arrived[:free], batch.arrived[free:]
                await self._database.run(self._store, given, rest)
            batch.failure = None
            self._hand_over(given, rest)
        except TimeoutError:
            batch.failure = StoreUnavailable(f"the store did not commit within {COMMIT_WITHIN:g} s")
        except StoreUnavailable as failure:
            batch.failure = failure
        finally:
            if self._open is batch:
                self._open = None
            for settled in batch.followers:
                if not settled.done():  # whoever waited may have gone
                    settled.set_result(None)

    def _store(self, tx: Transaction, given: list[Arrived], rest: list[Arrived]) -> None:
        events.insert(tx, given, self._lease)
        events.insert(tx, rest)

    def _hand_over(self, given: list[Arrived], rest: list[Arrived]) -> None:
        for event_id, at, body, _ in given:
            self.hands.give((Event(event_id, from_us(at), body, attempts=1),))
        if rest:
            self.hands.wake()
