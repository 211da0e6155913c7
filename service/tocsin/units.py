"""Numbers, ages and instants as people read them. Pure.

Ages are cut, never rounded up, so that no baseline is claimed to be older than it is.
"""

import math
from datetime import UTC, datetime, timedelta

_PREFIXES = ("", "k", "M", "G", "T", "P", "E")


def age(value: timedelta) -> str:
    """Writes "40 s", "11 min", "1 h 20 min", "10 h", "6 d 4 h" or "41 d"; a negative duration is "0 s"."""
    seconds = max(int(value.total_seconds()), 0)
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if days >= 10:
        return f"{days} d"
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes and hours < 2 else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def ago(value: timedelta) -> str:
    """Writes how long ago something was: "11 min ago", "just now" below a second."""
    return f"{age(value)} ago" if value >= timedelta(seconds=1) else "just now"


def size(octets: float) -> str:
    """Writes bytes with three digits and SI prefixes: "11 GB", "18.4 MB", "164 kB"; "? B" for what is no number."""
    if not math.isfinite(octets):
        return "? B"
    octets, prefixes = (octets if octets >= 1 else 0.0), list(_PREFIXES)
    while octets >= 999.5 and len(prefixes) > 1:
        octets /= 1000
        prefixes.pop(0)
    return f"{float(f'{octets:.3g}'):g} {prefixes[0]}B"


def rate(octets_per_second: float) -> str:
    """Writes bytes per second like `size`: "18.4 MB/s"."""
    return f"{size(octets_per_second)}/s"


def multiple(value: float) -> str:
    """Writes "112x", "3.4x", cut rather than rounded; "over 10000x" for more, "?x" for what is no number."""
    if math.isnan(value):
        return "?x"
    if value >= 10_000:
        return "over 10000x"
    return f"{int(value)}x" if value >= 10 else f"{int(value * 10) / 10:g}x"


def count(number: int, noun: str, plural: str = "") -> str:
    """Writes "1 pod", "12 lookups"."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def clock(instant: datetime, now: datetime) -> str:
    """Writes "14:02 UTC", with the day where it is not the day of `now`: "21 Nov 14:02 UTC"."""
    instant, now = instant.astimezone(UTC), now.astimezone(UTC)
    day = "" if instant.date() == now.date() else f"{instant.day} {instant:%b} "
    return f"{day}{instant:%H:%M} UTC"
