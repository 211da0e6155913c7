"""Console: prints messages to standard output, for trying out and for whoever collects the log."""

import asyncio
import io
import os
import sys
from datetime import timedelta
from functools import partial
from typing import Literal

from tocsin.errors import TemporaryError
from tocsin.model import Message
from tocsin.section import Section
from tocsin.threads import Threads, TooManyHang

WITHIN = timedelta(seconds=10)
"""How long standard output may take for one message: a pipe that nobody reads takes nothing once it is full."""


class ConsoleSettings(Section):
    """Standard output; it has nothing to set."""

    type: Literal["console"] = "console"


class ConsoleChannel:
    """Prints each message, followed by an empty line."""

    max_in_flight = 1

    def __init__(self, name: str, settings: ConsoleSettings, within: timedelta = WITHIN) -> None:
        self.name = name
        self._settings = settings
        self._within = within
        self._threads = Threads(f"tocsin-{name}", 1, hanging=1)

    async def send(self, message: Message, *, delivery_id: str) -> None:
        """Prints; see Channel.send. What was printed in part before it hung is printed again as a whole."""
        try:
            async with asyncio.timeout(self._within.total_seconds()):
                await self._threads.run(partial(_print, f"{message.body['text']}\n\n"))
        except (TimeoutError, TooManyHang):
            text = f"standard output did not take it within {self._within.total_seconds():g} s"
        except (OSError, ValueError) as failure:  # ValueError: standard output was closed
            text = f"standard output: {failure}"
        else:
            return
        raise TemporaryError(text, whole_channel=True)

    async def check(self) -> str:
        """Nothing can be wrong with it before it is used."""
        return "prints to standard output"

    async def close(self) -> None:
        """Standard output stays open."""
        self._threads.close()


def _print(text: str) -> None:
    sys.stdout.flush()
    try:
        file = sys.stdout.fileno()
    except io.UnsupportedOperation:  # something that only collects text
        sys.stdout.write(text)
        return
    # Not through sys.stdout: a write that hangs would hold its lock, and the process could not end.
    data = text.encode(sys.stdout.encoding or "utf-8", "backslashreplace")
    while data:
        data = data[os.write(file, data) :]
