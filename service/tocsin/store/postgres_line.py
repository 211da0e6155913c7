"""The door to PostgreSQL: connections, statements as both engines understand them, and what a failure means."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import errors

from tocsin.errors import StoreUnavailable

CONNECT_WITHIN = 2
"""Seconds. libpq takes no less."""
STATEMENT_WITHIN = 5
"""Seconds that one statement may take, waiting for locks included: a webhook is answered within 8 s."""
_ONLY_HERE = re.compile(r"/\*postgresql (.*?)\*/", re.DOTALL)

Connection = psycopg.Connection[tuple[Any, ...]]

AGAIN = (errors.DeadlockDetected, errors.SerializationFailure)
"""Nothing was committed, and the same step may succeed at once."""


def connect(url: str, *, statement_within: int = STATEMENT_WITHIN) -> Connection:
    """A connection in which every statement commits by itself until BEGIN. Raises StoreUnavailable.

    A peer that vanished is noticed within seconds. A server that is set not to flush commits flushes those of tocsin.
    """
    try:
        connection: Connection = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=CONNECT_WITHIN,
            application_name="tocsin",
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=2,
            tcp_user_timeout=STATEMENT_WITHIN * 1000,
        )
    except psycopg.Error as failure:
        raise _unavailable(failure, "cannot reach the store") from failure
    try:
        connection.execute(
            "SELECT set_config('statement_timeout', %s, false),"
            " set_config('idle_in_transaction_session_timeout', %s, false),"
            " set_config('synchronous_commit', replace(current_setting('synchronous_commit'), %s, %s), false)",
            (f"{statement_within}s", f"{10 * STATEMENT_WITHIN}s", "off", "on"),
        )
    except psycopg.Error as failure:
        connection.close()
        raise _unavailable(failure, "cannot reach the store") from failure
    return connection


def where(url: str) -> str:
    """Host and database of an URL, without what is secret."""
    parts = psycopg.conninfo.conninfo_to_dict(url)
    return "/".join(str(parts.get(each, "")) for each in ("host", "dbname"))


def run(connection: Connection, statements: str) -> None:
    """Several statements without parameters, in one round trip."""
    connection.execute(statements, prepare=False)


def run_script(connection: Connection, statements: str) -> None:
    """Several statements in one transaction."""
    run(connection, f"BEGIN;\n{statements}\nCOMMIT;")


def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Many rows into a table, in the way that is meant for it."""
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


class Line:
    """A Transaction of a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        """See Transaction."""
        # Without parameters nothing is formatted, and a percent sign is one.
        return self._connection.execute(*((native(sql), parameters) if parameters else (_live(sql),)))

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> Any:
        """See Transaction."""
        cursor = self._connection.cursor()
        if parameters:
            cursor.executemany(native(sql), parameters)
        return cursor


@lru_cache(maxsize=512)
def native(sql: str) -> str:
    """A shared statement as psycopg takes it. A question mark is always a parameter: no statement has one in a text."""
    return _live(sql).replace("%", "%%").replace("?", "%s")


@lru_cache(maxsize=512)
def _live(sql: str) -> str:
    return _ONLY_HERE.sub(r"\1", sql)


def lost(connection: Connection) -> bool:
    """Whether the connection is of no use any more."""
    return connection.closed or connection.broken


@contextmanager
def unavailable() -> Iterator[None]:
    """Raises StoreUnavailable for what the server, or the way to it, is to blame for."""
    try:
        yield
    except psycopg.Error as failure:
        found = as_unavailable(failure)
        if found is failure:
            raise
        raise found from failure


def as_unavailable(failure: Exception) -> Exception:
    """A failure of the server, or of the way to it, as StoreUnavailable; any other as it is."""
    mistake = isinstance(failure, psycopg.ProgrammingError | psycopg.IntegrityError | psycopg.DataError)
    missing = isinstance(failure, errors.InsufficientPrivilege | errors.UndefinedTable | errors.UndefinedColumn)
    if not isinstance(failure, psycopg.Error) or (mistake and not missing):
        return failure
    return _unavailable(failure, "the store cannot write")


def _unavailable(failure: psycopg.Error, what: str) -> StoreUnavailable:
    """psycopg names host, port, user and database, never the password."""
    lines = str(failure).strip().splitlines() or [type(failure).__name__]
    return StoreUnavailable(f"{what}: {lines[0]}")
