"""A real program of the demonstration: started, waited for until it is ready, ended."""

import http.client
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tocsin.errors import TocsinError

READY_WITHIN = 30.0
STOPS_WITHIN = 10.0


class ProgramMissing(TocsinError):
    """The program is not installed."""


class ProgramBroken(TocsinError):
    """The program does not do what it should; the text ends with what it said last."""


def find(*names: str, package: str) -> str:
    """The first of the names that is on the path. Raises ProgramMissing, with the Debian package that has it."""
    found = next((name for name in names if shutil.which(name)), None)
    if found is None:
        raise ProgramMissing(f"{names[0]} is not installed (Debian: apt-get install {package})")
    return found


def free_port() -> int:
    """A TCP port on loopback that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], port: int, log: Path) -> Iterator[str]:
    """Runs a program that answers /-/ready on a port of loopback; yields its address, ends it with SIGTERM.

    Blocks until it is ready. Raises ProgramBroken when it does not become so.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait_ready(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    ends_at = time.monotonic() + READY_WITHIN
    while time.monotonic() < ends_at and process.poll() is None:
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
    name = Path(str(process.args[0])).name  # type: ignore[index]
    raise ProgramBroken(f"{name} did not become ready: {log.read_text(errors='replace')[-800:]}")
