"""Who else in the cluster asks for names of the same registrable domain."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from tocsin.destination import DestinationSettings
from tocsin.enrich import promql
from tocsin.enrich.asked_names import root
from tocsin.enrich.prometheus import DNS_QUERIES, Prometheus, Sample
from tocsin.model import Subject
from tocsin.pod_names import strip_pod_name

_DAY = timedelta(days=1)
_WHO = ("source_namespace", "source_workload", "source_pod")


async def neighbours(
    prometheus: Prometheus, subject: Subject, domains: Sequence[str], naming: DestinationSettings, at: datetime
) -> Mapping[str, tuple[str, ...]]:
    """Other workloads (`namespace/workload`) by domain, one entry for each of `domains`. Raises LookupFailed.

    Looks at the last day first; only for domains nobody else asked for then, of which there is little data, into the
    whole look-back.
    """
    if not domains:
        return {}
    found = await _within(prometheus, subject, domains, naming, _DAY, at)
    alone = [domain for domain in domains if root(domain) not in found]
    look_back = prometheus.settings.look_back
    if alone and look_back > _DAY:
        found |= await _within(prometheus, subject, alone, naming, look_back, at)
    return {domain: tuple(sorted(found.get(root(domain), ()))) for domain in domains}


async def _within(
    prometheus: Prometheus,
    subject: Subject,
    domains: Iterable[str],
    naming: DestinationSettings,
    window: timedelta,
    at: datetime,
) -> dict[str, set[str]]:
    names = promql.below(map(root, domains), naming.cluster_domain, (*naming.lan_domains, *naming.search_suffixes))
    asked = promql.over("last_over_time", prometheus.selector(DNS_QUERIES, query=names), window)
    by_domain = promql.extract(promql.by("group", (*_WHO, "query"), asked), "domain", "query", names)
    # Where Hubble names the workload, its pods need not be listed.
    by_workload = (
        f'label_replace({promql.by("group", (*_WHO, "domain"), by_domain)}, "pod", "$1", "source_pod", "(.+)")'
    )
    by_workload = f'label_replace({by_workload}, "pod", "", "source_workload", ".+")'
    answer = await prometheus.query(
        promql.by("group", ("source_namespace", "source_workload", "pod", "domain"), by_workload), at
    )
    found: dict[str, set[str]] = defaultdict(set)
    for sample in answer:
        who = _who(sample, subject)
        if who:
            found[sample.labels.get("domain", "").lower()].add(who)
    return found


def _who(sample: Sample, subject: Subject) -> str | None:
    """The workload, None for the subject itself and for what is no pod."""
    labels = sample.labels
    namespace, pod = labels.get("source_namespace", ""), labels.get("pod", "")
    workload = labels.get("source_workload") or strip_pod_name(pod) or pod
    if not namespace or not workload:
        return None
    if namespace == subject.namespace and (workload == subject.workload or pod in subject.pods):
        return None
    return f"{namespace}/{workload}"
