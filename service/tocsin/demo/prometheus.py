"""A real Prometheus of the demonstration: its own directory, a free port on loopback, a past, an end."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tocsin.demo import backfill, exposition, program

PROGRAM = "prometheus"


def installed() -> bool:
    """Whether it and its promtool can be found."""
    return all(shutil.which(name) for name in (PROGRAM, backfill.IMPORTER))


@contextmanager
def running(
    scraped: Sequence[str] = (),
    *,
    tocsin: str = "",
    history: Path | None = None,
    rules: Sequence[Path] = (),
    alertmanagers: Sequence[str] = (),
    every: str = "1s",
    port: int | None = None,
) -> Iterator[str]:
    """Starts Prometheus and stops it at the end; the value is its address.

    `scraped`, `tocsin` and `alertmanagers` are `host:port`. `history` is a file in OpenMetrics with the samples of the
    past; `rules` are given the past they would have recorded from it. Blocks for a second or two, with rules and nine
    days of history for about ten. Raises ProgramMissing or ProgramBroken.
    """
    for name in (PROGRAM, backfill.IMPORTER):
        program.find(name, package=PROGRAM)
    with tempfile.TemporaryDirectory(prefix="tocsin-prometheus-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        if history is not None:
            backfill.samples(history, home / "data")
            if rules:
                backfill.recordings(rules, home / "data", lambda: _serving(home, {}, program.free_port()))
        jobs = [
            _job("cluster", scraped, every),
            *([_job("tocsin", [tocsin], every, exposition.TOCSIN)] if tocsin else []),
        ]
        configuration = {
            "global": {"scrape_interval": every, "evaluation_interval": every},
            "rule_files": [str(path) for path in rules],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]},
            "scrape_configs": jobs,
        }
        with _serving(home, configuration, port or program.free_port()) as url:
            yield url


def _serving(home: Path, configuration: dict[str, Any], port: int) -> AbstractContextManager[str]:
    path = home / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    command = [
        PROGRAM,
        f"--config.file={path}",
        f"--storage.tsdb.path={home / 'data'}",
        "--storage.tsdb.retention.time=30d",
        f"--web.listen-address=127.0.0.1:{port}",
        # An alert that fires before Alertmanager was discovered is sent again after a minute otherwise.
        "--rules.alert.resend-delay=3s",
        "--log.level=warn",
    ]
    return program.running(command, port, home / "log")


def _job(name: str, targets: Sequence[str], every: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "job_name": name,
        "honor_labels": True,
        "scrape_timeout": every,
        "static_configs": [{"targets": list(targets), "labels": labels or {}}],
    }
