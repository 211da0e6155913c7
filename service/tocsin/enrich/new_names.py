"""Names a workload began to ask for lately."""

from datetime import datetime, timedelta

from tocsin.destination import DestinationSettings, normalise
from tocsin.enrich import promql
from tocsin.enrich.prometheus import DNS_QUERIES, Prometheus

RECENT = timedelta(hours=2)
MAX_CANDIDATES = 200
MAX_NAMES = 20
_BEFORE = timedelta(hours=4)


async def new_names(
    prometheus: Prometheus, namespace: str, pods: promql.Matcher, naming: DestinationSettings, at: datetime
) -> tuple[str, ...]:
    """Outside names, normalised, first asked for within two hours; at most `MAX_NAMES`. Raises LookupFailed.

    Looks into the hours before first; only what is new against those, which is little, is looked up in the whole
    look-back.
    """

    def names(window: timedelta, offset: timedelta = timedelta(0), **more: promql.Matcher) -> str:
        series = prometheus.selector(DNS_QUERIES, source_namespace=namespace, source_pod=pods, **more)
        return promql.by("group", ("query",), promql.over("last_over_time", series, window, offset))

    candidates = await prometheus.query(f"topk({MAX_CANDIDATES}, {names(RECENT)} unless {names(_BEFORE, RECENT)})", at)
    queries = [sample.labels.get("query", "") for sample in candidates]
    if not queries:
        return ()
    known = await prometheus.query(names(prometheus.settings.look_back, RECENT, query=promql.any_of(queries)), at)
    old = {sample.labels.get("query", "") for sample in known}
    fresh = [normalise(query, naming) for query in queries if query not in old]
    return tuple(sorted({found.name for found in fresh if not found.internal}))[:MAX_NAMES]
