"""Every kind of message on every channel, as a reviewed file.

Write the files anew with `UPDATE_GOLDEN=1 pytest tests/unit/test_render_golden.py`, then read the difference.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import reports
from tocsin.model import Message, Priority
from tocsin.render import console, ntfy, pushover
from tocsin.report import Report
from tocsin.roll_up import RollUp

GOLDEN = Path(__file__).parent.parent / "golden"
CHANNELS: dict[str, Callable[[Report], Message]] = {
    "ntfy": lambda report: ntfy.report(report, channel="phone", topic="egress"),
    "pushover": lambda report: pushover.report(report, channel="phone"),
    "console": lambda report: console.report(report, channel="console"),
}
PLAIN: dict[str, Callable[[str, str, Priority], Message]] = {
    "ntfy": lambda title, text, priority: ntfy.plain(title, text, priority, channel="phone", topic="egress"),
    "pushover": lambda title, text, priority: pushover.plain(title, text, priority, channel="phone"),
    "console": lambda title, text, priority: console.plain(title, text, priority, channel="console"),
}
TOGETHER: dict[str, Callable[[RollUp], Message]] = {
    "ntfy": lambda roll_up: ntfy.together(roll_up, channel="phone", topic="egress"),
    "pushover": lambda roll_up: pushover.together(roll_up, channel="phone"),
    "console": lambda roll_up: console.together(roll_up, channel="console"),
}


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("case", reports.CASES)
def test_message_is_as_reviewed(case: str, channel: str) -> None:
    compare(f"{case}.{channel}", CHANNELS[channel](reports.CASES[case]()))


@pytest.mark.parametrize("channel", PLAIN)
def test_plain_message_is_as_reviewed(channel: str) -> None:
    text = "ntfy answered 40301: forbidden <topic>\nIt was: Unexplained: media/recyclarr\nYou also got it here."
    compare(f"plain.{channel}", PLAIN[channel]("Channel phone did not take a message", text, Priority.HIGH))


@pytest.mark.parametrize("channel", TOGETHER)
def test_a_storm_is_as_reviewed(channel: str) -> None:
    compare(f"storm.{channel}", TOGETHER[channel](reports.storm()))


def test_no_golden_file_is_left_over() -> None:
    wanted = {
        f"{case}.{channel}{suffix}"
        for case in (*reports.CASES, "plain", "storm")
        for channel, suffix in SUFFIXES.items()
    }
    assert {path.name for path in GOLDEN.iterdir()} == wanted


SUFFIXES = {"ntfy": ".json", "pushover": ".json", "console": ".txt"}


def compare(name: str, message: Message) -> None:
    suffix = SUFFIXES[name.rpartition(".")[2]]
    if suffix == ".txt":
        written = f"{message.body['text']}\n"
    else:
        written = json.dumps(dict(message.body), indent=2, ensure_ascii=False) + "\n"
    path = GOLDEN / f"{name}{suffix}"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(written, encoding="utf-8")
    assert written == path.read_text(encoding="utf-8")
