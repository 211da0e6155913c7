"""Everything that a SQLite file holds, into an empty PostgreSQL database: for whoever goes on with several replicas."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from tocsin.errors import StoreUnavailable, TocsinError
from tocsin.store import deliveries, events, postgres, sqlite
from tocsin.store.database import Transaction
from tocsin.store.postgres_line import Line, connect, copy_rows, run, unavailable

CHUNK = 1_000
"""Rows read at a time."""


def copy(source: Path, url: str, now: datetime) -> dict[str, int]:
    """Copies every table in one transaction; returns the number of rows by table. What was claimed is due again.

    Raises TocsinError where the source is missing, in use or damaged, or the target is not empty, or cannot be written.
    """
    if not source.exists():
        raise TocsinError(f"there is no store at {source}")
    file = sqlite.Sqlite(str(source))
    file.open()  # brings an old schema to this program's, and keeps a service from starting meanwhile
    try:
        postgres.migrate(url)
        with (
            sqlite.reading(str(source)) as held,
            closing(connect(url, statement_within=0)) as connection,
            unavailable(),
        ):
            line = Line(connection)
            tables = _tables(held)
            run(connection, f"BEGIN; LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE")
            _refuse_what_is_not_empty(line, tables)
            for table in tables:
                columns = [row[0] for row in held.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()]
                copy_rows(connection, table, columns, _rows(held, table, columns))
            counts = {table: _count(held, table) for table in tables}
            for table, number in counts.items():
                if (there := _count(line, table)) != number:
                    raise StoreUnavailable(f"{number} rows of {table} became {there}; nothing was copied")
            events.release(line, now)
            deliveries.release(line, now)
            run(connection, "COMMIT")
    finally:
        file.close()
    return counts


def _tables(held: Transaction) -> list[str]:
    """All of them, so that a new one cannot be forgotten."""
    rows = held.execute(
        "SELECT name FROM pragma_table_list WHERE schema = ? AND name NOT LIKE 'sqlite_%' AND name <> 'schema_version'"
        " ORDER BY name",
        ("main",),
    ).fetchall()
    return [row[0] for row in rows]


def _rows(held: Transaction, table: str, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    """Older files may hold a character that PostgreSQL's text does not."""
    last = 0
    while rows := held.execute(
        f"SELECT rowid, {', '.join(columns)} FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?", (last, CHUNK)
    ).fetchall():
        for row in rows:
            yield tuple(value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in row[1:])
        last = rows[-1][0]


def _refuse_what_is_not_empty(line: Line, tables: list[str]) -> None:
    for table in tables:
        if line.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0]:
            raise TocsinError(f"the PostgreSQL store already holds something (table {table}); nothing was copied")


def _count(tx: Transaction, table: str) -> int:
    number: int = tx.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
    return number
