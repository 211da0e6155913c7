"""A real Prometheus of the demonstration: its own directory, a free port on loopback, a past, an end."""

import http.client
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tocsin.errors import TocsinError

PROGRAM = "prometheus"
IMPORTER = "promtool"
_READY_WITHIN = 30.0
_STOPS_WITHIN = 10.0


class PrometheusMissing(TocsinError):
    """The program, or the tool that gives it a past, is not installed."""


class PrometheusBroken(TocsinError):
    """The program does not start; the text ends with what it said last."""


def installed() -> bool:
    """Whether both programs can be found."""
    return all(shutil.which(program) for program in (PROGRAM, IMPORTER))


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
    Raises PrometheusMissing or PrometheusBroken.
    """
    for program in (PROGRAM, IMPORTER):
        if shutil.which(program) is None:
            raise PrometheusMissing(f"{program} is not installed (Debian: apt-get install prometheus)")
    with tempfile.TemporaryDirectory(prefix="tocsin-prometheus-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        configuration = _configuration(scraped, rules, alertmanagers, every, external_labels or {})
        (home / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
        if history is not None:
            _backfill(history, home / "data")
        port = port or free_port()
        command = [
            PROGRAM,
            f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'data'}",
            "--storage.tsdb.retention.time=30d",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_ready(process, port, home / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


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
        raise PrometheusBroken(f"{IMPORTER} cannot import {history}: {done.stderr.strip()[-500:]}")


def free_port() -> int:
    """A TCP port on loopback that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    ends_at = time.monotonic() + _READY_WITHIN
    while time.monotonic() < ends_at:
        if process.poll() is not None:
            break
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/-/ready")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    raise PrometheusBroken(f"{PROGRAM} did not become ready: {log.read_text(errors='replace')[-800:]}")
