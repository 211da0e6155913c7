"""Which pods of one workload asked for the names of an alert: when first, when last, how often in the last hour."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tocsin.destination import DestinationSettings, normalise
from tocsin.enrich import moments, promql
from tocsin.enrich.asked_names import Asked, AskedNames
from tocsin.enrich.prometheus import DNS_QUERIES, Prometheus, Sample
from tocsin.model import Destination

DENIED = "Policy denied"
"""The rcode Hubble gives a lookup that Cilium's DNS proxy refused."""
MAX_BELOW = 500
"""Names below one domain that are told apart; a tunnel makes any number of them."""
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(slots=True)
class Entry:
    """What one pod asked of one name; `plain` and `suffixed` count lookups of the last hour, `denied` those refused."""

    name: str
    pod: str
    domain: str
    times: dict[str, float] = field(default_factory=dict)
    plain: float = 0
    suffixed: float = 0
    denied: float = 0

    @property
    def lookups(self) -> int:
        """Resolvers ask with every search suffix first; those count only where nothing else was asked."""
        return round(self.plain or self.suffixed)

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
        if tag != "lookups":
            earliest = tag.startswith("first")
            self.times[tag] = (min if earliest else max)(self.times.get(tag, value), value)
            return
        if suffixed:
            self.suffixed += value
        else:
            self.plain += value
        self.denied += value if denied else 0


async def own_lookups(
    prometheus: Prometheus,
    namespace: str,
    pods: promql.Matcher,
    destinations: Iterable[Destination],
    naming: DestinationSettings,
    at: datetime,
) -> list[Entry]:
    """One entry a name and pod that asked within the look-back. Raises LookupFailed."""
    single = [each for each in destinations if not each.wildcard]
    many = {each.domain: each for each in destinations if each.wildcard}
    questions = []
    if single:
        names = AskedNames(single, namespace, naming)
        questions.append((names.matcher, names.find))
    if many:
        below = promql.below(many, naming.cluster_domain, (*naming.lan_domains, *naming.search_suffixes))
        questions.append((below, lambda value: _below(value, many, naming)))
    answers = await asyncio.gather(
        *(prometheus.query(_expression(prometheus, namespace, pods, matcher), at) for matcher, _ in questions)
    )
    entries: dict[tuple[str, str], Entry] = {}
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


def _below(value: str, domains: dict[str, Destination], naming: DestinationSettings) -> Asked | None:
    found = normalise(value, naming)
    return Asked(found, suffixed=False) if found.domain in domains else None


def _enter(entries: dict[tuple[str, str], Entry], sample: Sample, asked: Asked) -> None:
    pod, name = sample.labels.get("source_pod", ""), asked.destination.name
    entry = entries.setdefault((name, pod), Entry(name, pod, asked.destination.domain))
    denied = sample.labels.get("rcode") == DENIED
    entry.add(sample.labels.get("fact", ""), sample.value, suffixed=asked.suffixed, denied=denied)


def _instant(value: float | None) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(value, UTC)


def by_domain(entries: Sequence[Entry], domain: str) -> list[Entry]:
    """The entries of one registrable domain."""
    return [entry for entry in entries if entry.domain == domain]
