"""`tocsin store copy`: everything that a real SQLite file holds is in a real PostgreSQL afterwards, or nothing is."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from kit import command
from real_postgres import Server
from tocsin.errors import StoreInUse, StoreUnavailable, TocsinError
from tocsin.model import AlertStatus, Message
from tocsin.store import deliveries, events, incidents, transfer
from tocsin.store.database import Transaction, to_us
from tocsin.store.incidents import AlertRow, IncidentRow
from tocsin.store.postgres import Postgres
from tocsin.store.sqlite import Sqlite

pytestmark = pytest.mark.e2e

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
LEASE = timedelta(minutes=2)
TABLES = ("event", "incident", "alert", "notice", "delivery", "channel", "dispatch")


def fill(tx: Transaction) -> None:
    """Something in every table, texts with whatever a text may hold, a claim in each queue."""
    events.insert(tx, [(f"e{number}", to_us(NOW), '{"a": "100 %s"}', 1) for number in range(2_500)])
    events.claim(tx, NOW, LEASE)
    for number in range(3):
        incidents.record(
            tx,
            IncidentRow(
                id=f"i{number}", version=0, heard=1, key=("", "novel", f"n{number}"), cluster="", kind="novel",
                namespace="media", workload=f"w{number}", domain="paste-drop.example", title="a\ttab, \\, a\nline, ü",
                posture=None, verdict=None, alerts=(AlertRow(f"f{number}", AlertStatus.FIRING, NOW, "pod"),),
            ),
            NOW,
        )  # fmt: skip
        deliveries.tell(tx, f"n{number}", f"i{number}", "first", "unexplained", "{}", NOW)
        deliveries.insert(tx, f"d{number}", f"n{number}", f"i{number}", Message("phone", "title", {"text": "\\N"}), NOW)
    assert deliveries.claim(tx, "phone", NOW, LEASE) is not None
    tx.execute("INSERT INTO channel (name, reason) VALUES ('phone', 'a' || CAST(x'00' AS TEXT) || 'b')")
    tx.execute("INSERT INTO dispatch VALUES ('d9', 'phone', 1)")


@pytest.fixture
async def source(tmp_path: Path) -> Path:
    path = tmp_path / "tocsin.db"
    store = Sqlite(str(path))
    store.open()
    await store.run(fill)
    store.close()
    return path


def rows(connection: Any, table: str) -> list[tuple[Any, ...]]:
    columns = [row[1] for row in sqlite_columns(table)]
    return [
        tuple(row) for row in connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1, 2").fetchall()
    ]


def sqlite_columns(table: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for script in sorted((Path(transfer.__file__).parent / "migrations").glob("*.sql")):
            connection.executescript(script.read_text(encoding="utf-8"))
        return connection.execute(f"PRAGMA table_info({table})").fetchall()


async def test_every_row_arrives_and_what_was_claimed_is_due(source: Path, postgres_url: str) -> None:
    counts = transfer.copy(source, postgres_url, NOW + LEASE)
    assert counts == {
        "event": 2_500,
        "incident": 3,
        "alert": 3,
        "notice": 3,
        "delivery": 3,
        "channel": 1,
        "dispatch": 1,
    }
    with closing(sqlite3.connect(source)) as before, psycopg.connect(postgres_url) as after:
        for queue in ("event", "delivery"):
            assert before.execute(f"SELECT COUNT(*) FROM {queue} WHERE state = 'claimed'").fetchone()[0] > 0
            before.execute(f"UPDATE {queue} SET state = 'due', due_at = {to_us(NOW + LEASE)} WHERE state = 'claimed'")
        assert rows(after, "channel")[0][2] == "a\ufffdb"
        before.execute("UPDATE channel SET reason = 'a\ufffdb'")
        for table in TABLES:
            assert rows(after, table) == rows(before, table), table
    database = Postgres(postgres_url)
    database.open()
    assert await database.run_lightly(deliveries.claim, "phone", NOW + LEASE, LEASE) is not None
    database.close()


def test_a_target_that_holds_something_is_refused_and_stays_as_it_is(source: Path, postgres_url: str) -> None:
    transfer.copy(source, postgres_url, NOW)
    with pytest.raises(TocsinError, match="already holds something"):
        transfer.copy(source, postgres_url, NOW)
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT COUNT(*) FROM event").fetchone() == (2_500,)


def test_a_row_that_cannot_be_copied_leaves_nothing(source: Path, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("ALTER TABLE notice ADD CHECK (id <> 'n2')")
    with pytest.raises(psycopg.errors.CheckViolation):
        transfer.copy(source, postgres_url, NOW)
    with psycopg.connect(postgres_url) as connection:
        for table in TABLES:
            assert connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (0,), table


def test_a_file_that_a_service_uses_or_that_is_not_there_is_refused(source: Path, postgres_url: str) -> None:
    service = Sqlite(str(source))
    service.open()
    with pytest.raises(StoreInUse):
        transfer.copy(source, postgres_url, NOW)
    service.close()
    with pytest.raises(TocsinError, match="there is no store"):
        transfer.copy(source.with_name("nothing.db"), postgres_url, NOW)


async def test_the_commands(source: Path, tmp_path: Path, postgres_server: Server) -> None:
    with postgres_server.database(empty=True) as url:
        (tmp_path / "url").write_text(f"{url}\n")
        store = {"path": str(source), "url_file": str(tmp_path / "url")}
        (tmp_path / "tocsin.yaml").write_text(yaml.safe_dump({"store": store}))
        for words, code, said in (
            (("check",), 0, "empty; serve will make the tables"),
            (("store", "copy"), 0, "event      2500 rows"),
            (("store", "copy"), 1, "already holds something"),
            (("check",), 0, "store: PostgreSQL"),
            (("incidents",), 0, "a tab, \\, a line"),
            (("shadow", "report"), 0, "2500"),
            (("store", "backup", "b.db"), 1, "with its own tools"),
        ):
            done = await command(*words, "--config", "tocsin.yaml", directory=tmp_path)
            assert done.code == code and said in done.out + done.err, (words, done)
            assert "hush" not in done.out + done.err
    (tmp_path / "tocsin.yaml").write_text(yaml.safe_dump({"store": {"path": str(source)}}))
    done = await command("store", "copy", "--config", "tocsin.yaml", directory=tmp_path)
    assert done.code == 2 and "store.url" in done.err


def test_a_target_that_is_away_is_said_to_be(source: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot reach the store"):
        transfer.copy(source, "postgresql://tocsin:hush@127.0.0.1:9/t", NOW)
