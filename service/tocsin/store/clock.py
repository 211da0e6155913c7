"""When the clock was put back: what waits for an instant would wait for as long again."""

from datetime import datetime, timedelta

from tocsin.store.database import Transaction, to_us

_MICROSECOND = timedelta(microseconds=1)


def put_back(tx: Transaction, by: timedelta, now: datetime) -> int:
    """Moves every wait that lies ahead of `now` by as much as the clock went back; returns how many rows waited."""
    shift, at = by // _MICROSECOND, to_us(now)
    moved = 0
    for table in ("event", "delivery"):
        moved += tx.execute(
            f"UPDATE {table} SET due_at = due_at - ? WHERE state IN ('due', 'claimed') AND due_at > ?", (shift, at)
        ).rowcount
    for column in ("paused_until", "held_until"):
        tx.execute(f"UPDATE channel SET {column} = {column} - ? WHERE {column} > ?", (shift, at))
    return moved
