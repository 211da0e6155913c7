"""What was told, or would have been, since an instant: notices with their messages, and how much came in meanwhile."""

from dataclasses import dataclass
from datetime import datetime

from tocsin.store.database import Transaction, from_us, to_us


@dataclass(frozen=True, slots=True)
class Copy:
    """A message of a notice: where to, what became of it, and its title."""

    channel: str
    state: str
    title: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A decision to tell someone. `report` is JSON, empty for a notice about tocsin itself."""

    incident_id: str
    created_at: datetime
    reason: str
    verdict: str
    report: str
    namespace: str
    workload: str
    title: str
    copies: tuple[Copy, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """Webhooks that came in, the alerts in them, and how many webhooks could not be explained."""

    webhooks: int
    alerts: int
    dead: int


def told(tx: Transaction, since: datetime) -> list[Notice]:
    """The notices since an instant, in the order they were made."""
    copies: dict[str, list[Copy]] = {}
    for notice_id, channel, state, title in tx.execute(
        "SELECT notice_id, channel, state, title FROM delivery WHERE created_at >= ? ORDER BY id", (to_us(since),)
    ).fetchall():
        copies.setdefault(notice_id, []).append(Copy(channel, state, title))
    rows = tx.execute(
        "SELECT n.id, n.incident_id, n.created_at, n.reason, n.verdict, n.report, i.namespace, i.workload, i.title"
        " FROM notice n JOIN incident i ON i.id = n.incident_id WHERE n.created_at >= ? ORDER BY n.id",
        (to_us(since),),
    ).fetchall()
    return [
        Notice(row[1], from_us(row[2]), row[3], row[4], row[5], row[6], row[7], row[8], tuple(copies.get(row[0], ())))
        for row in rows
    ]


def seen(tx: Transaction, since: datetime) -> dict[str, int]:
    """How many webhooks said that an incident fires, by incident opened since an instant."""
    return dict(tx.execute("SELECT id, seen FROM incident WHERE opened_at >= ?", (to_us(since),)).fetchall())


def heard(tx: Transaction, since: datetime) -> Heard:
    """What came in since an instant, as far as it is kept."""
    rows = tx.execute(
        "SELECT state, COUNT(*), SUM(alerts) FROM event WHERE received_at >= ? GROUP BY state", (to_us(since),)
    ).fetchall()
    return Heard(
        sum(row[1] for row in rows), sum(row[2] for row in rows), sum(row[1] for row in rows if row[0] == "dead")
    )


def first_at(tx: Transaction) -> datetime | None:
    """When the first thing came that is still known, None when nothing ever came."""
    row = tx.execute(
        "SELECT MIN(at) FROM (SELECT MIN(received_at) AS at FROM event UNION ALL"
        " SELECT MIN(opened_at) AS at FROM incident) AS known"
    ).fetchone()
    return from_us(row[0]) if row[0] is not None else None
