"""What Hubble's DNS counters know of the names an alert is about: since when, how often, by whom before, who else."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tocsin.destination import DestinationSettings
from tocsin.enrich import moments, promql
from tocsin.enrich.asked_names import fitting
from tocsin.enrich.enricher import located
from tocsin.enrich.neighbours import neighbours
from tocsin.enrich.new_names import UNSEEN, new_names
from tocsin.enrich.own_lookups import Entry, own_lookups
from tocsin.enrich.partial import or_gap
from tocsin.enrich.prometheus import DNS_QUERIES, Prometheus
from tocsin.findings import Findings, Gap, Inquiry, Lookups
from tocsin.model import Destination, Kind

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
_OTHERS = "neighbours"


class DnsLookups:
    """Asks once for all destinations of a subject."""

    source = "Prometheus"
    missing = (*_OWN, _OTHERS)
    asks = True

    def __init__(self, prometheus: Prometheus, naming: DestinationSettings | None = None) -> None:
        self._prometheus = prometheus
        self._naming = naming or DestinationSettings()

    def applies(self, inquiry: Inquiry) -> bool:
        """Needs names."""
        return Kind.NOVEL in inquiry.kinds and bool(inquiry.destinations)

    async def look(self, inquiry: Inquiry) -> Findings:
        """One `Lookups` for each registrable domain; what could not be asked is a gap of its own.

        `lookups` is None where the workload's own counters could not be asked or are not there; then nothing else is
        known of the workload either.
        """
        every = list(dict.fromkeys(each.domain for each in inquiry.destinations if each.name != MANY))
        domains = every[:MAX_DOMAINS]
        named, asked = _asked(inquiry, domains)
        subject, at = inquiry.subject, inquiry.asked_at
        namespace, pods = located(inquiry), promql.pods_of(subject.workload, subject.pods)
        series = self._prometheus.selector(DNS_QUERIES, source_namespace=namespace, source_pod=pods)
        own, others, watched_for, fresh = await asyncio.gather(
            or_gap(own_lookups(self._prometheus, namespace, pods, asked, self._naming, at), self.source, *_OWN),
            or_gap(neighbours(self._prometheus, subject, domains, self._naming, at), self.source, _OTHERS),
            or_gap(moments.age(self._prometheus, series, at), self.source, "age of the baseline"),
            self._new_names(inquiry, pods),
        )
        gaps = [answer for answer in (own, others, watched_for, fresh) if isinstance(answer, Gap)]
        if domains and own == [] and watched_for is None:
            own = Gap(self.source, UNSEEN, _OWN)
            gaps.append(own)
            if not isinstance(others, Gap) and not any(others.values()):
                others = Gap(self.source, UNSEEN, (_OTHERS,))
                gaps.append(others)
        known = set() if isinstance(own, Gap) else {each.domain for each in asked}
        lookups = {
            domain: replace(
                Lookups(domain) if isinstance(own, Gap) or domain not in known else _of_domain(domain, own, inquiry),
                neighbours=None if isinstance(others, Gap) else others[domain],
                watched_for=None if isinstance(own, Gap) or isinstance(watched_for, Gap) else watched_for,
            )
            for domain in domains
        }
        if fresh is not None and not isinstance(fresh, Gap):
            lookups[MANY] = Lookups(MANY, names=fresh)
        if len(every) > len(domains):
            gaps.append(Gap(self.source, f"only {len(domains)} of {len(every)} domains were looked up", self.missing))
        if len(asked) < len(named):
            gaps.append(Gap(self.source, f"only {len(asked)} of {len(named)} names were looked up", _OWN))
        return Findings(lookups=lookups, gaps=tuple(gaps))

    async def _new_names(self, inquiry: Inquiry, pods: promql.Matcher) -> tuple[str, ...] | Gap | None:
        """What an alert about too many names to list them is about; None for any other."""
        if all(each.name != MANY for each in inquiry.destinations):
            return None
        namespace, at = located(inquiry), inquiry.asked_at
        return await or_gap(new_names(self._prometheus, namespace, pods, self._naming, at), self.source, "names")


def _asked(inquiry: Inquiry, domains: Collection[str]) -> tuple[list[Destination], list[Destination]]:
    """What of the inquiry is about `domains` and in no other's place, and what of that fits into one question."""
    wide = {each.domain: each for each in inquiry.destinations if each.wildcard and each.domain in domains}
    single = [each for each in inquiry.destinations if each.domain in domains and each.domain not in wide]
    return [*wide.values(), *single], [*wide.values(), *fitting(single)]


def _of_domain(domain: str, entries: Sequence[Entry], inquiry: Inquiry) -> Lookups:
    own = [entry for entry in entries if entry.domain == domain]
    recent = [entry for entry in own if entry.lookups]
    lookups = sum(entry.lookups for entry in recent)
    earlier = _earlier(domain, own, inquiry)
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


def _earlier(domain: str, own: Sequence[Entry], inquiry: Inquiry) -> list[Entry]:
    """What other pods of the workload asked before the alert's; nothing unless that covers every name of the alert."""
    found: list[Entry] = []
    alerted = {each.name for each in inquiry.destinations if each.domain == domain and not each.wildcard}
    for name in alerted | {entry.name for entry in own}:
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
