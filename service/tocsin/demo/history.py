"""Days of a simulated cluster's past, written in OpenMetrics for `promtool tsdb create-blocks-from openmetrics`."""

import math
from collections.abc import Iterator, Mapping
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


def write(
    cluster: Cluster,
    file: Path,
    until: float,
    days: float,
    bursts: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """Lets `days` pass and writes what would have been scraped. Leaves `cluster` as it is at `until`.

    `bursts` are workloads that send so many bytes per second more during the last seconds, and go on doing so.
    Every workload runs all the time, except the cron jobs, and except that every Deployment was rolled out half-way.
    """
    pods = []
    with file.open("w", encoding="utf-8") as out:
        start = until - days * DAY
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
            rate, seconds = (bursts or {}).get(workload.name, (0.0, 0.0))
            _live(pod, out, half, until, until, burst=(rate, until - seconds))
            pods.append(pod)
        out.write("# EOF\n")
    cluster.resume(pods, until)


def _live(
    pod: Pod, out: TextIO, start: float, end: float, until: float, burst: tuple[float, float] = (0.0, math.inf)
) -> None:
    """Writes one series after the other; the importer wants rising time only within a series."""
    lines: dict[str, StringIO] = {}
    at, before = start, pod.created_at
    for name in pod.workload.names:
        pod.ask(name)
    while at < end:
        if before >= burst[1]:
            pod.extra_rate = burst[0]
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
