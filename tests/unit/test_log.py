"""The log: one JSON object a line whatever a value holds, libraries included, nothing where it was not asked for."""

import json
import logging
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from tocsin import log

HOSTILE = '\x1b[31mred\x9b2J\r\n{"event": "forged"}\u2028\u202e\x00 %s %(a)s {x}'


PRINTED = {"\n", *map(chr, range(0x20, 0x7F))}


class Output:
    """Standard error, read as what it should be."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def entries(self) -> list[dict[str, Any]]:
        """What was written since the last call, one entry a line."""
        text = self._capsys.readouterr().err
        assert set(text) <= PRINTED and (text == "" or text.endswith("\n"))
        found = [json.loads(line) for line in text.splitlines()]
        assert all(isinstance(entry, dict) for entry in found)
        return found


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Iterator[Output]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers.clear()  # or they would be closed, and the test runner's are among them
    yield Output(capsys)
    logging.captureWarnings(False)
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    structlog.reset_defaults()


def logger() -> Any:
    return structlog.get_logger()


def test_an_entry_has_its_event_level_and_instant(output: Output) -> None:
    log.configure()
    logger().info("sent", channel="phone", attempts=2)
    (entry,) = output.entries()
    assert entry.keys() == {"event", "level", "timestamp", "channel", "attempts"}
    assert (entry["event"], entry["level"], entry["channel"], entry["attempts"]) == ("sent", "info", "phone", 2)
    assert datetime.fromisoformat(entry["timestamp"]).utcoffset() is not None


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_what_is_below_the_level_is_left_out(output: Output, level: str) -> None:
    log.configure(level)
    order = ["debug", "info", "warning", "error", "critical"]
    for each in order:
        getattr(logger(), each)("said")
    assert [entry["level"] for entry in output.entries()] == order[order.index(level) :]


TEXTS = st.text() | st.just(HOSTILE)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS | st.binary() | st.datetimes() | st.builds(object)
    | st.builds(Path, st.just("/a")) | st.builds(ValueError, TEXTS) | st.frozensets(TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


def test_one_line_whatever_a_value_holds(output: Output) -> None:
    log.configure()
    seen = []

    @given(TEXTS, VALUES)
    def each(event: str, value: Any) -> None:
        logger().info(event, value=value)
        (entry,) = output.entries()
        assert entry["event"] == event and "value" in entry
        assert entry["value"] == value or not isinstance(value, str | int | None)
        seen.append(value)

    each()
    assert len(seen) >= 50


def test_a_value_cannot_pass_for_the_level(output: Output) -> None:
    log.configure()
    logger().info("sent", level="critical")
    assert [entry["level"] for entry in output.entries()] == ["info"]


def test_an_exception_is_told_on_the_same_line(output: Output) -> None:
    log.configure()
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logger().error("step_failed", exc_info=True)
    (entry,) = output.entries()
    assert entry["exception"].startswith("Traceback") and HOSTILE.splitlines()[0] in entry["exception"]


# -- libraries ----


def test_what_libraries_log_has_the_same_form(output: Output) -> None:
    log.configure()
    logging.getLogger("aiohttp.server").warning("from %s", HOSTILE)
    (entry,) = output.entries()
    assert entry.pop("timestamp")
    assert entry == {"event": f"from {HOSTILE}", "level": "warning", "logger": "aiohttp.server"}


def test_a_library_s_exception_keeps_its_stack(output: Output) -> None:
    log.configure()
    try:
        raise KeyError("gone")
    except KeyError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved")
    (entry,) = output.entries()
    assert entry["level"] == "error"
    assert entry["exception"].startswith("Traceback") and "KeyError: 'gone'" in entry["exception"]


@pytest.mark.parametrize(
    ("number", "level"),
    [
        (logging.WARNING, "warning"),
        (35, "warning"),
        (logging.ERROR, "error"),
        (logging.CRITICAL, "critical"),
        (99, "critical"),
    ],
)
def test_a_level_of_a_library_s_own_is_the_next_lower_usual_one(output: Output, number: int, level: str) -> None:
    log.configure()
    logging.getLogger("library").log(number, "said")
    assert [entry["level"] for entry in output.entries()] == [level]


def test_libraries_are_heard_from_warning_on_whatever_our_own_level(output: Output) -> None:
    log.configure("debug")
    logging.getLogger("library").info("chatter")
    assert output.entries() == []
    log.configure("error")
    logging.getLogger("library").warning("said")
    assert output.entries() == []


def test_a_format_that_does_not_fit_is_no_failure_of_whoever_logs(output: Output) -> None:
    log.configure()
    logging.getLogger("library").error("%d pods", "many")
    assert [entry["event"] for entry in output.entries()] == ["%d pods"]


def test_a_warning_of_python_s_is_an_entry_as_well(output: Output) -> None:
    with warnings.catch_warnings():
        log.configure()
        warnings.simplefilter("always")
        warnings.warn("deprecated\nfor long", UserWarning, stacklevel=1)
    (entry,) = output.entries()
    assert entry["logger"] == "py.warnings" and "UserWarning: deprecated\nfor long" in entry["event"]
