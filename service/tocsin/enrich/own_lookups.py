"""Which pods of one workload asked for the names of an alert: when first, when last, how often in the last hour."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from tocsin.destination import DestinationSettings, normalise
from tocsin.enrich import moments, promql
from tocsin.enrich.asked_names import Asked, AskedNames, root
from tocsin.enrich.prometheus import DNS_QUERIES, Prometheus, Sample
from tocsin.model import Destination

DENIED = "Policy denied"
"""The rcode Hubble gives a lookup that Cilium's DNS proxy refused."""
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(slots=True)
class Entry:
    """What one pod asked of one name; `counts` are lookups of the last hour by whether suffixed and whether denied."""

    name: str
    pod: str
    domain: str
    times: dict[str, float] = field(default_factory=dict)
    counts: dict[tuple[bool, bool], float] = field(default_factory=lambda: defaultdict(float))

    @property
    def lookups(self) -> int:
        """Resolvers ask with every search suffix first; those count only where nothing else was asked."""
        return round(self.counts[self._suffixed, False] + self.counts[self._suffixed, True])

    @property
    def denied(self) -> int:
        """How many of `lookups` were refused; a policy that names the plain name refuses those with a suffix."""
        return round(self.counts[self._suffixed, True])

    @property
    def _suffixed(self) -> bool:
        return not (self.counts[False, False] or self.counts[False, True])

    @property
    def first_at(self) -> datetime | None:
        """When it was first asked for within the look-back."""
        return _instant(moments.first_of(self.times))

    @property
    def last_at(self) -> datetime | None:
        """When it was last asked for."""
        return _instant(moments.last_of(self.times))

    def add(self, tag: str, value: float, *, suffixed: bool, denied: bool) -> None:
        """Takes one sample of the answer in."""
        if tag == "lookups":
            self.counts[suffixed, denied] += value
        else:
            earliest = tag.startswith("first")
            self.times[tag] = (min if earliest else max)(self.times.get(tag, value), value)


async def own_lookups(
    prometheus: Prometheus,
    namespace: str,
    pods: promql.Matcher,
    destinations: Collection[Destination],
    naming: DestinationSettings,
    at: datetime,
) -> list[Entry]:
    """One entry a name and pod that asked within the look-back. Raises LookupFailed.

    Where a destination stands for many names, leave out the others of its domain: it takes them in.
    """
    many = {root(each.domain): each.domain for each in destinations if each.wildcard}
    single = [each for each in destinations if not each.wildcard]
    questions: list[tuple[promql.Matcher, Callable[[str], Asked | None]]] = []
    if single:
        names = AskedNames(single, namespace, naming)
        questions.append((names.matcher, names.find))
    if many:
        matcher = promql.below(many, naming.cluster_domain, (*naming.lan_domains, *naming.search_suffixes))
        questions.append((matcher, cache(lambda value: _below(value, many, naming))))
    answers = await asyncio.gather(
        *(prometheus.query(_expression(prometheus, namespace, pods, matcher), at) for matcher, _ in questions)
    )
    entries: dict[tuple[str, str, str], Entry] = {}
    for answer, (_, find) in zip(answers, questions, strict=True):
        for sample in answer:
            asked = find(sample.labels.get("query", ""))
            if asked is not None:
                _enter(entries, sample, asked)
    return list(entries.values())


def _expression(prometheus: Prometheus, namespace: str, pods: promql.Matcher, names: promql.Matcher) -> str:
    """Everything in one request.

    The count of the last hour is the difference to the last value known before; a counter born within the hour, or
    reset, counts in full.
    """
    series = prometheus.selector(DNS_QUERIES, source_namespace=namespace, source_pod=pods, query=names)
    last = promql.over("last_over_time", series, _HOUR)
    before = promql.over("last_over_time", series, _DAY, offset=_HOUR)
    counted = promql.by("sum", ("source_pod", "query", "rcode"), f"{last} - {before} >= 0 or {last}")

    def fold(aggregation: str, expression: str) -> str:
        return promql.by(aggregation, ("source_pod", "query"), expression)

    parts = {"lookups": counted, **moments.moments(series, fold, prometheus.settings.look_back)}
    return promql.union(parts, "fact")


def _below(value: str, many: Mapping[str, str], naming: DestinationSettings) -> Asked | None:
    """Which of the domains `many` (by root) a value of the label lies below, the nearest."""
    found = normalise(value, naming)
    near = max((each for each in many if f".{found.name}".endswith(f".{each}")), key=len, default=None)
    if near is None:
        return None
    suffixed = not value.lower().removesuffix(".").endswith(near)
    return Asked(replace(found, domain=many[near]), suffixed)


def _enter(entries: dict[tuple[str, str, str], Entry], sample: Sample, asked: Asked) -> None:
    domain, name, pod = asked.destination.domain, asked.destination.name, sample.labels.get("source_pod", "")
    entry = entries.setdefault((domain, name, pod), Entry(name, pod, domain))
    denied = sample.labels.get("rcode") == DENIED
    entry.add(sample.labels.get("fact", ""), sample.value, suffixed=asked.suffixed, denied=denied)


def _instant(value: float | None) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(value, UTC)
