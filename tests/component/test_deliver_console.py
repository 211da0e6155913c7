"""Console: prints, and notices when nobody can read it."""

import io
import sys

import pytest

import reports
from tocsin.deliver.console import ConsoleChannel, ConsoleSettings
from tocsin.errors import TemporaryError
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
    with pytest.raises(TemporaryError, match="standard output"):
        await ConsoleChannel("console", ConsoleSettings()).send(MESSAGE, delivery_id="d1")
