"""A phone for the demonstration: takes what ntfy would, and shows it as a card in the terminal."""

import asyncio
import textwrap
from collections.abc import Callable
from datetime import datetime
from typing import Any

from aiohttp import web

WIDTH = 78
_PRIORITY = {1: "min", 2: "low", 3: "default", 4: "high", 5: "URGENT"}


class Phone:
    """Publishing as ntfy documents it (POST of JSON to the server's root), without limits or accounts."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self.messages: list[dict[str, Any]] = []
        self._show = show
        self._news = asyncio.Event()

    def app(self) -> web.Application:
        """The server."""
        app = web.Application()
        app.router.add_post("/", self._publish)
        return app

    async def wait_for(self, count: int, within: float) -> bool:
        """Whether at least `count` messages arrived within so many seconds."""
        try:
            async with asyncio.timeout(within):
                while len(self.messages) < count:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def _publish(self, request: web.Request) -> web.Response:
        message = await request.json()
        self.messages.append(message)
        self._show(card(message))
        self._news.set()
        return web.json_response({"id": f"demo{len(self.messages):08}", "event": "message", **message})


def card(message: dict[str, Any]) -> str:
    """The message as a person sees it."""
    line = "─" * (WIDTH - 2)
    head = f"{_PRIORITY[message.get('priority', 3)]:>8}  {datetime.now():%H:%M}"  # noqa: DTZ005 - a phone shows local time
    rows = [f"{message['topic']:<{WIDTH - 4 - len(head)}}{head}", ""]
    rows += textwrap.wrap(message.get("title", ""), WIDTH - 4, break_long_words=True)
    rows.append("")
    for text in message["message"].splitlines():
        indent = "  " if text.startswith("- ") else ""
        rows += textwrap.wrap(text, WIDTH - 4, subsequent_indent=indent, break_long_words=True) or [""]
    buttons = "  ".join(f"[{action['label']}]" for action in message.get("actions", []))
    rows += ["", buttons] if buttons else []
    return "\n".join([f"╭{line}╮", *(f"│ {row:<{WIDTH - 4}} │" for row in rows), f"╰{line}╯"])
