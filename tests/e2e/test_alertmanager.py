"""A real Alertmanager posts to the real process: repeats, resolved alerts, two senders, a receiver that was away."""

import asyncio
import re
import signal
import subprocess
import textwrap
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

import real_alertmanager
from fake_ntfy import FakeNtfy
from kit import Process, tocsin, until
from real_alertmanager import fire
from tocsin.demo.program import free_port

pytestmark = pytest.mark.e2e

TOKEN = "sekret"
running = partial(real_alertmanager.running, bearer=TOKEN)
STRANGER = {
    "alertname": "EgressNovelDestination",
    "namespace": "media",
    "workload": "recyclarr",
    "destination": "files.paste-drop.example",
    "severity": "warning",
}


async def metric(process: Process, pattern: str) -> float:
    """The sum of the series whose line begins with `pattern`."""
    async with aiohttp.ClientSession() as session, session.get(f"{process.url}/metrics") as response:
        text = await response.text()
    return sum(float(line.split()[-1]) for line in text.splitlines() if re.match(pattern, line))


async def reaches(process: Process, pattern: str, value: float) -> None:
    """Waits until a metric has grown to `value`."""
    async with asyncio.timeout(20):
        while await metric(process, pattern) < value:
            await asyncio.sleep(0.1)


DUPLICATES = r'tocsin_decisions_total\{action="skip",reason="duplicate"\}'


@pytest.fixture
async def ntfy() -> AsyncIterator[FakeNtfy]:
    async with FakeNtfy() as server:
        yield server


@pytest.fixture
def configuration(ntfy: FakeNtfy) -> dict[str, Any]:
    return {
        "server": {"bearer": TOKEN, "port": free_port()},
        "decide": {"resolved": True},
        "channels": {"phone": {"type": "ntfy", "url": ntfy.url, "topic": "egress"}},
    }


@pytest.fixture
def webhook(configuration: dict[str, Any]) -> str:
    return f"http://127.0.0.1:{configuration['server']['port']}/webhook"


def titles(ntfy: FakeNtfy) -> list[str]:
    return [message["title"] for message in ntfy.received]


def told(ntfy: FakeNtfy, number: int) -> Callable[[], bool]:
    return lambda: len(ntfy.received) >= number


async def test_repeats_are_silent_and_the_end_is_told(
    tmp_path: Path, ntfy: FakeNtfy, configuration: dict[str, Any], webhook: str
) -> None:
    async with tocsin(tmp_path, configuration) as process, running([webhook]) as url:
        began = datetime.now(UTC)
        await fire(url, STRANGER, starts_at=began)
        await until(told(ntfy, 1))
        await reaches(process, DUPLICATES, 2)
        assert titles(ntfy) == ["Unexplained: media/recyclarr -> files.paste-drop[.]example"]
        await fire(url, STRANGER, starts_at=began, over=True)
        await until(told(ntfy, 2))
        assert titles(ntfy)[1] == "Resolved: media/recyclarr -> files.paste-drop[.]example"
        assert await metric(process, r'tocsin_webhooks_total\{code="200"\}') >= 4


async def test_two_alertmanagers_that_do_not_know_each_other_tell_it_once(
    tmp_path: Path, ntfy: FakeNtfy, configuration: dict[str, Any], webhook: str
) -> None:
    async with (
        tocsin(tmp_path, configuration) as process,
        running([webhook], repeat_interval="1h") as first,
        running([webhook], repeat_interval="1h") as second,
    ):
        began = datetime.now(UTC)
        await asyncio.gather(*(fire(url, STRANGER, starts_at=began) for url in (first, second)))
        await reaches(process, r'tocsin_webhooks_total\{code="200"\}', 2)
        await until(told(ntfy, 1))
    assert len(ntfy.received) == 1, "what it had was worked on to the end, one by one or together"


async def test_what_fires_while_the_receiver_is_away_is_told_when_it_is_back(
    tmp_path: Path, ntfy: FakeNtfy, configuration: dict[str, Any], webhook: str
) -> None:
    async with running([webhook], repeat_interval="1h") as url:
        await fire(url, STRANGER)
        await asyncio.sleep(1)  # the first attempts are refused
        async with tocsin(tmp_path, configuration):
            await until(told(ntfy, 1))
        assert len(ntfy.received) == 1


async def test_killed_in_the_middle_of_a_group_nothing_is_lost_and_nothing_told_twice(
    tmp_path: Path, ntfy: FakeNtfy, configuration: dict[str, Any], webhook: str
) -> None:
    others = [{**STRANGER, "destination": f"n{number}.drop-{number}.example"} for number in range(6)]
    async with running([webhook], group_by=["alertname", "namespace", "workload"]) as url:
        async with tocsin(tmp_path, configuration) as process:
            began = datetime.now(UTC)
            await fire(url, STRANGER, *others[:3], starts_at=began)
            await until(told(ntfy, 2))
            await process.stop(signal.SIGKILL)
        before = len(ntfy.received)
        await fire(url, *others[3:], starts_at=began)
        async with tocsin(tmp_path, configuration) as process:
            await until(told(ntfy, 7))
            await reaches(process, DUPLICATES, 7)
    seen = titles(ntfy)
    assert len(set(seen)) == 7
    assert len(seen) - 7 <= 2, "told twice is at most what was on its way when it was killed"
    assert before >= 2


async def test_wrong_credentials_are_refused_and_the_alert_comes_back(
    tmp_path: Path, ntfy: FakeNtfy, configuration: dict[str, Any], webhook: str
) -> None:
    async with tocsin(tmp_path, configuration) as process:
        async with running([webhook], bearer="wrong") as url:
            await fire(url, STRANGER)
            await reaches(process, r'tocsin_webhooks_total\{code="401"\}', 2)
        assert ntfy.received == []


async def test_thousands_of_alerts_in_one_group_are_one_webhook_and_few_messages(
    tmp_path: Path, ntfy: FakeNtfy, configuration: dict[str, Any], webhook: str
) -> None:
    many = [{**STRANGER, "destination": f"n{number}.paste-drop.example"} for number in range(3000)]
    async with tocsin(tmp_path, configuration) as process, running([webhook], group_wait="2s") as url:
        await fire(url, *many)
        await reaches(process, r"tocsin_alerts_accepted_total", 3000)
        await until(told(ntfy, 1))
        assert len(ntfy.received) == 1
        assert "3000" in ntfy.received[0]["message"]


def test_the_configuration_in_the_readme_sends_egress_alerts_here(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (block,) = [text for text in re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL) if "webhook_configs" in text]
    example = yaml.safe_load(textwrap.dedent(block))
    example["route"]["receiver"] = "elsewhere"
    example["receivers"].append({"name": "elsewhere"})
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(example))

    def amtool(*arguments: str) -> str:
        return subprocess.run(["amtool", *arguments], check=True, capture_output=True, text=True).stdout

    assert "SUCCESS" in amtool("check-config", str(path))
    for name, receiver in (
        ("EgressNovelDestination", "tocsin"), ("PodEgressVolumeAnomaly", "tocsin"), ("KubePodCrashLooping", "elsewhere")
    ):  # fmt: skip
        assert amtool("config", "routes", "test", f"--config.file={path}", f"alertname={name}").strip() == receiver
