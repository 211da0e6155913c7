"""What kube-state-metrics knows of pods: who owns them, and since when they exist."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from tocsin.enrich import promql
from tocsin.enrich.enricher import located
from tocsin.enrich.prometheus import JOB_OWNER, POD_CREATED, POD_OWNER, REPLICASET_OWNER, Prometheus
from tocsin.findings import Findings, Inquiry, PodFacts
from tocsin.model import Kind

MAX_PODS = 500
"""Pods of one question; of more than that the rest is told by its name."""
_DELETED_WITHIN = timedelta(days=1)
_OWNER = ("owner_kind", "owner_name")
_NOBODY = frozenset({"", "<none>"})
_SAYS_NOTHING = frozenset({"Node", "EphemeralRunner"})
"""Kinds of owners that are no workload."""


class PodOwners:
    """Names the workload of a pod, also of one that was deleted within a day."""

    source = "Prometheus"
    evidence = "owner of the pod"

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    async def owners(self, pods: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """Workloads by namespace and pod, as far as they are known; one request. Raises LookupFailed.

        A ReplicaSet or Job of its own is a workload; one that has an owner stands for that.
        """
        asked = sorted(pods)[:MAX_PODS]
        if not asked:
            return {}
        namespaces = promql.any_of(namespace for namespace, _ in asked)
        # A pod is called like its ReplicaSet or Job with a few letters more.
        between = promql.any_of(pod.rpartition("-")[0] or pod for _, pod in asked)
        parts = [
            self._owned(POD_OWNER, "pod", promql.any_of(pod for _, pod in asked), namespaces),
            self._owned(REPLICASET_OWNER, "replicaset", between, namespaces),
            self._owned(JOB_OWNER, "job_name", between, namespaces),
        ]
        known: dict[tuple[str, str, str], tuple[str, str]] = {}
        for sample in await self._prometheus.query(" or ".join(parts)):
            kind, owner = (sample.labels.get(label, "") for label in _OWNER)
            for each, label in (("Pod", "pod"), ("ReplicaSet", "replicaset"), ("Job", "job_name")):
                if label in sample.labels:
                    known[sample.labels.get("namespace", ""), each, sample.labels[label]] = (kind, owner)
        found = {(namespace, pod): _top(known, namespace, pod) for namespace, pod in asked}
        return {pod: workload for pod, workload in found.items() if workload}

    def _owned(self, metric: str, label: str, names: promql.Matcher, namespaces: promql.Matcher) -> str:
        series = self._prometheus.selector(metric, namespace=namespaces, **{label: names})
        last = promql.over("last_over_time", series, _DELETED_WITHIN)
        return promql.by("group", ("namespace", label, *_OWNER), last)


def _top(known: Mapping[tuple[str, str, str], tuple[str, str]], namespace: str, pod: str) -> str | None:
    kind, owner = known.get((namespace, "Pod", pod), ("", ""))
    if owner in _NOBODY or owner == pod or kind in _SAYS_NOTHING:
        return None
    if kind in {"ReplicaSet", "Job"}:
        above = known.get((namespace, kind, owner))
        if above is None:
            return None  # the name of the pod tells more than the name of a ReplicaSet
        return owner if above[1] in _NOBODY else above[1]
    return owner


class PodAges:
    """Says when the pods of an alert were created; without any, those that the workload has now."""

    source = "Prometheus"
    missing = ("age of the pods",)
    asks = True

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    def applies(self, inquiry: Inquiry) -> bool:
        """Needs a kind that is judged."""
        return bool(inquiry.kinds & {Kind.NOVEL, Kind.VOLUME})

    async def look(self, inquiry: Inquiry) -> Findings:
        """One request."""
        subject = inquiry.subject
        workload = None if subject.pods else subject.workload
        pods = promql.pods_of(workload, subject.pods[:MAX_PODS])
        series = self._prometheus.selector(POD_CREATED, namespace=located(inquiry), pod=pods)
        last = promql.over("last_over_time", series, _DELETED_WITHIN) if subject.pods else series
        answer = await self._prometheus.query(promql.by("max", ("pod",), last), inquiry.asked_at)
        created_at = {sample.labels.get("pod", ""): datetime.fromtimestamp(sample.value, UTC) for sample in answer}
        return Findings(pods=PodFacts(created_at))
