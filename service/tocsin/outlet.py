"""A configured channel as the story sees it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tocsin.model import Message, Priority
from tocsin.report import Report


@dataclass(frozen=True, slots=True)
class Outlet:
    """How one channel renders, how it sends, and how many messages it takes at a time.

    `send` takes the message and the identity of its delivery; it raises TemporaryError or PermanentError.
    """

    name: str
    render: Callable[[Report], Message]
    render_plain: Callable[[str, str, Priority], Message]
    send: Callable[[Message, str], Awaitable[None]]
    lanes: int = 1
