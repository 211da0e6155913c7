"""When a counter first and last moved, and since when series exist, asked for in few cheap steps.

PromQL knows no "time of the last change". A window in which the counter differs from what it was before is one in
which it moved, so windows of a day, an hour and a minute are laid over the past: coarse where it is far, fine where
it is near. Every instant is the end of its window: never earlier than the event, at most a window later.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from tocsin.enrich import promql
from tocsin.enrich.prometheus import Prometheus

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
_NEAR = ((2 * HOUR, MINUTE), (DAY + 2 * HOUR, HOUR))
_SPARSE = 6 * HOUR

Fold = Callable[[str, str], str]
"""Applies an aggregation (min, max, sum) to an expression, keeping the labels one wants to know."""


def scales(look_back: timedelta) -> tuple[tuple[timedelta, timedelta], ...]:
    """How far back and in which windows, the finest first."""
    return (*_NEAR, (look_back, DAY))


def moved(series: str, window: timedelta) -> str:
    """The present time, for series that were born or counted on within `window`.

    What it was before is the last value known within a day, so that a gap in the data is no movement.
    """
    last = promql.over("last_over_time", series, window)
    before = promql.over("last_over_time", series, max(window, DAY), offset=window)
    return f"({last} unless {last} == {before}) * 0 + time()"


def moments(series: str, fold: Fold, look_back: timedelta) -> dict[str, str]:
    """Expressions, tagged `first0`, `last0` and so on from the finest scale to the coarsest, `now` finest of all.

    Their values are Unix times; `fold` aggregates them.
    """
    parts = {"now": fold("max", moved(series, MINUTE))}
    for number, (reach, window) in enumerate(scales(look_back)):
        each = moved(series, window)
        parts[f"first{number}"] = fold("min", promql.every("min_over_time", each, reach, window))
        parts[f"last{number}"] = fold("max", promql.every("max_over_time", each, reach, window))
    return parts


def first_of(times: Mapping[str, float]) -> float | None:
    """The earliest of one series' moments by tag: a finer scale gives the same event a smaller time."""
    return min((value for tag, value in times.items() if tag == "now" or tag.startswith("first")), default=None)


def last_of(times: Mapping[str, float]) -> float | None:
    """The latest of one series' moments by tag, from the finest scale that knows one."""
    tags = ("now", *sorted(tag for tag in times if tag.startswith("last")))
    return next((times[tag] for tag in tags if tag in times), None)


async def age(prometheus: Prometheus, series: str, at: datetime) -> timedelta | None:
    """How long `series` have existed, at least; None when there are none within the look-back.

    First looks into one hour of every six, which is cheap for any number of series. Only where that finds nothing
    older than a day is every window looked into: there is little data then. Raises LookupFailed.
    """
    look_back = prometheus.settings.look_back
    since = await _oldest(prometheus, [_existing(series, look_back, _SPARSE, HOUR)], at)
    if since is None or at - since < DAY:
        thorough = [_existing(series, reach, window, window) for reach, window in scales(look_back)]
        found = await _oldest(prometheus, thorough, at)
        since = min((each for each in (since, found) if each), default=None)
    return None if since is None else at - since


def _existing(series: str, reach: timedelta, step: timedelta, window: timedelta) -> str:
    present = f"group({promql.over('last_over_time', series, window)}) * 0 + time()"
    return promql.every("min_over_time", present, reach, step)


async def _oldest(prometheus: Prometheus, expressions: list[str], at: datetime) -> datetime | None:
    answer = await prometheus.query(promql.union({str(n): each for n, each in enumerate(expressions)}, "scale"), at)
    return min((datetime.fromtimestamp(sample.value, UTC) for sample in answer), default=None)
