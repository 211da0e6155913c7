"""A configured channel as the story sees it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tocsin.model import Message, Priority
from tocsin.report import Report
from tocsin.roll_up import RollUp


@dataclass(frozen=True, slots=True)
class Outlet:
    """How one channel renders, how it sends, and how many messages it takes at a time.

    `send` takes the message and the identity of its delivery; it raises TemporaryError or PermanentError. `per_hour` is
    the channel's own limit of messages, None where it has none of its own.
    """

    name: str
    render: Callable[[Report], Message]
    render_plain: Callable[[str, str, Priority], Message]
    render_roll_up: Callable[[RollUp], Message]
    send: Callable[[Message, str], Awaitable[None]]
    lanes: int = 1
    per_hour: int | None = None
