"""A message as ntfy's JSON publish object, to be posted to the server's root.

Limits: https://docs.ntfy.sh/publish/ and https://docs.ntfy.sh/config/#limitations, counted in UTF-8 bytes as the
server counts them.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

from tocsin.model import Message, NoticeReason, Priority, Verdict
from tocsin.render import wording
from tocsin.render.limits import Line, bulleted, fit, fit_title
from tocsin.render.links import Link, links
from tocsin.report import Report
from tocsin.roll_up import RollUp

MESSAGE_BYTES = 4095
"""The server turns 4,096 bytes and more into an attachment, or refuses them (40014) where it has none."""
BODY_BYTES = 8191
"""Twice the message limit for the whole JSON object; beyond it the server answers 413 (41303)."""
TITLE_BYTES = 250
"""Newer servers refuse a long title (40057) at a limit they do not document; this holds every title tocsin writes."""
ACTIONS = 3
"""More are refused (40018)."""

PRIORITIES: Mapping[Priority, int] = {
    Priority.MIN: 1,
    Priority.LOW: 2,
    Priority.DEFAULT: 3,
    Priority.HIGH: 4,
    Priority.URGENT: 5,
}
_TAGS: Mapping[Verdict, str] = {
    Verdict.UNJUDGED: "bell",
    Verdict.EXPECTED: "information_source",
    Verdict.EXPLAINED: "information_source",
    Verdict.UNEXPLAINED: "warning",
    Verdict.SUSPICIOUS: "rotating_light",
}
"""Tags that ntfy shows as one emoji before the title; a comma would split them."""


def report(report: Report, *, channel: str, topic: str) -> Message:
    """Renders a report for a topic."""
    resolved = report.reason is NoticeReason.RESOLVED
    tag = "white_check_mark" if resolved else _TAGS[report.assessment.verdict]
    found, sequence = links(report)[:ACTIONS], sequence_id(report.incident_id)
    return _message(channel, topic, wording.title(report), wording.lines(report), report.priority, tag, found, sequence)


def together(roll_up: RollUp, *, channel: str, topic: str) -> Message:
    """Renders many incidents as one message."""
    return _message(
        channel,
        topic,
        wording.roll_up_title(roll_up),
        wording.roll_up_lines(roll_up),
        roll_up.priority,
        "cyclone",
        (),
        "",
    )


def plain(title: str, text: str, priority: Priority, *, channel: str, topic: str) -> Message:
    """Renders a message about tocsin itself."""
    return _message(channel, topic, wording.plain_title(title), wording.plain_lines(text), priority, "bell", (), "")


def sequence_id(incident_id: str) -> str:
    """What makes a later message about an incident take the place of the earlier one.

    Servers from 2.16 on, with the Android and web apps, do that; others show it as one more message.
    """
    return hashlib.sha256(incident_id.encode(errors="replace")).hexdigest()[:32]


def _message(
    channel: str,
    topic: str,
    title: str,
    lines: Sequence[Line],
    priority: Priority,
    tag: str,
    found: Sequence[Link],
    sequence: str,
) -> Message:
    body: dict[str, object] = {
        "topic": topic,
        "title": fit_title(title, TITLE_BYTES, in_bytes=True),
        "message": "",
        "priority": PRIORITIES[priority],
        "tags": [tag],
    }
    if sequence:
        body["sequence_id"] = sequence
    if found:
        body["actions"] = [{"action": "view", "label": link.label, "url": link.url} for link in found]
    body["message"] = fit(lines, bulleted, _fits_beside(body))
    return Message(channel=channel, title=str(body["title"]), body=body)


def _fits_beside(body: Mapping[str, object]) -> Callable[[str], bool]:
    rest = encoded_size(body)
    return lambda text: len(text.encode()) <= MESSAGE_BYTES and rest + encoded_size(text) - len('""') <= BODY_BYTES


def encoded_size(value: object) -> int:
    """Bytes of a JSON value as the channel sends it."""
    return len(json.dumps(value, ensure_ascii=False).encode())
