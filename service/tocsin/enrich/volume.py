"""How much a workload sends, against its own past."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from tocsin.destination import DestinationSettings, registrable_domain
from tocsin.enrich import moments, promql
from tocsin.enrich.enricher import located
from tocsin.enrich.neighbours import neighbours
from tocsin.enrich.new_names import new_names
from tocsin.enrich.partial import or_gap
from tocsin.enrich.prometheus import SENT_BYTES, Prometheus, Series
from tocsin.findings import Findings, Gap, Inquiry, Lookups, Volume
from tocsin.model import Kind

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_DIPS = 1
"""Points in a row that may lie in the usual range without ending the time out of it."""
_NOW, _BEGAN, _OTHERS = "rate and averages", "when it began", "neighbours of the new names"


class VolumeLookups:
    """Reads cAdvisor's counters: every byte that left the pods through one interface, to the LAN and cluster too."""

    source = "Prometheus"
    missing = (_NOW, _BEGAN)
    asks = True

    def __init__(self, prometheus: Prometheus, naming: DestinationSettings | None = None) -> None:
        self._prometheus = prometheus
        self._naming = naming or DestinationSettings()
        self._window = prometheus.settings.rate_window

    def applies(self, inquiry: Inquiry) -> bool:
        """Needs a volume to ask about."""
        return Kind.VOLUME in inquiry.kinds

    async def look(self, inquiry: Inquiry) -> Findings:
        """Asks side by side; what could not be asked is a gap of its own."""
        at, subject, namespace = inquiry.asked_at, inquiry.subject, located(inquiry)
        pods = promql.pods_of(subject.workload, subject.pods)
        interface = self._prometheus.settings.interface
        sent = self._prometheus.selector(SENT_BYTES, namespace=namespace, pod=pods, interface=interface)
        (volume, unmeasured), (names, lookups, unheard), baseline_for = await asyncio.gather(
            self._measure(sent, at),
            self._new_names(inquiry, pods),
            or_gap(moments.age(self._prometheus, sent, at), self.source, "age of the baseline"),
        )
        unknown = [baseline_for] if isinstance(baseline_for, Gap) else []
        volume = replace(volume, new_names=names, baseline_for=None if isinstance(baseline_for, Gap) else baseline_for)
        return Findings(lookups=lookups, volume=volume, gaps=(*unmeasured, *unknown, *unheard))

    async def _measure(self, sent: str, at: datetime) -> tuple[Volume, list[Gap]]:
        """The figures that come from the counters `sent`."""
        rate = f"sum({promql.over('rate', sent, self._window)})"
        step = max(self._window / 2, timedelta(seconds=15))
        averages, day = await asyncio.gather(
            or_gap(self._averages(rate, at), self.source, _NOW),
            or_gap(self._prometheus.query_range(rate, at - min(_DAY, 300 * step), at, step), self.source, _BEGAN),
        )
        gaps = [answer for answer in (averages, day) if isinstance(answer, Gap)]
        if isinstance(averages, Gap):
            return Volume(), gaps
        since_at, total = None, None
        if not isinstance(day, Gap):
            since_at = began(day[0] if day else None, averages, step)
        if since_at is not None:
            increase = f"sum({promql.over('increase', sent, at - since_at)})"
            answer = await or_gap(self._prometheus.query(increase, at), self.source, "bytes since it began")
            if isinstance(answer, Gap):
                gaps.append(answer)
            else:
                total = next((sample.value for sample in answer), None)
        now, usual = averages.get("now"), averages.get("avg_24h")
        volume = Volume(
            rate=now,
            avg_24h=usual,
            avg_7d=averages.get("avg_7d"),
            sigma_7d=averages.get("sigma_7d"),
            multiple=now / usual if now is not None and usual else None,
            sent=total,
            since_at=since_at,
        )
        return volume, gaps

    async def _new_names(
        self, inquiry: Inquiry, pods: promql.Matcher
    ) -> tuple[tuple[str, ...] | None, dict[str, Lookups], list[Gap]]:
        """What the workload began to ask for, and who else asks for that."""
        at, subject = inquiry.asked_at, inquiry.subject
        question = new_names(self._prometheus, located(inquiry), pods, self._naming, at)
        names = await or_gap(question, self.source, "new names")
        if isinstance(names, Gap):
            return None, {}, [names]
        domains = sorted({registrable_domain(name) for name in names})
        others = await or_gap(neighbours(self._prometheus, subject, domains, self._naming, at), self.source, _OTHERS)
        if isinstance(others, Gap):
            return names, {}, [others]
        return names, {domain: Lookups(domain, neighbours=others[domain]) for domain in domains}, []

    async def _averages(self, rate: str, at: datetime) -> dict[str, float]:
        """The rate now, and what it was, without the last hour: an excess must not be part of its own measure."""
        window = self._window
        parts = {
            "now": rate,
            "avg_24h": promql.every("avg_over_time", rate, _DAY - _HOUR, window, offset=_HOUR),
            "avg_7d": promql.every("avg_over_time", rate, _WEEK - _HOUR, window, offset=_HOUR),
            "sigma_7d": promql.every("stddev_over_time", rate, _WEEK - _HOUR, window, offset=_HOUR),
        }
        answer = await self._prometheus.query(promql.union(parts, "fact"), at)
        return {sample.labels.get("fact", ""): sample.value for sample in answer}


def began(day: Series | None, averages: dict[str, float], step: timedelta) -> datetime | None:
    """When the rate last left its usual range for good; None when it is within it, or when none is known.

    Usual is what lies below three standard deviations above the week's average, or below twice the day's.
    """
    bounds = [2 * averages["avg_24h"]] if "avg_24h" in averages else []
    if "avg_7d" in averages:
        bounds.append(averages["avg_7d"] + 3 * averages.get("sigma_7d", 0.0))
    if day is None or not bounds:
        return None
    since_at, dips = None, 0
    for at, value in reversed(day.points):
        if value > max(bounds):
            since_at, dips = at, 0
        elif since_at is None or dips >= _DIPS:
            break
        else:
            dips += 1
    return None if since_at is None else since_at - step
