"""A message as plain text for a terminal or a log."""

from collections.abc import Sequence

from tocsin import inert
from tocsin.model import Message, Priority
from tocsin.render import wording
from tocsin.render.limits import Line, Role, bulleted, fit, fit_title
from tocsin.render.links import links
from tocsin.report import Report
from tocsin.roll_up import RollUp

TITLE_CHARS = 250
TEXT_CHARS = 16_000
"""A terminal has no limit; this keeps one message within a screen or two."""


def report(report: Report, *, channel: str) -> Message:
    """Renders a report; links are written out, and the incident's id for `tocsin incidents`."""
    after = [f"{link.label}: {link.url}" for link in links(report)]
    after.append(f"Incident: {inert.text(report.incident_id, 100)}")
    return _message(channel, wording.title(report), wording.lines(report), report.priority, after)


def together(roll_up: RollUp, *, channel: str) -> Message:
    """Renders many incidents as one message."""
    return _message(channel, wording.roll_up_title(roll_up), wording.roll_up_lines(roll_up), roll_up.priority, ())


def plain(title: str, text: str, priority: Priority, *, channel: str) -> Message:
    """Renders a message about tocsin itself."""
    return _message(channel, wording.plain_title(title), wording.plain_lines(text), priority, ())


def _message(channel: str, title: str, lines: Sequence[Line], priority: Priority, after: Sequence[str]) -> Message:
    shown = fit_title(title, TITLE_CHARS, in_bytes=False)
    text = fit(lines, _indented, lambda text: len(text) <= TEXT_CHARS)
    return Message(
        channel, shown, {"text": "\n".join([f"[{priority}] {shown}", text, *(f"  {line}" for line in after)])}
    )


def _indented(line: Line) -> str:
    return f"{'    ' if line.role is Role.REASON else '  '}{bulleted(line)}"
