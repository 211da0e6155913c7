"""What only the GitHub adapter has to survive: rate limits, refusals, slow answers, pages."""

import asyncio
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
from tocsin.gitops.github import GitHubRepository
from tocsin.gitops.settings import GitHubSettings

TEMPLATES = ("kubernetes/apps/{namespace}/{app}/**",)


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeGitHub]:
    async with FakeGitHub(gitops_repos.recyclarr(tmp_path / "origin").path).serving() as server:
        yield server


def adapter_of(fake: FakeGitHub, **settings: object) -> GitHubRepository:
    values = {"repository": REPOSITORY, "base_url": fake.url} | settings
    return GitHubRepository(GitHubSettings.model_validate(values), TEMPLATES)


async def test_an_unchanged_branch_is_one_conditional_request(fake: FakeGitHub) -> None:
    adapter = adapter_of(fake)
    await adapter.refresh()
    fake.asked.clear()
    await adapter.refresh()
    assert fake.asked == [f"/repos/{REPOSITORY}/commits/HEAD"]


async def test_what_a_commit_says_is_asked_once(fake: FakeGitHub) -> None:
    adapter = adapter_of(fake)
    await adapter.refresh()
    await adapter.changes(POLICY_FILE, 5)
    await adapter.releases(COMPONENT, 3, STARTED_AT)
    fake.asked.clear()
    await adapter.changes(POLICY_FILE, 5)
    await adapter.releases(COMPONENT, 3, STARTED_AT)
    assert len(fake.asked) == 2


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
    ("headers", "text"),
    [
        ({"x-ratelimit-remaining": "0", "x-ratelimit-limit": "60"}, "API rate limit exceeded for 192.0.2.1."),
        ({"retry-after": "3600"}, "You have exceeded a secondary rate limit."),
    ],
)
async def test_a_rate_limit_is_named_and_respected(fake: FakeGitHub, headers: dict[str, str], text: str) -> None:
    adapter = adapter_of(fake)
    await adapter.refresh()
    reset_at = datetime.now(UTC) + timedelta(hours=1)
    reset = {"x-ratelimit-reset": str(int(reset_at.timestamp()))} if "retry-after" not in headers else {}
    fake.trouble = (403, headers | reset, f'{{"message": "{text}"}}')
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
