"""A real Prometheus that takes samples of any time in the last month: remote write in, the HTTP API out."""

import http.client
import json
import shutil
import struct
import tempfile
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tocsin.demo import program

Labels = tuple[tuple[str, str], ...]
"""Sorted by name, as remote write wants them."""
Vector = dict[Labels, float]
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
"""The value that tells of a series that vanished."""
BATCH = 200_000


def labels(**pairs: str) -> Labels:
    return tuple(sorted((name, value) for name, value in pairs.items() if value))


class Engine:
    """What is asked of it and written to it."""

    def __init__(self, address: str, configuration: Path) -> None:
        self.address, self.configuration = address, configuration
        self._line = http.client.HTTPConnection(address, timeout=600)
        self._pending: list[bytes] = []
        self._count = 0

    def add(self, series: Labels, samples: Sequence[tuple[int, float]]) -> None:
        """Samples of one series, milliseconds and values, in order; sent by `flush` or when there are many."""
        self.add_packed(series, packed(samples), len(samples))

    def add_packed(self, series: Labels, packed: bytes, count: int) -> None:
        """The same for samples that several series share."""
        message = b"".join(map(_label, series)) + packed
        self._pending.append(b"\x0a" + _varint(len(message)) + message)
        self._count += count
        if self._count >= BATCH:
            self.flush()

    def flush(self) -> None:
        if not self._pending:
            return
        body = _snappy(b"".join(self._pending))
        self._pending, self._count = [], 0
        head = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
        self._line.request("POST", "/api/v1/write", body, head)
        answer = self._line.getresponse()
        said = answer.read()
        if answer.status != 204:
            raise RuntimeError(f"remote write: {answer.status} {said[:300]!r}")

    def instant(self, expression: str, at: float) -> Vector:
        """Raises EvaluationFailed."""
        result = self._ask("query", query=expression, time=f"{at:.3f}")
        if result["resultType"] == "scalar":
            return {(): float(result["result"][1])}
        return {_from(each["metric"]): float(each["value"][1]) for each in result["result"]}

    def over(self, expression: str, start: float, end: float, step: float) -> dict[Labels, list[tuple[float, float]]]:
        """Raises EvaluationFailed."""
        found = self._ask("query_range", query=expression, start=f"{start:.3f}", end=f"{end:.3f}", step=f"{step:.3f}")
        return {_from(e["metric"]): [(at, float(value)) for at, value in e["values"]] for e in found["result"]}

    def _ask(self, what: str, **form: str) -> Any:
        head = {"Content-Type": "application/x-www-form-urlencoded"}
        self._line.request("POST", f"/api/v1/{what}", urllib.parse.urlencode(form), head)
        said = json.loads(self._line.getresponse().read())
        if said["status"] != "success":
            raise EvaluationFailed(said["error"])
        return said["data"]


class EvaluationFailed(Exception):
    """What Prometheus says of an expression it cannot evaluate."""


@contextmanager
def engine(*flags: str, configuration: str = "") -> Iterator[Engine]:
    """Starts a Prometheus and ends it; its data vanishes with it."""
    with tempfile.TemporaryDirectory(prefix="detection-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        (home / "prometheus.yml").write_text(configuration, encoding="utf-8")
        port = program.free_port()
        command = [
            shutil.which("prometheus") or "prometheus",
            f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'data'}",
            "--storage.tsdb.retention.time=50y",
            # One head block for everything: series may be written one after the other, each with all its past.
            "--storage.tsdb.min-block-duration=60d",
            "--storage.tsdb.max-block-duration=60d",
            "--web.enable-remote-write-receiver",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
            *flags,
        ]
        with program.running(command, port, home / "log"):
            yield Engine(f"127.0.0.1:{port}", home / "prometheus.yml")


def _from(metric: dict[str, str]) -> Labels:
    return tuple(sorted(metric.items()))


def packed(samples: Sequence[tuple[int, float]]) -> bytes:
    """Samples as remote write has them in a series."""
    return b"".join(b"\x12\x10\x09" + struct.pack("<d", value) + _time(at) for at, value in samples)


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


_times: dict[int, bytes] = {}


def _time(at: int) -> bytes:
    found = _times.get(at)
    if found is None:
        found = _times[at] = b"\x10" + _varint(at)
        assert len(found) == 7  # so every sample is 16 bytes long
    return found


def _label(pair: tuple[str, str]) -> bytes:
    name, value = (text.encode() for text in pair)
    message = b"\x0a" + _varint(len(name)) + name + b"\x12" + _varint(len(value)) + value
    return b"\x0a" + _varint(len(message)) + message


def _snappy(data: bytes) -> bytes:
    """The block format with literals only: nothing is compressed."""
    made = [_varint(len(data))]
    for at in range(0, len(data), 65536):
        piece = data[at : at + 65536]
        made += [b"\xf4" + struct.pack("<H", len(piece) - 1), piece]
    return b"".join(made)
