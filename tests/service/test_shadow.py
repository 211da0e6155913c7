"""Mode shadow: the same decisions as live, nothing sent, what a change of the mode does, and what the commands say."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from fake_ntfy import FakeNtfy
from house import NOW, House, Phone, Source
from kit import Done, Process, alert, body, command, novel, tocsin, until
from tocsin.enrich.settings import EnrichSettings
from tocsin.errors import TemporaryError
from tocsin.findings import Findings, Lookups
from tocsin.store import deliveries, incidents

HOUR = timedelta(hours=1)
EARLIER = Lookups("paste-drop.example", earlier_pods=("recyclarr-1-aaaaa",), earlier_at=NOW, neighbours=())
KNOWN = Findings(lookups={"paste-drop.example": EARLIER})
NEW = Findings(lookups={"paste-drop.example": Lookups("paste-drop.example", neighbours=())})


@pytest.fixture
def house(tmp_path: Path, phone: Phone, source: Source) -> Iterator[House]:
    house = House(tmp_path / "tocsin.db", [phone], source, mode="shadow")
    yield house
    house.store.close()


async def recorded(house: House, state: str = "shadow") -> list[str]:
    """Titles of the messages in one state, the oldest first."""
    rows = await house.store.run(
        lambda tx: tx.execute("SELECT title FROM delivery WHERE state = ? ORDER BY id", (state,)).fetchall()
    )
    return [row[0] for row in rows]


def verdicts(titles: Sequence[str]) -> list[str]:
    return [title.split(":")[0] for title in titles]


async def test_everything_is_done_but_sending(house: House, phone: Phone, source: Source) -> None:
    await house.hear(novel())
    assert (len(source.asked), phone.sent) == (1, [])
    assert verdicts(await recorded(house)) == ["Unexplained"]
    (row,) = await house.store.run(incidents.listing, 10)
    assert (row["state"], row["verdict"], row["told_at"]) == ("firing", "unexplained", None)
    assert await house.store.run(deliveries.backlog) == [], "nothing waits to be sent"


WEEK: list[tuple[timedelta, Findings, list[dict[str, Any]]]] = [
    (0 * HOUR, KNOWN, [novel(pod="recyclarr-1-bbbbb")]),
    (1 * HOUR, KNOWN, [novel(pod="recyclarr-1-bbbbb")]),
    (2 * HOUR, KNOWN, [novel(pod="recyclarr-1-ccccc")]),
    (3 * HOUR, NEW, [novel(pod="recyclarr-1-ddddd")]),
    (4 * HOUR, NEW, [novel("www.paste-drop.example", workload="radarr"), novel(pod="recyclarr-1-ddddd")]),
    (5 * HOUR, NEW, [alert("KubePodCrashLooping", namespace="media", pod="sonarr-0")]),
    (27 * HOUR, NEW, [novel(pod="recyclarr-1-ddddd")]),
    (28 * HOUR, NEW, [novel(pod=f"recyclarr-1-{each}", status="resolved") for each in ("bbbbb", "ccccc", "ddddd")]),
    (29 * HOUR, NEW, [novel(pod="recyclarr-1-ddddd")]),
]


async def test_shadow_would_send_what_live_sends(tmp_path: Path, source: Source) -> None:
    phone, decide = Phone(), {"resolved": True}
    live = House(tmp_path / "live.db", [phone], source, decide=decide)
    shadow = House(tmp_path / "shadow.db", [Phone()], source, decide=decide, mode="shadow")
    for after, source.answer, alerts in WEEK:
        await live.hear(*alerts, now=NOW + after)
        await shadow.hear(*alerts, now=NOW + after)
    assert await recorded(shadow) == [message.title for message in phone.sent]
    assert verdicts(await recorded(shadow))[:2] == ["Explained", "Unexplained"]
    assert len(phone.sent) == 6
    live.store.close()
    shadow.store.close()


async def test_an_event_that_cannot_be_processed_sends_nothing_either(
    tmp_path: Path, phone: Phone, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    house = House(tmp_path / "t.db", [phone], source, mode="shadow", enrich=EnrichSettings(plain_after=1))
    monkeypatch.setattr("tocsin.explain.classify", broken)
    await house.hear(novel())
    assert await recorded(house) == ["tocsin could not explain an alert"]
    assert phone.sent == []
    house.store.close()


# -- from shadow to live ----


async def test_what_was_only_recorded_is_told_when_it_fires_again(house: House, phone: Phone) -> None:
    await house.hear(novel())
    await house.restart(mode="live")
    await house.settle()
    assert phone.sent == [], "what is recorded never leaves by itself"
    await house.hear(novel(), now=NOW + HOUR)
    await house.hear(novel(), now=NOW + 2 * HOUR)
    assert verdicts([message.title for message in phone.sent]) == ["Unexplained"]


async def test_what_stopped_firing_before_was_told_to_nobody(tmp_path: Path, phone: Phone, source: Source) -> None:
    house = House(tmp_path / "t.db", [phone], source, mode="shadow", decide={"resolved": True})
    await house.hear(novel())
    await house.restart(decide={"resolved": True})
    await house.hear(novel(status="resolved"), now=NOW + HOUR)
    assert phone.sent == []
    house.store.close()


@pytest.mark.parametrize("on_its_way", [False, True], ids=["told", "on its way"])
async def test_a_worse_verdict_that_was_only_recorded_is_told(
    house: House, phone: Phone, source: Source, on_its_way: bool
) -> None:
    """Live it was explained, in shadow unexplained; also where the message of before leaves only afterwards."""
    await house.restart(mode="live")
    source.answer = KNOWN
    phone.failures = [TemporaryError("503", retry_after=5 * HOUR)] if on_its_way else []
    await house.hear(novel(pod="recyclarr-1-bbbbb"))
    await house.restart(mode="shadow")
    source.answer = NEW
    await house.hear(novel(pod="recyclarr-1-ccccc"), now=NOW + HOUR)
    assert verdicts(await recorded(house)) == ["Unexplained"]
    await house.restart(mode="live")
    for hours in (6, 7):
        await house.settle(NOW + hours * HOUR)
        await house.hear(novel(pod="recyclarr-1-ccccc"), now=NOW + hours * HOUR)
    assert verdicts([message.title for message in phone.sent]) == ["Explained", "Unexplained"]
    asked = len(source.asked)
    await house.hear(novel(pod="recyclarr-1-ccccc"), now=NOW + 8 * HOUR)
    assert len(source.asked) == asked, "and then it is known"


# -- from live to shadow ----


async def test_what_was_not_sent_yet_waits_until_live_and_counts_as_told(house: House, phone: Phone) -> None:
    await house.restart(mode="live")
    phone.failures = [TemporaryError("503", retry_after=HOUR)]
    await house.hear(novel())
    await house.restart(mode="shadow")
    for later in (2 * HOUR, 23 * HOUR):
        await house.hear(novel(), now=NOW + later)
    assert (phone.sent, await recorded(house)) == ([], []), "live would have sent it by now, and told nobody twice"
    assert [row[:3] for row in await house.store.run(deliveries.backlog)] == [("phone", "due", 1)]
    await house.hear(novel(), now=NOW + 24 * HOUR)
    assert len(await recorded(house)) == 1, "a day later it would have been told again"
    await house.restart(mode="live")
    await house.settle(NOW + 25 * HOUR)
    assert len(phone.sent) == 1


async def test_a_message_under_way_when_the_process_ended_is_not_sent_in_shadow(house: House, phone: Phone) -> None:
    await house.restart(mode="live")
    await house.pipeline.receive(body(novel()), NOW)
    await house.pipeline.advance(NOW)
    claimed = await house.pipeline.teller.claim_outgoing("phone", NOW)
    assert claimed is not None
    await house.restart(mode="shadow")
    await house.settle(NOW + HOUR)
    assert phone.sent == []
    await house.restart(mode="live")
    await house.settle(NOW + HOUR)
    assert len(phone.sent) == 1


async def test_what_was_told_while_live_is_not_recorded_again(house: House, phone: Phone) -> None:
    await house.restart(mode="live")
    await house.hear(novel())
    await house.restart(mode="shadow")
    await house.hear(novel(), now=NOW + HOUR)
    assert (len(phone.sent), await recorded(house)) == (1, [])


# -- as a process ----


def configure(ntfy: FakeNtfy, **changes: Any) -> dict[str, Any]:
    return {"channels": {"phone": {"type": "ntfy", "url": ntfy.url, "topic": "egress"}}, **changes}


async def post(process: Process) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{process.url}/webhook", data=body(novel())) as response,
    ):
        return response.status


async def get(process: Process, path: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{process.url}{path}") as response:
        return await response.text()


async def test_a_week_of_shadow_and_then_live(tmp_path: Path) -> None:
    path = str(tmp_path / "tocsin.yaml")
    async with FakeNtfy() as ntfy:
        async with tocsin(tmp_path, configure(ntfy, mode="shadow")) as process:
            assert await post(process) == 200
            await until(lambda: [entry for entry in process.log if entry["event"] == "decided"])
            (warned,) = [entry for entry in process.log if entry["event"] == "mode_shadow"]
            assert (warned["level"], warned["sent"], warned["waiting"]) == ("warning", "nothing", 0)
            assert "\ntocsin_shadow 1.0\n" in await get(process, "/metrics")
            assert json.loads(await get(process, "/readyz"))["ready"]
            done = await command("shadow", "report", "--config", path, directory=tmp_path)
            assert (done.code, done.err) == (0, "")
            assert "mode is shadow, nothing is sent" in done.out and "Go live     not yet" in done.out
            done = await command("shadow", "report", "--config", path, "--since", "24h", "--json", directory=tmp_path)
            said = json.loads(done.out)
            assert (said["notices"], said["messages"], said["quiet"]["days"]) == (1, 1, 0)
            assert said["lines"][0]["title"] == "Unexplained: media/recyclarr -> files.paste-drop[.]example"
            one = await command("incidents", "--config", path, said["lines"][0]["incident"], directory=tmp_path)
            assert "told never" in one.out and "message  phone shadow, not sent" in one.out
            assert await process.stop() == 0
        assert ntfy.requests == []
        async with tocsin(tmp_path, configure(ntfy)) as process:
            assert "\ntocsin_shadow 0.0\n" in await get(process, "/metrics")
            assert await post(process) == 200
            await until(lambda: ntfy.received)
            assert not [entry for entry in process.log if entry["event"] == "mode_shadow"]
    assert len(ntfy.received) == 1


async def test_the_commands_say_that_the_mode_is_shadow(tmp_path: Path) -> None:
    async with FakeNtfy() as ntfy:
        (tmp_path / "tocsin.yaml").write_text(yaml.safe_dump(configure(ntfy, mode="shadow")))

        async def run(*arguments: str, **environment: str) -> Done:
            return await command(*arguments, "--config", "tocsin.yaml", directory=tmp_path, **environment)

        checked, live = await run("check", "--offline"), await run("check", "--offline", TOCSIN__MODE="live")
        assert "note  mode is shadow: no channel is sent anything; see tocsin shadow report" in checked.out
        assert (checked.code, live.code) == (0, 0) and "shadow" not in live.out
        sent = await run("send-test")
        assert (sent.code, sent.err) == (0, "")
        assert sent.out.splitlines() == [
            "note  mode is shadow: the service sends nothing, this test does",
            "ok    channel phone: sent",
        ]
        assert [message["title"] for message in ntfy.received] == ["tocsin test message"]
        (tmp_path / "payload.json").write_bytes(body(novel()))
        shown = await run("render", "payload.json", "--offline")
        assert "Unexplained: media/recyclarr" in shown.out, "what would be sent is shown in any mode"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--since", "a week"), 2, "is not a duration"),
        ((), 1, "there is no store at"),
    ],
)
async def test_a_report_that_cannot_be_made_says_why(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = await command("shadow", "report", *arguments, directory=tmp_path)
    assert (done.code, done.out) == (code, "") and said in done.err


async def test_another_mode_is_a_mistake(tmp_path: Path) -> None:
    done = await command("check", "--offline", directory=tmp_path, TOCSIN__MODE="silent")
    assert done.code == 2 and "TOCSIN__MODE" in done.err and "'live' or 'shadow'" in done.err
