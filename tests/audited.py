"""A record of what a tocsin process reaches for: every connection, name, program and file, git's connections included.

The interpreter itself reports them (`sys.addaudithook`), before they happen, whichever library asks.
"""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

_HOOK = """\
import json, os, sys

_record = os.open({record!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _note(event, arguments):
    if event == "subprocess.Popen":
        said = [os.fsdecode(word) for word in arguments[1]]
    elif event in ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "socket.sendto", "socket.sendmsg"):
        said = [repr(arguments)]
    elif event in ("socket.connect", "socket.bind"):
        said = arguments[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        said = arguments[:2]
    elif event == "open" and isinstance(arguments[0], (str, bytes)):
        said = os.fsdecode(arguments[0])
    else:
        return
    os.write(_record, (json.dumps([event, said], default=repr) + "\\n").encode())


sys.addaudithook(_note)
"""


@dataclass(frozen=True)
class Audit:
    """What was recorded so far, in the directory it was set up with."""

    directory: Path

    def _events(self, *names: str) -> list[object]:
        lines = (self.directory / "record").read_text(encoding="utf-8").splitlines()
        return [said for event, said in map(json.loads, lines) if event in names]

    @property
    def contacted(self) -> set[str]:
        """`address:port` of every connection that was tried, by Python or by git; paths of Unix sockets."""
        tried = [said for said in self._events("socket.connect") if said]
        found = {":".join(map(str, said[:2])) if isinstance(said, list) else str(said) for said in tried}
        traces = [path.read_text(errors="replace") for path in self.directory.glob("curl.*")]
        return found | {address for trace in traces for address in re.findall(r"Trying (\S+?)\.\.\.", trace)}

    @property
    def resolved(self) -> set[str]:
        """Every host that was asked for, addresses included."""
        return {str(said[0]) for said in self._events("socket.getaddrinfo", "socket.gethostbyname")}

    @property
    def commands(self) -> list[list[str]]:
        """The words of every program that was started."""
        return list(self._events("subprocess.Popen"))

    @property
    def other_ways(self) -> list[object]:
        """Whatever starts a program or sends something in another way."""
        return self._events("os.system", "os.exec", "os.posix_spawn", "os.spawn", "socket.sendto", "socket.sendmsg")

    @property
    def opened(self) -> list[str]:
        """Every file that Python opened."""
        return list(map(str, self._events("open")))


def audit(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    """Has every Python that this test starts recorded, and every git say where it connects to."""
    git = shutil.which("git")
    assert git, "git is missing"
    (directory / "bin").mkdir(parents=True)
    (directory / "sitecustomize.py").write_text(_HOOK.format(record=str(directory / "record")), encoding="utf-8")
    wrapper = directory / "bin" / "git"
    wrapper.write_text(f'#!/bin/sh\nGIT_TRACE_CURL="{directory}/curl.$$" exec {git} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", str(directory), prepend=os.pathsep)
    monkeypatch.setenv("PATH", f"{directory / 'bin'}:{os.environ['PATH']}")
    return Audit(directory)
