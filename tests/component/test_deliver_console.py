"""Console: prints, and notices when nobody can read it."""

import asyncio
import fcntl
import io
import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import reports
from tocsin.deliver.console import ConsoleChannel, ConsoleSettings
from tocsin.errors import TemporaryError
from tocsin.model import Message
from tocsin.render import console

MESSAGE = console.report(reports.unexplained(), channel="console")


async def test_prints_the_message_and_an_empty_line(capsys: pytest.CaptureFixture[str]) -> None:
    channel = ConsoleChannel("console", ConsoleSettings())
    await channel.send(MESSAGE, delivery_id="d1")
    await channel.close()
    assert capsys.readouterr().out == f"{MESSAGE.body['text']}\n\n"
    assert await channel.check()


async def test_a_closed_output_is_temporary(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    await refused("standard output")


async def refused(told: str, within: timedelta = timedelta(seconds=10)) -> None:
    channel = ConsoleChannel("console", ConsoleSettings(), within)
    with pytest.raises(TemporaryError, match=told) as caught:
        await channel.send(MESSAGE, delivery_id="d1")
    assert caught.value.whole_channel
    await channel.close()


async def test_a_full_disk_is_temporary(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        await refused("No space left")


async def test_a_pipe_whose_reader_is_gone_is_temporary(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        await refused("Broken pipe")


async def test_a_pipe_that_nobody_reads_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    filled = fcntl.fcntl(write, 1032)  # F_GETPIPE_SZ
    os.write(write, b"x" * filled)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        channel = ConsoleChannel("console", ConsoleSettings(), timedelta(seconds=0.05))
        for _ in range(3):  # the first hangs, the others are not even tried
            with pytest.raises(TemporaryError, match=r"did not take it within 0\.05 s"):
                await channel.send(MESSAGE, delivery_id="d1")
        text = f"{MESSAGE.body['text']}\n\n".encode()
        got = await asyncio.to_thread(_read, read, filled + len(text))
        assert got[filled:] == text, "the one that hung comes out in the end"
        await channel.close()
    os.close(read)


def _read(file: int, most: int) -> bytes:
    got = b""
    while len(got) < most:
        got += os.read(file, most - len(got))
    return got


async def test_text_that_standard_output_cannot_write_is_escaped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as out:
        monkeypatch.setattr(sys, "stdout", out)
        channel = ConsoleChannel("console", ConsoleSettings())
        await channel.send(Message("console", "title", {"text": "\u2026"}), delivery_id="d1")
        await channel.close()
    assert (tmp_path / "out").read_text() == "\\u2026\n\n"
