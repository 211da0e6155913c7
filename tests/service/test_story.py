"""The whole story in process: payload in, provider out, with the process gone between every two steps."""

import itertools
from datetime import timedelta
from pathlib import Path

import pytest

from house import NOW, House, Phone, Source
from kit import ONE_BY_ONE, alert, body, novel
from tocsin import metrics
from tocsin.decide import DecideSettings
from tocsin.enrich.settings import EnrichSettings
from tocsin.errors import LookupFailed, PermanentError, TemporaryError
from tocsin.findings import Findings, Lookups
from tocsin.model import Message
from tocsin.retry import RetrySettings
from tocsin.store import channels, deliveries, events, incidents
from tocsin.store.database import new_id, to_us


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.e2e)])
def house(request: pytest.FixtureRequest, tmp_path: Path, phone: Phone, source: Source):
    where = tmp_path / "tocsin.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    house = House(where, [phone], source)
    yield house
    house.store.close()


async def test_one_alert_one_message(house: House, phone: Phone) -> None:
    await house.hear(novel())
    assert len(phone.sent) == 1
    assert phone.sent[0].title.startswith("Unexplained: media/recyclarr")
    assert "paste-drop[.]example" in phone.texts[0]


async def test_repeats_resends_and_resolves_send_nothing_and_ask_nothing(
    house: House, phone: Phone, source: Source
) -> None:
    await house.hear(novel())
    await house.hear(novel(), externalURL="http://the-other-alertmanager.example:9093")
    await house.hear(novel(), now=NOW + timedelta(hours=4))
    await house.hear(novel(status="resolved"), now=NOW + timedelta(hours=5))
    assert (len(phone.sent), len(source.asked)) == (1, 1)
    (row,) = await house.store.run(incidents.listing, 10)
    assert (row["state"], row["seen"]) == ("quiet", 3)


async def test_a_day_later_it_is_told_again_and_says_so(house: House, phone: Phone) -> None:
    await house.hear(novel())
    await house.hear(novel(), now=NOW + timedelta(hours=24))
    assert len(phone.sent) == 2
    assert "till firing" in phone.texts[1]


async def test_another_pod_is_no_news_unless_the_verdict_is_worse(house: House, phone: Phone, source: Source) -> None:
    known = Lookups("paste-drop.example", earlier_pods=("recyclarr-1-aaaaa",), earlier_at=NOW, neighbours=())
    source.answer = Findings(lookups={"paste-drop.example": known})
    await house.hear(novel(pod="recyclarr-1-bbbbb"))
    await house.hear(novel(pod="recyclarr-1-ccccc"))
    assert [message.title.split(":")[0] for message in phone.sent] == ["Explained"]
    source.answer = Findings(lookups={"paste-drop.example": Lookups("paste-drop.example", neighbours=())})
    await house.hear(novel(pod="recyclarr-1-ddddd"))
    assert [message.title.split(":")[0] for message in phone.sent] == ["Explained", "Unexplained"]


async def test_the_same_domain_from_another_workload_is_wider(house: House, phone: Phone) -> None:
    await house.hear(novel())
    await house.hear(novel("www.paste-drop.example", workload="radarr"))
    assert len(phone.sent) == 2
    assert "media/recyclarr" in phone.texts[1]


async def test_many_alerts_of_one_app_cost_one_set_of_lookups(house: House, phone: Phone, source: Source) -> None:
    names = [f"a{number}.example-{number % 3}.com" for number in range(60)]
    await house.hear(*(novel(name, pod=f"recyclarr-1-bbbb{index % 5}") for index, name in enumerate(names)))
    assert len(source.asked) == 1
    assert len(phone.sent) == 3, "one a registrable domain"


async def test_an_unknown_alert_is_forwarded_plainly_and_deduplicated(house: House, phone: Phone) -> None:
    crash = alert("KubePodCrashLooping", namespace="media", pod="sonarr-0", annotations={"summary": "It crashes."})
    await house.hear(crash, novel())
    await house.hear(crash)
    assert sorted(message.title.split(":")[0] for message in phone.sent) == ["KubePodCrashLooping", "Unexplained"]
    assert any("It crashes." in text for text in phone.texts)


async def test_resolved_is_told_when_asked_for(tmp_path: Path, phone: Phone, source: Source) -> None:
    house = House(tmp_path / "r.db", [phone], source, decide=DecideSettings(resolved=True))
    await house.hear(novel())
    await house.hear(novel(status="resolved"))
    await house.hear(novel(status="resolved"))
    assert [message.title.startswith("Resolved") for message in phone.sent] == [False, True]
    house.store.close()


async def test_a_failed_lookup_is_a_gap_and_never_silence(house: House, phone: Phone, source: Source) -> None:
    source.answer = LookupFailed("connection refused")
    await house.hear(novel())
    source.answer = RuntimeError("a mistake of ours")
    await house.hear(novel("other.example"))
    assert len(phone.sent) == 2
    assert "connection refused" in phone.texts[0]
    assert "internal error" in phone.texts[1]


STEPS = ("received", "claimed", "advanced", "sending", "sent")


@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_after_any_step_loses_nothing(house: House, phone: Phone, step: str) -> None:
    await house.pipeline.receive(body(novel()), NOW)
    if step == "claimed":
        await house.store.run(events.claim, NOW, timedelta(minutes=2))
    if step in ("advanced", "sending", "sent"):
        await house.pipeline.advance(NOW)
    if step == "sending":  # claimed, and perhaps at the provider already: told twice at worst, never lost
        await house.store.run(deliveries.claim, "phone", NOW, timedelta(minutes=2))
    if step == "sent":
        await house.pipeline.teller.deliver("phone", NOW)
    await house.crash()
    await house.settle()
    await house.hear(novel())
    assert len(phone.sent) == 1


async def test_a_message_under_way_is_not_decided_again(house: House, phone: Phone) -> None:
    await house.pipeline.receive(body(novel()), NOW)
    await house.pipeline.receive(body(novel()), NOW)
    await house.settle()
    assert len(phone.sent) == 1


async def test_a_temporary_failure_is_tried_again_no_sooner_than_asked(house: House, phone: Phone) -> None:
    phone.failures = [TemporaryError("503", retry_after=timedelta(minutes=7))]
    await house.hear(novel())
    await house.settle(NOW + timedelta(minutes=6))
    assert phone.sent == []
    await house.settle(NOW + timedelta(minutes=8))
    assert len(phone.sent) == 1


async def test_a_channel_that_fails_is_asked_now_and_then_and_what_waits_leaves_soon_after_it_is_back(
    tmp_path: Path, source: Source
) -> None:
    phone, other = Phone(), Phone("other")
    house = House(tmp_path / "t.db", [phone, other], source, storm=ONE_BY_ONE)
    for number in range(30):
        await house.pipeline.receive(body(novel(f"n{number}.example", workload=f"w{number}")), NOW)
    down, asked_at = TemporaryError("refused", whole_channel=True), []
    for second in range(120):
        phone.failures = [down] * 5
        await house.settle(NOW + timedelta(seconds=second))
        asked_at += [second] * (5 - len(phone.failures))
    assert len(other.sent) == 30, "another channel does not wait"
    phone.failures = []
    assert len(set(asked_at)) == len(asked_at), "one message at a time"
    assert min(b - a for a, b in itertools.pairwise(asked_at)) >= 5
    assert max(b - a for a, b in itertools.pairwise(asked_at)) <= 6
    for second in range(120, 126):
        await house.settle(NOW + timedelta(seconds=second))
    assert len(phone.sent) == 30
    house.store.close()


async def test_one_message_that_always_fails_does_not_hold_up_the_others(tmp_path: Path, source: Source) -> None:
    phone = Phone()
    send = phone.send

    async def spoiled(message: Message, delivery_id: str) -> None:
        if "poison" in message.title:
            raise TemporaryError("500", whole_channel=True)
        await send(message, delivery_id)

    phone.send = spoiled  # type: ignore[method-assign]
    house = House(tmp_path / "t.db", [phone], source, storm=ONE_BY_ONE)
    await house.hear(novel("poison.example", workload="poison"))
    for minute in range(1, 60):
        await house.hear(novel(f"n{minute}.example", workload=f"w{minute}"), now=NOW + timedelta(minutes=minute))
    assert len(phone.sent) >= 57
    house.store.close()


async def test_of_two_pauses_the_longer_one_holds(house: House) -> None:
    long, short = NOW + timedelta(hours=3), NOW + timedelta(seconds=5)
    await house.store.run(channels.pause, "phone", long, "quota")
    await house.store.run(channels.pause, "phone", short, "503")
    assert (await house.store.run(channels.state, "phone", NOW)).paused_until == long


async def test_a_throttled_channel_pauses_as_a_whole(house: House, phone: Phone) -> None:
    phone.failures = [TemporaryError("429", retry_after=timedelta(hours=1), whole_channel=True)]
    await house.hear(novel())
    await house.hear(novel("other.example"))
    assert phone.sent == []
    await house.settle(NOW + timedelta(minutes=61))
    assert len(phone.sent) == 2


async def test_a_quota_that_is_gone_is_told_elsewhere_and_so_is_what_only_that_channel_would_get(
    tmp_path: Path, source: Source
) -> None:
    phone, mail = Phone("phone"), Phone("mail")
    routes = {"bounded": {"unexplained": {"priority": "urgent", "channels": ["phone"]}}}
    house = House(tmp_path / "t.db", [phone, mail], source, routes=routes)
    gone = TemporaryError("429; the quota is used up", retry_after=timedelta(days=2), whole_channel=True)
    phone.failures = [gone]
    await house.hear(novel())
    await house.hear(novel("other.example"))
    assert [message.title.split(":")[0] for message in mail.sent] == ["Unexplained", "Unexplained"]
    assert all("the quota is used up" in text for text in mail.texts)
    await house.settle(NOW + timedelta(days=2))
    assert len(phone.sent) == 2, "and when the quota is back it goes out as well"
    house.store.close()


async def test_a_pause_longer_than_anybody_waits_gives_up_at_once(tmp_path: Path, source: Source) -> None:
    phone, mail = Phone("phone"), Phone("mail")
    house = House(tmp_path / "t.db", [phone, mail], source)
    phone.failures = [TemporaryError("429", retry_after=timedelta(days=10), whole_channel=True)]
    await house.hear(novel())
    await house.hear(novel("other.example"))
    assert [row[:3] for row in await house.store.run(deliveries.backlog)] == [("phone", "dead", 2)]
    assert len(phone.failures) == 0 and phone.sent == [], "the second was not even tried"
    titles = [message.title for message in mail.sent]
    assert sum(title.startswith("Unexplained") for title in titles) == 2
    assert sum("phone did not take" in title for title in titles) == 1
    house.store.close()


async def test_refused_credentials_rest_the_channel(house: House, phone: Phone) -> None:
    phone.failures = [PermanentError("401", whole_channel=True)]
    await house.hear(novel())
    await house.hear(novel("other.example"))
    assert phone.sent == []
    await house.settle(NOW + timedelta(minutes=10))
    assert [message.title.split(" -> ")[1] for message in phone.sent] == ["other[.]example"]


async def test_what_one_channel_refuses_the_other_tells(tmp_path: Path, source: Source) -> None:
    phone, mail = Phone("phone"), Phone("mail")
    house = House(tmp_path / "t.db", [phone, mail], source)
    phone.failures = [PermanentError("403 forbidden"), PermanentError("403 forbidden")]
    await house.hear(novel())
    await house.hear(novel("other.example"))
    assert phone.sent == []
    told = [message.title for message in mail.sent]
    assert sum(title.startswith("Unexplained") for title in told) == 2, "the failure of one does not repeat the other"
    assert sum("phone did not take" in title for title in told) == 1, "trouble is told once an hour"
    await house.hear(novel(), now=NOW + timedelta(minutes=5))
    assert len(mail.sent) == 3, "it counts as told"
    house.store.close()


async def test_a_message_routed_to_one_broken_channel_takes_the_other_way(tmp_path: Path, source: Source) -> None:
    phone, mail = Phone("phone"), Phone("mail")
    routes = {"bounded": {"unexplained": {"priority": "urgent", "channels": ["phone"]}}}
    house = House(tmp_path / "t.db", [phone, mail], source, routes=routes)
    phone.failures = [PermanentError("403 forbidden")]
    await house.hear(novel())
    assert [message.title.split(":")[0] for message in mail.sent] == ["Unexplained"]
    assert "403 forbidden" in mail.texts[0]
    house.store.close()


async def test_a_message_nobody_takes_stays_visible_and_is_told_at_the_next_repeat(house: House, phone: Phone) -> None:
    phone.failures = [PermanentError("403 forbidden")]
    await house.hear(novel())
    (dead,) = await house.store.run(deliveries.backlog)
    assert dead[:3] == ("phone", "dead", 1)
    await house.hear(novel(), now=NOW + timedelta(hours=4))
    assert len(phone.sent) == 1


async def test_gives_up_after_days_and_says_so(tmp_path: Path, phone: Phone, source: Source) -> None:
    house = House(tmp_path / "t.db", [phone], source, retry=RetrySettings(give_up_after=timedelta(hours=1)))
    phone.failures = [TemporaryError("502"), TemporaryError("502")]
    await house.hear(novel())
    await house.settle(NOW + timedelta(hours=2))
    (dead,) = await house.store.run(deliveries.backlog)
    assert dead[:3] == ("phone", "dead", 1)
    house.store.close()


async def test_an_event_that_cannot_be_processed_is_forwarded_plainly(
    tmp_path: Path, phone: Phone, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path / "t.db", [phone], source, enrich=EnrichSettings(plain_after=2))

    def broken(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    dead = metrics.REGISTRY.get_sample_value("tocsin_events_dead_total") or 0
    monkeypatch.setattr("tocsin.explain.classify", broken)
    await house.hear(novel())
    assert phone.sent == []
    await house.settle(NOW + timedelta(minutes=1))
    assert len(phone.sent) == 1
    assert metrics.REGISTRY.get_sample_value("tocsin_events_dead_total") == dead + 1
    assert "recyclarr" in phone.texts[0]
    house.store.close()


async def test_a_stored_webhook_that_cannot_even_be_read_is_forwarded_as_it_is(house: House, phone: Phone) -> None:
    await house.store.run(events.insert, [("e1", to_us(NOW), '{"version": "5", "what": "<is this>"}', 1)])
    for day in range(10):
        await house.settle(NOW + timedelta(days=day))
    assert len(phone.sent) == 1 and "could not explain" in phone.sent[0].title
    assert "what" in phone.texts[0]
    assert await house.store.run(events.oldest_at) is None


async def test_one_webhook_may_hold_more_incidents_than_a_counter_of_16_bits(house: House) -> None:
    now = NOW
    made = {new_id(now) for _ in range(70_000)}
    assert len(made) == 70_000 and all(len(each) == 24 for each in made)
