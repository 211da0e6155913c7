"""A message as the form fields of Pushover's messages API, without `token` and `user`.

Limits: https://pushover.net/api#limits, counted in characters; HTML tags and entities count too.
"""

import html
from collections.abc import Mapping, Sequence
from datetime import datetime

from tocsin.model import Message, Priority
from tocsin.render import wording
from tocsin.render.limits import Line, Role, bulleted, fit, fit_title
from tocsin.render.links import Link, links
from tocsin.report import Report
from tocsin.roll_up import RollUp

MESSAGE_CHARS = 1024
TITLE_CHARS = 250
URL_CHARS = 512
URL_TITLE_CHARS = 100

PRIORITIES: Mapping[Priority, int] = {
    Priority.MIN: -2,
    Priority.LOW: -1,
    Priority.DEFAULT: 0,
    Priority.HIGH: 1,
    Priority.URGENT: 1,
}
"""Pushover's 2 (emergency) repeats until somebody acknowledges it; nothing here asks for that."""


def report(report: Report, *, channel: str) -> Message:
    """Renders a report; the first link that Pushover takes becomes the message's URL."""
    title = wording.title(report, namespaced=False)
    link = next((link for link in links(report) if len(link.url) <= URL_CHARS), None)
    return _message(channel, title, wording.lines(report, namespaced=False), report.priority, link, report.written_at)


def together(roll_up: RollUp, *, channel: str) -> Message:
    """Renders many incidents as one message."""
    return _message(
        channel,
        wording.roll_up_title(roll_up),
        wording.roll_up_lines(roll_up),
        roll_up.priority,
        None,
        roll_up.written_at,
    )


def plain(title: str, text: str, priority: Priority, *, channel: str) -> Message:
    """Renders a message about tocsin itself."""
    return _message(channel, wording.plain_title(title), wording.plain_lines(text), priority, None, None)


def _message(
    channel: str,
    title: str,
    lines: Sequence[Line],
    priority: Priority,
    link: Link | None,
    written_at: datetime | None,
) -> Message:
    body: dict[str, object] = {
        "title": fit_title(title, TITLE_CHARS, in_bytes=False),
        "message": fit(lines, _markup, lambda text: len(text) <= MESSAGE_CHARS),
        "html": 1,
        "priority": PRIORITIES[priority],
    }
    if link:
        body |= {"url": link.url, "url_title": link.label[:URL_TITLE_CHARS]}
    if written_at:
        body["timestamp"] = int(written_at.timestamp())
    return Message(channel=channel, title=str(body["title"]), body=body)


def _markup(line: Line) -> str:
    """One line in Pushover's HTML subset. The text was cut before, so no tag or entity is ever cut."""
    text = html.escape(bulleted(line), quote=False)
    return f"<b>{text}</b>" if line.role is Role.HEADLINE else text
