"""A real Prometheus of the demonstration: its own directory, a free port on loopback, a past, an end."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tocsin.demo import program

PROGRAM = "prometheus"
IMPORTER = "promtool"


def installed() -> bool:
    """Whether both programs can be found."""
    return all(shutil.which(name) for name in (PROGRAM, IMPORTER))


@contextmanager
def running(
    scraped: Sequence[str] = (),
    *,
    history: Path | None = None,
    rules: Path | None = None,
    alertmanagers: Sequence[str] = (),
    every: str = "1s",
    external_labels: dict[str, str] | None = None,
    port: int | None = None,
) -> Iterator[str]:
    """Starts Prometheus and stops it at the end; the value is its address. Blocks for about two seconds.

    `scraped` and `alertmanagers` are `host:port`, `history` is a file in OpenMetrics with the samples of the past.
    Raises ProgramMissing or ProgramBroken.
    """
    for name in (PROGRAM, IMPORTER):
        program.find(name, package=PROGRAM)
    with tempfile.TemporaryDirectory(prefix="tocsin-prometheus-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        configuration = _configuration(scraped, rules, alertmanagers, every, external_labels or {})
        (home / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
        if history is not None:
            _backfill(history, home / "data")
        port = port or program.free_port()
        command = [
            PROGRAM,
            f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'data'}",
            "--storage.tsdb.retention.time=30d",
            f"--web.listen-address=127.0.0.1:{port}",
            # An alert that fires before Alertmanager was discovered is sent again after a minute otherwise.
            "--rules.alert.resend-delay=3s",
            "--log.level=warn",
        ]
        with program.running(command, port, home / "log") as url:
            yield url


def _configuration(
    scraped: Sequence[str], rules: Path | None, alertmanagers: Sequence[str], every: str, external: dict[str, str]
) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": every, "evaluation_interval": every, "external_labels": external},
        "rule_files": [str(rules)] if rules else [],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]},
        "scrape_configs": [
            {
                "job_name": "cluster",
                "honor_labels": True,
                "scrape_timeout": every,
                "static_configs": [{"targets": list(scraped)}],
            }
        ],
    }


def _backfill(history: Path, data: Path) -> None:
    # Few large blocks instead of one for every two hours: the tool reads the whole file once for each.
    command = [
        IMPORTER, "tsdb", "create-blocks-from", "openmetrics", "--quiet", "--max-block-duration=480h",
        str(history), str(data),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise program.ProgramBroken(f"{IMPORTER} cannot import {history}: {done.stderr.strip()[-500:]}")
