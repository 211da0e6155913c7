"""The inbox: one row for each accepted webhook. States: due -> claimed -> done, or dead after too many failures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin.store.database import OWNER, OWNER_COLUMN, OWNER_VALUE, SKIP_LOCKED, Transaction, from_us, to_us


@dataclass(frozen=True, slots=True)
class Event:
    """One accepted webhook, claimed for processing. `attempts` counts this one."""

    id: str
    received_at: datetime
    body: str
    attempts: int


Arrived = tuple[str, int, str, int]
"""Identity, instant in microseconds, body and number of alerts of a webhook that was not stored yet."""

MICROSECOND = timedelta(microseconds=1)

ROWS = 100
"""Webhooks in one statement; five parameters each, of which an old SQLite takes 999."""

BATCH_EVENTS = 100
BATCH_ALERTS = 1_000
"""Webhooks that are explained together, at most, and the alerts in them; a larger webhook is explained by itself."""


def insert(tx: Transaction, arrived: Sequence[Arrived], lease: timedelta | None = None) -> None:
    """Stores accepted webhooks, many in one statement: a statement costs more than a row.

    With a lease they are claimed at once, by whoever stores them.
    """
    state, attempts, later = ("due", 0, 0) if lease is None else ("claimed", 1, lease // MICROSECOND)
    column, owner = ("", "") if lease is None else (OWNER_COLUMN, OWNER_VALUE)
    for start in range(0, len(arrived), ROWS):
        rows = arrived[start : start + ROWS]
        values = ", ".join([f"(?, ?, ?, ?, '{state}', ?, {attempts}{owner})"] * len(rows))
        tx.execute(
            f"INSERT INTO event (id, received_at, body, alerts, state, due_at, attempts{column}) VALUES {values}",
            [value for event_id, at, body, alerts in rows for value in (event_id, at, body, alerts, at + later)],
        )


def claim(tx: Transaction, now: datetime, lease: timedelta) -> list[Event]:
    """Takes the oldest due events, oldest first; what is not settled within `lease` is due again.

    As many as BATCH_ALERTS and BATCH_EVENTS allow, so that they can be explained together; one at least.
    """
    rows = tx.execute(
        f"UPDATE event SET state = 'claimed', due_at = ?, attempts = attempts + 1{OWNER} WHERE id IN ("
        " SELECT id FROM (SELECT id, SUM(alerts) OVER (ORDER BY due_at, id) - alerts AS before FROM ("
        "  SELECT id, due_at, alerts FROM event WHERE state IN ('due', 'claimed') AND due_at <= ?"
        f"  ORDER BY due_at, id LIMIT ? {SKIP_LOCKED}) AS oldest) AS counted WHERE before < ?"
        ") RETURNING id, received_at, body, attempts",
        (to_us(now + lease), to_us(now), BATCH_EVENTS, BATCH_ALERTS),
    ).fetchall()
    found = [Event(row[0], from_us(row[1]), row[2], row[3]) for row in rows]
    return sorted(found, key=lambda event: event.id)


def finish(tx: Transaction, event_ids: Sequence[str]) -> None:
    """Marks events as processed."""
    tx.executemany("UPDATE event SET state = 'done', error = '' WHERE id = ?", [(each,) for each in event_ids])


def postpone(tx: Transaction, event_id: str, until: datetime, error: str) -> None:
    """Makes an event due again later, with what went wrong."""
    tx.execute("UPDATE event SET state = 'due', due_at = ?, error = ? WHERE id = ?", (to_us(until), error, event_id))


def bury(tx: Transaction, event_id: str, error: str) -> None:
    """Gives an event up; it stays visible with its reason."""
    tx.execute("UPDATE event SET state = 'dead', error = ? WHERE id = ?", (error, event_id))


def release(tx: Transaction, now: datetime, owners: Sequence[int] = (0,)) -> int:
    """Makes due what processes that are gone had claimed; in SQLite there is one owner, whoever owned the file."""
    marks = ", ".join("?" * len(owners))
    return tx.execute(
        f"UPDATE event SET state = 'due', due_at = ? WHERE state = 'claimed' AND owner IN ({marks})",
        (to_us(now), *owners),
    ).rowcount


def oldest_at(tx: Transaction) -> datetime | None:
    """When the oldest event that is not settled was received."""
    row = tx.execute("SELECT MIN(received_at) FROM event WHERE state IN ('due', 'claimed')").fetchone()
    return from_us(row[0]) if row and row[0] is not None else None


def newest_at(tx: Transaction) -> datetime | None:
    """When the newest event was received, None when none is stored. Identities sort by time."""
    row = tx.execute("SELECT received_at FROM event ORDER BY id DESC LIMIT 1").fetchone()
    return from_us(row[0]) if row else None


def prune(tx: Transaction, before: datetime, limit: int) -> int:
    """Deletes up to `limit` settled events received before an instant; dead ones count as settled."""
    return tx.execute(
        "DELETE FROM event WHERE id IN ("
        " SELECT id FROM event WHERE state IN ('done', 'dead') AND received_at < ? ORDER BY received_at LIMIT ?)",
        (to_us(before), limit),
    ).rowcount
