"""What both history adapters answer alike, on the same history."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

import gitops_repos
from fake_github import REPOSITORY, FakeGitHub
from gitops_repos import COMPONENT, POLICY_FILE, STARTED_AT, WORLD, GitRepo
from tocsin.errors import LookupFailed
from tocsin.gitops.git import GitRepository
from tocsin.gitops.github import GitHubRepository
from tocsin.gitops.layout import Layout
from tocsin.gitops.repository import Repository
from tocsin.gitops.settings import GitHubSettings, GitSettings

LAYOUT = Layout(path_templates=("kubernetes/apps/{namespace}/{app}/**",))


@dataclass
class Given:
    """An adapter over a repository that the test may change, and a way to make that repository unreachable."""

    adapter: Repository
    repo: GitRepo
    github: FakeGitHub | None

    def cut_off(self) -> None:
        if self.github is not None:
            self.github.trouble = (502, {}, "bad gateway")
        else:
            self.repo.path.rename(self.repo.path.with_name("gone"))


@pytest.fixture(params=["path", "mirror", "github"])
async def given(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Given]:
    repo = gitops_repos.recyclarr(tmp_path / "origin")
    if request.param == "github":
        fake = FakeGitHub(repo.path)
        fake.merged_by[repo.git("rev-parse", "branch")] = 11600
        async with fake.serving():
            adapter = GitHubRepository(GitHubSettings(repository=REPOSITORY, base_url=fake.url), LAYOUT)
            yield Given(adapter, repo, fake)
            await adapter.close()
        return
    settings = (
        GitSettings(path=repo.path)
        if request.param == "path"
        else GitSettings(url=repo.path.as_uri(), data_directory=tmp_path / "data")
    )
    yield Given(GitRepository(settings, LAYOUT), repo, None)


async def test_before_the_first_refresh_it_says_so(given: Given) -> None:
    with pytest.raises(LookupFailed, match="first fetch still under way"):
        given.adapter.snapshot()


async def test_finds_policies_by_kind_and_reports_broken_files(given: Given) -> None:
    await given.adapter.refresh()
    snapshot = given.adapter.snapshot()
    assert snapshot.sha == given.repo.git("rev-parse", "HEAD")
    assert [(placed.policy.name, placed.namespace) for placed in snapshot.index.policies] == [
        ("recyclarr-allow", "media"),
        ("sonarr", "media"),
    ]
    assert [problem.partition(":")[0] for problem in snapshot.index.problems] == ["kubernetes/apps/home/broken.yaml"]
    assert snapshot.stale_for(STARTED_AT) is None


async def test_changes_of_a_policy_newest_first(given: Given) -> None:
    await given.adapter.refresh()
    changes = await given.adapter.changes(POLICY_FILE, 5)
    assert [(change.subject, change.what, change.pull_request) for change in changes] == [
        ("Explain why", ("comment only",), 11600),
        ("toEntities world for canonical names (#11533)", ("+ world:443", "- toFQDNs api.example.com:443"), 11533),
        ("Add recyclarr", ("created",), None),
    ]
    assert [(change.author, change.bot) for change in changes] == [("Ada Lovelace", False)] * 3
    assert changes[-1].at == STARTED_AT + timedelta(hours=1)
    assert changes == await given.adapter.changes(POLICY_FILE, 5)


async def test_changes_are_bounded(given: Given) -> None:
    await given.adapter.refresh()
    assert len(await given.adapter.changes(POLICY_FILE, 1)) == 1
    assert await given.adapter.changes("no/such/file.yaml", 5) == ()


async def test_changes_of_a_directory_name_the_policies(given: Given) -> None:
    given.repo.commit(
        "Open sonarr and drop recyclarr",
        {"kubernetes/apps/media/sonarr/app/netpol.yaml": gitops_repos.policy("sonarr", "{}"), POLICY_FILE: None},
    )
    await given.adapter.refresh()
    (change,) = await given.adapter.changes("kubernetes/apps/media", 1)
    assert change.what == ("deleted", "+ everything", "- world:443")


async def test_changes_of_a_directory_name_rules_and_versions_and_nothing_else(given: Given) -> None:
    gitops_repos.moved_apart(given.repo.path)
    await given.adapter.refresh()
    changes = await given.adapter.changes("kubernetes/apps/media/radarr", 10)
    assert [(change.pull_request, change.what) for change in changes] == [
        (5, ()),
        (4, ("created", "deleted")),
        (3, ()),
        (2, ("+ world:443", "1.0 -> 1.1")),
        (1, ("created",)),
    ]


async def test_histories_are_the_changes_of_each_path(given: Given) -> None:
    gitops_repos.moved_apart(given.repo.path)
    await given.adapter.refresh()
    paths = ["kubernetes/apps/media/radarr", POLICY_FILE, COMPONENT, "kubernetes/apps", "no/such/path"]
    histories = await given.adapter.histories(paths, 4)
    assert histories == {path: await given.adapter.changes(path, 4) for path in paths}
    assert [len(found) for found in histories.values()] == [4, 3, 4, 4, 0]
    assert histories[POLICY_FILE][0].pull_request == 11600


async def test_releases_are_commits_that_bump_a_version(given: Given) -> None:
    await given.adapter.refresh()
    releases = await given.adapter.releases(COMPONENT, 3, STARTED_AT)
    (release,) = releases.changes
    assert (release.what, release.pull_request, release.bot) == (("7.4.1 -> 7.5.0",), 11999, True)
    later = await given.adapter.releases(COMPONENT, 3, STARTED_AT + timedelta(days=30))
    assert (later.changes, later.total) == ((), 0)


@pytest.mark.parametrize(("before", "after", "what"), gitops_repos.BUMPS)
async def test_every_way_to_write_a_version(given: Given, before: str, after: str, what: tuple[str, ...]) -> None:
    file = f"{COMPONENT}/app/other.yaml"
    given.repo.commit("Before (#1)", {file: before})
    given.repo.commit("After (#2)", {file: after})
    await given.adapter.refresh()
    (change, *_) = await given.adapter.changes(COMPONENT, 1)
    (release, *_) = (await given.adapter.releases(COMPONENT, 1, STARTED_AT)).changes
    assert change.what == release.what == what


async def test_the_rate_of_releases_counts_the_whole_window(given: Given) -> None:
    for number in range(20):
        given.repo.commit(
            f"feat(container): update image ghcr.io/recyclarr/recyclarr ( 8.{number} ➔ 8.{number + 1} ) (#{number})",
            {gitops_repos.RELEASE_FILE: gitops_repos.release(f"8.{number + 1}")},
        )
        given.repo.commit(f"Note (#1{number})", {f"{COMPONENT}/note.yaml": f"{number}\n"})
    await given.adapter.refresh()
    begun_at = STARTED_AT + timedelta(hours=1)
    releases = await given.adapter.releases(COMPONENT, 2, STARTED_AT - timedelta(days=180))
    assert (releases.total, releases.since_at) == (21, begun_at)
    assert [change.what for change in releases.changes] == [("8.19 -> 8.20",), ("8.18 -> 8.19",)]
    halfway = STARTED_AT + timedelta(hours=26)
    shorter = await given.adapter.releases(COMPONENT, 2, halfway)
    assert (shorter.total, shorter.since_at) == (10, halfway)
    assert shorter.changes == releases.changes


async def test_a_component_that_came_later_is_counted_since_then(given: Given) -> None:
    given.repo.now += timedelta(days=100)
    given.repo.commit("Add late (#1)", {"kubernetes/apps/media/late/app/helmrelease.yaml": gitops_repos.release("1")})
    begun_at = given.repo.now
    given.repo.commit("Up (#2)", {"kubernetes/apps/media/late/app/helmrelease.yaml": gitops_repos.release("2")})
    await given.adapter.refresh()
    window = STARTED_AT + timedelta(days=50)
    late = await given.adapter.releases("kubernetes/apps/media/late", 3, window)
    assert (late.total, late.since_at) == (1, begun_at)
    old = await given.adapter.releases(COMPONENT, 3, window)
    assert (old.total, old.since_at) == (0, window)


async def test_a_new_commit_is_seen_after_a_refresh(given: Given) -> None:
    await given.adapter.refresh()
    await given.adapter.refresh()
    given.repo.commit(
        "Add more (#7)", {POLICY_FILE: gitops_repos.policy("recyclarr-allow", WORLD, "{}", app="recyclarr")}
    )
    assert len(await given.adapter.changes(POLICY_FILE, 5)) == 3
    await given.adapter.refresh()
    newest, *_ = await given.adapter.changes(POLICY_FILE, 1)
    assert (newest.subject, newest.what) == ("Add more (#7)", ("+ everything",))


async def test_after_a_force_push_the_new_history_counts(given: Given) -> None:
    await given.adapter.refresh()
    given.repo.git("reset", "--quiet", "--hard", "HEAD~3")
    given.repo.commit("Another way (#8)", {POLICY_FILE: gitops_repos.policy("recyclarr-allow", "{}", app="recyclarr")})
    await given.adapter.refresh()
    assert (await given.adapter.changes(POLICY_FILE, 5))[0].subject == "Another way (#8)"


async def test_an_unreachable_repository_leaves_the_earlier_data_and_says_how_old(given: Given) -> None:
    await given.adapter.refresh()
    refreshed_at = given.adapter.snapshot().refreshed_at
    given.cut_off()
    with pytest.raises(LookupFailed):
        await given.adapter.refresh()
    snapshot = given.adapter.snapshot()
    assert len(snapshot.index.policies) == 2
    assert snapshot.failure
    assert snapshot.stale_for(refreshed_at + timedelta(minutes=47)) == timedelta(minutes=47)


async def test_check_describes_the_state_or_fails(given: Given) -> None:
    assert await given.adapter.check() == (
        f"{given.adapter.source}: 2 policies and 1 workload (1 problem) at {given.repo.git('rev-parse', 'HEAD')[:7]}, "
        "fetched just now"
    )
    given.cut_off()
    with pytest.raises(LookupFailed):
        await given.adapter.check()


async def test_hostile_subject_author_and_file_name(given: Given) -> None:
    name = 'kubernetes/apps/media/x/--output=/tmp/pwn "q" $(id) *.yaml'
    given.repo.commit(
        "`$(id)` \x1b[31m <b>@all</b> (#9)", {name: gitops_repos.policy("x", WORLD)}, author="-o\x1b <a@b>"
    )
    await given.adapter.refresh()
    assert name in {placed.file for placed in given.adapter.snapshot().index.policies}
    (change,) = await given.adapter.changes(name, 5)
    assert change.pull_request == 9
    assert change.what == ("created",)
