"""A real Prometheus with nine days of a simulated cluster's past, for tests that need PromQL to be right.

Import the fixture where it is needed. Missing programs fail the test: nothing here can be replaced by a fake.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tocsin.demo import history, prometheus
from tocsin.demo.cluster import Cluster, Pod

DAYS = 9.0


@dataclass(frozen=True, slots=True)
class Past:
    """Where Prometheus is, and the cluster as it was at `until` (Unix time), where its samples end."""

    url: str
    cluster: Cluster
    until: float
    rolled_out: Pod


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    """Starts it once; nothing is scraped, so that every answer is known. Ask with `at=until`."""
    file = tmp_path_factory.mktemp("past") / "history.om"
    # Half past an hour some hours ago: no result depends on when the tests run.
    until = time.time() // 3600 * 3600 - 1800
    cluster = Cluster(now=lambda: until)
    history.write(cluster, file, until, DAYS)
    with prometheus.running(history=file) as url:
        yield Past(url, cluster, until, cluster.pods[0])
