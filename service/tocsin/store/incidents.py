"""Incidents and their alerts. States: firing -> quiet -> closed; quiet -> firing when it fires again."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tocsin.decide import DecideSettings, Memory
from tocsin.model import AlertStatus, Mode, Verdict
from tocsin.store.database import Transaction, from_us, to_us

Key = tuple[str, ...]
CHUNK = 400
"""Parameters in one IN list; SQLite's default limit is 999 in old builds."""


class Overtaken(Exception):
    """An incident changed between recall and record; recall and decide again."""


@dataclass(frozen=True, slots=True)
class Known:
    """Whom an alert was about when it was last seen: enough to find its incident without a lookup."""

    namespace: str
    workload: str
    starts_at: datetime


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert of an incident, as it now is."""

    fingerprint: str
    status: AlertStatus
    starts_at: datetime
    pod: str


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """What is written of an incident for one event, or several that are explained together.

    `version` is the one recalled, 0 for a new incident; `heard` is how many webhooks spoke of it.
    """

    id: str
    version: int
    key: Key
    cluster: str
    kind: str
    namespace: str
    workload: str
    domain: str
    title: str
    posture: str | None
    verdict: str | None
    alerts: tuple[AlertRow, ...]
    heard: int = 1


def known_alerts(tx: Transaction, fingerprints: Collection[str]) -> dict[str, Known]:
    """Whom the alerts of open incidents were about, by fingerprint."""
    found = {}
    for chunk in _chunks(fingerprints):
        for row in tx.execute(
            "SELECT a.fingerprint, i.namespace, i.workload, a.starts_at"
            " FROM alert a JOIN incident i ON i.id = a.incident_id"
            f" WHERE i.state <> 'closed' AND a.fingerprint IN ({_marks(chunk)})",
            chunk,
        ).fetchall():
            found[row[0]] = Known(row[1], row[2], from_us(row[3]))
    return found


def recall(tx: Transaction, keys: Collection[Key], mode: Mode = Mode.LIVE) -> dict[Key, Memory]:
    """What is remembered of the open incidents with these keys.

    In mode shadow a message counts as told from when it was stored on: live, it would have left at once. In mode live
    what was only recorded in shadow was told to nobody.
    """
    found: dict[Key, Memory] = {}
    for chunk in _chunks([json.dumps(key) for key in keys]):
        rows = tx.execute(
            "SELECT id, version, key, seen, told_at, told_verdict FROM incident"
            f" WHERE state <> 'closed' AND key IN ({_marks(chunk)})",
            chunk,
        ).fetchall()
        if not rows:
            continue  # PostgreSQL takes no empty list
        ids = [row[0] for row in rows]
        firing: dict[str, dict[str, datetime]] = {incident_id: {} for incident_id in ids}
        unsent = _unsent(tx, ids)
        for incident_id, fingerprint, starts_at in tx.execute(
            "SELECT incident_id, fingerprint, starts_at FROM alert"
            f" WHERE status = 'firing' AND incident_id IN ({_marks(ids)})",
            ids,
        ).fetchall():
            firing[incident_id][fingerprint] = from_us(starts_at)
        for row in rows:
            memory = Memory(
                incident_id=row[0],
                version=row[1],
                seen=row[3],
                firing=firing[row[0]],
                told_at=from_us(row[4]) if row[4] is not None else None,
                told_verdict=Verdict(row[5]) if row[5] else None,
            )
            found[tuple(json.loads(row[2]))] = _with_unsent(memory, unsent.get(row[0], []), mode)
    return found


@dataclass(frozen=True, slots=True)
class _Unsent:
    """A message that did not leave: still on its way, or recorded in mode shadow."""

    shadow: bool
    verdict: Verdict
    created_at: datetime


def _unsent(tx: Transaction, ids: Sequence[str]) -> dict[str, list[_Unsent]]:
    """Messages with a report that did not leave, by incident, in the order of their notices.

    One of mode shadow is left out once a later notice was sent, or is on its way.
    """
    found: dict[str, list[_Unsent]] = {}
    for incident_id, shadow, verdict, created_at in tx.execute(
        "SELECT d.incident_id, d.state = 'shadow', n.verdict, d.created_at"
        " FROM delivery d JOIN notice n ON n.id = d.notice_id"
        f" WHERE d.state IN ('due', 'claimed', 'shadow') AND n.report <> '' AND d.incident_id IN ({_marks(ids)})"
        " AND (d.state <> 'shadow' OR NOT EXISTS (SELECT 1 FROM delivery e JOIN notice m ON m.id = e.notice_id"
        "  WHERE e.incident_id = d.incident_id AND e.state IN ('due', 'claimed', 'sent') AND m.report <> ''"
        "  AND m.id > n.id)) ORDER BY n.id, d.id",
        ids,
    ).fetchall():
        found.setdefault(incident_id, []).append(_Unsent(bool(shadow), Verdict(verdict), from_us(created_at)))
    return found


def _with_unsent(memory: Memory, unsent: Sequence[_Unsent], mode: Mode) -> Memory:
    if not unsent:
        return memory
    if mode is Mode.SHADOW:
        last = unsent[-1]
        latest = memory.told_at is None or memory.told_at <= last.created_at
        return replace(memory, told_at=last.created_at, told_verdict=last.verdict) if latest else memory
    pending = [message.verdict for message in unsent if not message.shadow]
    return replace(
        memory,
        pending_verdict=max(pending, key=lambda verdict: verdict.rank, default=None),
        unheard=any(message.shadow for message in unsent),
    )


def elsewhere(tx: Transaction, cluster: str, domain: str) -> list[tuple[Key, str]]:
    """Open incidents with this registrable domain: (key, `namespace/workload`), oldest first."""
    rows = tx.execute(
        "SELECT key, namespace, workload FROM incident WHERE state <> 'closed' AND domain <> ''"
        " AND cluster = ? AND domain = ? ORDER BY opened_at LIMIT 50",
        (cluster, domain),
    ).fetchall()
    return [(tuple(json.loads(row[0])), f"{row[1]}/{row[2]}") for row in rows]


def record(tx: Transaction, row: IncidentRow, now: datetime) -> None:
    """Writes what one event said of an incident.

    Raises Overtaken when the incident is not as it was recalled.
    """
    at = to_us(now)
    state = "firing" if any(alert.status is AlertStatus.FIRING for alert in row.alerts) else None
    if row.version == 0:
        inserted = tx.execute(
            "INSERT INTO incident (id, key, cluster, kind, namespace, workload, domain, title, state, opened_at,"
            " last_at, seen, posture, verdict, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'firing', ?, ?, ?, ?, ?, 1)"
            " ON CONFLICT DO NOTHING",
            (row.id, json.dumps(row.key), row.cluster, row.kind, row.namespace, row.workload, row.domain, row.title)
            + (at, at, row.heard, row.posture or "unknown", row.verdict or "unjudged"),
        ).rowcount
        if inserted != 1:
            raise Overtaken
    else:
        updated = tx.execute(
            "UPDATE incident SET last_at = ?, seen = seen + ?, version = version + 1,"
            " posture = COALESCE(?, posture), verdict = COALESCE(?, verdict), title = COALESCE(?, title)"
            " WHERE id = ? AND version = ? AND state <> 'closed'",
            (at, row.heard if state else 0, row.posture, row.verdict, row.title or None, row.id, row.version),
        ).rowcount
        if updated != 1:
            raise Overtaken
    tx.executemany(
        "INSERT INTO alert (incident_id, fingerprint, status, starts_at, last_at, pod)"
        " VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (incident_id, fingerprint) DO UPDATE SET"
        " status = excluded.status, starts_at = excluded.starts_at, last_at = excluded.last_at",
        [
            (row.id, alert.fingerprint, alert.status.value, to_us(alert.starts_at), at, alert.pod)
            for alert in row.alerts
        ],
    )
    tx.execute(
        "UPDATE incident SET state = CASE WHEN EXISTS ("
        "SELECT 1 FROM alert WHERE incident_id = ? AND status = 'firing') THEN 'firing' ELSE 'quiet' END WHERE id = ?",
        (row.id, row.id),
    )


def close_quiet(tx: Transaction, now: datetime, settings: DecideSettings) -> int:
    """Closes incidents that have been quiet for long enough, or that Alertmanager no longer speaks of."""
    return tx.execute(
        "UPDATE incident SET state = 'closed', version = version + 1"
        " WHERE state <> 'closed' AND ((state = 'quiet' AND last_at <= ?) OR (state = 'firing' AND last_at <= ?))",
        (to_us(now - settings.quiet_after), to_us(now - settings.lost_after)),
    ).rowcount


def prune(tx: Transaction, before: datetime, limit: int) -> int:
    """Deletes up to `limit` closed incidents last heard of before an instant, with all that belongs to them.

    One with a message still on its way is kept.
    """
    ids = [
        row[0]
        for row in tx.execute(
            "SELECT id FROM incident WHERE state = 'closed' AND last_at < ? AND NOT EXISTS ("
            " SELECT 1 FROM delivery d WHERE d.incident_id = incident.id AND d.state IN ('due', 'claimed'))"
            " ORDER BY last_at LIMIT ?",
            (to_us(before), limit),
        ).fetchall()
    ]
    for table, column in (
        ("alert", "incident_id"),
        ("delivery", "incident_id"),
        ("notice", "incident_id"),
        ("incident", "id"),
    ):
        tx.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(incident_id,) for incident_id in ids])
    return len(ids)


def listing(tx: Transaction, limit: int) -> list[Mapping[str, Any]]:
    """The latest incidents, newest first, as plain values for a table."""
    columns = ("id", "state", "kind", "verdict", "posture", "title", "seen", "opened_at", "last_at", "told_at")
    rows = tx.execute(
        f"SELECT {', '.join(columns[:-1])}, COALESCE(told_at, (SELECT MAX(settled_at) FROM delivery"
        " WHERE incident_id = incident.id AND state = 'sent')) FROM incident ORDER BY last_at DESC, id DESC LIMIT ?",
        (limit,),
    ).fetchall()
    return [_readable(dict(zip(columns, row, strict=True))) for row in rows]


def detail(tx: Transaction, prefix: str) -> Mapping[str, Any] | None:
    """One incident by the beginning of its identity: its row, alerts, notices with reports, and deliveries."""
    found: dict[str, Any] = {}
    for table, column, columns in (
        (
            "incident",
            "id",
            "id, state, kind, verdict, posture, title, namespace, workload, domain, seen, opened_at, last_at, told_at",
        ),
        ("alert", "incident_id", "fingerprint, status, pod, starts_at, last_at"),
        ("notice", "incident_id", "id, reason, verdict, created_at, report"),
        ("delivery", "incident_id", "id, channel, state, attempts, error, title, created_at, due_at, settled_at"),
    ):
        names = columns.split(", ")
        rows = tx.execute(f"SELECT {columns} FROM {table} WHERE {column} LIKE ? ORDER BY 1", (f"{prefix}%",)).fetchall()
        found[table] = [_readable(dict(zip(names, row, strict=True))) for row in rows]
    if len(found["incident"]) != 1:
        return None
    return {
        **found["incident"][0],
        "alerts": found["alert"],
        "notices": found["notice"],
        "deliveries": found["delivery"],
    }


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    return {
        column: from_us(value).isoformat() if column.endswith("_at") and value is not None else value
        for column, value in row.items()
    }


def _chunks(values: Iterable[str]) -> Iterable[Sequence[str]]:
    every = list(dict.fromkeys(values))
    return (every[start : start + CHUNK] for start in range(0, len(every), CHUNK))


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
