"""What only the GitHub adapter has to survive: rate limits, refusals, slow answers, pages."""

import asyncio
import io
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

import gitops_repos
from fake_github import REPOSITORY, FakeGitHub
from gitops_repos import COMPONENT, POLICY_FILE, STARTED_AT, WORLD
from tocsin.errors import LookupFailed
from tocsin.gitops import archive
from tocsin.gitops.github import GitHubRepository
from tocsin.gitops.layout import Layout
from tocsin.gitops.settings import GitHubSettings

LAYOUT = Layout(path_templates=("kubernetes/apps/{namespace}/{app}/**",))


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeGitHub]:
    async with FakeGitHub(gitops_repos.recyclarr(tmp_path / "origin").path).serving() as server:
        yield server


def adapter_of(fake: FakeGitHub, **settings: object) -> GitHubRepository:
    values = {"repository": REPOSITORY, "base_url": fake.url} | settings
    return GitHubRepository(GitHubSettings.model_validate(values), LAYOUT)


async def test_an_index_is_two_requests_and_the_archive_an_unchanged_one_a_304(fake: FakeGitHub) -> None:
    adapter = adapter_of(fake)
    await adapter.refresh()
    sha = adapter.snapshot().sha
    assert fake.asked == [
        f"/repos/{REPOSITORY}/commits/HEAD",
        f"/repos/{REPOSITORY}/tarball/{sha}",
        f"/archive/{sha}",
    ]
    fake.asked.clear()
    await adapter.refresh()
    assert fake.asked == [f"/repos/{REPOSITORY}/commits/HEAD"]
    assert fake.answered[-1] == 304


async def test_a_history_costs_two_contents_a_commit_and_nothing_when_asked_again(fake: FakeGitHub) -> None:
    adapter = adapter_of(fake)
    await adapter.refresh()
    fake.asked.clear()
    await adapter.changes(POLICY_FILE, 5)
    assert sum("/contents/" in asked for asked in fake.asked) == 5
    assert sum("/pulls" in asked for asked in fake.asked) == 2
    assert len(fake.asked) == 8
    fake.asked.clear()
    await adapter.changes(POLICY_FILE, 5)
    assert fake.asked == []


async def test_after_a_new_commit_only_what_is_new_is_asked(fake: FakeGitHub) -> None:
    adapter = adapter_of(fake)
    await adapter.refresh()
    await adapter.changes(POLICY_FILE, 5)
    repo = gitops_repos.GitRepo(fake.repository, now=STARTED_AT + timedelta(days=1))
    repo.commit("Close (#8)", {POLICY_FILE: gitops_repos.policy("recyclarr-allow", "{}")})
    await adapter.refresh()
    fake.asked.clear()
    assert len(await adapter.changes(POLICY_FILE, 5)) == 4
    assert len(fake.asked) == 3


async def test_a_directory_and_its_releases_share_the_details_of_commits(fake: FakeGitHub) -> None:
    gitops_repos.moved_apart(fake.repository)
    adapter = adapter_of(fake)
    await adapter.refresh()
    fake.asked.clear()
    radarr = "kubernetes/apps/media/radarr"
    await adapter.changes(radarr, 5)
    details = 1 + 5
    contents = 1 + 2 + 2  # created; changed; renamed: of the release and the note only the patch is read
    assert len(fake.asked) == details + contents
    fake.asked.clear()
    assert (await adapter.releases(radarr, 3, STARTED_AT)).total == 1
    assert len(fake.asked) == 2
    fake.asked.clear()
    await adapter.releases(radarr, 3, STARTED_AT + timedelta(hours=1))
    assert fake.asked == []


async def test_releases_of_a_busy_component_are_counted_in_one_page(fake: FakeGitHub) -> None:
    repo = gitops_repos.GitRepo(fake.repository, now=STARTED_AT + timedelta(days=1))
    for number in range(120):
        repo.commit(
            f"feat(container): update image a/b ( 8.{number} ➔ 8.{number + 1} ) (#{number})",
            {gitops_repos.RELEASE_FILE: gitops_repos.release(f"8.{number + 1}")},
        )
    adapter = adapter_of(fake)
    await adapter.refresh()
    fake.asked.clear()
    releases = await adapter.releases(COMPONENT, 3, STARTED_AT)
    assert (len(releases.changes), releases.total) == (3, 100)
    assert releases.since_at == repo.now - timedelta(hours=99)
    assert len(fake.asked) == 1 + 3


def test_only_new_contents_of_an_archive_are_read(fake: FakeGitHub) -> None:
    first = archive.read(io.BytesIO(fake.git("archive", "--format=tar.gz", "--prefix=x/", "HEAD")), {})
    assert first.blob_of[POLICY_FILE] == fake.git("rev-parse", f"HEAD:{POLICY_FILE}").decode().strip()
    repo = gitops_repos.GitRepo(fake.repository, now=STARTED_AT + timedelta(days=1))
    repo.commit("Change", {POLICY_FILE: gitops_repos.policy("recyclarr-allow", "{}")})
    second = archive.read(io.BytesIO(fake.git("archive", "--format=tar.gz", "--prefix=x/", "HEAD")), first.parsed)
    same = {path for path, file in second.files().items() if file is first.files().get(path)}
    assert second.files().keys() - same == {POLICY_FILE}
    assert second.parsed.keys() == set(second.blob_of.values())


@pytest.mark.parametrize("trouble_at", ["/tarball/", "/archive/"])
async def test_an_archive_that_fails_is_fetched_again(fake: FakeGitHub, trouble_at: str) -> None:
    adapter = adapter_of(fake)
    await adapter.refresh()
    repo = gitops_repos.GitRepo(fake.repository, now=STARTED_AT + timedelta(days=1))
    repo.commit("Another", {"x.yaml": gitops_repos.policy("x", WORLD, namespace="media")})
    fake.trouble, fake.trouble_at = (503, {}, '{"message": "Try later"}'), trouble_at
    with pytest.raises(LookupFailed, match="answered 503"):
        await adapter.refresh()
    assert "answered 503" in adapter.snapshot().failure
    assert len(adapter.snapshot().index.policies) == 2
    fake.trouble = None
    await adapter.refresh()
    assert adapter.snapshot().failure == ""
    assert len(adapter.snapshot().index.policies) == 3


async def test_a_slow_archive_is_given_up(fake: FakeGitHub) -> None:
    fake.hold, fake.trouble_at = asyncio.Event(), "/archive/"
    adapter = adapter_of(fake, archive_timeout=timedelta(seconds=0.2))
    with pytest.raises(LookupFailed, match=r"^the archive timed out after 0\.2 s$"):
        await adapter.refresh()
    fake.hold.set()
    await adapter.refresh()
    assert len(adapter.snapshot().index.policies) == 2


async def test_a_failure_in_the_middle_of_a_history_is_not_remembered(fake: FakeGitHub) -> None:
    adapter = adapter_of(fake)
    await adapter.refresh()
    fake.trouble, fake.trouble_at = (502, {}, "bad gateway"), "/contents/"
    with pytest.raises(LookupFailed, match=r"^GitHub answered 502$"):
        await adapter.changes(POLICY_FILE, 5)
    fake.trouble = None
    assert [change.what for change in await adapter.changes(POLICY_FILE, 5)][-1] == ("created",)
    assert adapter.snapshot().failure == ""


async def test_the_token_is_sent_to_the_api_only(fake: FakeGitHub) -> None:
    fake.token = "s3cret"
    await adapter_of(fake, token=SecretStr("s3cret")).refresh()
    with pytest.raises(LookupFailed, match=r"^authentication failed$"):
        await adapter_of(fake, token=SecretStr("wrong")).refresh()


async def test_more_commits_than_a_page(fake: FakeGitHub) -> None:
    repo = gitops_repos.GitRepo(fake.repository, now=STARTED_AT + timedelta(days=1))
    for number in range(40):
        entry = f"{{toFQDNs: [{{matchName: n{number}.example.com}}]}}"
        repo.commit(f"Change (#{number})", {POLICY_FILE: gitops_repos.policy("recyclarr-allow", entry)})
    adapter = adapter_of(fake)
    await adapter.refresh()
    changes = await adapter.changes(POLICY_FILE, 35)
    assert [change.pull_request for change in changes] == list(range(39, 4, -1))


@pytest.mark.parametrize(
    ("status", "headers", "text"),
    [
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-limit": "60"}, "API rate limit exceeded for 192.0.2.1."),
        (403, {"retry-after": "3600"}, "You have exceeded a secondary rate limit."),
        (403, {}, "You have exceeded a secondary rate limit. Please wait a few minutes."),
        (429, {"retry-after": "3600"}, "Too many requests"),
        (429, {}, "Too many requests"),
    ],
)
async def test_a_rate_limit_is_named_and_respected(
    fake: FakeGitHub, status: int, headers: dict[str, str], text: str
) -> None:
    adapter = adapter_of(fake)
    await adapter.refresh()
    reset_at = datetime.now(UTC) + timedelta(hours=1)
    reset = {"x-ratelimit-reset": str(int(reset_at.timestamp()))} if "x-ratelimit-limit" in headers else {}
    fake.trouble = (status, headers | reset, f'{{"message": "{text}"}}')
    with pytest.raises(LookupFailed, match=r"^rate limited until \d\d:\d\d UTC$"):
        await adapter.changes(POLICY_FILE, 5)
    fake.trouble = None
    fake.asked.clear()
    with pytest.raises(LookupFailed, match="rate limited"):
        await adapter.refresh()
    assert fake.asked == []
    assert adapter.snapshot().failure.startswith("rate limited until")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "authentication failed"),
        (403, "access refused"),
        (404, "not found, or the token may not read it"),
        (500, "GitHub answered 500"),
        (200, "GitHub's answer cannot be read"),
    ],
)
async def test_refusals_are_named(fake: FakeGitHub, status: int, reason: str) -> None:
    fake.trouble = (status, {}, '{"message": "No"}')
    with pytest.raises(LookupFailed) as failed:
        await adapter_of(fake).refresh()
    assert str(failed.value) == reason


async def test_a_closed_port_is_named(fake: FakeGitHub) -> None:
    with pytest.raises(LookupFailed, match=r"^cannot reach GitHub$"):
        await adapter_of(fake, base_url="http://127.0.0.1:9").refresh()


async def test_a_call_that_hangs_does_not_block_the_next(fake: FakeGitHub) -> None:
    adapter = adapter_of(fake, request_timeout=timedelta(seconds=1))
    await adapter.refresh()
    fake.hold = asyncio.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await adapter.changes(POLICY_FILE, 1)
    held, fake.hold = fake.hold, None
    assert len(await adapter.changes(POLICY_FILE, 1)) == 1
    held.set()
    await adapter.close()


async def test_calls_that_all_hang_end_in_a_reason(fake: FakeGitHub) -> None:
    adapter = adapter_of(fake, request_timeout=timedelta(seconds=1))
    await adapter.refresh()
    fake.hold = asyncio.Event()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await adapter.changes(POLICY_FILE, 1)
    with pytest.raises(LookupFailed, match=r"^earlier calls still hang$"):
        await adapter.changes(POLICY_FILE, 1)
    fake.hold.set()
    await adapter.close()


async def test_an_archive_beyond_its_limit_is_refused(fake: FakeGitHub) -> None:
    repo = gitops_repos.GitRepo(fake.repository, now=STARTED_AT + timedelta(days=1))
    (repo.path / "noise").write_bytes(random.Random(1).randbytes(2**20 + 1))
    repo.commit("Noise", {"x.yaml": gitops_repos.policy("x", WORLD)})
    with pytest.raises(LookupFailed, match="the archive is larger than 1 MiB"):
        await adapter_of(fake, max_archive_mib=1).refresh()


async def test_a_damaged_archive_is_named(fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "git", lambda *arguments: b"not gzip" if arguments[0] == "archive" else b"0" * 40)
    with pytest.raises(LookupFailed, match="damaged"):
        await adapter_of(fake).refresh()
