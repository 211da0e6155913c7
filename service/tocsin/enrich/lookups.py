"""What Hubble's DNS counters know of the names an alert is about: since when, how often, by whom before, who else."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tocsin.destination import DestinationSettings
from tocsin.enrich import moments, promql
from tocsin.enrich.neighbours import neighbours
from tocsin.enrich.new_names import new_names
from tocsin.enrich.own_lookups import Entry, own_lookups
from tocsin.enrich.partial import or_gap
from tocsin.enrich.prometheus import DNS_QUERIES, Prometheus
from tocsin.findings import Findings, Gap, Inquiry, Lookups
from tocsin.model import Kind

MAX_DOMAINS = 40
"""Domains of one inquiry that are looked up; a storm has more, and they are one message anyway."""
MAX_NAMES = 20
MANY = "*"
"""The destination of an alert that stands for more new names than the rules list."""
_SAME_TIME = timedelta(minutes=10)
"""A pod that began to ask this short before the alert's own is no precedent: replicas do things together."""
_HELD = timedelta(minutes=50)
"""How long before an alert that names no pod the first lookup may have been."""
_OWN = ("first and last asked", "earlier pods")
_OTHERS = "who else asks"


class DnsLookups:
    """Asks once for all destinations of a subject."""

    source = "Prometheus"
    missing = (*_OWN, _OTHERS)

    def __init__(self, prometheus: Prometheus, naming: DestinationSettings | None = None) -> None:
        self._prometheus = prometheus
        self._naming = naming or DestinationSettings()

    def applies(self, inquiry: Inquiry) -> bool:
        """Needs names, and a way to tell the subject's pods from others."""
        subject = inquiry.subject
        known = subject.namespace and (subject.workload or subject.pods)
        return Kind.NOVEL in inquiry.kinds and bool(inquiry.destinations and known)

    async def look(self, inquiry: Inquiry) -> Findings:
        """One `Lookups` for each registrable domain; what could not be asked is a gap of its own.

        `lookups` is None where the workload's own counters could not be asked; then nothing else is known of the
        workload either.
        """
        destinations = [each for each in inquiry.destinations if each.name != MANY]
        every = list(dict.fromkeys(each.domain for each in destinations))
        domains = every[:MAX_DOMAINS]
        destinations = [each for each in destinations if each.domain in set(domains)]
        subject, at = inquiry.subject, inquiry.asked_at
        namespace, pods = subject.namespace or "", promql.pods_of(subject.workload, subject.pods)
        series = self._prometheus.selector(DNS_QUERIES, source_namespace=namespace, source_pod=pods)
        own, others, watched_for = await asyncio.gather(
            or_gap(own_lookups(self._prometheus, namespace, pods, destinations, self._naming, at), self.source, *_OWN),
            or_gap(neighbours(self._prometheus, subject, domains, self._naming, at), self.source, _OTHERS),
            or_gap(moments.age(self._prometheus, series, at), self.source, "age of the baseline"),
        )
        gaps = [answer for answer in (own, others, watched_for) if isinstance(answer, Gap)]
        lookups = {
            domain: replace(
                Lookups(domain) if isinstance(own, Gap) else _of_domain(domain, own, inquiry),
                neighbours=None if isinstance(others, Gap) else others[domain],
                watched_for=None if isinstance(own, Gap) or isinstance(watched_for, Gap) else watched_for,
            )
            for domain in domains
        }
        if len(destinations) < len(inquiry.destinations) and any(each.name == MANY for each in inquiry.destinations):
            fresh = await or_gap(new_names(self._prometheus, namespace, pods, self._naming, at), self.source, "names")
            if isinstance(fresh, Gap):
                gaps.append(fresh)
            else:
                lookups[MANY] = Lookups(MANY, names=fresh)
        if len(every) > len(domains):
            gaps.append(Gap(self.source, f"only {len(domains)} of {len(every)} domains were looked up", self.missing))
        return Findings(lookups=lookups, gaps=tuple(gaps))


def _of_domain(domain: str, entries: Sequence[Entry], inquiry: Inquiry) -> Lookups:
    own = [entry for entry in entries if entry.domain == domain]
    recent = [entry for entry in own if entry.lookups]
    lookups = sum(entry.lookups for entry in recent)
    earlier = _earlier(own, inquiry)
    return Lookups(
        domain,
        names=tuple(sorted({entry.name for entry in recent or own}))[:MAX_NAMES],
        pods=tuple(sorted({entry.pod for entry in recent})),
        first_asked_at=min((entry.first_at for entry in own if entry.first_at), default=None),
        last_asked_at=max((entry.last_at for entry in own if entry.last_at), default=None),
        lookups=lookups,
        earlier_pods=tuple(sorted({entry.pod for entry in earlier})),
        earlier_at=max((entry.last_at for entry in earlier if entry.last_at), default=None),
        denied=lookups > 0 and sum(entry.denied for entry in recent) >= lookups,
    )


def _earlier(own: Sequence[Entry], inquiry: Inquiry) -> list[Entry]:
    """What other pods of the workload asked before the alert's; nothing unless that covers every name of the alert."""
    found: list[Entry] = []
    for name in {entry.name for entry in own}:
        of_name = [entry for entry in own if entry.name == name]
        before = _news_since(of_name, inquiry)
        earlier = [
            entry
            for entry in of_name
            if entry.pod not in inquiry.subject.pods and entry.first_at and entry.first_at <= before
        ]
        if not earlier:
            return []
        found += earlier
    return found


def _news_since(of_name: Sequence[Entry], inquiry: Inquiry) -> datetime:
    """From when on a lookup may belong to what the alert is about."""
    if not inquiry.subject.pods:
        return inquiry.started_at - _HELD
    pods = set(inquiry.subject.pods)
    first = min((entry.first_at for entry in of_name if entry.pod in pods and entry.first_at), default=None)
    return min(first or inquiry.started_at, inquiry.started_at) - _SAME_TIME
