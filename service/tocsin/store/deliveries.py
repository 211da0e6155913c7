"""The outbox: one row for each message and channel. States: due -> claimed -> sent, or dead with its reason.

In mode shadow a message is only recorded, as `shadow`; nothing ever claims it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tocsin.model import Message, Mode
from tocsin.store import channels
from tocsin.store.database import OWNER, SKIP_LOCKED, Transaction, from_us, to_us

_COLUMNS = "id, incident_id, notice_id, channel, title, body, attempts, created_at"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way, claimed for sending. `attempts` counts this one."""

    id: str
    incident_id: str
    notice_id: str
    message: Message
    attempts: int
    created_at: datetime
    held: "Pause | None" = None

    @property
    def channel(self) -> str:
        """The channel it is for."""
        return self.message.channel


@dataclass(frozen=True, slots=True)
class Pause:
    """Until when a channel takes nothing, and why."""

    until: datetime
    reason: str


def tell(
    tx: Transaction, notice_id: str, incident_id: str, reason: str, verdict: str, report: str, now: datetime
) -> None:
    """Stores the decision to tell someone, with the report (JSON) that every message about it is rendered from."""
    tx.execute(
        "INSERT INTO notice (id, incident_id, reason, verdict, created_at, report) VALUES (?, ?, ?, ?, ?, ?)",
        (notice_id, incident_id, reason, verdict, to_us(now), report),
    )


def insert(
    tx: Transaction,
    delivery_id: str,
    notice_id: str,
    incident_id: str,
    message: Message,
    now: datetime,
    mode: Mode = Mode.LIVE,
    *,
    loud: bool = False,
) -> None:
    """Puts one message for one channel on its way; in mode shadow only records it.

    A `loud` one may overtake a storm.
    """
    state, settled_at = ("due", None) if mode is Mode.LIVE else ("shadow", to_us(now))
    tx.execute(
        "INSERT INTO delivery"
        " (id, incident_id, notice_id, channel, title, body, state, due_at, created_at, settled_at, loud)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (delivery_id, incident_id, notice_id, message.channel, message.title)
        + (json.dumps(message.body, ensure_ascii=False), state, to_us(now), to_us(now), settled_at, int(loud)),
    )


def claim(
    tx: Transaction, channel: str, now: datetime, lease: timedelta, *, only_loud: bool = False
) -> Delivery | None:
    """Takes the oldest due message of a channel that is not paused; with `only_loud` the oldest of those.

    A later message about the same incident waits for the earlier one, so that the order inside an incident holds. In a
    pause, where the channel is gone for long, a message that was never tried is taken once, as `held`: somebody has to
    be told elsewhere. Through a channel that fails one message at a time is tried.
    """
    how = channels.state(tx, channel, now)
    if how.paused_until is not None and not how.gone_for_long(now):
        return None
    if how.paused_until is None and how.failing_since is not None and channels.probed(tx, channel, now):
        return None
    row = tx.execute(
        f"UPDATE delivery SET state = 'claimed', due_at = ?, attempts = attempts + 1, roll_up = ''{OWNER} WHERE id = ("
        f" SELECT d.id FROM delivery d WHERE d.channel = ?{' AND d.loud = 1' if only_loud else ''}"
        f"  AND d.state IN ('due', 'claimed') AND d.due_at <= ?{' AND d.error = ?' if how.paused_until else ''}"
        "  AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.incident_id = d.incident_id AND e.channel = d.channel"
        "   AND e.state IN ('due', 'claimed') AND e.id < d.id)"
        f" ORDER BY d.due_at, d.id LIMIT 1 {SKIP_LOCKED}"
        f") RETURNING {_COLUMNS}",
        (to_us(now + lease), channel, to_us(now), *([""] if how.paused_until else [])),
    ).fetchone()
    held = Pause(how.paused_until, how.reason) if how.paused_until else None
    return replace(_read(row), held=held) if row else None


def rolled_up(tx: Transaction, roll_up: str, limit: int) -> list[Delivery]:
    """The first of the messages that are claimed for a roll-up."""
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM delivery WHERE roll_up = ? AND state = 'claimed' ORDER BY id LIMIT ?", (roll_up, limit)
    ).fetchall()
    return [_read(row) for row in rows]


def _read(row: Sequence[Any]) -> Delivery:
    message = Message(row[3], row[4], json.loads(row[5]))
    return Delivery(row[0], row[1], row[2], message, row[6], from_us(row[7]))


def settle_sent(tx: Transaction, delivery: Delivery, now: datetime) -> None:
    """Records a successful delivery, and with it, only now, that the incident was told."""
    at = to_us(now)
    channels.works(tx, delivery.channel)
    tx.execute("UPDATE delivery SET state = 'sent', error = '', settled_at = ? WHERE id = ?", (at, delivery.id))
    tx.execute(
        "UPDATE incident SET told_at = ?, version = version + 1, told_verdict = ("
        " SELECT verdict FROM notice WHERE id = ?) WHERE id = ? AND EXISTS ("
        " SELECT 1 FROM notice WHERE id = ? AND report <> '')",
        (at, delivery.notice_id, delivery.incident_id, delivery.notice_id),
    )


def settle_dead(tx: Transaction, delivery: Delivery, error: str, now: datetime) -> None:
    """Gives a message up; it stays visible with its reason until its incident is pruned."""
    tx.execute(
        "UPDATE delivery SET state = 'dead', error = ?, settled_at = ? WHERE id = ?", (error, to_us(now), delivery.id)
    )


def postpone(tx: Transaction, delivery: Delivery, until: datetime, error: str) -> None:
    """Makes a message due again later."""
    tx.execute(
        "UPDATE delivery SET state = 'due', due_at = ?, error = ? WHERE id = ?", (to_us(until), error, delivery.id)
    )


def channels_of(tx: Transaction, notice_id: str) -> dict[str, str]:
    """The state of a notice's message in each channel it was addressed to."""
    return dict(tx.execute("SELECT channel, state FROM delivery WHERE notice_id = ?", (notice_id,)).fetchall())


def report_of(tx: Transaction, notice_id: str) -> str | None:
    """The report (JSON) a notice was made from; None for a notice about tocsin itself."""
    row = tx.execute("SELECT report FROM notice WHERE id = ?", (notice_id,)).fetchone()
    return row[0] if row and row[0] else None


def may_tell_trouble(tx: Transaction, channel: str, now: datetime, every: timedelta) -> bool:
    """Whether the trouble of a channel may be told again; saying yes counts as having told it."""
    changed = tx.execute(
        "INSERT INTO channel (name, trouble_told_at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE"
        " SET trouble_told_at = excluded.trouble_told_at WHERE channel.trouble_told_at <= ?",
        (channel, to_us(now), to_us(now - every)),
    ).rowcount
    return changed == 1


def release(tx: Transaction, now: datetime, owners: Sequence[int] = (0,)) -> int:
    """Makes due what processes that are gone had claimed; in SQLite there is one owner, whoever owned the file."""
    marks = ", ".join("?" * len(owners))
    return tx.execute(
        f"UPDATE delivery SET state = 'due', due_at = ? WHERE state = 'claimed' AND owner IN ({marks})",
        (to_us(now), *owners),
    ).rowcount


def backlog(tx: Transaction) -> Sequence[tuple[str, str, int, datetime]]:
    """(channel, state, number, oldest) of everything that is on its way or dead."""
    rows = tx.execute(
        "SELECT channel, state, COUNT(*), MIN(created_at) FROM delivery"
        " WHERE state IN ('due', 'claimed', 'dead') GROUP BY channel, state"
    ).fetchall()
    return [(row[0], row[1], row[2], from_us(row[3])) for row in rows]
