"""What `tocsin incidents` prints, read from the store beside a running service."""

import json
from typing import Any

from tocsin import inert
from tocsin.errors import TocsinError
from tocsin.settings import Settings
from tocsin.store import incidents
from tocsin.store.engine import reading
from tocsin.units import count


async def show(settings: Settings, incident: str | None, *, limit: int, as_json: bool) -> str:
    """The latest incidents, or one with all that was sent about it.

    Raises TocsinError when the store cannot be read or has no such incident.
    """
    with reading(settings.store) as tx:
        if incident is None:
            rows = incidents.listing(tx, limit)
            return json.dumps(rows, indent=2) if as_json else _table(rows)
        found = incidents.detail(tx, incident)
    if found is None:
        raise TocsinError(f"no incident, or more than one, has an ID that begins with {incident}")
    return json.dumps(found, indent=2) if as_json else _page(found)


def _table(rows: list[Any]) -> str:
    if not rows:
        return "No incidents yet."
    lines = [f"{'ID':24}  {'STATE':7} {'VERDICT':12} {'CLASS':10} {'SEEN':>5}  {'LAST (UTC)':19}  SUBJECT"]
    for row in rows:
        lines.append(
            f"{row['id']:24}  {row['state']:7} {row['verdict']:12} {row['posture']:10} {row['seen']:>5}  "
            f"{_at(row['last_at'])}  {_shown(row['title'])}{'' if row['told_at'] else '  (not told)'}"
        )
    return "\n".join(lines)


def _page(found: Any) -> str:
    lines = [
        _shown(found["title"]),
        f"{found['verdict']}, class {found['posture']}, {found['state']}, seen {count(found['seen'], 'time')}",
        f"opened {_at(found['opened_at'])}, last {_at(found['last_at'])}, told {_at(found['told_at'])}",
        "",
    ]
    for row in found["alerts"]:
        lines.append(
            f"alert    {row['fingerprint']} {row['status']} since {_at(row['starts_at'])} {_shown(row['pod'])}"
        )
    for row in found["notices"]:
        lines.append(f"notice   {_at(row['created_at'])} {row['reason']}: {row['verdict']}")
        if row["report"]:
            assessment = json.loads(row["report"])["assessment"]
            lines += [f"         - {_shown(reason)}" for reason in (assessment["headline"], *assessment["reasons"])]
    for row in found["deliveries"]:
        error = f": {_shown(row['error'])}" if row["error"] else ""
        fate = ", not sent" if row["state"] == "shadow" else f" after {count(row['attempts'], 'attempt')}"
        lines.append(f"message  {row['channel']} {row['state']}{fate}{error}")
    return "\n".join(lines)


def _shown(value: str) -> str:
    """A terminal obeys control characters, and the store keeps names as they came."""
    return inert.text(value, 1000)


def _at(instant: str | None) -> str:
    return instant[:19].replace("T", " ") if instant else "never"
