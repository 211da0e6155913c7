"""The container image, started the way a pod starts it: read-only root, user 65532, no capabilities."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kit import body, novel

ENTER = Path(__file__).parent / "enter"
USER = 65532
COMPILED = """
import importlib.util, sys, tocsin.app, tocsin.cli, tocsin.wiring
named = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items() if name != "__main__"}
files = [file for file in named.values() if file.endswith(".py")]
headers = {file: open(importlib.util.cache_from_source(file), "rb").read(8) for file in files}
print(len(files) > 200, [file for file, header in headers.items() if header[4:] != bytes([1, 0, 0, 0])])
"""
"""Loads what serving needs; prints modules without byte code that holds whatever the time of their source."""


def inspected(image: str) -> Any:
    """What buildah knows of an image."""
    listing = ["buildah", "inspect", "--type", "image", image]
    return json.loads(subprocess.run(listing, check=True, capture_output=True, text=True).stdout)


@dataclass(frozen=True)
class Container:
    """A mounted image with an empty volume."""

    root: str
    config: dict[str, Any]
    data: Path

    def command(self, *arguments: str, settings: Path | None = None, **environment: str) -> list[str]:
        """The command line that runs something in it; `settings` is mounted as /etc/tocsin."""
        variables = [*self.config["Env"], *(f"{name}={value}" for name, value in environment.items())]
        entered = [ENTER, self.root, self.data, settings or "", *variables, *arguments]
        return ["unshare", "--mount", "--propagation", "private", *map(str, entered)]

    def run(self, *arguments: str, settings: Path | None = None, **environment: str) -> tuple[int, str]:
        """Runs a command until it ends: its exit code, and what it printed."""
        line = self.command(*arguments, settings=settings, **environment)
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout

    def tocsin(self, *arguments: str, **more: Any) -> tuple[int, str]:
        """Runs the entry point with other arguments than the image's own."""
        return self.run(*self.config["Entrypoint"], *arguments, **more)


@pytest.fixture(scope="module")
def image() -> str:
    return os.environ["TOCSIN_IMAGE"]


@pytest.fixture(scope="module")
def mounted(image: str) -> Iterator[tuple[str, dict[str, Any]]]:
    def buildah(*arguments: str) -> str:
        return subprocess.run(["buildah", *arguments], check=True, capture_output=True, text=True).stdout.strip()

    name = buildah("from", image)
    yield buildah("mount", name), inspected(image)["OCIv1"]["config"]
    buildah("rm", name)


@pytest.fixture
def container(mounted: tuple[str, dict[str, Any]], tmp_path: Path) -> Container:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    shutil.chown(data, USER, USER)
    return Container(*mounted, data)


def test_it_says_what_it_is(container: Container) -> None:
    config = container.config
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert {"title", "description", "licenses", "version", "revision"} <= labels.keys()
    assert labels["version"] not in ("", "dev") and labels["revision"] not in ("", "unknown")
    assert config["User"] == f"{USER}:{USER}" and config["StopSignal"] == "SIGTERM"
    assert (config["Entrypoint"], config["Cmd"]) == (["tocsin"], ["serve"])
    assert config["Volumes"].keys() == {"/data"} and config["ExposedPorts"].keys() == {"8080/tcp"}
    assert "Healthcheck" not in config


def test_the_same_sources_give_the_same_image(image: str) -> None:
    first, again = (inspected(name) for name in (image, os.environ["TOCSIN_IMAGE_AGAIN"]))
    assert first["OCIv1"]["rootfs"] == again["OCIv1"]["rootfs"]
    assert first["FromImageID"] == again["FromImageID"]


def test_what_it_needs_is_there_and_what_built_it_is_not(container: Container) -> None:
    for needed in ("tocsin --version", "git --version", "ssh -V", "test -s /etc/ssl/certs/ca-certificates.crt"):
        assert container.run(*needed.split())[0] == 0, needed
    for tool in ("pip", "pip3", "gcc", "cc", "g++", "make", "ld", "as"):
        assert container.run("sh", "-c", f"command -v {tool}") == (127, ""), tool
    finding = "import importlib.util as u, sys; sys.exit(any(map(u.find_spec, sys.argv[1:])))"
    for python in ("python3", "/opt/tocsin/bin/python"):
        assert container.run(python, "-c", finding, "pip", "setuptools", "wheel", "ensurepip") == (0, ""), python


def test_it_is_a_user_with_a_name_and_can_write_only_where_it_should(container: Container) -> None:
    assert container.run("id") == (0, f"uid={USER}(tocsin) gid={USER}(tocsin) groups={USER}(tocsin)\n")
    assert (
        container.run("sh", "-c", "echo ~tocsin && touch /data/a /tmp/a && cat /etc/tocsin/*.yaml >/dev/null")[0] == 0
    )
    _, listing = container.run("sh", "-c", "find / -xdev -writable ! -type l 2>/dev/null")
    assert {path for path in listing.split() if not path.startswith("/data/")} == {"/data", "/tmp"}
    code, said = container.run("touch", "/opt/tocsin/a")
    assert code == 1 and said.endswith("Read-only file system\n")
    # With a root that can be written to as well: the user owns nothing but the volume.
    owned = ["find", container.root, "-xdev", "-user", str(USER)]
    found = subprocess.run(owned, check=True, capture_output=True, text=True).stdout
    assert found == f"{container.root}/data\n"


def test_nothing_is_compiled_at_start(container: Container) -> None:
    assert container.run("/opt/tocsin/bin/python", "-c", COMPILED) == (0, "True []\n")


def test_the_packaged_configuration_is_right_and_a_mistake_is_shown_before_serving(
    container: Container, tmp_path: Path
) -> None:
    code, said = container.tocsin("check", "--offline")
    assert code == 0, said
    assert list(container.data.iterdir()) == []
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "tocsin.yaml").write_text("server:\n  prot: 1\n")
    for command in (["check", "--offline"], container.config["Cmd"]):
        code, said = container.tocsin(*command, settings=tmp_path / "etc")
        assert code == 2
        assert said.startswith("/etc/tocsin/tocsin.yaml:2: server.prot: unknown key") and said.count("\n") == 1


@asynccontextmanager
async def serving(container: Container) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Runs the image's own command on a free port of loopback; yields its address and the process."""
    line = container.command(
        *container.config["Entrypoint"],
        *container.config["Cmd"],
        TOCSIN__SERVER__HOST="127.0.0.1",
        TOCSIN__SERVER__PORT="0",
    )
    process = await asyncio.create_subprocess_exec(*line, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    told = []
    try:
        async for entry in process.stderr:
            told.append(entry.decode())
            if '"event": "ready"' in told[-1]:
                yield f"http://{json.loads(told[-1])['address']}", process
                return
        raise AssertionError(f"it ended before it was ready: {told}")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_it_serves_and_keeps_what_it_was_told(
    container: Container, record_testsuite_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    async with serving(container) as (url, process), aiohttp.ClientSession() as session:
        async with session.get(f"{url}/readyz") as answer:
            assert answer.status == 200, await answer.text()
        took = time.monotonic() - started
        async with session.post(f"{url}/webhook", data=body(novel())) as answer:
            assert answer.status == 200, await answer.text()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    code, said = container.tocsin("incidents")
    assert code == 0 and "recyclarr" in said
    record_testsuite_property("ready_after_seconds", f"{took:.2f}")
    with capsys.disabled():
        print(f"\nstart to /readyz: {took:.2f} s")
