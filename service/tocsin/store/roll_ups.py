"""Messages that are told together: what a channel was sent lately, and the members of a roll-up in the outbox.

A roll-up is claimed and settled in slices, so that a storm of any size never holds the store up.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin.model import Kind, Verdict
from tocsin.pace import HOUR, Traffic
from tocsin.roll_up import Entry, Shared, Totals
from tocsin.store import channels
from tocsin.store.database import OWNER, SKIP_LOCKED, Transaction, from_us, to_us

SLICE = 200
"""Messages claimed or settled in one transaction."""
SLICES = 100
"""Slices of one roll-up; what is beyond is the next one's."""
READ = 200
"""Reports of a roll-up that are read, the worst first."""

_RANK = " ".join(f"WHEN '{verdict.value}' THEN {verdict.rank}" for verdict in Verdict)
_MEMBERS = (
    " FROM delivery d JOIN incident i ON i.id = d.incident_id JOIN notice n ON n.id = d.notice_id"
    " WHERE d.roll_up = ? AND d.state = 'claimed'"
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A roll-up on its way. `attempts` and `created_at` are those of its oldest message."""

    id: str
    channel: str
    attempts: int
    created_at: datetime


def traffic(tx: Transaction, channel: str, within: timedelta, most: int, now: datetime) -> Traffic:
    """What the channel was sent and what waits for it; of what waits no more than `most` is counted.

    What follows from it is decided in this transaction, and nobody else decides for the channel meanwhile.
    """
    channels.in_turn(tx, channel)
    waiting = tx.execute(
        "SELECT COUNT(*) FROM (SELECT 1 FROM delivery WHERE channel = ? AND state IN ('due', 'claimed') LIMIT ?) AS w",
        (channel, most),
    ).fetchone()[0]
    recent, hour = tx.execute(
        "SELECT COALESCE(SUM(CASE WHEN sent_at > ? THEN 1 ELSE 0 END), 0), COUNT(*) FROM dispatch"
        " WHERE channel = ? AND sent_at > ? AND sent_at <= ?",  # a clock that was put back leaves some in the future
        (to_us(now - within), channel, to_us(now - HOUR), to_us(now)),
    ).fetchone()
    row = tx.execute("SELECT held_until, roll_ups FROM channel WHERE name = ?", (channel,)).fetchone()
    held_until, roll_ups = row or (0, 0)
    return Traffic(waiting, recent, hour, from_us(held_until) if held_until else None, roll_ups)


def dispatched(tx: Transaction, message_id: str, channel: str, now: datetime) -> None:
    """Counts one message that the provider confirmed."""
    tx.execute(
        "INSERT INTO dispatch (id, channel, sent_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (message_id, channel, to_us(now)),
    )


def hold(tx: Transaction, channel: str, until: datetime | None, roll_ups: int) -> None:
    """Gathers messages until an instant; with None the storm is over."""
    tx.execute(
        "INSERT INTO channel (name, held_until, roll_ups) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
        " SET held_until = excluded.held_until, roll_ups = excluded.roll_ups",
        (channel, to_us(until) if until else 0, roll_ups),
    )


def claim(tx: Transaction, bundle_id: str, channel: str, now: datetime, lease: timedelta) -> int:
    """Claims the next SLICE of due messages for a roll-up; returns how many. Those that follow one on its way wait."""
    channels.in_turn(tx, channel)
    at = to_us(now)
    claimed: int = tx.execute(
        f"UPDATE delivery SET state = 'claimed', due_at = ?, attempts = attempts + 1, roll_up = ?{OWNER} WHERE id IN ("
        " SELECT d.id FROM delivery d WHERE d.channel = ? AND d.state IN ('due', 'claimed') AND d.due_at <= ?"
        # The empty text keeps SQLite from an index that has every message of the channel.
        "  AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.incident_id = d.incident_id AND e.channel || '' = d.channel"
        "   AND e.state IN ('due', 'claimed') AND e.roll_up <> ? AND e.due_at > ? AND e.id < d.id)"
        f" ORDER BY d.due_at, d.id LIMIT ? {SKIP_LOCKED})",
        (to_us(now + lease), bundle_id, channel, at, bundle_id, at, SLICE),
    ).rowcount
    return claimed


def due(tx: Transaction, channel: str, now: datetime) -> int:
    """How many messages of a channel are due, two at most: enough to see whether there is something to put together."""
    found: int = tx.execute(
        "SELECT COUNT(*) FROM (SELECT 1 FROM delivery WHERE channel = ? AND state IN ('due', 'claimed')"
        " AND due_at <= ? LIMIT 2) AS d",
        (channel, to_us(now)),
    ).fetchone()[0]
    return found


def bundle(tx: Transaction, bundle_id: str, channel: str) -> Bundle:
    """What is known of a claimed roll-up."""
    row = tx.execute(
        "SELECT MAX(attempts), MIN(created_at) FROM delivery WHERE roll_up = ? AND state = 'claimed'", (bundle_id,)
    ).fetchone()
    return Bundle(bundle_id, channel, row[0], from_us(row[1]))


def totals(tx: Transaction, bundle_id: str) -> Totals:
    """Counts over the members of a roll-up."""
    count, workloads, namespaces, since = tx.execute(
        "SELECT COUNT(DISTINCT i.id), COUNT(DISTINCT i.cluster || '/' || i.namespace || '/' || i.workload),"
        f" COUNT(DISTINCT i.cluster || '/' || i.namespace), MIN(d.created_at){_MEMBERS}",
        (bundle_id,),
    ).fetchone()
    names = tx.execute(
        "SELECT COUNT(*) FROM alert WHERE status = 'firing' AND incident_id IN ("
        " SELECT incident_id FROM delivery WHERE roll_up = ? AND state = 'claimed')",
        (bundle_id,),
    ).fetchone()[0]

    def counted(column: str) -> dict[str, int]:
        rows = tx.execute(f"SELECT {column}, COUNT(DISTINCT i.id){_MEMBERS} GROUP BY {column}", (bundle_id,)).fetchall()
        return {row[0]: row[1] for row in rows}

    def shared(what: str, given: str) -> Shared | None:
        row = tx.execute(
            f"SELECT {what}, COUNT(DISTINCT i.id), COUNT(DISTINCT i.namespace || '/' || i.workload){_MEMBERS}"
            f" AND {given} <> '' GROUP BY {what} ORDER BY 2 DESC, 1 LIMIT 1",
            (bundle_id,),
        ).fetchone()
        return Shared(*row) if row else None

    return Totals(
        incidents=count,
        workloads=workloads,
        namespaces=namespaces,
        names=names,
        kinds={Kind(kind): number for kind, number in counted("i.kind").items()},
        verdicts={Verdict(verdict): number for verdict, number in counted("n.verdict").items()},
        since_at=from_us(since),
        domain=shared("i.domain", "i.domain"),
        workload=shared("i.namespace || '/' || i.workload", "i.workload"),
        namespace=shared("i.namespace", "i.namespace"),
    )


def worst(tx: Transaction, bundle_id: str) -> list[Entry]:
    """Members of a roll-up, READ at most: word about tocsin itself, then worst verdict first, then oldest."""
    rows = tx.execute(
        f"SELECT d.title, n.verdict, n.report{_MEMBERS}"
        f" ORDER BY CASE WHEN n.report = '' THEN 0 ELSE 1 END, CASE n.verdict {_RANK} END DESC, d.id LIMIT ?",
        (bundle_id, READ),
    ).fetchall()
    return [Entry(row[0], Verdict(row[1]), row[2]) for row in rows]


def settle_sent(tx: Transaction, told: Bundle, now: datetime) -> int:
    """Settles the next SLICE of a roll-up as sent, and with it, only now, that those incidents were told."""
    ids = _slice(tx, told.id)
    if not ids:
        return 0
    marks = ", ".join("?" * len(ids))
    at = to_us(now)
    tx.execute(
        "UPDATE incident SET told_at = ?, version = version + 1, told_verdict = ("
        "  SELECT n.verdict FROM notice n JOIN delivery d ON d.notice_id = n.id"
        f"  WHERE d.incident_id = incident.id AND d.id IN ({marks}) AND n.report <> '' ORDER BY n.id DESC LIMIT 1)"
        " WHERE id IN (SELECT d.incident_id FROM delivery d JOIN notice n ON n.id = d.notice_id"
        f"  WHERE d.id IN ({marks}) AND n.report <> '')",
        (at, *ids, *ids),
    )
    tx.execute(f"UPDATE delivery SET state = 'sent', error = '', settled_at = ? WHERE id IN ({marks})", (at, *ids))
    return len(ids)


def release(tx: Transaction, told: Bundle, until: datetime) -> int:
    """Makes the next SLICE of a roll-up that did not leave due again at an instant, each message for itself."""
    ids = _slice(tx, told.id)
    if not ids:
        return 0
    marks = ", ".join("?" * len(ids))
    tx.execute(
        f"UPDATE delivery SET state = 'due', due_at = ?, roll_up = '' WHERE id IN ({marks})", (to_us(until), *ids)
    )
    return len(ids)


def _slice(tx: Transaction, bundle_id: str) -> list[str]:
    rows = tx.execute(
        "SELECT id FROM delivery WHERE roll_up = ? AND state = 'claimed' ORDER BY id LIMIT ?", (bundle_id, SLICE)
    ).fetchall()
    return [row[0] for row in rows]


def prune(tx: Transaction, before: datetime, limit: int) -> int:
    """Deletes up to `limit` counts of messages sent before an instant, an hour ago or earlier."""
    return tx.execute(
        "DELETE FROM dispatch WHERE id IN (SELECT id FROM dispatch WHERE sent_at < ? ORDER BY sent_at LIMIT ?)",
        (to_us(before), limit),
    ).rowcount
