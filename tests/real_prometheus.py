"""A real Prometheus with nine days of a simulated cluster's past, for tests that need PromQL to be right.

The fixtures are known everywhere (conftest.py). Missing programs fail the test: nothing here can be replaced by a fake.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.demo import exposition, history
from tocsin.demo import prometheus as server
from tocsin.demo.cluster import Cluster, Pod
from tocsin.enrich.prometheus import Prometheus, PrometheusSettings

DAYS = 9.0
BURST = history.Burst(2_000_000.0, 7_200.0)
"""Bytes per second that node-red sends on top of what it always sends, and for how many seconds up to the end."""
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
_FINE = 3 * HOUR
"""How long before the end samples come every minute; before that every five, as in the cluster's past."""


def ends_at() -> float:
    """Half past an hour some hours ago: no result depends on when the tests run."""
    return time.time() // HOUR * HOUR - HOUR / 2


@dataclass(frozen=True, slots=True)
class Past:
    """Where Prometheus is, and the cluster as it was at `until` (Unix time), where its samples end."""

    url: str
    cluster: Cluster
    until: float
    rolled_out: Pod

    @property
    def at(self) -> datetime:
        """`until`, as the instant to ask about."""
        return datetime.fromtimestamp(self.until, UTC)


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    """Starts it once for each file that imports it. Nothing is scraped: every answer is known. Ask with `at=until`."""
    file = tmp_path_factory.mktemp("past") / "history.om"
    until = ends_at()
    cluster = Cluster(now=lambda: until)
    history.write(cluster, file, until, DAYS, {"node-red": BURST})
    with server.running(history=file) as url:
        yield Past(url, cluster, until, cluster.pods[0])


class Written:
    """A past that a test writes itself, for what the cluster does not have. Times are seconds before `until`."""

    def __init__(self) -> None:
        self.until = ends_at()
        self._lines: list[str] = []

    @property
    def at(self) -> datetime:
        """`until`, as the instant to ask about."""
        return datetime.fromtimestamp(self.until, UTC)

    def before(self, ago: float) -> datetime:
        """An instant of this past."""
        return datetime.fromtimestamp(self.until - ago, UTC)

    def add(
        self, metric: str, labels: Mapping[str, str], value: Callable[[float], float], born: float, ended: float = 0
    ) -> None:
        """One series with a sample at every scrape; `value` is asked for each."""
        key = exposition.series(metric, labels)
        ago = born
        while ago >= ended:
            self._lines.append(f"{key} {value(ago):.17g} {self.until - ago:.0f}\n")
            ago -= MINUTE if ago <= _FINE else 5 * MINUTE

    def asked(
        self, pod: str, name: str, *agos: float, namespace: str = "media", times: int = 1, ended: float = 0, **more: str
    ) -> None:
        """A pod's lookups of a name (without the dot at the end), each seen by the scrape of that moment.

        The series lives from the first of them until `ended`. Other labels than Hubble's usual ones go into `more`.
        """
        labels = {"source_namespace": namespace, "source_pod": pod, "query": f"{name}.", "qtypes": "A", "rcode": ""}
        self.add(
            "hubble_dns_queries_total",
            {**labels, **more},
            lambda now: times * sum(ago >= now for ago in agos),
            max(agos),
            ended,
        )

    @contextmanager
    def remembered(self, directory: Path) -> Iterator[str]:
        """Starts a Prometheus that holds it; the value is its address."""
        file = directory / "history.om"
        file.write_text("".join([*self._lines, "# EOF\n"]), encoding="utf-8")
        with server.running(history=file) as url:
            yield url


@pytest.fixture(scope="module")
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Written, str]]:
    """The past that the functions in PAST of a test module write, and the address of a Prometheus that holds it."""
    written = Written()
    for write in request.module.PAST:
        write(written)
    with written.remembered(tmp_path_factory.mktemp("story")) as url:
        yield written, url


@pytest.fixture
def written(story: tuple[Written, str]) -> Written:
    """What was written."""
    return story[0]


@pytest.fixture
async def prometheus(story: tuple[Written, str]) -> AsyncIterator[Prometheus]:
    """The door to it."""
    door = Prometheus(PrometheusSettings(url=story[1], timeout=timedelta(seconds=30)))
    yield door
    door.close()
