"""Days of a simulated cluster's past, written in OpenMetrics for `promtool tsdb create-blocks-from openmetrics`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TextIO

from tocsin.demo import exposition
from tocsin.demo.cluster import DAY, Cluster, Pod

STEP = 300.0
"""Seconds between two samples: the longest for which an instant selector still sees every series."""
RECENT = 1200.0
RECENT_STEP = 15.0
"""Seconds between two samples of the last minutes: a rate needs them as dense as what is scraped from then on."""
_HOUR = 3600.0
_RUN = 600.0
_STATE_KEPT = 1.5 * DAY


@dataclass(frozen=True, slots=True)
class Burst:
    """So many bytes per second on top of the usual, since so many seconds, after a lookup of a name."""

    rate: float
    seconds: float
    to: str = ""


def write(
    cluster: Cluster,
    file: Path,
    until: float,
    days: float,
    bursts: Mapping[str, Burst] | None = None,
) -> None:
    """Lets `days` pass and writes what would have been scraped. Leaves `cluster` as it is at `until`.

    tocsin was there as well: where it was not, the alerts of the first moments would count as unexplained.

    `bursts` says which workloads, by name, begin to send more, and go on doing so. Every workload runs all the time,
    except the cron jobs, and except that every Deployment was rolled out half-way.
    """
    pods = []
    with file.open("w", encoding="utf-8") as out:
        start = until - days * DAY
        for metric, labels, value in (*exposition.agent(), *exposition.tocsin()):
            key = exposition.series(metric, labels)
            out.writelines(f"{key} {value:g} {until - n * STEP:.0f}\n" for n in range(int(days * DAY / STEP), -1, -1))
        for workload in cluster.workloads:
            if workload.kind == "CronJob":
                first = (start // _HOUR + 1) * _HOUR
                for run in range(int((until - _RUN - first) // _HOUR) + 1):
                    pod = cluster.create(workload, first + run * _HOUR)
                    pod.ends_at = pod.created_at + _RUN
                    _live(pod, out, pod.created_at + 30, min(pod.ends_at, until), until)
                continue
            half = start + days * DAY / 2 if workload.kind == "Deployment" else start
            if half > start:
                _live(cluster.create(workload, start), out, start, half, until)
            pod = cluster.create(workload, half)
            _live(pod, out, half, until, until, (bursts or {}).get(workload.name))
            pods.append(pod)
        out.write("# EOF\n")
    cluster.resume(pods, until)


def _live(pod: Pod, out: TextIO, start: float, end: float, until: float, burst: Burst | None = None) -> None:
    """Writes one series after the other; the importer wants rising time only within a series."""
    lines: dict[str, StringIO] = {}
    at, before = start, pod.created_at
    while at < end:
        if burst and not pod.extra_rate and before >= until - burst.seconds:
            pod.extra_rate = burst.rate
            if burst.to:
                pod.ask(burst.to)
        pod.pass_time(before, at)
        for metric, labels, value in _readings(pod, at > until - _STATE_KEPT):
            key = exposition.series(metric, labels)
            lines.setdefault(key, StringIO()).write(f"{key} {value:.17g} {at:.0f}\n")
        before, at = at, at + (STEP if at < until - RECENT else RECENT_STEP)
    if end >= until and before < until:
        pod.pass_time(before, until)
    for text in lines.values():
        out.write(text.getvalue())


def _readings(pod: Pod, with_state: bool) -> Iterator[tuple[str, exposition.Labels, float]]:
    yield from exposition.hubble(pod)
    yield exposition.cadvisor(pod)
    if with_state:
        yield from exposition.kube_state(pod)
