"""The embedded store: SQLite in WAL mode with one writer thread and group commit.

One connection lives in one thread. While a commit waits for the disk, steps that arrive in the meantime queue up
and share the next commit, so that a hundred concurrent webhooks cost a few flushes and a single one waits for
nobody. https://sqlite.org/wal.html: with `synchronous=FULL` a commit is flushed before it returns.
"""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Concatenate

import structlog

from tocsin.errors import StoreUnavailable
from tocsin.store.database import P, T, Transaction
from tocsin.store.lock import Lock
from tocsin.store.schema import migrate
from tocsin.threads import settle

log = structlog.get_logger()

MAX_BATCH = 500
"""Steps that share one commit, at most: bounds what has to be run again when one of them fails."""


@dataclass(slots=True)
class _Job:
    step: Callable[[Transaction], Any]
    flushed: bool
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Sqlite:
    """The store of one process. `open` before use, `close` at the end; both block."""

    shared = False

    def __init__(self, path: str) -> None:
        self._path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="tocsin-store", daemon=True)
        self._connection: sqlite3.Connection | None = None
        self._lock: Lock | None = None
        self._flushing: bool | None = None

    def open(self) -> None:
        """Opens and migrates the file.

        Raises StoreUnavailable with what to do when it cannot be used.
        """
        try:
            if self._path != ":memory:":
                Path(self._path).parent.mkdir(parents=True, exist_ok=True)
                self._lock = Lock(self._path)
            self._connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=5.0, cached_statements=256
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA journal_size_limit = 67108864")
            migrate(self._connection, partial(_in_one_transaction, self._connection))
        except (sqlite3.Error, OSError, StoreUnavailable) as failure:
            self._let_go()
            if isinstance(failure, StoreUnavailable):
                raise
            why = failure.strerror if isinstance(failure, OSError) else f"{failure}{_remedy(failure)}"
            raise StoreUnavailable(f"cannot open the store {os.fspath(self._path)}: {why}") from failure
        self._thread.start()

    def close(self) -> None:
        """Finishes what was submitted, then closes the file."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()
        self._let_go()

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def run(self, step: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See Database.run."""
        return await self._submit(_bind(step, args, kwargs), flushed=True)

    async def run_lightly(
        self, step: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See Database.run_lightly."""
        return await self._submit(_bind(step, args, kwargs), flushed=False)

    async def _submit(self, step: Callable[[Transaction], T], *, flushed: bool) -> T:
        if not self._thread.is_alive():
            raise StoreUnavailable("the store is closed")
        loop = asyncio.get_running_loop()
        job = _Job(step, flushed, loop, loop.create_future())
        self._jobs.put(job)
        result: T = await job.future
        return result

    def _work(self) -> None:
        ending = False
        while not ending:
            batch: list[_Job] = []
            job = self._jobs.get()
            with contextlib.suppress(queue.Empty):
                while job is not None:
                    batch.append(job)
                    if len(batch) == MAX_BATCH:
                        break
                    job = self._jobs.get_nowait()
            ending = job is None
            if batch:
                self._run_batch(batch)

    def _run_batch(self, batch: list[_Job]) -> None:
        try:
            self._commit(batch)
        except Exception as failure:  # noqa: BLE001 - belongs to whoever submitted the step
            if len(batch) > 1:  # one step failed: each gets its own transaction, so that only the culprit fails
                for job in batch:
                    self._run_batch([job])
                return
            batch[0].error = _as_unavailable(failure)
        loops: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
        for job in batch:
            loops.setdefault(job.loop, []).append(job)
        for loop, jobs in loops.items():
            with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits for the answer
                loop.call_soon_threadsafe(_settle, jobs)

    def _commit(self, batch: list[_Job]) -> None:
        connection = self._connection
        if connection is None:
            raise StoreUnavailable("the store is closed")
        flush = any(job.flushed for job in batch)
        if flush is not self._flushing:  # cannot change inside a transaction
            connection.execute(f"PRAGMA synchronous = {'FULL' if flush else 'NORMAL'}")
            self._flushing = flush
        connection.execute("BEGIN IMMEDIATE")
        try:
            for job in batch:
                job.result = job.step(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _bind(step: Callable[..., T], args: Any, kwargs: Any) -> Callable[[Transaction], T]:
    return lambda transaction: step(transaction, *args, **kwargs)


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        settle(job.future, job.result, job.error)


def _as_unavailable(failure: Exception) -> Exception:
    if isinstance(failure, sqlite3.OperationalError | sqlite3.DatabaseError) and not isinstance(
        failure, sqlite3.IntegrityError | sqlite3.ProgrammingError
    ):
        said = f"{failure}{_remedy(failure)}"
        log.error("store_unavailable", error=said)
        return StoreUnavailable(f"the store cannot write: {said}")
    return failure


def _remedy(failure: Exception) -> str:
    """What to do about a file that is damaged."""
    damaged = getattr(failure, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return (
        ". Stop tocsin and put a backup in its place (tocsin store restore), or move the file away" if damaged else ""
    )


@contextlib.contextmanager
def reading(path: str) -> Iterator[Transaction]:
    """A transaction that only reads, beside a running service.

    Raises StoreUnavailable where there is no store, or it cannot be read; also for what fails inside the block.
    """
    if not Path(path).exists():
        raise StoreUnavailable(f"there is no store at {path}; is store.path what the service uses?")
    try:
        # Read-only: a second connection that never writes nor checkpoints is safe beside the service.
        uri = f"{Path(path).absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT version FROM schema_version").fetchall()
            yield connection
    except sqlite3.Error as failure:
        raise StoreUnavailable(f"cannot read the store {path}: {failure}") from failure


def _in_one_transaction(connection: sqlite3.Connection, statements: str) -> None:
    connection.executescript(f"BEGIN IMMEDIATE;\n{statements}\nCOMMIT;")
