"""What a statement runs in, and how instants and identities are written; shared by every engine."""

import itertools
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

SKIP_LOCKED = "/*postgresql FOR UPDATE SKIP LOCKED*/"
"""Ends a sub-select of rows to claim: without it two processes that wait for one another take the same row."""
OWNER_COLUMN = "/*postgresql , owner*/"
OWNER_VALUE = "/*postgresql , CAST(current_setting('tocsin.owner') AS INTEGER)*/"
OWNER = "/*postgresql , owner = CAST(current_setting('tocsin.owner') AS INTEGER)*/"
"""Ends the assignments of a claim: whose it is. The other two are its halves for a row that is stored as claimed."""

_IN_ORDER = itertools.count()
_PROCESS = secrets.token_hex(4)[:7]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Rows(Protocol):
    """The answer to one statement."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class Transaction(Protocol):
    """An open transaction. Statements use `?` for parameters and the SQL that SQLite and PostgreSQL share.

    What only PostgreSQL needs, because several processes write to it, stands in `/*postgresql ...*/`, for SQLite a
    comment.
    """

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows: ...
    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> Rows: ...


class Database(Protocol):
    """Runs one step in one transaction and returns its result after COMMIT.

    `shared` says that other processes work on the same rows, and that what one of them had claimed comes back by itself
    when it is gone. Where steps run side by side a step may be run again before anything of it was committed.
    """

    @property
    def shared(self) -> bool: ...

    async def run(self, step: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Raises StoreUnavailable when nothing was committed; any exception of `step` itself passes through."""
        ...

    async def run_lightly(
        self, step: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Like `run`, but the commit may skip the flush: for steps that a power cut may undo without harm.

        What it undoes is done again (a claim, an explanation) or told again (a delivery); a later `run` flushes it.
        """
        ...


def to_us(instant: datetime) -> int:
    """Microseconds since 1970 in UTC."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def from_us(value: int) -> datetime:
    """The aware UTC instant of so many microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=value)


def new_id(now: datetime) -> str:
    """24 hex digits that sort by time, within a process by order; the last 7 tell processes apart.

    One webhook may need more than 65,536 of them in one millisecond.
    """
    return f"{to_us(now) // 1000:012x}{next(_IN_ORDER) % (1 << 20):05x}{_PROCESS}"


class Store(Database, Protocol):
    """A database with a beginning and an end; both block."""

    def open(self) -> None:
        """Connects and migrates. Raises StoreUnavailable with what to do when it cannot be used."""
        ...

    def close(self) -> None:
        """Finishes what was submitted."""
        ...
