"""What only a store of several replicas has to do: claims side by side, owners that die, a server that goes away."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby

import psycopg
import pytest

from kit import until
from real_postgres import Server
from tocsin.errors import StoreUnavailable
from tocsin.model import Message
from tocsin.pace import StormSettings
from tocsin.store import channels, deliveries, engine, events, incidents, postgres, roll_ups
from tocsin.store.database import Transaction, new_id, to_us
from tocsin.store.deliveries import Delivery
from tocsin.store.postgres import Postgres
from tocsin.store.postgres_line import native
from tocsin.store.settings import StoreSettings

pytestmark = pytest.mark.e2e

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
LEASE = timedelta(minutes=2)


@contextmanager
def replica(url: str) -> Iterator[Postgres]:
    database = Postgres(url)
    database.open()
    try:
        yield database
    finally:
        database.close()


@pytest.fixture
def replicas(postgres_url: str) -> Iterator[tuple[Postgres, Postgres]]:
    with replica(postgres_url) as one, replica(postgres_url) as other:
        yield one, other


def at_once(url: str, statement: str) -> list[tuple[object, ...]]:
    """One statement of somebody else's."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def arrive(tx: Transaction, number: int) -> None:
    events.insert(tx, [(f"e{each:04}", to_us(NOW), "{}", 1) for each in range(number)])


def send(tx: Transaction, number: int, messages: int) -> None:
    """Messages about `number` incidents, `messages` for each."""
    for incident in range(number):
        for _ in range(messages):
            deliveries.insert(tx, new_id(NOW), "n", f"i{incident}", Message("phone", "title", {}), NOW)


def sleep(tx: Transaction, seconds: float) -> None:
    tx.execute("SELECT pg_sleep(?)", (seconds,))


def setting(tx: Transaction, name: str) -> str:
    return str(tx.execute(f"SHOW {name}").fetchone()[0])


def test_a_statement_of_both_engines_is_one_of_postgresql() -> None:
    assert native("SELECT id /*postgresql , owner*/ FROM t WHERE a LIKE 'x%' AND b = ? LIMIT ?") == (
        "SELECT id , owner FROM t WHERE a LIKE 'x%%' AND b = %s LIMIT %s"
    )


async def test_no_event_is_claimed_by_two_replicas(replicas: tuple[Postgres, Postgres]) -> None:
    await replicas[0].run(arrive, 2_000)
    claimed = await asyncio.gather(
        *(each.run_lightly(events.claim, NOW, LEASE) for each in replicas for _ in range(30))
    )
    every = [event.id for found in claimed for event in found]
    assert len(every) == len(set(every)) == 2_000
    assert sum(bool(found) for found in claimed) > 2, "several had a share"


async def test_two_replicas_send_the_messages_of_an_incident_in_order(replicas: tuple[Postgres, Postgres]) -> None:
    await replicas[0].run(send, 20, 5)
    sent: list[Delivery] = []
    under_way: set[str] = set()

    async def work(database: Postgres) -> None:
        while len(sent) < 100:
            delivery = await database.run_lightly(deliveries.claim, "phone", NOW, LEASE)
            if delivery is None:
                await asyncio.sleep(0.001)
                continue
            assert delivery.incident_id not in under_way, "another one about this incident is on its way"
            under_way.add(delivery.incident_id)
            await asyncio.sleep(0)
            sent.append(delivery)
            under_way.remove(delivery.incident_id)
            await database.run_lightly(deliveries.settle_sent, delivery, NOW)

    async with asyncio.TaskGroup() as tasks:
        for database in replicas * 4:
            tasks.create_task(work(database))
    of = {
        incident: [delivery.id for delivery in found]
        for incident, found in groupby(sorted(sent, key=lambda each: each.incident_id), lambda each: each.incident_id)
    }
    assert len(of) == 20 and all(len(ids) == 5 and ids == sorted(ids) for ids in of.values())


async def test_what_is_told_together_is_decided_by_one_replica_at_a_time(replicas: tuple[Postgres, Postgres]) -> None:
    await replicas[0].run(send, 50, 1)
    storm = StormSettings(own_messages=3)
    told = []

    def decide(tx: Transaction) -> str | None:
        traffic = roll_ups.traffic(tx, "phone", storm.within, 1_000, NOW)
        if traffic.recent >= storm.own_messages:
            return None
        tx.execute("SELECT pg_sleep(0.002)")  # whoever does not wait for its turn decides on the same numbers
        delivery = deliveries.claim(tx, "phone", NOW, LEASE)
        if delivery is not None:
            roll_ups.dispatched(tx, delivery.id, "phone", NOW)
        return delivery and delivery.id

    for found in await asyncio.gather(*(each.run_lightly(decide) for each in replicas for _ in range(20))):
        told += [found] if found else []
    assert len(told) == 3


async def test_claims_of_a_replica_that_is_gone_come_back_and_those_of_a_living_one_do_not(
    postgres_url: str,
) -> None:
    with replica(postgres_url) as one, replica(postgres_url) as other:
        await one.run(events.insert, [("dead", to_us(NOW), "{}", 1)], LEASE)
        await one.run(send, 1, 1)
        assert await one.run_lightly(deliveries.claim, "phone", NOW, LEASE) is not None
        await other.run(events.insert, [("alive", to_us(NOW), "{}", 1)], LEASE)
        one.close()
        due = "SELECT id FROM event WHERE state = 'due' UNION ALL SELECT 'message' FROM delivery WHERE state = 'due'"
        await until(lambda: len(at_once(postgres_url, due)) == 2)
        assert sorted(at_once(postgres_url, due)) == [("dead",), ("message",)]


async def test_a_replica_whose_connections_broke_goes_on_and_keeps_its_claims(postgres_url: str) -> None:
    with replica(postgres_url) as one, replica(postgres_url):
        await one.run(events.insert, [("e1", to_us(NOW), "{}", 1)], LEASE)
        await asyncio.gather(*(one.run(sleep, 0.01) for _ in range(postgres.LINES)))
        ((number,),) = at_once(
            postgres_url,
            "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        assert number >= postgres.LINES + 2
        await asyncio.gather(*(one.run(channels.works, "phone") for _ in range(20)))
        locked = (
            "SELECT COUNT(*), COUNT(event.id) FROM pg_locks LEFT JOIN event ON CAST(objid AS BIGINT) = owner"
            " JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory' AND datname = current_database()"
        )
        await until(lambda: at_once(postgres_url, locked) == [(2, 1)])
        assert at_once(postgres_url, "SELECT state FROM event") == [("claimed",)]


async def test_without_a_server_a_step_fails_in_time_and_works_again_when_it_is_back(
    postgres_server: Server, postgres_url: str
) -> None:
    with replica(postgres_url) as database:
        await database.run(events.insert, [("before", to_us(NOW), "{}", 1)])
        postgres_server.stop(signal.SIGQUIT)
        try:
            async with asyncio.timeout(8):  # what Alertmanager is answered within
                for answer in await asyncio.gather(
                    *(database.run(events.insert, [(f"e{number}", to_us(NOW), "{}", 1)]) for number in range(20)),
                    return_exceptions=True,
                ):
                    assert isinstance(answer, StoreUnavailable) and "hush" not in str(answer)
        finally:
            postgres_server.start()
        await database.run(events.insert, [("after", to_us(NOW), "{}", 1)])
        assert at_once(postgres_url, "SELECT id FROM event ORDER BY id") == [("after",), ("before",)]


async def test_a_server_that_is_back_at_once_is_not_noticed(postgres_server: Server, postgres_url: str) -> None:
    with replica(postgres_url) as database:
        await database.run(arrive, 1)
        await asyncio.to_thread(postgres_server.stop)
        waiting = asyncio.gather(*(database.run_lightly(events.finish, ["e0000"]) for _ in range(8)))
        await asyncio.to_thread(postgres_server.start)
        await waiting
        assert at_once(postgres_url, "SELECT state FROM event") == [("done",)]


async def test_a_step_that_waits_for_a_lock_too_long_is_unavailable(postgres_url: str) -> None:
    with replica(postgres_url) as database, psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE event")
        with pytest.raises(StoreUnavailable, match="statement timeout"):
            async with asyncio.timeout(8):
                await database.run(arrive, 1)
        other.rollback()
        await database.run(arrive, 1)


async def test_steps_in_each_others_way_are_run_again(replicas: tuple[Postgres, Postgres]) -> None:
    def pause(tx: Transaction, first: str, second: str) -> None:
        channels.pause(tx, first, NOW, "first")
        if not met.broken:
            with suppress(threading.BrokenBarrierError):
                met.wait(5)
            met.abort()
        channels.pause(tx, second, NOW, "second")
        done.append(first)

    met, done = threading.Barrier(2), list[str]()
    await replicas[0].run(channels.pause, "a", NOW, "")
    await replicas[0].run(channels.pause, "b", NOW, "")
    await asyncio.gather(replicas[0].run(pause, "a", "b"), replicas[1].run(pause, "b", "a"))
    assert sorted(done) == ["a", "b"]


async def test_what_has_to_be_flushed_is_flushed_whatever_the_server_says(
    postgres_server: Server, postgres_url: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    postgres_server.do(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with replica(postgres_url) as database:
        assert await database.run(setting, "synchronous_commit") == "on"
        assert await database.run_lightly(setting, "synchronous_commit") == "off"
        assert await database.run(setting, "synchronous_commit") == "on"


def test_replicas_that_start_together_make_the_schema_once(postgres_server: Server) -> None:
    with postgres_server.database(empty=True) as url:
        with pytest.raises(StoreUnavailable, match="there is no store at 127"), postgres.reading(url):
            pass
        assert "empty; serve will make the tables" in postgres.look(url)
        with ThreadPoolExecutor(3) as threads:
            assert list(threads.map(postgres.migrate, [url] * 3)) == [None] * 3
        versions = at_once(url, "SELECT version FROM schema_version ORDER BY version")
        assert versions == [(number + 1,) for number in range(len(versions))]
        assert postgres.look(url).endswith(f", schema {len(versions)}")
        at_once(url, "INSERT INTO schema_version VALUES (999)")
        for use in (postgres.migrate, postgres.look, lambda url: Postgres(url).open()):
            with pytest.raises(StoreUnavailable, match="newer tocsin"):
                use(url)


def test_the_check_says_what_is_wrong_and_never_the_password(postgres_server: Server, postgres_url: str) -> None:
    postgres_server.do("DROP ROLE IF EXISTS reader")
    postgres_server.do("CREATE ROLE reader LOGIN")
    reader = postgres_url.replace("tocsin:", "reader:")
    for url, why in (
        (reader, "permission denied"),
        (postgres_url.replace("/t", "/nowhere"), "does not exist"),
        ("postgresql://tocsin:hush-b1c2@127.0.0.1:9/t", "refused"),
    ):
        with pytest.raises(StoreUnavailable, match=why) as failure:
            postgres.look(url)
        assert "hush" not in str(failure.value)
    assert postgres.look(postgres_url).startswith("PostgreSQL ") and "hush" not in postgres.look(postgres_url)


async def test_what_is_read_beside_the_service_is_one_moment(postgres_url: str) -> None:
    settings = StoreSettings(url=postgres_url)
    with replica(postgres_url) as database, engine.reading(settings) as tx:
        assert incidents.listing(tx, 10) == []
        await database.run(arrive, 1)
        assert tx.execute("SELECT COUNT(*) FROM event").fetchone() == (0,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            arrive(tx, 1)
