"""A real PostgreSQL for the tests that run, and a database of its own for each. Its fixtures are known everywhere.

A missing program fails the test: nothing here can be replaced by a fake. The server refuses to run as root, so there it
runs as the user that came with it.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tocsin.demo.program import free_port
from tocsin.store import postgres

READY_WITHIN = 30.0
USER = "tocsin"
_TEMPLATE = "tocsin_template"


class Server:
    """A server on loopback, which can be stopped and started again; its files are gone with `close`."""

    def __init__(self) -> None:
        self._programs = _programs()
        self._home = Path(tempfile.mkdtemp(prefix="tocsin-postgres-"))
        self._as_user: dict[str, Any] = {}
        if os.getuid() == 0:
            found = _user()
            os.chown(self._home, found.pw_uid, found.pw_gid)
            self._as_user = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count()
        self.port = free_port()
        self._call("initdb", "--auth=trust", f"--username={USER}", "--encoding=UTF8", "--locale=C", "--no-sync")
        self.start()
        self.do(f"CREATE DATABASE {_TEMPLATE}")
        postgres.migrate(self.url(_TEMPLATE))

    def start(self) -> None:
        """Blocks until it takes connections."""
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-p", str(self.port), "-k", self._home]
                + ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off"],
                stdout=log, stderr=log, cwd=self._home, start_new_session=True, **self._as_user,
            )  # fmt: skip
        until = time.monotonic() + READY_WITHIN
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                said = (self._home / "log").read_text(errors="replace")[-800:]
                assert time.monotonic() < until and self._process.poll() is None, said
                time.sleep(0.05)

    def stop(self, number: int = signal.SIGINT) -> None:
        """Ends it: SIGINT at once but in order, SIGQUIT as a crash would."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._home)

    def url(self, name: str) -> str:
        return f"postgresql://{USER}:hush-b1c2@127.0.0.1:{self.port}/{name}"

    def do(self, statement: str) -> None:
        """One statement outside of any database of a test."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    @contextmanager
    def database(self, *, empty: bool = False) -> Iterator[str]:
        """A database that nobody else has; the value is its URL."""
        name = f"t{next(self._numbers)}"
        self.do(f"CREATE DATABASE {name}" + ("" if empty else f" TEMPLATE {_TEMPLATE}"))
        try:
            yield self.url(name)
        finally:
            self.do(f"DROP DATABASE {name} WITH (FORCE)")

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _call(self, program: str, *arguments: str) -> None:
        command = [self._programs / program, "-D", self._data, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self._home, check=False, **self._as_user)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Started once, when a test first asks for it. Whoever stops it starts it again."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """A migrated database of its own."""
    with postgres_server.database() as url:
        yield url


def _programs() -> Path:
    """Debian keeps them off the path, a directory for each version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    program = found[-1] if found else shutil.which("postgres")
    assert program, "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    return Path(program).parent


def _user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
