"""A real Alertmanager of the demonstration: its own directory, a free port on loopback, an end."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tocsin.demo import program

PROGRAMS = ("prometheus-alertmanager", "alertmanager")
"""Debian's name and the upstream one."""


def installed() -> bool:
    """Whether the program can be found."""
    return any(shutil.which(name) for name in PROGRAMS)


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
    """Starts Alertmanager with one receiver that posts to every webhook, stops it at the end; yields its address.

    Raises ProgramMissing or ProgramBroken.
    """
    found = program.find(*PROGRAMS, package=PROGRAMS[0])
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
        port = port or program.free_port()
        command = [
            found,
            f"--config.file={home / 'alertmanager.yml'}",
            f"--storage.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            *flags,
            "--log.level=warn",
        ]
        with program.running(command, port, home / "log") as url:
            yield url
