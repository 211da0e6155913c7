"""What only the git adapter has to survive: broken mirrors, slow and closed remotes, hostile repositories."""

import asyncio
import base64
import itertools
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

import git_remotes
import gitops_repos
from git_remotes import SmartHttp
from gitops_repos import FQDN, POLICY_FILE, STARTED_AT, WORLD, GitRepo
from tocsin import metrics
from tocsin.errors import LookupFailed
from tocsin.gitops.git import GitRepository
from tocsin.gitops.layout import Layout
from tocsin.gitops.repository import keep_fresh
from tocsin.gitops.settings import GitSettings

LAYOUT = Layout(path_templates=("kubernetes/apps/{namespace}/{app}/**",))


def mirrored(tmp_path: Path, **settings: object) -> GitRepository:
    values = {"url": (tmp_path / "origin").as_uri(), "data_directory": tmp_path / "data"} | settings
    return GitRepository(GitSettings.model_validate(values), LAYOUT)


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


def spoil_head(mirror: Path) -> None:
    (mirror / "HEAD").write_bytes(b"\0garbage")


def spoil_branch(mirror: Path) -> None:
    (mirror / "refs" / "heads" / "mirrored").write_text("garbage\n")


def truncate_packs(mirror: Path) -> None:
    for pack in mirror.glob("objects/pack/*.pack"):
        content = pack.read_bytes()
        pack.chmod(0o644)
        pack.write_bytes(content[: len(content) // 2])


def spoil_commit_graph(mirror: Path) -> None:
    for graph in mirror.glob("objects/info/commit-graphs/*.graph"):
        graph.chmod(0o644)
        graph.write_bytes(graph.read_bytes()[:100])


def leave_a_lock(mirror: Path) -> None:
    (mirror / "refs" / "heads" / "mirrored.lock").touch()


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("spoil", [spoil_head, spoil_branch, truncate_packs, spoil_commit_graph, leave_a_lock])
async def test_a_spoilt_mirror_is_mended(tmp_path: Path, spoil: Callable[[Path], None], moved: bool) -> None:
    repo = gitops_repos.tangled(tmp_path / "origin", 1, commits=300)
    repo.commit("Policy", {POLICY_FILE: gitops_repos.policy("x", WORLD)})
    await mirrored(tmp_path).refresh()
    mirror = tmp_path / "data" / "mirror.git"
    GitRepo(mirror).git("repack", "-adq")
    spoil(mirror)
    if moved:
        repo.commit("More", {POLICY_FILE: gitops_repos.policy("x", "{}")})
    adapter = mirrored(tmp_path)
    await adapter.refresh()
    assert [change.subject for change in await adapter.changes(POLICY_FILE, 5)] == [
        *(["More"] if moved else []),
        "Policy",
    ]
    assert adapter.snapshot().failure == ""


async def test_the_commit_graph_grows_with_each_fetch(tmp_path: Path) -> None:
    repo = gitops_repos.tangled(tmp_path / "origin", 1, commits=300)
    adapter = mirrored(tmp_path)
    await adapter.refresh()
    graphs = tmp_path / "data" / "mirror.git" / "objects" / "info" / "commit-graphs"
    (first,) = [(file, file.stat().st_mtime_ns) for file in graphs.glob("*.graph")]
    repo.commit("More", {POLICY_FILE: gitops_repos.policy("x", WORLD)})
    await adapter.refresh()
    assert len(list(graphs.glob("*.graph"))) == 2
    assert first[0].stat().st_mtime_ns == first[1]
    assert b"BIDX" in first[0].read_bytes()


async def test_nothing_is_written_to_a_repository_of_somebody_else(tmp_path: Path) -> None:
    repo = gitops_repos.recyclarr(tmp_path)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    adapter = GitRepository(GitSettings(path=repo.path), LAYOUT)
    await adapter.refresh()
    await adapter.changes(POLICY_FILE, 5)
    await adapter.histories([POLICY_FILE, gitops_repos.COMPONENT], 5)
    await adapter.releases(gitops_repos.COMPONENT, 3, STARTED_AT)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("seed", range(8))
async def test_histories_in_one_pass_say_what_git_says_of_each_path(tmp_path: Path, seed: int) -> None:
    settings = GitSettings(path=gitops_repos.tangled(tmp_path, seed).path)
    paths = ["a/1.yaml", "a/2.yaml", "b/1.yaml", "b/c/1.yaml", "a", "b", "b/c", "none"]
    together, apart = GitRepository(settings, Layout()), GitRepository(settings, Layout())
    await together.refresh()
    await apart.refresh()
    for limit in (3, 50):
        assert await together.histories(paths, limit) == {path: await apart.changes(path, limit) for path in paths}


async def test_histories_of_more_places_than_git_is_asked_for(tmp_path: Path) -> None:
    repo = gitops_repos.empty(tmp_path)
    names = [f"{number % 18}/{number}/policy.yaml" for number in range(36)]
    repo.commit("Add (#1)", dict.fromkeys(names, gitops_repos.policy("x", WORLD)))
    repo.commit("Change (#2)", {names[7]: gitops_repos.policy("x", "{}")})
    adapter = GitRepository(GitSettings(path=repo.path), Layout())
    await adapter.refresh()
    found = await adapter.histories(names, 5)
    assert [len(found[name]) for name in names] == [2 if name == names[7] else 1 for name in names]


async def test_a_shallow_mirror_does_not_tell_its_oldest_commit_as_a_change(tmp_path: Path) -> None:
    repo = gitops_repos.recyclarr(tmp_path / "origin")
    adapter = mirrored(tmp_path, depth=1)
    await adapter.refresh()
    assert adapter.snapshot().cut_at == repo.now
    assert await adapter.changes(POLICY_FILE, 5) == ()
    assert await adapter.histories([POLICY_FILE, "kubernetes"], 5) == {POLICY_FILE: (), "kubernetes": ()}
    assert "no history before 01 November 2026" in await adapter.check()
    cut_at = repo.now
    repo.commit("Close (#8)", {POLICY_FILE: gitops_repos.policy("recyclarr-allow", FQDN, app="recyclarr")})
    repo.commit("Bump (#9)", {gitops_repos.RELEASE_FILE: gitops_repos.release("7.6.0")})
    await adapter.refresh()
    assert [(change.subject, change.what) for change in await adapter.changes(POLICY_FILE, 5)] == [
        ("Close (#8)", ("+ toFQDNs api.example.com:443", "- world:443"))
    ]
    releases = await adapter.releases(gitops_repos.COMPONENT, 3, STARTED_AT - timedelta(days=180))
    assert ([release.what for release in releases.changes], releases.total) == ([("7.5.0 -> 7.6.0",)], 1)
    assert releases.since_at == adapter.snapshot().cut_at == cut_at


async def test_a_whole_history_is_not_cut(tmp_path: Path) -> None:
    gitops_repos.recyclarr(tmp_path / "origin")
    adapter = mirrored(tmp_path)
    await adapter.refresh()
    assert adapter.snapshot().cut_at is None


async def test_a_partial_clone_fetches_what_it_needs(tmp_path: Path) -> None:
    repo = gitops_repos.recyclarr(tmp_path / "origin")
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("config", "uploadpack.allowAnySHA1InWant", "true")
    adapter = mirrored(tmp_path, filter="blob:none")
    await adapter.refresh()
    assert len(adapter.snapshot().index.policies) == 2
    present = GitRepo(tmp_path / "data" / "mirror.git").git("cat-file", "--batch-all-objects", "--batch-check")
    assert repo.git("rev-parse", f"HEAD:{POLICY_FILE}") in present
    assert repo.git("rev-parse", f"HEAD~4:{POLICY_FILE}") not in present
    assert [change.what for change in await adapter.changes(POLICY_FILE, 5)][-1] == ("created",)
    await adapter.refresh()
    assert adapter.snapshot().failure == ""


async def test_a_partial_clone_whose_remote_is_gone_has_a_gap_and_is_not_thrown_away(tmp_path: Path) -> None:
    repo = gitops_repos.recyclarr(tmp_path / "origin")
    repo.git("config", "uploadpack.allowFilter", "true")
    adapter = mirrored(tmp_path, filter="blob:none")
    await adapter.refresh()
    (tmp_path / "origin").rename(tmp_path / "gone")
    with pytest.raises(LookupFailed, match="repository not found"):
        await adapter.changes(POLICY_FILE, 5)
    inode = (tmp_path / "data" / "mirror.git").stat().st_ino
    (tmp_path / "gone").rename(tmp_path / "origin")
    await adapter.refresh()
    assert len(await adapter.changes(POLICY_FILE, 5)) == 3
    assert (tmp_path / "data" / "mirror.git").stat().st_ino == inode


@pytest.mark.parametrize(
    "settings",
    [
        {"path": "/x", "depth": 1},
        {"path": "/x", "filter": "blob:none"},
        {"url": "https://a/b", "filter": "tree:0"},
        {"url": "https://a/b", "depth": 0},
    ],
)
def test_settings_that_cannot_work(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GitSettings.model_validate(settings)


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
        GitRepository(GitSettings(path=repo.path, branch="branch"), LAYOUT),
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
    assert [release.what for release in releases.changes][-1] == ("7.4.1 -> 7.5.0",)


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
    adapter = GitRepository(GitSettings(path=repo.path), LAYOUT)
    await adapter.refresh()
    assert len(await adapter.changes(POLICY_FILE, 5)) == 3
    assert await adapter.releases(gitops_repos.COMPONENT, 3, gitops_repos.STARTED_AT)
    assert not (tmp_path / "sprung").exists()


async def test_the_token_reaches_the_remote_and_never_the_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = gitops_repos.recyclarr(tmp_path / "origin")
    spy = tmp_path / "bin" / "git"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/arguments\nexec {shutil.which("git")} "$@"\n')
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{spy.parent}:{os.environ['PATH']}")
    async with SmartHttp(repo.path / ".git", "s3cret").serving() as remote:
        adapter = mirrored(tmp_path, url=remote.url, token=SecretStr("s3cret"))
        await adapter.refresh()
        assert len(adapter.snapshot().index.policies) == 2
        assert set(remote.seen) == {f"Basic {base64.b64encode(b'x-access-token:s3cret').decode()}"}
        wrong = mirrored(tmp_path, url=remote.url, token=SecretStr("wrong"), data_directory=tmp_path / "other")
        with pytest.raises(LookupFailed, match=r"^authentication failed$"):
            await wrong.refresh()
        repo.commit("More", {"more.yaml": gitops_repos.policy("more", WORLD, namespace="media")})
        await adapter.refresh()
        assert len(adapter.snapshot().index.policies) == 3
    with pytest.raises(LookupFailed, match=r"^cannot reach the repository$"):
        await adapter.refresh()
    assert len(await adapter.changes(POLICY_FILE, 5)) == 3
    assert "fetch" in (tmp_path / "arguments").read_text()
    assert "s3cret" not in (tmp_path / "arguments").read_text()


async def test_over_ssh_with_a_key_and_known_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gitops_repos.recyclarr(tmp_path / "origin")
    stand_in = git_remotes.ssh_stand_in(tmp_path / "bin", tmp_path / "ssh.log")
    monkeypatch.setenv("PATH", f"{stand_in}:{os.environ['PATH']}")
    adapter = mirrored(
        tmp_path,
        url=f"ssh://git@git.example.com{tmp_path}/origin",
        ssh_key=tmp_path / "a key",
        ssh_known_hosts=tmp_path / "known_hosts",
    )
    await adapter.refresh()
    assert len(await adapter.changes(POLICY_FILE, 5)) == 3
    words = (tmp_path / "ssh.log").read_text().splitlines()
    assert words[words.index("-i") + 1] == str(tmp_path / "a key")
    assert {f"UserKnownHostsFile={tmp_path}/known_hosts", "StrictHostKeyChecking=yes", "BatchMode=yes"} < set(words)
    assert "git@git.example.com" in words


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
        await GitRepository(GitSettings(path=tmp_path / "origin"), LAYOUT).refresh()


async def test_links_to_github_are_known(tmp_path: Path) -> None:
    repo = gitops_repos.recyclarr(tmp_path / "origin")
    adapter = GitRepository(GitSettings(path=repo.path, web_url="https://git.example.com/ada/home/"), LAYOUT)
    await adapter.refresh()
    changes = await adapter.changes(POLICY_FILE, 5)
    assert [change.url for change in changes] == [
        "https://git.example.com/ada/home/pull/11600",
        "https://git.example.com/ada/home/pull/11533",
        f"https://git.example.com/ada/home/commit/{changes[-1].sha}",
    ]


async def test_a_reader_that_breaks_is_a_failure_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = gitops_repos.recyclarr(tmp_path)
    adapter = GitRepository(GitSettings(path=repo.path, refresh_every=timedelta(hours=1)), LAYOUT)
    await adapter.refresh()
    repo.commit("More", {"x.yaml": "kind: Deployment\n"})
    monkeypatch.setattr("tocsin.gitops.index.build", lambda *_: 1 / 0)
    with capture_logs() as logs:
        task = asyncio.get_running_loop().create_task(keep_fresh(adapter))
        while not logs:
            await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])
    assert logs[0]["event"] == "gitops_refresh_broke"
    snapshot = adapter.snapshot()
    assert (snapshot.failure, len(snapshot.index.policies)) == ("internal error (ZeroDivisionError)", 2)


async def test_what_a_new_commit_holds_is_logged_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = gitops_repos.recyclarr(tmp_path)
    adapter = GitRepository(GitSettings(path=repo.path).model_copy(update={"refresh_every": timedelta(0)}), LAYOUT)
    refresh, rounds, third = adapter.refresh, itertools.count(1), asyncio.Event()

    async def counted() -> None:
        await refresh()
        if next(rounds) == 3:
            third.set()

    monkeypatch.setattr(adapter, "refresh", counted)
    with capture_logs() as logs:
        task = asyncio.get_running_loop().create_task(keep_fresh(adapter))
        async with asyncio.timeout(60):
            await third.wait()
        task.cancel()
        await asyncio.wait([task])
    (told,) = logs
    assert (told["event"], told["policies"], told["workloads"], told["problems"]) == ("gitops_read", 2, 1, 1)
    assert told["first_problems"][0].startswith("kubernetes/apps/home/broken.yaml: ")


# -- how old the data is, as a metric ----


async def kept_fresh(adapter: GitRepository) -> float | None:
    """What the gauge says after a refresh, whatever became of it."""
    refresh, again = adapter.refresh, asyncio.Event()
    rounds = itertools.count()

    async def counted() -> None:
        if next(rounds):
            again.set()
            await asyncio.Event().wait()
        await refresh()

    adapter.refresh, adapter.refresh_every = counted, timedelta(0)  # type: ignore[method-assign]
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(keep_fresh(adapter))
        await again.wait()
        keeping.cancel()
    adapter.refresh = refresh  # type: ignore[method-assign]
    return refreshed()


def refreshed() -> float | None:
    return metrics.REGISTRY.get_sample_value("tocsin_gitops_refreshed_timestamp_seconds", {"source": "git"})


async def test_the_metric_is_when_the_repository_was_last_reached(tmp_path: Path) -> None:
    metrics.GITOPS_REFRESHED.clear()
    assert refreshed() is None, "there is none where no repository is configured"
    adapter = mirrored(tmp_path)
    assert await kept_fresh(adapter) == 0, "one is configured, and was never read"
    gitops_repos.recyclarr(tmp_path / "origin")
    at = await kept_fresh(adapter)
    assert at == adapter.snapshot().refreshed_at.timestamp()
    (tmp_path / "origin").rename(tmp_path / "gone")
    assert await kept_fresh(adapter) == at, "it is gone now, and what was read gets older"


async def test_the_metric_after_a_restart_is_that_of_the_mirror(tmp_path: Path) -> None:
    metrics.GITOPS_REFRESHED.clear()
    gitops_repos.recyclarr(tmp_path / "origin")
    await mirrored(tmp_path).refresh()
    fetched_at = datetime(2026, 11, 2, tzinfo=UTC)
    os.utime(tmp_path / "data" / "mirror.git" / "fetched", (fetched_at.timestamp(),) * 2)
    (tmp_path / "origin").rename(tmp_path / "gone")
    assert await kept_fresh(mirrored(tmp_path)) == fetched_at.timestamp()
