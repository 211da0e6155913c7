"""The store of several replicas: PostgreSQL, a few threads with a connection each.

Steps run side by side in transactions of their own (READ COMMITTED). What that needs, beside the statements that both
engines share, stands in the statements: see Transaction.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Concatenate

import structlog

from tocsin.errors import StoreUnavailable
from tocsin.store import schema
from tocsin.store.database import P, T, Transaction
from tocsin.store.postgres_line import (
    AGAIN,
    CONNECT_WITHIN,
    Connection,
    Line,
    as_unavailable,
    connect,
    lost,
    run,
    run_script,
    unavailable,
    where,
)
from tocsin.store.presence import Presence
from tocsin.threads import settle

log = structlog.get_logger()

LINES = 4
"""Connections, and so steps at a time; one more for the presence."""
STEP_WITHIN = 5.0
"""Seconds from when a step is asked for in which a lost connection is made anew. A webhook is answered within 8 s."""
OPEN_WITHIN = 30.0
"""Seconds that the start waits for a server that is away."""
TRIES = 5
"""Times that a step is run which others were in the way of."""
MIGRATION_LOCK = 7405000
_PAUSES = (0.05, 0.1, 0.2, 0.5)
"""Seconds between attempts to connect; the last one again and again."""


@dataclass(slots=True)
class _Job:
    step: Callable[[Transaction], Any]
    flushed: bool
    until: float
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]

    def settle(self, result: Any, error: BaseException | None) -> None:
        with suppress(RuntimeError):  # the loop is gone: nobody waits for the answer
            self.loop.call_soon_threadsafe(settle, self.future, result, error)


class Postgres:
    """The store of one of several processes. `open` before use, `close` at the end; both block."""

    shared = True

    def __init__(self, url: str) -> None:
        self._url = url
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._presence = Presence(url)
        self._threads = [
            threading.Thread(target=self._work, name=f"tocsin-store-{number}", daemon=True) for number in range(LINES)
        ]
        self._open = False

    def open(self) -> None:
        """Waits OPEN_WITHIN for the server, and migrates. Several processes may do so at once.

        Raises StoreUnavailable with what to do when it cannot be used.
        """
        until, pauses = time.monotonic() + OPEN_WITHIN, iter(_PAUSES)
        while True:
            try:
                migrate(self._url)
                self._presence.open()
                break
            except StoreUnavailable as failure:
                if time.monotonic() >= until or _is_final(failure):
                    raise
                log.warning("store_unavailable", error=str(failure))
                time.sleep(next(pauses, _PAUSES[-1]))
        self._open = True
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Finishes what was submitted, then hangs up."""
        if self._open:
            self._open = False
            for _ in self._threads:
                self._jobs.put(None)
            for thread in self._threads:
                thread.join()
        self._presence.close()

    async def run(self, step: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See Database.run."""
        return await self._submit(lambda tx: step(tx, *args, **kwargs), flushed=True)

    async def run_lightly(
        self, step: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See Database.run_lightly."""
        return await self._submit(lambda tx: step(tx, *args, **kwargs), flushed=False)

    async def _submit(self, step: Callable[[Transaction], T], *, flushed: bool) -> T:
        if not self._open:
            raise StoreUnavailable("the store is closed")
        loop = asyncio.get_running_loop()
        job = _Job(step, flushed, time.monotonic() + STEP_WITHIN, loop, loop.create_future())
        self._jobs.put(job)
        result: T = await job.future
        return result

    def _work(self) -> None:
        line = _Reconnecting(self._url)
        while (job := self._jobs.get()) is not None:
            if job.future.cancelled():  # whoever asked was told that it failed
                continue
            try:
                job.settle(self._run(line, job), None)
            except Exception as failure:  # noqa: BLE001 - belongs to whoever submitted the step
                job.settle(None, self._told(failure))
        line.hang_up()

    def _told(self, failure: Exception) -> Exception:
        found = as_unavailable(failure)
        if isinstance(found, StoreUnavailable):
            log.error("store_unavailable", error=str(found))
        return found

    def _run(self, line: "_Reconnecting", job: _Job) -> Any:
        """Runs a step until it is committed; again, where it is certain that nothing of it was."""
        tries = 0
        while True:
            connection = line.get(job.until)
            try:
                return self._commit(connection, job)
            except AGAIN:
                tries += 1
                if tries == TRIES:
                    raise
            except _CommitUnknown as failure:
                raise StoreUnavailable(str(failure)) from failure
            except Exception:
                if not lost(connection) or time.monotonic() >= job.until:
                    raise

    def _commit(self, connection: Connection, job: _Job) -> Any:
        light = "" if job.flushed else " SET LOCAL synchronous_commit = off;"
        run(connection, f"BEGIN;{light} SET LOCAL tocsin.owner = '{self._presence.owner}'")
        try:
            result = job.step(Line(connection))
        except BaseException:
            if not lost(connection):
                run(connection, "ROLLBACK")
            raise
        try:
            run(connection, "COMMIT")
        except Exception as failure:
            if lost(connection):
                raise _CommitUnknown(f"the store was lost during COMMIT: {failure}") from failure
            raise
        return result


class _CommitUnknown(Exception):
    """The connection was lost after COMMIT was sent: it may have been done."""


class _Reconnecting:
    """The connection of one thread, made anew when it is lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        self._failure: StoreUnavailable | None = None
        self._failed = 0
        self._not_before = 0.0

    def get(self, until: float) -> Connection:
        """A connection that was well when last used. Raises StoreUnavailable when there is none before `until`."""
        while self._connection is None or lost(self._connection):
            self.hang_up()
            now = time.monotonic()
            if self._failure is not None and max(now, self._not_before) + CONNECT_WITHIN > until:
                raise self._failure
            time.sleep(max(self._not_before - now, 0))
            try:
                self._connection = connect(self._url)
                self._failed, self._failure = 0, None
            except StoreUnavailable as failure:
                self._failure = failure
                self._not_before = time.monotonic() + _PAUSES[min(self._failed, len(_PAUSES) - 1)]
                self._failed += 1
        return self._connection

    def hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def migrate(url: str) -> None:
    """Brings the schema to the newest version, one process at a time. Raises StoreUnavailable."""
    with closing(connect(url, statement_within=0)) as connection, unavailable():
        line = Line(connection)
        line.execute(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
        schema.migrate(line, partial(run_script, connection))


@contextmanager
def reading(url: str) -> Iterator[Transaction]:
    """See engine.reading."""
    with closing(connect(url, statement_within=0)) as connection, unavailable():
        run(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        line = Line(connection)
        if not _made(line):
            raise StoreUnavailable(f"there is no store at {where(url)}; is store.url what the service uses?")
        schema.refuse_newer(_version(line))
        yield line


def look(url: str) -> str:
    """Whether a server can be reached and written to, in words; changes nothing. Raises StoreUnavailable."""
    with closing(connect(url)) as connection, unavailable():
        run(connection, "BEGIN")
        line = Line(connection)
        release = line.execute("SHOW server_version").fetchone()[0].split()[0]
        if _made(line):
            state = f"schema {_version(line)}"
            schema.refuse_newer(_version(line))
            line.execute("INSERT INTO channel (name) VALUES (?) ON CONFLICT DO NOTHING", ("check",))
        else:
            state = "empty; serve will make the tables"
            line.execute("CREATE TABLE tocsin_check (id INTEGER)")
        run(connection, "ROLLBACK")
    return f"PostgreSQL {release} at {where(url)}, {state}"


def _made(line: Line) -> bool:
    return bool(line.execute("SELECT to_regclass('schema_version') IS NOT NULL").fetchone()[0])


def _version(line: Line) -> int:
    return line.execute("SELECT COALESCE(MAX(version), 0) FROM schema_version").fetchone()[0]  # type: ignore[no-any-return]


def _is_final(failure: StoreUnavailable) -> bool:
    """Whether waiting does not help: the server answered, and said no."""
    said = getattr(failure.__cause__, "sqlstate", None)
    text = str(failure)
    refused = "password authentication failed" in text or "does not exist" in text
    return "newer tocsin" in text or refused or (said is not None and not said.startswith(("57", "08", "53")))
