"""A copy of the store, also beside a running service, and back again."""

import contextlib
import os
import sqlite3
from datetime import datetime
from pathlib import Path

from tocsin.errors import TocsinError
from tocsin.store.lock import Lock
from tocsin.store.schema import newest


def back_up(source: Path, target: Path) -> int:
    """Copies the store, also while a service writes to it; returns the bytes written.

    The copy is whole or not there: it is written beside `target`, checked, flushed and renamed, and only its owner may
    read it. Raises TocsinError with what went wrong.
    """
    if not source.exists():
        raise TocsinError(f"there is no store at {source}; is store.path what the service uses?")
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with (
            contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as live,
            contextlib.closing(sqlite3.connect(partial)) as copy,
        ):
            live.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without -wal beside it
        verify(partial)
        _flush(partial)
        partial.replace(target)
        _flush(target.absolute().parent)
    except sqlite3.Error as failure:
        raise TocsinError(f"cannot copy {source} to {target}: {failure}") from failure
    except OSError as failure:
        raise TocsinError(f"cannot write {target}: {failure.strerror}") from failure
    finally:
        partial.unlink(missing_ok=True)
    return target.stat().st_size


def restore(backup: Path, store: Path, now: datetime) -> Path | None:
    """Puts a backup in the store's place; returns where the file that was there is kept, None where there was none.

    Raises StoreUnavailable while a service runs, TocsinError for a backup that is damaged or of a newer tocsin.
    """
    if not backup.exists():
        raise TocsinError(f"there is no backup at {backup}")
    verify(backup)
    with contextlib.closing(Lock(str(store))):
        kept = store.with_name(f"{store.name}.{now:%Y%m%dT%H%M%S}") if store.exists() else None
        partial = store.with_name(f".{store.name}.partial")
        try:
            partial.write_bytes(backup.read_bytes())
            partial.chmod(0o600)
            _flush(partial)
            for suffix in ("", "-wal", "-shm"):  # what is beside the old file belongs to it, and to no other
                beside = store.with_name(store.name + suffix)
                if kept is not None and beside.exists():
                    beside.replace(kept.with_name(kept.name + suffix))
                beside.unlink(missing_ok=True)
            partial.replace(store)
            _flush(store.absolute().parent)
        except OSError as failure:
            raise TocsinError(f"cannot write {store}: {failure.strerror}") from failure
        finally:
            partial.unlink(missing_ok=True)
    return kept


def verify(path: Path) -> None:
    """Reads a whole store file that nobody writes to. Raises TocsinError where it is damaged, no store, or too new."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            wrong = [row[0] for row in connection.execute("PRAGMA integrity_check(3)").fetchall() if row[0] != "ok"]
            version = connection.execute("SELECT MAX(version) FROM schema_version").fetchone()[0]
    except sqlite3.Error as failure:
        raise TocsinError(f"{path} is no store of tocsin, or damaged: {failure}") from failure
    if wrong:
        raise TocsinError(f"{path} is damaged: {wrong[0].splitlines()[0]}")
    known = newest()
    if version is None or version > known:
        raise TocsinError(f"{path} has schema {version}, this tocsin knows {known}: run the newer tocsin")


def _flush(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
