"""Backup beside a writer, restore into its place, one process a file, and files that are damaged."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.errors import StoreInUse, StoreUnavailable, TocsinError
from tocsin.store import events
from tocsin.store.backup import back_up, restore, verify
from tocsin.store.database import to_us
from tocsin.store.lock import Lock
from tocsin.store.sqlite import Sqlite, reading

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)


def opened(path: Path) -> Sqlite:
    database = Sqlite(str(path))
    database.open()
    return database


def stored(path: Path) -> list[str]:
    with reading(str(path)) as tx:
        return [row[0] for row in tx.execute("SELECT id FROM event ORDER BY id").fetchall()]


async def put(database: Sqlite, *ids: str) -> None:
    await database.run(events.insert, [(each, to_us(NOW), "x" * 2000, 1) for each in ids])


async def test_a_backup_made_while_the_service_writes_is_whole(tmp_path: Path) -> None:
    database, copy = opened(tmp_path / "tocsin.db"), tmp_path / "copy.db"
    await put(database, "e0")
    async with asyncio.TaskGroup() as tasks:
        writing = [tasks.create_task(put(database, f"w{number:03}")) for number in range(200)]
        size = await asyncio.to_thread(back_up, tmp_path / "tocsin.db", copy)
    database.close()
    assert len(writing) == 200 and size == copy.stat().st_size
    assert "e0" in stored(copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith((".", "copy"))) == ["copy.db"]


async def test_restore_brings_back_what_was_and_keeps_what_is(tmp_path: Path) -> None:
    store, copy = tmp_path / "tocsin.db", tmp_path / "copy.db"
    database = opened(store)
    await put(database, "old")
    back_up(store, copy)
    await put(database, "new")
    with pytest.raises(StoreInUse, match="in use by another tocsin"):
        restore(copy, store, NOW)
    database.close()
    kept = restore(copy, store, NOW)
    assert kept == tmp_path / "tocsin.db.20261122T140000"
    assert stored(store) == ["old"] and stored(kept) == ["new", "old"]
    again = opened(store)
    await put(again, "later")
    again.close()
    assert stored(store) == ["later", "old"]


async def test_what_a_crash_left_in_the_wal_belongs_to_the_old_file(tmp_path: Path) -> None:
    store, copy, crashed = (tmp_path / name for name in ("tocsin.db", "copy.db", "crashed.db"))
    database = opened(store)
    await put(database, "old")
    back_up(store, copy)
    await put(database, "in the wal")
    for suffix in ("", "-wal", "-shm"):  # as a killed process leaves them
        (tmp_path / f"crashed.db{suffix}").write_bytes((tmp_path / f"tocsin.db{suffix}").read_bytes())
    database.close()
    kept = restore(copy, crashed, NOW)
    assert stored(crashed) == ["old"]
    assert kept is not None and stored(kept) == ["in the wal", "old"]


def test_a_restore_to_where_nothing_is(tmp_path: Path) -> None:
    opened(tmp_path / "a.db").close()
    back_up(tmp_path / "a.db", tmp_path / "copy.db")
    assert restore(tmp_path / "copy.db", tmp_path / "b.db", NOW) is None
    assert stored(tmp_path / "b.db") == []


@pytest.mark.parametrize("wrong", ["missing", "text", "other database", "damaged", "newer"])
async def test_a_backup_that_is_none_is_refused_and_nothing_is_touched(tmp_path: Path, wrong: str) -> None:
    store, copy = tmp_path / "tocsin.db", tmp_path / "copy.db"
    database = opened(store)
    await put(database, *(f"e{number:03}" for number in range(50)))
    database.close()
    back_up(store, copy)
    match wrong:
        case "missing":
            copy.unlink()
        case "text":
            copy.write_text("no database, but as long as one " * 64)
        case "other database":
            copy.unlink()
            other = sqlite3.connect(copy)
            other.execute("CREATE TABLE a (b)")
            other.close()
        case "damaged":
            spoil(copy)
        case "newer":
            other = sqlite3.connect(copy)
            with other:
                other.execute("INSERT INTO schema_version VALUES (999)")
            other.close()
    before = stored(store)
    with pytest.raises(TocsinError, match=r"copy\.db"):
        restore(copy, store, NOW)
    assert stored(store) == before


def test_a_backup_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    opened(tmp_path / "a.db").close()
    with pytest.raises(TocsinError, match="cannot write"):
        back_up(tmp_path / "a.db", tmp_path / "nowhere" / "copy.db")
    with pytest.raises(TocsinError, match=r"is store\.path what the service uses"):
        back_up(tmp_path / "none.db", tmp_path / "copy.db")


def test_one_process_owns_a_store(tmp_path: Path) -> None:
    first = opened(tmp_path / "tocsin.db")
    with pytest.raises(StoreInUse, match="in use by another tocsin"):
        Sqlite(str(tmp_path / "tocsin.db")).open()
    first.close()
    opened(tmp_path / "tocsin.db").close()


def test_a_lock_ends_with_the_process_that_held_it(tmp_path: Path) -> None:
    path = str(tmp_path / "tocsin.db")
    child = os.fork()
    if child == 0:
        Lock(path)
        os._exit(0)  # as SIGKILL: nothing is undone
    os.waitpid(child, 0)
    Lock(path).close()


def spoil(path: Path) -> None:
    """Garbage in every page but the first."""
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize("damage", [spoil, truncate])
async def test_a_damaged_file_says_what_to_do_and_never_answers_as_if_it_had_stored(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "tocsin.db"
    database = opened(path)
    await put(database, *(f"e{number:03}" for number in range(50)))
    database.close()
    damage(path)
    broken = Sqlite(str(path))
    with pytest.raises(StoreUnavailable, match="tocsin store restore"):
        broken.open()
        try:
            await put(broken, "after")
        finally:
            broken.close()


async def test_garbage_in_the_wal_is_as_if_it_had_not_been_written(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    database = opened(path)
    await put(database, "e0")
    database.close()
    (tmp_path / "tocsin.db-wal").write_bytes(os.urandom(100_000))
    again = opened(path)
    await put(again, "e1")
    again.close()
    assert stored(path) == ["e0", "e1"]
    verify(path)


async def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    (tmp_path / "tocsin.db").touch()
    database = opened(tmp_path / "tocsin.db")
    await put(database, "e0")
    database.close()
    assert stored(tmp_path / "tocsin.db") == ["e0"]
