"""The processes that are compared: tocsin, handlers that do less, and webhooks to give them."""

import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import Popen

import load

sys.path.insert(0, str(load.HERE.parent / "tests"))
import kit

TOKEN = "bench-token"
SILENT = (
    "routes:\n"
    "  bounded: {unexplained: {priority: low, channels: []}}\n"
    "  unknown: {unexplained: {priority: low, channels: []}}\n"
)
"""What is explained and remembered, but sent nowhere."""


@contextmanager
def tocsin(directory: str, configuration: str = SILENT, **environment: str) -> Iterator[tuple[Popen[str], int, float]]:
    """A tocsin with bearer authentication and its store in a directory; more of its configuration as YAML."""
    path = Path(directory) / "tocsin.yaml"
    path.write_text(
        f"server: {{host: 127.0.0.1, port: 0, bearer: {TOKEN}}}\nstore: {{path: {directory}/tocsin.db}}\n"
        f"{configuration}"
    )
    serve = ["-m", "tocsin", "serve", "--config", str(path)]
    with load.running(serve, r'"address": "127.0.0.1:(\d+)"', **environment) as running:
        yield running


def ntfy(port: int, extra: str = "") -> str:
    """Configuration of one ntfy channel at a port of this machine."""
    return f"channels: {{phone: {{type: ntfy, topic: a, url: 'http://127.0.0.1:{port}'}}}}\n{extra}"


@contextmanager
def handler(script: str, *arguments: str) -> Iterator[tuple[Popen[str], int, float]]:
    """One of the aiohttp handlers in this directory."""
    with load.running([str(load.HERE / script), *arguments], r"http://127.0.0.1:(\d+)") as running:
        yield running


def webhooks(number: int, alerts: int, name: str, path: str = "/webhook") -> list[bytes]:
    """Requests of ten apps, all their destinations distinct, so that nothing is answered from having been seen.

    Each alert has the label `mark`, `name` and the number of its webhook, by which it can be counted later.
    """
    made = []
    for at in range(number):
        mark = f"{name}-{at}-"
        each = [kit.novel(f"{mark}{n}.example", workload=f"app{at % 10}", mark=mark) for n in range(alerts)]
        group = {"alertname": "EgressNovelDestination", "mark": mark}
        body = kit.body(*each, groupLabels=group, commonLabels=group)
        made.append(load.request(path, body, TOKEN))
    return made


def unfinished(directory: str) -> int:
    """Webhooks not explained and messages not sent, in the store of a running tocsin."""
    with closing(sqlite3.connect(f"file:{directory}/tocsin.db?mode=ro", uri=True)) as store:
        left = (
            store.execute(f"SELECT COUNT(*) FROM {table} WHERE state IN ('due', 'claimed')").fetchone()[0]
            for table in ("event", "delivery")
        )
        return int(sum(left))


def settled(directory: str, within: float = 60.0) -> float:
    """Waits until tocsin has explained and sent everything; seconds that took."""
    started = time.monotonic()
    while unfinished(directory):
        if time.monotonic() - started > within:
            raise AssertionError(f"still unfinished: {unfinished(directory)}")
        time.sleep(0.02)
    return time.monotonic() - started


def states(directory: str) -> dict[str, int]:
    """How many messages of a tocsin's store are in which state."""
    with closing(sqlite3.connect(f"file:{directory}/tocsin.db?mode=ro", uri=True)) as store:
        return dict(store.execute("SELECT state, COUNT(*) FROM delivery GROUP BY state").fetchall())


def told(directory: str) -> str:
    """All that the messages that were sent say, as JSON."""
    with closing(sqlite3.connect(f"file:{directory}/tocsin.db?mode=ro", uri=True)) as store:
        return json.dumps(store.execute("SELECT title, body FROM delivery WHERE state = 'sent'").fetchall())
