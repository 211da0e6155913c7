"""Fits lines into what a channel takes, by dropping the least telling first and saying so. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tocsin.inert import clip
from tocsin.render.unlink import CUT_GROWTH, seal

LINE_CHARS = 1000
"""Longest line of any message in code points: what somebody wrote into a description should arrive."""

_TELLING_REASONS = 3
"""A phone shows three lines before a tap; reasons after these go first."""

_ATTEMPTS = ((LINE_CHARS, 3), (300, 3), (160, 3), (160, 2), (80, 1), (40, 1), (20, 1), (10, 1))
"""How far lines are shortened (code points), and from which rank on they may go, in the order tried."""


class Role(StrEnum):
    """What a line of a message is for."""

    NOTICE = "notice"
    HEADLINE = "headline"
    REASON = "reason"
    FACT = "fact"
    GAP = "gap"
    NEXT = "next"


_RANKS = {Role.NOTICE: 0, Role.HEADLINE: 0, Role.NEXT: 0, Role.GAP: 1, Role.REASON: 2, Role.FACT: 3}


@dataclass(frozen=True, slots=True)
class Line:
    """One line before any markup. `text` is inert, but not escaped for a channel."""

    role: Role
    text: str


def fit(lines: Sequence[Line], show: Callable[[Line], str], fits: Callable[[str], bool]) -> str:
    """Joins the lines as `show` writes them, sealed against links, shortened and dropped until `fits`.

    Verdict and next step are only ever shortened; gaps go after every reason. What was dropped is counted in its place.
    """
    ranks = list(_rank(lines))
    for width, lowest in _ATTEMPTS:
        shown = [show(replace(line, text=seal(clip(line.text, width)))) for line in lines]
        droppable = sorted((at for at, rank in enumerate(ranks) if rank >= lowest), key=lambda at: (ranks[at], at))
        for keep in range(len(droppable), -1, -1):
            text = _join(shown, frozenset(droppable[keep:]))
            if fits(text):
                return text
    raise ValueError("the channel's limit is below any message")


def fit_title(title: str, limit: int, *, in_bytes: bool) -> str:
    """Cuts a title to `limit` UTF-8 bytes or code points and seals it against links."""
    cut = clip_bytes if in_bytes else clip
    return seal(cut(seal(title), limit - CUT_GROWTH))


def clip_bytes(text: str, limit: int) -> str:
    """Cuts `text` to at most `limit` UTF-8 bytes, the last character of which is then an ellipsis."""
    if len(text.encode()) <= limit:
        return text
    return text.encode()[: limit - len("…".encode())].decode(errors="ignore").rstrip() + "…"


def clip_front(text: str, limit: int) -> str:
    """Cuts `text` to at most `limit` code points from the front: of a DNS name, the end says whose it is."""
    return text if len(text) <= limit else "…" + text[len(text) - limit + 1 :]


def bulleted(line: Line) -> str:
    """The marks that every channel shares: a dash before a reason, "Next:" before what to do."""
    match line.role:
        case Role.REASON:
            return f"- {line.text}"
        case Role.NEXT:
            return f"Next: {line.text}"
        case _:
            return line.text


def _rank(lines: Iterable[Line]) -> Iterable[int]:
    reasons = 0
    for line in lines:
        reasons += line.role is Role.REASON
        yield 4 if line.role is Role.REASON and reasons > _TELLING_REASONS else _RANKS[line.role]


def _join(shown: Sequence[str], dropped: frozenset[int]) -> str:
    kept: list[str] = []
    for at, line in enumerate(shown):
        if at not in dropped:
            kept.append(line)
        elif at == min(dropped):
            kept.append(f"… {len(dropped)} more line{'s' if len(dropped) > 1 else ''}")
    return "\n".join(kept)
