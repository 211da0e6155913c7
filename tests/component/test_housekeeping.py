"""Housekeeping on a real store: what is given back, closed, deleted and counted, and what never is."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tocsin import __version__, housekeeping, metrics
from tocsin.decide import DecideSettings, SkipReason
from tocsin.errors import StoreUnavailable
from tocsin.housekeeping import BATCH, announce, expect, mind_the_clock, observe, release, tidy
from tocsin.model import AlertStatus, Message, Mode, NoticeReason, Verdict
from tocsin.store import channels, deliveries, events, incidents
from tocsin.store.database import Transaction, to_us
from tocsin.store.incidents import AlertRow, IncidentRow
from tocsin.store.settings import StoreSettings
from tocsin.store.sqlite import Sqlite

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
LEASE = timedelta(minutes=2)
DAY = timedelta(days=1)
DECIDE = DecideSettings()
KEEP = StoreSettings()
FIRING, RESOLVED = AlertStatus.FIRING, AlertStatus.RESOLVED


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Sqlite]:
    database = Sqlite(str(tmp_path / "tocsin.db"))
    database.open()
    yield database
    database.close()


def event(number: int, at: datetime) -> tuple[str, int, str, int]:
    return f"e{number:05}", to_us(at), "{}", 1


def incident(tx: Transaction, name: str, at: datetime, status: AlertStatus = FIRING, version: int = 0) -> None:
    row = IncidentRow(
        id=name, version=version, key=("", "novel", "media", name, "a.example"), cluster="", kind="novel",
        namespace="media", workload=name, domain="a.example", title=f"media/{name}", posture="bounded",
        verdict="unexplained", alerts=(AlertRow("f1", status, at, "pod-1"),),
    )  # fmt: skip
    incidents.record(tx, row, at)


def send(tx: Transaction, name: str, at: datetime, channel: str = "phone") -> None:
    """A message about the incident `name`, due at once; its identity is that of the incident."""
    deliveries.tell(tx, f"n-{name}-{channel}", name, "first", "unexplained", "{}", at)
    deliveries.insert(tx, f"{name}-{channel}", f"n-{name}-{channel}", name, Message(channel, "title", {}), at)


async def count(store: Sqlite, table: str, where: str = "1 = 1") -> int:
    found = await store.run(lambda tx: tx.execute(f"SELECT COUNT(*) FROM {table} WHERE {where}").fetchone())
    return int(found[0])


async def names(store: Sqlite, state: str) -> list[str]:
    rows = await store.run(incidents.listing, 100)
    return sorted(row["id"] for row in rows if row["state"] == state)


# -- at the start ----


async def test_release_makes_due_what_a_process_that_is_gone_had_claimed(store: Sqlite) -> None:
    await store.run(events.insert, [event(1, NOW), event(2, NOW)])
    await store.run(incident, "i1", NOW)
    await store.run(send, "i1", NOW)
    await store.run(events.claim, NOW, timedelta(days=999))
    await store.run(deliveries.claim, "phone", NOW, timedelta(days=999))
    await release(store)
    assert await count(store, "event", "state = 'due'") == 2
    assert await count(store, "delivery", "state = 'due'") == 1
    now = datetime.now(UTC)
    again = await store.run(events.claim, now, LEASE)
    assert [found.attempts for found in again] == [2, 2], "the attempt that was cut short counts"
    message = await store.run(deliveries.claim, "phone", now, LEASE)
    assert message is not None and message.attempts == 2


async def test_the_mode_is_announced_with_what_waits_for_live(store: Sqlite) -> None:
    await store.run(incident, "i1", NOW)
    for channel in ("phone", "mail", "pager"):
        await store.run(send, "i1", NOW, channel)
    dead = await store.run(deliveries.claim, "pager", NOW, LEASE)
    assert dead is not None
    await store.run(deliveries.settle_dead, dead, "403", NOW)
    with capture_logs() as logs:
        await announce(store, Mode.SHADOW)
    assert logs == [{"event": "mode_shadow", "log_level": "warning", "sent": "nothing", "waiting": 2}]
    assert gauge("tocsin_shadow") == 1
    with capture_logs() as logs:
        await announce(store, Mode.LIVE)
    assert (logs, gauge("tocsin_shadow")) == ([], 0)


async def test_release_leaves_what_is_settled(store: Sqlite) -> None:
    await store.run(events.insert, [event(1, NOW), event(2, NOW)])
    await store.run(events.finish, ["e00001"])
    await store.run(events.bury, "e00002", "broken")
    await release(store)
    assert await store.run(events.claim, datetime.now(UTC), LEASE) == []


# -- closing ----


async def test_incidents_close_when_they_have_been_quiet_or_lost_for_long_enough(store: Sqlite) -> None:
    await store.run(incident, "firing", NOW)
    await store.run(incident, "quiet", NOW)
    await store.run(incident, "quiet", NOW, RESOLVED, version=1)
    just_before = timedelta(microseconds=1)
    for at, firing, quiet, closed in (
        (NOW + DECIDE.quiet_after - just_before, ["firing"], ["quiet"], []),
        (NOW + DECIDE.quiet_after, ["firing"], [], ["quiet"]),
        (NOW + DECIDE.lost_after - just_before, ["firing"], [], ["quiet"]),
        (NOW + DECIDE.lost_after, [], [], ["firing", "quiet"]),
    ):
        await tidy(store, DECIDE, KEEP, at)
        found = [await names(store, state) for state in ("firing", "quiet", "closed")]
        assert found == [firing, quiet, closed]


# -- deleting ----


async def test_settled_webhooks_are_deleted_after_they_were_kept_and_others_never(store: Sqlite) -> None:
    old, young = NOW - KEEP.keep_events - timedelta(seconds=1), NOW - KEEP.keep_events
    await store.run(events.insert, [event(number, old) for number in range(4)] + [event(9, young)])
    await store.run(events.finish, ["e00000"])
    await store.run(events.bury, "e00001", "broken")
    await store.run(events.finish, ["e00009"])
    await store.run(events.insert, [event(4, NOW)], timedelta(hours=1))
    claimed = await store.run(events.claim, NOW, LEASE)
    assert [each.id for each in claimed] == ["e00002", "e00003"]
    await tidy(store, DECIDE, KEEP, NOW)
    left = await store.run(lambda tx: tx.execute("SELECT id, state FROM event ORDER BY id").fetchall())
    assert left == [("e00002", "claimed"), ("e00003", "claimed"), ("e00004", "claimed"), ("e00009", "done")]


async def test_closed_incidents_are_deleted_with_all_that_belongs_to_them(store: Sqlite) -> None:
    long_ago = NOW - KEEP.keep_incidents - timedelta(seconds=1)
    for name, at in (("old", long_ago), ("young", NOW - KEEP.keep_incidents)):
        await store.run(incident, name, at)
        await store.run(send, name, at)
        delivery = await store.run(deliveries.claim, "phone", at, LEASE)
        assert delivery is not None
        await store.run(deliveries.settle_sent, delivery, at)
    await tidy(store, DECIDE, KEEP, NOW)
    assert await names(store, "closed") == ["young"]
    assert [await count(store, table) for table in ("incident", "alert", "notice", "delivery")] == [1, 1, 1, 1]
    assert await count(store, "delivery", "incident_id = 'young'") == 1


async def test_an_open_incident_is_kept_however_old(store: Sqlite) -> None:
    patient = DecideSettings(quiet_after=timedelta(days=999), lost_after=timedelta(days=999))
    await store.run(incident, "firing", NOW - 2 * KEEP.keep_incidents)
    await tidy(store, patient, KEEP, NOW)
    assert await names(store, "firing") == ["firing"]


async def test_an_incident_with_a_message_on_its_way_is_kept_however_old(store: Sqlite) -> None:
    long_ago = NOW - 2 * KEEP.keep_incidents
    for name in ("due", "claimed", "dead"):
        await store.run(incident, name, long_ago)
        await store.run(send, name, long_ago, channel=name)
    assert await store.run(deliveries.claim, "claimed", NOW, LEASE)
    dead = await store.run(deliveries.claim, "dead", NOW, LEASE)
    assert dead is not None
    await store.run(deliveries.settle_dead, dead, "403", NOW)
    await tidy(store, DECIDE, KEEP, NOW)
    assert await names(store, "closed") == ["claimed", "due"]
    assert await count(store, "delivery") == 2


class Counting:
    """A database that remembers how many rows each transaction deleted."""

    def __init__(self, store: Sqlite) -> None:
        self.store = store
        self.deleted: dict[str, list[int]] = {"events": [], "incidents": [], "roll_ups": []}

    async def run(self, step: Any, /, *args: Any, **kwargs: Any) -> Any:
        result = await self.store.run(step, *args, **kwargs)
        if step.__name__ == "prune":
            self.deleted[step.__module__.rpartition(".")[2]].append(result)
        return result


async def test_deleting_goes_in_batches_until_nothing_is_left(store: Sqlite) -> None:
    old = NOW - KEEP.keep_incidents - DAY

    def fill(tx: Transaction) -> None:
        events.insert(tx, [event(number, old) for number in range(2 * BATCH + 1)])
        tx.execute("UPDATE event SET state = 'done'")
        for number in range(BATCH):
            incident(tx, f"i{number}", old)

    await store.run(fill)
    counting = Counting(store)
    await tidy(counting, DECIDE, KEEP, NOW)  # type: ignore[arg-type]
    assert counting.deleted == {"events": [BATCH, BATCH, 1], "incidents": [BATCH, 0], "roll_ups": [0]}
    assert [await count(store, table) for table in ("event", "incident", "alert")] == [0, 0, 0]


# -- for ever ----


async def test_it_goes_on_after_whatever_failed(monkeypatch: pytest.MonkeyPatch, store: Sqlite) -> None:
    failures: list[Exception] = [StoreUnavailable("the disk is full"), RuntimeError("a mistake of ours")]
    tidied = asyncio.Event()

    async def tidy_badly(*_: object) -> None:
        if failures:
            raise failures.pop(0)
        tidied.set()

    monkeypatch.setattr(housekeeping, "tidy", tidy_badly)
    monkeypatch.setattr(housekeeping, "EVERY", timedelta(0))
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(housekeeping.keep_house(store, DECIDE, KEEP))
        await tidied.wait()
        keeping.cancel()
    assert not failures


# -- metrics ----

CHANNELS = ("phone", "mail", "idle")
STATES = ("due", "claimed", "dead")


def gauge(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


async def test_observe_sets_the_gauges_of_inbox_and_outbox(store: Sqlite) -> None:
    await store.run(events.insert, [event(2, NOW - timedelta(minutes=3)), event(1, NOW - timedelta(minutes=9))])
    for number, age in enumerate((30, 20, 10)):
        at = NOW - timedelta(minutes=age)
        await store.run(incident, f"i{number}", at)
        await store.run(send, f"i{number}", at)
        await store.run(send, f"i{number}", at, "mail")
    claimed = await store.run(deliveries.claim, "phone", NOW, LEASE)
    assert claimed is not None and claimed.incident_id == "i0"
    dead = await store.run(deliveries.claim, "mail", NOW, LEASE)
    assert dead is not None
    await store.run(deliveries.settle_dead, dead, "403", NOW)
    await observe(store, CHANNELS, NOW)
    assert gauge("tocsin_oldest_event_age_seconds") == 9 * 60
    assert gauge("tocsin_last_webhook_timestamp_seconds") == (NOW - timedelta(minutes=3)).timestamp()
    assert gauge("tocsin_store_up") == 1
    assert gauge("tocsin_outbox_messages", channel="phone", state="claimed") == 1
    assert gauge("tocsin_outbox_messages", channel="phone", state="due") == 2
    assert gauge("tocsin_outbox_messages", channel="mail", state="dead") == 1
    assert gauge("tocsin_oldest_message_age_seconds", channel="phone") == 30 * 60, "the claimed one is the oldest"
    assert gauge("tocsin_oldest_message_age_seconds", channel="mail") == 20 * 60, "a dead one is not on its way"


async def test_a_channel_with_nothing_to_send_and_an_empty_inbox_are_zeros(store: Sqlite) -> None:
    await observe(store, CHANNELS, NOW)
    for channel in CHANNELS:
        assert [gauge("tocsin_outbox_messages", channel=channel, state=each) for each in STATES] == [0, 0, 0]
        assert gauge("tocsin_oldest_message_age_seconds", channel=channel) == 0
    assert gauge("tocsin_oldest_event_age_seconds") == gauge("tocsin_last_webhook_timestamp_seconds") == 0


async def test_messages_of_a_channel_that_is_no_longer_configured_are_still_counted(store: Sqlite) -> None:
    await store.run(incident, "i1", NOW)
    await store.run(send, "i1", NOW - DAY, "pager")
    await observe(store, CHANNELS, NOW)
    assert gauge("tocsin_outbox_messages", channel="pager", state="due") == 1
    assert gauge("tocsin_oldest_message_age_seconds", channel="pager") == DAY.total_seconds()


async def test_the_last_webhook_is_the_newest_whatever_became_of_it(store: Sqlite) -> None:
    await store.run(events.insert, [event(1, NOW - DAY), event(2, NOW)])
    await store.run(events.finish, ["e00002"])
    await observe(store, CHANNELS, NOW)
    assert gauge("tocsin_last_webhook_timestamp_seconds") == NOW.timestamp()


def test_what_can_be_named_beforehand_is_there_before_it_happens() -> None:
    expect(["never-used"], ["never-asked"])
    for outcome in ("sent", "retry", "dead"):
        assert gauge("tocsin_deliveries_total", channel="never-used", outcome=outcome) == 0
    assert gauge("tocsin_gaps_total", source="never-asked") == 0
    for reason in NoticeReason:
        assert gauge("tocsin_decisions_total", action="notify", reason=reason) is not None
    for reason in SkipReason:
        assert gauge("tocsin_decisions_total", action="skip", reason=reason) is not None
    for verdict in Verdict:
        assert gauge("tocsin_notices_total", kind="novel", verdict=verdict) is not None
    for code in ("200", "400", "401", "413", "503"):
        assert gauge("tocsin_webhooks_total", code=code) is not None
    for stage in ("advance", "enrich", "deliver"):
        assert gauge("tocsin_stage_seconds_count", stage=stage) is not None


def test_what_happened_is_not_forgotten_by_expecting_it() -> None:
    expect(["counted"], [])
    metrics.DELIVERIES.labels("counted", "dead").inc()
    expect(["counted"], [])
    assert gauge("tocsin_deliveries_total", channel="counted", outcome="dead") == 1


def test_the_version_is_a_label() -> None:
    assert gauge("tocsin_build_info", version=__version__) == 1


async def test_observe_forgets_what_is_settled(store: Sqlite) -> None:
    await store.run(events.insert, [event(1, NOW - DAY)])
    await store.run(incident, "i1", NOW)
    await store.run(send, "i1", NOW)
    await observe(store, CHANNELS, NOW)
    assert gauge("tocsin_outbox_messages", channel="phone", state="due") == 1
    delivery = await store.run(deliveries.claim, "phone", NOW, LEASE)
    assert delivery is not None
    await store.run(deliveries.settle_sent, delivery, NOW)
    await store.run(events.finish, ["e00001"])
    await observe(store, CHANNELS, NOW)
    assert gauge("tocsin_oldest_event_age_seconds") == 0
    assert gauge("tocsin_outbox_messages", channel="phone", state="due") == 0
    assert gauge("tocsin_oldest_message_age_seconds", channel="phone") == 0


class HalfAway:
    """A database that answers one question and is away for the next."""

    def __init__(self, store: Sqlite) -> None:
        self.store = store
        self.asked = 0

    async def run_lightly(self, step: Any, /, *args: Any) -> Any:
        self.asked += 1
        if self.asked > 1:
            raise StoreUnavailable("the store does not answer")
        return await self.store.run_lightly(step, *args)


async def test_a_store_that_is_away_leaves_the_gauges_as_they_were(store: Sqlite) -> None:
    await store.run(events.insert, [event(1, NOW - DAY)])
    await store.run(incident, "i1", NOW)
    await store.run(send, "i1", NOW)
    await observe(store, CHANNELS, NOW)
    with pytest.raises(StoreUnavailable):
        await observe(HalfAway(store), CHANNELS, NOW + DAY)  # type: ignore[arg-type]
    assert gauge("tocsin_store_up") == 0
    assert gauge("tocsin_oldest_event_age_seconds") == DAY.total_seconds()
    assert gauge("tocsin_outbox_messages", channel="phone", state="due") == 1


# -- the clock ----


async def test_a_clock_that_was_put_back_lets_nothing_wait_for_hours(store: Sqlite) -> None:
    back = timedelta(hours=5)
    ahead = NOW + back
    await store.run(events.insert, [event(1, ahead)])
    await store.run(incident, "i1", ahead)
    await store.run(send, "i1", ahead)
    await store.run(channels.pause, "phone", ahead + timedelta(minutes=2), "throttled")
    assert await store.run(events.claim, NOW, LEASE) == []
    await mind_the_clock(store, back, NOW)
    assert len(await store.run(events.claim, NOW, LEASE)) == 1
    assert await store.run(deliveries.claim, "phone", NOW, LEASE) is None, "two minutes are still two minutes"
    assert await store.run(deliveries.claim, "phone", NOW + timedelta(minutes=2), LEASE) is not None


async def test_a_start_after_the_clock_was_put_back_finds_it_out_by_the_newest_webhook(store: Sqlite) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=5)
    await store.run(events.insert, [event(1, ahead)])
    await release(store)
    assert len(await store.run(events.claim, datetime.now(UTC) + timedelta(seconds=1), LEASE)) == 1


async def test_a_clock_that_is_set_right_moves_nothing(store: Sqlite) -> None:
    await store.run(events.insert, [event(1, NOW + timedelta(seconds=50))])
    await mind_the_clock(store, timedelta(seconds=50), NOW)
    assert await store.run(events.claim, NOW, LEASE) == []
