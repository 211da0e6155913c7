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

    async def version(self) -> str:
        """The version it gives itself, made harmless; empty for what gives none. Raises LookupFailed.

        What only speaks Prometheus's language need not have one, or gives its own.
        """
        try:
            return inert.text(await self._run(lambda client: client.build()), 40)
        except LookupFailed as failure:
            if str(failure).startswith(("HTTP 404", "the answer is not Prometheus's")):
                return ""
            raise

    async def check(self) -> str:
        """What is reached, in a sentence; it answers questions. Raises LookupFailed."""
        version = await self.version() or "(unknown version)"
        await self.query("vector(1)")
        return f"Prometheus {version} at {urlsplit(self.settings.url or '').netloc}"

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
