"""Ages, rates and sizes as a person reads them on a phone: at most three digits that matter. Pure."""

from datetime import timedelta

_DECIMAL = ("", "k", "M", "G", "T", "P", "E")


def age(span: timedelta) -> str:
    """Writes a span in its largest unit ("41 d", "11 min"), with the next one where it still matters ("6 d 4 h")."""
    seconds = max(int(span.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return _with_rest(hours, "h", minutes % 60 if hours < 6 else 0, "min")
    return _with_rest(days, "d", hours % 24 if days < 10 else 0, "h")


def size(count: float) -> str:
    """Writes a number of bytes in decimal units ("11 GB", "164 kB")."""
    value, step = max(float(count), 0.0), 0
    while value >= 999.5 and step < len(_DECIMAL) - 1:
        value, step = value / 1000, step + 1
    return f"{digits(value)} {_DECIMAL[step]}B"


def rate(bytes_per_second: float) -> str:
    """Writes a rate ("18.4 MB/s")."""
    return f"{size(bytes_per_second)}/s"


def multiple(factor: float) -> str:
    """Writes how many times something is ("112x", "3.4x")."""
    return f"{digits(factor)}x"


def digits(value: float) -> str:
    """Writes a number with up to three digits that matter and no empty decimals."""
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}".removesuffix(".0")


def count(number: int, noun: str, plural: str = "") -> str:
    """Writes a number with its noun ("1 alert", "3 alerts")."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def _with_rest(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"
