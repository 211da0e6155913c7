"""The store on a real file and on a real PostgreSQL: commits, claims, conflicts, and what is left after a crash."""

import asyncio
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.decide import DecideSettings
from tocsin.errors import StoreUnavailable
from tocsin.model import AlertStatus, Message, Verdict
from tocsin.store import channels, deliveries, events, incidents
from tocsin.store.database import Store, Transaction, from_us, new_id, to_us
from tocsin.store.incidents import AlertRow, IncidentRow, Overtaken
from tocsin.store.postgres import Postgres
from tocsin.store.sqlite import Sqlite

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
LEASE = timedelta(minutes=2)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Sqlite]:
    database = Sqlite(str(tmp_path / "sub" / "tocsin.db"))
    database.open()
    yield database
    database.close()


@pytest.fixture
def server(postgres_url: str) -> Iterator[Postgres]:
    database = Postgres(postgres_url)
    database.open()
    yield database
    database.close()


@pytest.fixture(params=["file", pytest.param("server", marks=pytest.mark.e2e)])
def store(request: pytest.FixtureRequest) -> Store:
    """Every promise of the store holds for both engines."""
    database: Store = request.getfixturevalue(request.param)
    return database


def row(version: int = 0, *, incident_id: str = "i1", status: AlertStatus = AlertStatus.FIRING) -> IncidentRow:
    return IncidentRow(
        id=incident_id, version=version, key=("", "novel", "media", "recyclarr", "paste-drop.example"), cluster="",
        kind="novel", namespace="media", workload="recyclarr", domain="paste-drop.example", title="media/recyclarr",
        posture="bounded", verdict="unexplained", alerts=(AlertRow("f1", status, NOW, "pod-1"),),
    )  # fmt: skip


def send(tx: Transaction, channel: str = "phone", *, delivery_id: str = "d1", report: str = "{}") -> None:
    deliveries.tell(tx, f"n{delivery_id}", "i1", "first", "unexplained", report, NOW)
    deliveries.insert(tx, delivery_id, f"n{delivery_id}", "i1", Message(channel, "title", {"message": "é"}), NOW)


def test_instants_survive_and_identities_sort_by_time() -> None:
    assert from_us(to_us(NOW)) == NOW
    assert new_id(NOW) < new_id(NOW + timedelta(milliseconds=1))


async def test_an_event_is_claimed_once_and_comes_back_when_its_lease_ends(store: Store) -> None:
    await store.run(events.insert, [("e1", to_us(NOW), "{}", 1)])
    (claimed,) = await store.run_lightly(events.claim, NOW, LEASE)
    assert claimed.attempts == 1
    assert await store.run_lightly(events.claim, NOW, LEASE) == []
    (again,) = await store.run_lightly(events.claim, NOW + LEASE, LEASE)
    assert again.attempts == 2
    await store.run(events.finish, ["e1"])
    assert await store.run_lightly(events.claim, NOW + 9 * LEASE, LEASE) == []


async def test_a_batch_is_bounded_in_webhooks_and_in_alerts(store: Store) -> None:
    few, many = events.BATCH_ALERTS // 2, events.BATCH_ALERTS * 2
    arrived = [(f"e{at}", to_us(NOW) + at, "{}", alerts) for at, alerts in enumerate((few, few, 1, many, 1))]
    await store.run(events.insert, arrived)
    later = NOW + timedelta(seconds=1)
    batches = [[event.id for event in await store.run_lightly(events.claim, later, LEASE)] for _ in range(3)]
    assert batches == [["e0", "e1"], ["e2", "e3"], ["e4"]]
    single = [(f"f{at:04}", to_us(NOW), "{}", 1) for at in range(events.BATCH_EVENTS + 1)]
    await store.run(events.insert, single)
    assert len(await store.run_lightly(events.claim, later, LEASE)) == events.BATCH_EVENTS


async def test_release_gives_back_what_a_dead_process_had_claimed(file: Sqlite) -> None:
    await file.run(events.insert, [("e1", to_us(NOW), "{}", 1)])
    await file.run_lightly(events.claim, NOW, LEASE)
    assert await file.run(events.release, NOW) == 1
    assert await file.run_lightly(events.claim, NOW, LEASE)


async def test_two_events_cannot_both_write_an_incident_on_old_memory(store: Store) -> None:
    await store.run(incidents.record, row(), NOW)
    with pytest.raises(Overtaken):
        await store.run(incidents.record, row(incident_id="i2"), NOW)
    await store.run(incidents.record, row(1), NOW)
    with pytest.raises(Overtaken):
        await store.run(incidents.record, row(1), NOW)


async def test_memory_is_written_by_delivery_only(store: Store) -> None:
    key = row().key
    await store.run(incidents.record, row(), NOW)
    await store.run(send)
    before = (await store.run(incidents.recall, [key]))[key]
    assert (before.told_verdict, before.pending_verdict) == (None, Verdict.UNEXPLAINED)
    delivery = await store.run_lightly(deliveries.claim, "phone", NOW, LEASE)
    assert delivery is not None and delivery.message.body == {"message": "é"}
    await store.run(deliveries.settle_sent, delivery, NOW)
    after = (await store.run(incidents.recall, [key]))[key]
    assert (after.told_at, after.told_verdict, after.pending_verdict) == (NOW, Verdict.UNEXPLAINED, None)


async def test_a_dead_message_leaves_no_memory(store: Store) -> None:
    await store.run(incidents.record, row(), NOW)
    await store.run(send)
    delivery = await store.run_lightly(deliveries.claim, "phone", NOW, LEASE)
    assert delivery is not None
    await store.run(deliveries.settle_dead, delivery, "403", NOW)
    memory = (await store.run(incidents.recall, [row().key]))[row().key]
    assert memory.known_verdict is None
    assert [entry[:3] for entry in await store.run(deliveries.backlog)] == [("phone", "dead", 1)]


async def test_trouble_about_a_channel_is_no_memory_of_the_incident(store: Store) -> None:
    await store.run(incidents.record, row(), NOW)
    await store.run(send, report="")
    delivery = await store.run_lightly(deliveries.claim, "phone", NOW, LEASE)
    assert delivery is not None
    await store.run(deliveries.settle_sent, delivery, NOW)
    assert (await store.run(incidents.recall, [row().key]))[row().key].known_verdict is None


async def test_order_inside_an_incident_and_pause_of_a_channel(store: Store) -> None:
    await store.run(incidents.record, row(), NOW)
    await store.run(send, delivery_id="d1")
    await store.run(send, delivery_id="d2")
    await store.run(send, "mail", delivery_id="d3")
    first = await store.run_lightly(deliveries.claim, "phone", NOW, LEASE)
    assert first is not None and first.id == "d1"
    assert await store.run_lightly(deliveries.claim, "phone", NOW, LEASE) is None, "d2 waits for d1"
    until = NOW + timedelta(minutes=50)
    await store.run(deliveries.postpone, first, NOW, "throttled")
    first = await store.run_lightly(deliveries.claim, "phone", NOW, LEASE)
    assert first is not None and first.attempts == 2
    await store.run(deliveries.postpone, first, until, "quota")
    await store.run(channels.pause, "phone", until, "quota")
    assert await store.run_lightly(deliveries.claim, "phone", until - timedelta(seconds=1), LEASE) is None
    other = await store.run_lightly(deliveries.claim, "mail", NOW, LEASE)
    assert other is not None and other.id == "d3", "another channel is not delayed"
    assert await store.run_lightly(deliveries.claim, "phone", until, LEASE) is not None


async def test_in_a_long_pause_each_message_comes_up_once_to_be_told_elsewhere(store: Store) -> None:
    await store.run(incidents.record, row(), NOW)
    await store.run(send, delivery_id="d1")
    until = NOW + timedelta(days=1)
    await store.run(channels.pause, "phone", until, "quota")
    held = await store.run_lightly(deliveries.claim, "phone", NOW, LEASE)
    assert held is not None and held.held == deliveries.Pause(until, "quota")
    await store.run(deliveries.postpone, held, until, "quota")
    assert await store.run_lightly(deliveries.claim, "phone", until - timedelta(seconds=1), LEASE) is None
    free = await store.run_lightly(deliveries.claim, "phone", until, LEASE)
    assert free is not None and free.held is None


async def test_an_incident_grows_quiet_closes_and_is_pruned(store: Store) -> None:
    settings = DecideSettings()
    await store.run(incidents.record, row(), NOW)
    await store.run(send)
    assert await store.run(incidents.close_quiet, NOW + settings.quiet_after, settings) == 0, "it still fires"
    await store.run(incidents.record, row(1, status=AlertStatus.RESOLVED), NOW)
    assert [entry["state"] for entry in await store.run(incidents.listing, 10)] == ["quiet"]
    assert await store.run(incidents.close_quiet, NOW + settings.quiet_after, settings) == 1
    assert await store.run(incidents.recall, [row().key]) == {}
    await store.run(incidents.record, row(incident_id="i2"), NOW)
    assert await store.run(incidents.prune, NOW + timedelta(days=1), 100) == 0, "its message is still on its way"
    delivery = await store.run_lightly(deliveries.claim, "phone", NOW, LEASE)
    assert delivery is not None
    await store.run(deliveries.settle_sent, delivery, NOW)
    assert await store.run(incidents.prune, NOW + timedelta(days=1), 100) == 1
    assert [entry["id"] for entry in await store.run(incidents.listing, 10)] == ["i2"]
    assert await store.run(deliveries.backlog) == []


async def test_a_silent_alertmanager_does_not_keep_an_incident_open_for_ever(store: Store) -> None:
    settings = DecideSettings()
    await store.run(incidents.record, row(), NOW)
    assert await store.run(incidents.close_quiet, NOW + settings.lost_after, settings) == 1


async def test_concurrent_steps_share_commits_and_one_failure_spoils_only_itself(store: Store) -> None:
    def broken(tx: Transaction) -> None:
        events.insert(tx, [("broken", to_us(NOW), "{}", 1)])
        raise ValueError("broken")

    steps = [store.run(events.insert, [(f"e{number}", to_us(NOW), "{}", 1)]) for number in range(50)]
    answers = await asyncio.gather(*steps[:25], store.run(broken), *steps[25:], return_exceptions=True)
    assert [type(answer) for answer in answers if answer is not None] == [ValueError]
    assert {event.id for event in await store.run_lightly(events.claim, NOW, LEASE)} == {
        f"e{number}" for number in range(50)
    }


async def test_a_full_disk_is_unavailable_and_then_works_again(file: Sqlite) -> None:
    await file.run(lambda tx: tx.execute("PRAGMA max_page_count = 40").fetchall())
    with pytest.raises(StoreUnavailable, match="full"):
        await file.run(events.insert, [("big", to_us(NOW), "x" * 1_000_000, 1)])
    await file.run(lambda tx: tx.execute("PRAGMA max_page_count = 100000").fetchall())
    await file.run(events.insert, [("big", to_us(NOW), "x" * 1_000_000, 1)])


async def test_what_was_answered_is_in_the_file_when_the_process_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    database = Sqlite(str(path))
    database.open()
    await database.run(events.insert, [("e1", to_us(NOW), "{}", 1)])
    with sqlite3.connect(path) as other:  # no close: what a crash leaves behind
        assert other.execute("SELECT id FROM event").fetchall() == [("e1",)]
    other.close()
    database.close()
    with pytest.raises(StoreUnavailable):
        await database.run(events.insert, [("e2", to_us(NOW), "{}", 1)])


def test_a_file_that_is_no_database_or_too_new_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    path.write_bytes(b"not a database, but long enough to be one" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        Sqlite(str(path)).open()
    newer = tmp_path / "newer.db"
    first = Sqlite(str(newer))
    first.open()
    first.close()
    with sqlite3.connect(newer) as connection:
        connection.execute("INSERT INTO schema_version VALUES (999)")
    connection.close()
    with pytest.raises(StoreUnavailable, match="newer tocsin"):
        Sqlite(str(newer)).open()
