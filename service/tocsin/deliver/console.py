"""Console: prints messages to standard output, for trying out and for whoever collects the log."""

import sys
from typing import Literal

from tocsin.errors import TemporaryError
from tocsin.model import Message
from tocsin.section import Section


class ConsoleSettings(Section):
    """Standard output; it has nothing to set."""

    type: Literal["console"] = "console"


class ConsoleChannel:
    """Prints each message, followed by an empty line."""

    max_in_flight = 1

    def __init__(self, name: str, settings: ConsoleSettings) -> None:
        self.name = name
        self._settings = settings

    async def send(self, message: Message, *, delivery_id: str) -> None:
        """Prints; see Channel.send."""
        try:
            sys.stdout.write(f"{message.body['text']}\n\n")
            sys.stdout.flush()
        except (OSError, ValueError) as failure:  # ValueError: standard output was closed
            raise TemporaryError(f"standard output: {failure}") from None

    async def check(self) -> str:
        """Nothing can be wrong with it before it is used."""
        return "prints to standard output"

    async def close(self) -> None:
        """Standard output stays open."""
