"""Names a workload began to ask for lately."""

from datetime import datetime, timedelta

from tocsin.destination import DestinationSettings, normalise
from tocsin.enrich import promql
from tocsin.enrich.asked_names import MAX_CHARS, AskedNames, fitting
from tocsin.enrich.prometheus import DNS_QUERIES, Prometheus
from tocsin.errors import LookupFailed

RECENT = timedelta(hours=2)
MAX_CANDIDATES = 200
MAX_NAMES = 20
UNSEEN = "has no DNS series of this workload"
_ROOM = 20 * MAX_CHARS
"""Each name stands only once in the question whether it is known."""
_BEFORE = timedelta(hours=4)
_DAY = timedelta(days=1)


async def new_names(
    prometheus: Prometheus, namespace: str, pods: promql.Matcher, naming: DestinationSettings, at: datetime
) -> tuple[str, ...]:
    """Outside names, normalised, first asked for within two hours; at most `MAX_NAMES`.

    Looks into the hours before first; only what is new against those, which is little, is looked up in the whole
    look-back. A name that was asked for with another search suffix or in another case is not new. Raises LookupFailed,
    also where these pods have no series: their lookups are not seen at all.
    """

    def names(window: timedelta, offset: timedelta = timedelta(0), **more: promql.Matcher) -> str:
        series = prometheus.selector(DNS_QUERIES, source_namespace=namespace, source_pod=pods, **more)
        return promql.by("group", ("query",), promql.over("last_over_time", series, window, offset))

    candidates = f"topk({MAX_CANDIDATES}, {names(RECENT)} unless {names(_BEFORE, RECENT)})"
    answer = await prometheus.query(promql.union({"new": candidates, "any": f"group({names(_DAY)})"}, "fact"), at)
    if not answer:
        raise LookupFailed(UNSEEN)
    queries = [sample.labels.get("query", "") for sample in answer if sample.labels.get("fact") == "new"]
    found = {destination.name: destination for destination in (normalise(query, naming) for query in queries)}
    fresh = fitting((destination for destination in found.values() if not destination.internal), _ROOM)
    if not fresh:
        return ()
    asked = AskedNames(fresh, namespace, naming)
    known = await prometheus.query(names(prometheus.settings.look_back, RECENT, query=asked.matcher), at)
    old = {before.destination.name for sample in known if (before := asked.find(sample.labels.get("query", "")))}
    return tuple(sorted({destination.name for destination in fresh} - old))[:MAX_NAMES]
