"""The one door to Prometheus for everything that is looked up: asynchronous, bounded, failing with a short reason."""

import asyncio
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from tocsin import inert
from tocsin.enrich import promql
from tocsin.enrich.prometheus_settings import PrometheusSettings
from tocsin.errors import LookupFailed
from tocsin.threads import Threads, TooManyHang

if TYPE_CHECKING:
    from tocsin.enrich.prometheus_http import Client

__all__ = ["Prometheus", "PrometheusSettings", "Sample", "Series"]

T = TypeVar("T")

DNS_QUERIES = "hubble_dns_queries_total"
SENT_BYTES = "container_network_transmit_bytes_total"
POD_OWNER = "kube_pod_owner"
POD_CREATED = "kube_pod_created"
REPLICASET_OWNER = "kube_replicaset_owner"
JOB_OWNER = "kube_job_owner"

MAX_SERIES = 10_000
"""Sent as `limit`: an answer of just so many was cut. A Prometheus that does not know the parameter ignores it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One element of an instant vector; `labels` are hostile."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a range query: points in rising order of time."""

    labels: Mapping[str, str]
    points: tuple[tuple[datetime, float], ...]


class Prometheus:
    """Asks one Prometheus. Opens no connection and starts no thread before the first question.

    Elements and points that are not a finite number are left out of every answer.
    """

    def __init__(self, settings: PrometheusSettings) -> None:
        if settings.url is None:
            raise ValueError("prometheus.url is not set")
        self.settings = settings
        self._threads = Threads("prometheus", settings.threads)
        self._of_thread = threading.local()

    def close(self) -> None:
        """Lets the threads end; none is waited for."""
        self._threads.close()

    def selector(self, metric: str, **matchers: promql.Matcher) -> str:
        """Selects series of the configured cluster."""
        return promql.selector(metric, {**self.settings.extra_labels, **matchers})

    async def query(self, expression: str, at: datetime | None = None) -> list[Sample]:
        """Evaluates an expression at one instant, now by default. Raises LookupFailed."""
        params = self._params() | ({"time": f"{at.timestamp():.3f}"} if at else {})
        return await self._run(lambda client: _vector(client.query(expression, params)))

    async def query_range(self, expression: str, start: datetime, end: datetime, step: timedelta) -> list[Series]:
        """Evaluates an expression every `step`, at most 11,000 times. Raises LookupFailed."""
        params, every = self._params(), promql.duration(step)
        return await self._run(lambda client: _matrix(client.query_range(expression, params, start, end, every)))

    async def check(self) -> str:
        """What is reached and what it holds, in a sentence. Raises LookupFailed."""
        host = urlsplit(self.settings.url or "").netloc
        try:
            version = inert.text(await self._run(lambda client: client.build()), 40)
        except LookupFailed as failure:
            if not str(failure).startswith("HTTP 404"):
                raise
            version = "(unknown version)"
        metrics = (DNS_QUERIES, SENT_BYTES, POD_OWNER)
        counts = {name: f"count({self.selector(name)})" for name in metrics}
        answer = await self.query(promql.union(counts, "metric"))
        found = {sample.labels.get("metric", ""): int(sample.value) for sample in answer}
        dns, sent, owners = (found.get(name, 0) for name in metrics)
        said = (
            f"{dns} DNS series" if dns else f"no {DNS_QUERIES} (Hubble metrics with dns:query and labelsContext?)",
            f"{sent} byte counters" if sent else f"no {SENT_BYTES} (kubelet cAdvisor scraped?)",
            "pod owners known" if owners else f"no {POD_OWNER} (kube-state-metrics scraped?)",
        )
        return f"Prometheus {version} at {host}: {', '.join(said)}"

    def _params(self) -> dict[str, str]:
        milliseconds = int(self.settings.timeout.total_seconds() * 1000)
        return {"timeout": f"{milliseconds}ms", "limit": str(MAX_SERIES)}

    async def _run(self, question: Callable[["Client"], T]) -> T:
        seconds = self.settings.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                return await self._threads.run(lambda: question(self._client()))
        except TimeoutError as failure:
            raise LookupFailed(f"timed out after {seconds:g} s") from failure
        except TooManyHang as failure:
            raise LookupFailed(str(failure)) from failure

    def _client(self) -> "Client":
        """The client of the calling thread; the first call loads the library."""
        client: Client | None = getattr(self._of_thread, "client", None)
        if client is None:
            from tocsin.enrich import prometheus_http  # noqa: PLC0415

            client = self._of_thread.client = prometheus_http.Client(self.settings)
        return client


def _vector(result: Any) -> list[Sample]:
    try:
        found = [Sample(dict(element["metric"]), float(element["value"][1])) for element in result]
    except (LookupError, TypeError, ValueError) as failure:
        raise LookupFailed("the answer is not Prometheus's; is prometheus.url right?") from failure
    if len(found) == MAX_SERIES:
        raise LookupFailed(f"answered with {MAX_SERIES} series or more")
    return [sample for sample in found if math.isfinite(sample.value)]


def _matrix(result: Any) -> list[Series]:
    try:
        return [Series(dict(element["metric"]), tuple(_points(element["values"]))) for element in result]
    except (LookupError, TypeError, ValueError, OverflowError) as failure:
        raise LookupFailed("the answer is not Prometheus's; is prometheus.url right?") from failure


def _points(values: Any) -> list[tuple[datetime, float]]:
    points = [(datetime.fromtimestamp(at, UTC), float(value)) for at, value in values]
    return [point for point in points if math.isfinite(point[1])]
