"""`tocsin shadow report` on a real store: what is counted, when going live is sensible, and how it reads."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from house import NOW, House, Phone, Source
from kit import alert, body, novel
from tocsin.decide import DecideSettings
from tocsin.errors import LookupFailed, StoreUnavailable
from tocsin.settings import Settings
from tocsin.shadow import ShadowReport, advice, look, show
from tocsin.store import events, incidents

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ROUTES = {"unknown": {"unexplained": "low"}, "unbounded": {"expected": {"priority": "urgent", "channels": []}}}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "tocsin.db", [Phone("phone"), Phone("mail")], Source(), mode="shadow", routes=ROUTES)
    yield house
    house.store.close()


def settings(house: House, **changes: Any) -> Settings:
    return Settings(**{"mode": "shadow", "store": {"path": str(house.path)}, **changes})


def report(house: House, now_after: timedelta, since: timedelta = 7 * DAY, **changes: Any) -> ShadowReport:
    return look(settings(house, **changes), since, NOW + now_after)


def text(house: House, now_after: timedelta, since: timedelta = 7 * DAY) -> str:
    return show(settings(house), since, NOW + now_after, as_json=False)


def plain(house: House, now_after: timedelta, since: timedelta = 7 * DAY) -> Any:
    return json.loads(show(settings(house), since, NOW + now_after, as_json=True))


async def test_what_would_have_come_is_counted_by_everything(house: House) -> None:
    await house.hear(novel())  # bounded: urgent
    await house.hear(novel(), now=NOW + HOUR)
    await house.hear(novel(pod="recyclarr-1-ccccc"), now=NOW + 2 * HOUR)
    await house.hear(novel("a.example", namespace="home", workload="thing"), now=NOW + DAY)  # unknown: low
    await house.hear(novel("b.example", namespace="home", workload="thing"), now=NOW + DAY)
    await house.hear(novel("c.example", workload="searxng"), now=NOW + 2 * DAY)  # its route names no channel
    found = plain(house, 3 * DAY)
    assert (found["notices"], found["messages"], found["loud"], found["notices_a_day"]) == (3, 6, 1, 1.0)
    assert found["by"] == {
        "verdict": {"unexplained": 3},
        "class": {"unknown": 2, "bounded": 1},
        "channel": {"phone": 3, "mail": 3},
        "priority": {"low": 2, "urgent": 1},
        "reason": {"first": 3},
        "workload": {"home/thing": 2, "media/recyclarr": 1},
    }
    assert [(day["notices"], day["loud"]) for day in found["days"]] == [(1, 1), (2, 0), (0, 0), (0, 0)]
    assert found["days"][0]["day"] == f"{NOW:%Y-%m-%d}"
    assert found["suppressed"] == {"repeats": 2, "no_channel": 1}
    assert found["webhooks"] == {"webhooks": 6, "alerts": 6, "dead": 0}
    titles = [line["title"] for line in found["lines"]]
    assert ["media/recyclarr" in title for title in titles] == [True, False, False], "in the order they came"


async def test_a_page_for_a_person(house: House) -> None:
    await house.hear(novel())
    await house.hear(novel(), now=NOW + HOUR)
    await house.hear(novel("a.example", namespace="home", workload="thing"), now=NOW + DAY)
    day = NOW.date()
    assert text(house, 3 * DAY + HOUR).splitlines() == [
        f"{day - 4 * DAY} 15:13 UTC to {day + 3 * DAY} 15:13 UTC; mode is shadow, nothing is sent",
        "",
        "Go live     not yet",
        "Quiet days  3 in a row: days without a message of priority high or urgent",
        f"            - 3 quiet days of 7; the last loud message is {day} 14:13 UTC: "
        "Unexplained: media/recyclarr -> files.paste-drop[.]example",
        "",
        "Came in     3 webhooks with 3 alerts",
        "Would send  2 notices as 4 messages; 0.7 notices a day, 1 loud",
        "Suppressed  1 repeat of what was known and no worse",
        "",
        "Verdict     unexplained 2",
        "Class       bounded 1, unknown 1",
        "Channel     phone 2, mail 2",
        "Priority    urgent 1, low 1",
        "Reason      first 2",
        "Busiest        1  media/recyclarr",
        "               1  home/thing",
        "",
        "Day (UTC)   NOTICES  LOUD",
        f"{day}        1     1",
        f"{day + DAY}        1     0",
        f"{day + 2 * DAY}        0     0",
        f"{day + 3 * DAY}        0     0",
        "",
        "What would have been sent, the oldest first (UTC):",
        f"{day} 14:13:00  urgent  phone,mail  Unexplained: media/recyclarr -> files.paste-drop[.]example",
        f"{day + DAY} 14:13:00  low     phone,mail  Unexplained: home/thing -> a[.]example",
    ]


async def test_seven_quiet_days_are_seven_times_24_hours(house: House) -> None:
    await house.hear(novel())
    await house.hear(novel("a.example", namespace="home", workload="thing"), now=NOW + 5 * DAY)
    for after, days, sensible in ((7 * DAY - HOUR, 6, False), (7 * DAY, 7, True), (20 * DAY, 7, True)):
        found = report(house, after)
        assert (found.quiet.days, advice(found)[0]) == (days, sensible)
    assert report(house, 20 * DAY, since=30 * DAY).quiet.days == 20, "as far back as is asked for"
    assert report(house, 6 * DAY, since=DAY).quiet.days == 6, "a shorter report does not shorten the quiet"


async def test_a_quiet_store_knows_no_more_than_since_the_first_webhook(house: House) -> None:
    empty = report(house, 30 * DAY)
    assert (empty.quiet.days, advice(empty)) == (
        0,
        (False, ["nothing has come in yet, and quiet days count from the first webhook on"]),
    )
    await house.hear(novel("a.example", namespace="home", workload="thing"))
    early = report(house, 2 * DAY)
    assert early.quiet.days == 2
    assert advice(early)[1] == [f"2 quiet days of 7; the first webhook came {NOW:%Y-%m-%d %H:%M} UTC"]


async def test_a_recorded_notice_whose_route_names_no_channel_is_quiet(house: House) -> None:
    await house.hear(novel("c.example", workload="searxng"), now=NOW)
    found = report(house, 3 * DAY)
    assert (found.recorded, found.quiet.last, found.lines) == (1, None, ())


async def test_a_page_that_was_really_sent_is_no_quiet_either_and_no_shadow(house: House) -> None:
    await house.restart(mode="live", routes=ROUTES)
    await house.hear(novel())
    await house.restart(mode="shadow", routes=ROUTES)
    found = report(house, 3 * DAY)
    assert (found.sent, found.lines, found.quiet.days) == (2, (), 3)
    assert found.quiet.last is not None and found.quiet.last.startswith("Unexplained")
    assert "Really sent 2 messages, while mode was live" in text(house, 3 * DAY)


async def test_what_waits_for_live_is_said_while_mode_is_shadow_only(house: House) -> None:
    await house.restart(mode="live", routes=ROUTES)
    await house.pipeline.receive(body(novel()), NOW)
    await house.pipeline.advance(NOW)
    note = "2 messages from before shadow will leave first"
    assert note in advice(report(house, DAY))[1]
    assert note not in advice(report(house, DAY, mode="live"))[1]


async def test_what_cannot_be_explained_speaks_against_going_live(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.restart(mode="shadow", enrich={"plain_after": 1})

    def broken(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("tocsin.explain.classify", broken)
    await house.hear(novel())
    found = report(house, 7 * DAY)
    assert found.quiet.days == 7 and advice(found) == (False, ["1 webhook could not be explained; the log says why"])
    assert [(line.priority, line.posture, line.loud) for line in found.lines] == [("high", "unknown", True)]


async def test_a_source_that_is_missing_is_named_but_does_not_forbid(house: House) -> None:
    house.source.answer = LookupFailed("connection refused")
    await house.hear(novel("a.example", namespace="home", workload="thing"))
    found = report(house, 7 * DAY)
    assert advice(found) == (True, ["Prometheus is missing in 1 of 1 notice"])


async def test_names_in_the_report_are_inert(house: House) -> None:
    hostile = "\x1b[31mred\x9b2J\r\nnew line\u202e"
    await house.hear(alert("Some", namespace=f"n{hostile}", workload=f"w{hostile}", pod=f"p{hostile}"))
    for said in (text(house, DAY), json.dumps(plain(house, DAY), ensure_ascii=False)):
        assert "red" in said and not {"\x1b", "\x9b", "\r", "\u202e"} & set(said)


async def test_the_report_survives_what_housekeeping_deletes(house: House) -> None:
    await house.hear(novel())
    await house.hear(novel(status="resolved"), now=NOW + HOUR)
    await house.store.run(incidents.close_quiet, NOW + DAY, DecideSettings())
    assert await house.store.run(events.prune, NOW + DAY, 100) == 2
    found = report(house, 7 * DAY)
    assert (found.heard.webhooks, len(found.lines), found.quiet.days) == (0, 1, 7)


def test_without_a_store_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="there is no store at"):
        look(Settings(store={"path": str(tmp_path / "none.db")}), DAY, NOW)  # type: ignore[arg-type]
