"""Which processes share a PostgreSQL store: each holds a lock while it lives, and gives back what the dead had claimed.

A lock of a session ends with its connection, so also with a process that is killed. Whoever is there looks for claims
whose lock is gone. A process whose connection broke takes its lock again, under its own number if nobody holds that.
"""

import secrets
import threading
import time
from datetime import UTC, datetime

import structlog

from tocsin.errors import StoreUnavailable
from tocsin.store import deliveries, events
from tocsin.store.postgres_line import Connection, Line, connect, run, unavailable

log = structlog.get_logger()

OWNERS = 7405001
"""First number of the advisory locks of processes; the second is the owner."""
LOOK_EVERY = 1.0
"""Seconds between two looks for the dead."""
GONE_AFTER = 4.0
"""Seconds without its lock after which an owner counts as dead: one that reconnects has it again long before."""

_CLAIMED = " UNION ".join(
    f"SELECT owner FROM {table} WHERE state IN ('due', 'claimed') AND state = 'claimed'"
    for table in ("event", "delivery")
)
_ABSENT = (
    f"SELECT owner FROM ({_CLAIMED}) AS claimed WHERE owner NOT IN ("
    f" SELECT CAST(objid AS BIGINT) FROM pg_locks WHERE locktype = ? AND classid = {OWNERS} AND objsubid = 2"
    "  AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)


class Presence:
    """A thread with a connection of its own."""

    def __init__(self, url: str) -> None:
        self.owner = _number()
        self._url = url
        self._connection: Connection | None = None
        self._absent: dict[int, float] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="tocsin-presence", daemon=True)

    def open(self) -> None:
        """Takes the lock. Raises StoreUnavailable."""
        self._take_lock()
        self._thread.start()

    def close(self) -> None:
        """Gives the lock back."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._hang_up()

    def _work(self) -> None:
        while not self._ending.wait(LOOK_EVERY):
            try:
                if self._connection is None:
                    self._take_lock()
                if self._connection is not None:
                    self._look(self._connection, time.monotonic())
            except Exception as failure:
                self._hang_up()  # and take the lock again: a transaction may be left half done
                log.warning("presence_lost", error=str(failure), exc_info=not isinstance(failure, StoreUnavailable))

    def _take_lock(self) -> None:
        self._connection = connect(self._url)
        with unavailable():
            while not _locked(self._connection, self.owner):
                self.owner = _number()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _look(self, connection: Connection, now: float) -> None:
        with unavailable():
            absent = {row[0] for row in Line(connection).execute(_ABSENT, ("advisory",)).fetchall()}
            self._absent = {owner: self._absent.get(owner, now) for owner in absent}
            dead = [owner for owner, since in self._absent.items() if now - since >= GONE_AFTER]
            if dead:
                _give_back(connection, dead)


def _give_back(connection: Connection, dead: list[int]) -> None:
    line, now = Line(connection), datetime.now(UTC)
    run(connection, "BEGIN")
    rows = events.release(line, now, dead) + deliveries.release(line, now, dead)
    run(connection, "COMMIT")
    if rows:
        log.info("released", rows=rows, owners=len(dead))


def _locked(connection: Connection, owner: int) -> bool:
    return bool(Line(connection).execute(f"SELECT pg_try_advisory_lock({OWNERS}, {owner})").fetchone()[0])


def _number() -> int:
    return secrets.randbelow(2**31 - 1) + 1
