"""How a channel is: it works, it fails since an instant and is probed, or it rests until an instant."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from tocsin.store.database import Transaction, from_us, to_us

TURN = 7405002
"""First number of the advisory locks of channels."""
LONG = timedelta(hours=1)
"""Time without a channel from which on what it holds back is told through another."""


@dataclass(frozen=True, slots=True)
class State:
    """Until when a channel takes nothing and why, and since when it fails; both None while it works."""

    paused_until: datetime | None = None
    reason: str = ""
    failing_since: datetime | None = None

    def gone_for_long(self, now: datetime) -> bool:
        """Whether it will not, or did not, take anything for LONG."""
        waits = self.paused_until is not None and self.paused_until - now >= LONG
        return waits or (self.failing_since is not None and now - self.failing_since >= LONG)


def state(tx: Transaction, channel: str, now: datetime) -> State:
    """How the channel is now."""
    row = tx.execute("SELECT paused_until, reason, failing_since FROM channel WHERE name = ?", (channel,)).fetchone()
    if row is None:
        return State()
    at = to_us(now)
    since = from_us(min(row[2], at)) if row[2] else None  # a clock that was put back leaves it in the future
    return State(from_us(row[0]), row[1], since) if row[0] > at else State(failing_since=since)


def in_turn(tx: Transaction, channel: str) -> None:
    """Holds the channel until COMMIT: how fast it is told, and what is told together, is decided by one at a time.

    Whoever comes next sees what was decided. In SQLite every transaction that writes is alone.
    """
    number = crc32(channel.encode()) - 2**31
    tx.execute(f"/*postgresql SELECT pg_advisory_xact_lock({TURN}, {number})*/")


def fails(tx: Transaction, channel: str, delivery_id: str, now: datetime) -> tuple[datetime, int]:
    """Records that a channel failed as a whole: since when, and the setbacks of the message if it was the first.

    A message that is the first to fail again and again may itself be the cause; the others shall not wait for it.
    """
    since = state(tx, channel, now).failing_since
    if since is not None:
        return since, 0
    tx.execute(
        "INSERT INTO channel (name, failing_since) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET failing_since = excluded.failing_since",
        (channel, to_us(now)),
    )
    row = tx.execute(
        "UPDATE delivery SET setbacks = setbacks + 1 WHERE id = ? RETURNING setbacks", (delivery_id,)
    ).fetchone()
    return now, row[0] if row else 0


def works(tx: Transaction, channel: str) -> None:
    """Records that the provider confirmed a message. A pause it asked for meanwhile, in another answer, stays."""
    tx.execute("UPDATE channel SET failing_since = 0 WHERE name = ? AND failing_since > 0", (channel,))


def pause(tx: Transaction, channel: str, until: datetime, reason: str) -> None:
    """Lets every message of a channel wait; of two pauses the longer one holds."""
    tx.execute(
        "INSERT INTO channel (name, paused_until, reason) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET paused_until = excluded.paused_until, reason = excluded.reason"
        " WHERE channel.paused_until <= excluded.paused_until",
        (channel, to_us(until), reason),
    )


def probed(tx: Transaction, channel: str, now: datetime) -> bool:
    """Whether a message is under way through the channel."""
    # Both states are named as in the partial index: without them neither engine may use it.
    row = tx.execute(
        "SELECT 1 FROM delivery WHERE channel = ? AND state IN ('due', 'claimed') AND state = 'claimed' AND due_at > ?"
        " LIMIT 1",
        (channel, to_us(now)),
    ).fetchone()
    return row is not None
