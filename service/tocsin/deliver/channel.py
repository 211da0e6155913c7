"""What a channel is. Adding one is a file beside this one, a line in settings.py and one in app.py."""

from typing import Protocol

from tocsin.model import Message


class Channel(Protocol):
    """One configured way to reach a person."""

    @property
    def name(self) -> str:
        """The key under `channels` in the configuration."""
        ...

    @property
    def max_in_flight(self) -> int:
        """How many messages the provider tolerates at once."""
        ...

    async def send(self, message: Message, *, delivery_id: str) -> None:
        """Returns once the provider has confirmed the message; never tries twice.

        Raises TemporaryError or PermanentError. A reply that was lost on the way is temporary, so the provider
        may have the message already. `delivery_id` is for the log: no provider deduplicates by it.
        """
        ...

    async def check(self) -> str:
        """Asks whether messages would get through, sending none; returns what was found in one sentence.

        Raises TemporaryError or PermanentError.
        """
        ...

    async def close(self) -> None:
        """Gives connections back; safe to call twice, and before anything was sent."""
        ...
