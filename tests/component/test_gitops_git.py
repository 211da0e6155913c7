"""What only the git adapter has to survive: broken mirrors, slow and closed remotes, hostile repositories."""

import asyncio
import base64
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

import gitops_repos
from gitops_repos import POLICY_FILE, WORLD
from tocsin.errors import LookupFailed
from tocsin.gitops.git import GitRepository
from tocsin.gitops.settings import GitSettings

TEMPLATES = ("kubernetes/apps/{namespace}/{app}/**",)


def mirrored(tmp_path: Path, **settings: object) -> GitRepository:
    values = {"url": (tmp_path / "origin").as_uri(), "data_directory": tmp_path / "data"} | settings
    return GitRepository(GitSettings.model_validate(values), TEMPLATES)


def lose_objects(tmp_path: Path) -> None:
    objects = tmp_path / "data" / "mirror.git" / "objects"
    shutil.rmtree(objects)
    objects.mkdir()


async def test_a_mirror_without_its_objects_is_cloned_again(tmp_path: Path) -> None:
    repo = gitops_repos.recyclarr(tmp_path / "origin")
    await mirrored(tmp_path).refresh()
    lose_objects(tmp_path)
    repo.commit("More", {"more.yaml": gitops_repos.policy("more", WORLD, namespace="media")})
    again = mirrored(tmp_path)
    await again.refresh()
    assert len(again.snapshot().index.policies) == 3
    assert not list((tmp_path / "data").glob("clone-*")) + list((tmp_path / "data").glob("old-*"))


async def test_objects_lost_under_way_are_found_by_an_alert_and_mended_by_the_next_refresh(tmp_path: Path) -> None:
    gitops_repos.recyclarr(tmp_path / "origin")
    adapter = mirrored(tmp_path)
    await adapter.refresh()
    lose_objects(tmp_path)
    with pytest.raises(LookupFailed):
        await adapter.changes(POLICY_FILE, 5)
    await adapter.refresh()
    assert len(await adapter.changes(POLICY_FILE, 5)) == 3


async def test_a_mirror_that_is_no_repository_is_cloned_again(tmp_path: Path) -> None:
    gitops_repos.recyclarr(tmp_path / "origin")
    place = tmp_path / "data" / "mirror.git"
    place.mkdir(parents=True)
    (place / "HEAD").write_text("nonsense")
    adapter = mirrored(tmp_path)
    await adapter.refresh()
    assert len(adapter.snapshot().index.policies) == 2


async def test_after_a_restart_an_old_mirror_answers_and_says_how_old_it_is(tmp_path: Path) -> None:
    gitops_repos.recyclarr(tmp_path / "origin")
    await mirrored(tmp_path).refresh()
    fetched_at = datetime(2026, 11, 2, tzinfo=UTC)
    os.utime(tmp_path / "data" / "mirror.git" / "fetched", (fetched_at.timestamp(),) * 2)
    (tmp_path / "origin").rename(tmp_path / "gone")
    adapter = mirrored(tmp_path)
    with pytest.raises(LookupFailed, match="repository not found"):
        await adapter.refresh()
    assert adapter.snapshot().refreshed_at == fetched_at
    assert adapter.snapshot().failure == "repository not found"
    assert len(await adapter.changes(POLICY_FILE, 5)) == 3


async def test_a_first_clone_that_fails_says_why(tmp_path: Path) -> None:
    adapter = mirrored(tmp_path)
    with pytest.raises(LookupFailed):
        await adapter.refresh()
    with pytest.raises(LookupFailed, match="repository not found"):
        adapter.snapshot()


async def test_another_branch(tmp_path: Path) -> None:
    repo = gitops_repos.recyclarr(tmp_path / "origin")
    for adapter in (
        mirrored(tmp_path, branch="branch"),
        GitRepository(GitSettings(path=repo.path, branch="branch"), TEMPLATES),
    ):
        await adapter.refresh()
        assert adapter.snapshot().sha == repo.git("rev-parse", "branch")
    with pytest.raises(LookupFailed, match="branch does not exist"):
        await mirrored(tmp_path, branch="nope").refresh()


async def test_a_merge_after_a_direct_commit_is_not_its_pull_request(tmp_path: Path) -> None:
    repo = gitops_repos.empty(tmp_path / "origin")
    repo.commit("Add", {POLICY_FILE: gitops_repos.policy("x", WORLD)})
    repo.git("checkout", "--quiet", "-b", "branch")
    repo.commit("Elsewhere", {"other": ""})
    repo.git("checkout", "--quiet", "main")
    repo.merge("branch", "Merge pull request #5 from ada/branch")
    adapter = mirrored(tmp_path)
    await adapter.refresh()
    (change,) = await adapter.changes(POLICY_FILE, 5)
    assert change.pull_request is None


async def test_a_version_in_a_file_that_pretends_to_be_a_commit(tmp_path: Path) -> None:
    repo = gitops_repos.recyclarr(tmp_path / "origin")
    text = gitops_repos.release("7.6.0") + "x: |\n  diff --git a/x b/x\n  \0 :100644 100644 commit\n"
    repo.commit("Hostile", {gitops_repos.RELEASE_FILE: text})
    adapter = mirrored(tmp_path)
    await adapter.refresh()
    assert [change.sha for change in await adapter.changes("kubernetes", 1)] == [adapter.snapshot().sha]
    releases = await adapter.releases(gitops_repos.COMPONENT, 3, gitops_repos.STARTED_AT)
    assert [release.what for release in releases][-1] == ("7.4.1 -> 7.5.0",)


async def test_configuration_of_the_repository_runs_nothing(tmp_path: Path) -> None:
    repo = gitops_repos.recyclarr(tmp_path / "origin")
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "diff.external", "core.pager", "diff.x.textconv", "gpg.program", "core.sshCommand"):
        repo.git("config", key, str(trap))
    repo.git("config", "log.showSignature", "true")
    repo.commit("Attributes", {".gitattributes": "*.yaml diff=x\n"})
    (tmp_path / "sprung").unlink(missing_ok=True)
    adapter = GitRepository(GitSettings(path=repo.path), TEMPLATES)
    await adapter.refresh()
    assert len(await adapter.changes(POLICY_FILE, 5)) == 3
    assert await adapter.releases(gitops_repos.COMPONENT, 3, gitops_repos.STARTED_AT)
    assert not (tmp_path / "sprung").exists()


@asynccontextmanager
async def http_remote(origin: Path, token: str) -> AsyncIterator[str]:
    """The repository over plain (dumb) HTTP, for whoever sends the token as GitHub wants it."""

    async def answer(request: web.Request) -> web.StreamResponse:
        wanted = f"Basic {base64.b64encode(f'x-access-token:{token}'.encode()).decode()}"
        if request.headers.get("Authorization") != wanted:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        file = origin / ".git" / request.match_info["path"]
        return web.FileResponse(file) if file.is_file() else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/ada/home.git/{path:.*}", answer)
    server = TestServer(app)
    await server.start_server()
    try:
        yield str(server.make_url("/ada/home.git"))
    finally:
        await server.close()


async def test_the_token_reaches_the_remote_and_never_the_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = gitops_repos.recyclarr(tmp_path / "origin")
    repo.git("update-server-info")
    spy = tmp_path / "bin" / "git"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/arguments\nexec {shutil.which("git")} "$@"\n')
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{spy.parent}:{os.environ['PATH']}")
    async with http_remote(repo.path, "s3cret") as url:
        adapter = mirrored(tmp_path, url=url, token=SecretStr("s3cret"))
        await adapter.refresh()
        assert len(adapter.snapshot().index.policies) == 2
        with pytest.raises(LookupFailed, match=r"^authentication failed$"):
            await mirrored(tmp_path, url=url, token=SecretStr("wrong"), data_directory=tmp_path / "other").refresh()
    assert "fetch" in (tmp_path / "arguments").read_text()
    assert "s3cret" not in (tmp_path / "arguments").read_text()


async def test_a_remote_that_never_answers_ends_in_time(tmp_path: Path) -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x.git"
        adapter = mirrored(tmp_path, url=url, fetch_timeout=timedelta(seconds=0.3))
        with pytest.raises(LookupFailed, match=r"timed out after 0\.3 s"):
            await adapter.refresh()


async def test_a_machine_without_git_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gitops_repos.recyclarr(tmp_path / "origin")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LookupFailed, match="cannot run git"):
        await GitRepository(GitSettings(path=tmp_path / "origin"), TEMPLATES).refresh()


async def test_links_to_github_are_known(tmp_path: Path) -> None:
    repo = gitops_repos.recyclarr(tmp_path / "origin")
    adapter = GitRepository(GitSettings(path=repo.path, web_url="https://git.example.com/ada/home/"), TEMPLATES)
    await adapter.refresh()
    changes = await adapter.changes(POLICY_FILE, 5)
    assert [change.url for change in changes] == [
        "https://git.example.com/ada/home/pull/11600",
        "https://git.example.com/ada/home/pull/11533",
        f"https://git.example.com/ada/home/commit/{changes[-1].sha}",
    ]
