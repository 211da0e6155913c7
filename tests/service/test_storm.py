"""Storms: everything is in the incidents, few messages say so, and other systems are spared."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from house import NOW, House, Phone, Source
from kit import alert, body, novel
from tocsin.errors import PermanentError, TemporaryError
from tocsin.findings import Findings, PodFacts
from tocsin.pace import StormSettings
from tocsin.store import deliveries

SECOND = timedelta(seconds=1)
STORM = StormSettings()


@pytest.fixture
def house(tmp_path: Path, phone: Phone, source: Source) -> Iterator[House]:
    house = House(tmp_path / "tocsin.db", [phone], source)
    yield house
    house.store.close()


def app(number: int, name: str = "new.example") -> dict[str, Any]:
    return novel(name, namespace=f"ns{number % 7}", workload=f"app{number}")


async def untold(house: House) -> int:
    rows = await house.store.run(
        lambda tx: tx.execute("SELECT COUNT(*) FROM incident WHERE told_at IS NULL").fetchall()
    )
    return int(rows[0][0])


async def incidents(house: House) -> int:
    rows = await house.store.run(lambda tx: tx.execute("SELECT COUNT(*) FROM incident").fetchall())
    return int(rows[0][0])


async def test_a_few_are_told_one_by_one_and_the_rest_together(house: House, phone: Phone) -> None:
    for number in range(40):
        await house.hear(app(number, f"n{number}.example"), now=NOW + number * SECOND / 10)
    own = list(phone.sent)
    assert len(own) == STORM.own_messages
    await house.settle(NOW + 4 * SECOND)
    assert phone.sent == own, "more may be coming"
    await house.settle(NOW + 4 * SECOND + STORM.gather)
    assert len(phone.sent) == len(own) + 1
    title, text = phone.sent[-1].title, phone.texts[-1]
    assert title == "35 workloads asked for 35 new names in 1 min"
    assert "ns5/app5 -> n5[.]example" in text and "ns4/app39" not in text and "35 unexplained" in text
    assert await untold(house) == 0
    await house.hear(app(39, "n39.example"), now=NOW + 60 * SECOND)
    await house.settle(NOW + 600 * SECOND)
    assert len(phone.sent) == len(own) + 1, "what was told together is known"


async def test_what_comes_while_a_storm_lasts_is_told_ever_more_rarely(house: House, phone: Phone) -> None:
    for second in range(600):
        await house.hear(app(second, f"n{second}.example"), now=NOW + second * SECOND)
    assert len(phone.sent) <= 2 * STORM.own_messages + 6, "five minutes after the first five, a few may pass again"
    await house.settle(NOW + 600 * SECOND + STORM.gather_at_most)
    assert await untold(house) == 0


async def test_ten_thousand_alerts_in_a_hundred_webhooks(house: House, phone: Phone, source: Source) -> None:
    for number in range(100):
        names = [novel(f"w{number}-{at}.example", workload=f"app{number}") for at in range(100)]
        await house.pipeline.receive(body(*names), NOW)
    await house.settle(NOW)
    await house.settle(NOW + STORM.gather)
    assert await incidents(house) == 10_000 and await untold(house) == 0
    assert len(phone.sent) == 1
    assert phone.sent[0].title == "100 workloads asked for 10000 new names in 1 min"
    assert len(source.asked) <= 0.02 * 10_000 / 5, "a workload costs about five questions"
    asked = len(source.asked)
    for number in range(100):
        names = [novel(f"w{number}-{at}.example", workload=f"app{number}") for at in range(100)]
        await house.pipeline.receive(body(*names), NOW + 60 * SECOND)
    await house.settle(NOW + 60 * SECOND)
    assert len(source.asked) == asked, "a redelivery asks nothing"
    assert len(phone.sent) == 1


async def test_two_thousand_names_under_one_domain_are_one_message(house: House, phone: Phone, source: Source) -> None:
    for at in range(20):
        names = [novel(f"x{at}-{number:x}abcdef.tunnel.example", pod="recyclarr-1") for number in range(100)]
        await house.pipeline.receive(body(*names), NOW)
    await house.settle()
    assert len(phone.sent) == 1 and len(source.asked) <= 2, "once a batch"
    assert await incidents(house) == 1


async def test_a_node_restarts_and_150_apps_come_at_once(house: House, phone: Phone, source: Source) -> None:
    source.answer = Findings(pods=PodFacts({"a-pod": NOW - timedelta(minutes=9)}))
    for number in range(150):
        await house.pipeline.receive(body(app(number, f"n{number}.example")), NOW)
    await house.settle(NOW)
    await house.settle(NOW + STORM.gather)
    assert len(phone.sent) == 1
    assert "Likely one cause: " in phone.texts[0] and "node's restart" in phone.texts[0]
    assert "was not asked, more than 20 workloads came in a minute" in phone.texts[0]
    assert len(source.asked) == 20
    assert await untold(house) == 0


async def test_one_name_all_ask_for_is_the_cause(house: House, phone: Phone) -> None:
    await house.pipeline.receive(body(*(app(number) for number in range(30))), NOW)
    await house.settle(NOW)
    await house.settle(NOW + STORM.gather)
    assert "30 workloads ask for new[.]example" in phone.texts[0]


async def test_one_workload_that_asks_for_everything_is_the_cause(house: House, phone: Phone) -> None:
    await house.pipeline.receive(body(*(novel(f"n{number}.example") for number in range(30))), NOW)
    await house.settle(NOW)
    await house.settle(NOW + STORM.gather)
    assert "media/recyclarr asks for all kinds of names" in phone.texts[0]
    assert phone.sent[0].title == "1 workload asked for 30 new names in 1 min"


async def test_a_suspicious_one_does_not_wait(house: House, phone: Phone) -> None:
    await house.pipeline.receive(body(*(app(number, f"n{number}.example") for number in range(30))), NOW)
    await house.pipeline.receive(body(novel("0a1b2c3d4e5f" * 4 + ".x.example", workload="bad")), NOW)
    await house.settle(NOW)
    assert [message.title.partition(":")[0] for message in phone.sent] == ["Suspicious"]
    await house.settle(NOW + STORM.gather)
    assert len(phone.sent) == 2 and "30 workloads" in phone.sent[1].title


@pytest.mark.parametrize(
    "failure",
    [TemporaryError("503"), TemporaryError("throttled", retry_after=timedelta(minutes=2), whole_channel=True)],
)
async def test_a_roll_up_that_did_not_leave_is_told_later(house: House, phone: Phone, failure: Exception) -> None:
    await house.pipeline.receive(body(*(app(number, f"n{number}.example") for number in range(500))), NOW)
    await house.settle(NOW)
    phone.failures = [failure]
    await house.settle(NOW + STORM.gather)
    assert phone.sent == [] and await untold(house) == 500
    for minute in range(1, 60):
        await house.settle(NOW + timedelta(minutes=minute))
    assert await untold(house) == 0
    assert len(phone.sent) <= 3


async def test_a_refused_roll_up_is_visible_message_by_message_and_told_elsewhere(
    tmp_path: Path, phone: Phone, source: Source
) -> None:
    second = Phone("second")
    house = House(tmp_path / "two.db", [phone, second], source)
    await house.pipeline.receive(body(*(app(number, f"n{number}.example") for number in range(20))), NOW)
    await house.settle(NOW)
    phone.failures = [PermanentError("400: no")]
    await house.settle(NOW + STORM.gather)
    await house.settle(NOW + timedelta(minutes=2))
    rows = await house.store.run(deliveries.backlog)
    assert [row[:3] for row in rows] == [("phone", "dead", 20)]
    assert any("20 workloads" in title for title in [message.title for message in second.sent])
    assert "Channel phone did not take a message" in second.texts[-1]
    house.store.close()


async def test_a_crash_while_a_roll_up_is_under_way_tells_it_once_more_at_most(house: House, phone: Phone) -> None:
    await house.pipeline.receive(body(*(app(number, f"n{number}.example") for number in range(300))), NOW)
    await house.settle(NOW)
    later = NOW + STORM.gather
    assert await house.pipeline.teller.claim_outgoing("phone", later) is not None
    await house.crash()
    for minute in range(1, 30):
        await house.settle(later + timedelta(minutes=minute))
    assert await untold(house) == 0 and len(phone.sent) == 1


async def test_alerts_that_are_only_forwarded_are_rolled_up_as_well(house: House, phone: Phone) -> None:
    crashes = [alert("KubePodCrashLooping", namespace="media", pod=f"sonarr-{number}") for number in range(30)]
    await house.pipeline.receive(body(*crashes), NOW)
    await house.settle(NOW)
    await house.settle(NOW + STORM.gather)
    assert len(phone.sent) == 1 and "30 only forwarded" in phone.texts[0]


async def test_the_limit_of_the_hour_holds_and_nothing_is_dropped(tmp_path: Path, phone: Phone, source: Source) -> None:
    house = House(tmp_path / "limit.db", [phone], source, storm={"per_hour": 12, "own_messages": 1000})
    sent_at: list[int] = []
    for minute in range(180):
        await house.hear(app(minute, f"n{minute}.example"), now=NOW + timedelta(minutes=minute))
        sent_at += [minute] * (len(phone.sent) - len(sent_at))
    for first in range(120):
        assert sum(first <= minute < first + 60 for minute in sent_at) <= 12
    await house.settle(NOW + timedelta(minutes=200))
    await house.settle(NOW + timedelta(minutes=215))
    assert await untold(house) == 0
    house.store.close()


async def test_webhooks_that_wait_together_are_one_set_of_lookups_a_workload(
    house: House, phone: Phone, source: Source
) -> None:
    for number in range(30):
        await house.pipeline.receive(body(novel(f"n{number}.paste-drop.example")), NOW)
    await house.settle()
    assert len(source.asked) == 1 and len(phone.sent) == 1
    (row,) = await house.store.run(lambda tx: tx.execute("SELECT seen FROM incident").fetchall())
    assert row[0] == 1, "each of its alerts came once"
    report = await house.store.run(lambda tx: tx.execute("SELECT report FROM notice").fetchone()[0])
    assert json.loads(report)["firing"] == 30
