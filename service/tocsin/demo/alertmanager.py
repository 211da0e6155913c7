"""A real Alertmanager of the demonstration: its own directory, a free port on loopback, an end."""

import http.client
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tocsin.demo.prometheus import free_port
from tocsin.errors import TocsinError

PROGRAMS = ("prometheus-alertmanager", "alertmanager")
"""Debian's name and the upstream one."""
_READY_WITHIN = 30.0


class AlertmanagerMissing(TocsinError):
    """The program is not installed, or does not start."""


def installed() -> bool:
    """Whether the program can be found."""
    return any(shutil.which(program) for program in PROGRAMS)


@contextmanager
def running(
    webhooks: Sequence[str],
    *,
    group_wait: str = "1s",
    group_interval: str = "3s",
    repeat_interval: str = "6s",
    group_by: Sequence[str] = ("alertname", "namespace", "workload"),
    bearer: str = "",
    port: int | None = None,
    flags: Sequence[str] = ("--cluster.listen-address=",),
) -> Iterator[str]:
    """Starts Alertmanager with one receiver that posts to every webhook, stops it at the end; yields its address."""
    program = next((program for program in PROGRAMS if shutil.which(program)), None)
    if program is None:
        raise AlertmanagerMissing(f"{PROGRAMS[0]} is not installed (Debian: apt-get install {PROGRAMS[0]})")
    authorization: dict[str, Any] = {"http_config": {"authorization": {"credentials": bearer}}} if bearer else {}
    configuration = {
        "route": {
            "receiver": "tocsin",
            "group_by": list(group_by),
            "group_wait": group_wait,
            "group_interval": group_interval,
            "repeat_interval": repeat_interval,
        },
        "receivers": [{"name": "tocsin", "webhook_configs": [{"url": url, **authorization} for url in webhooks]}],
    }
    with tempfile.TemporaryDirectory(prefix="tocsin-alertmanager-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        (home / "alertmanager.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
        port = port or free_port()
        command = [
            program,
            f"--config.file={home / 'alertmanager.yml'}",
            f"--storage.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            *flags,
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
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    ends_at = time.monotonic() + _READY_WITHIN
    while time.monotonic() < ends_at and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/-/ready")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise AlertmanagerMissing(f"Alertmanager did not become ready: {log.read_text(errors='replace')[-800:]}")
