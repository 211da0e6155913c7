"""What is read out of commits: bots, pull requests, versions, and the output of git."""

from datetime import UTC, datetime

import pytest

from tocsin.gitops.git_command import reason
from tocsin.gitops.git_log import BlobChange, blob_changes, commits, log_format, patches, tree
from tocsin.gitops.github_line import limited_until
from tocsin.gitops.history import MAX_WHAT, FilePatch, is_bot, pull_request, version_changes


@pytest.mark.parametrize(
    ("author", "email", "bot"),
    [
        ("renovate[bot]", "", True),
        ("Someone", "29139614+renovate[bot]@users.noreply.github.com", True),
        ("Renovate Bot", "bot@example.com", True),
        ("dependabot", "", True),
        ("flux", "flux@example.com", True),
        ("fluxcdbot", "", True),
        ("Ada Lovelace", "ada@example.com", False),
        ("Abbot", "abbot@example.com", False),
        ("Renovate Smith", "smith@example.com", False),
    ],
)
def test_bots(author: str, email: str, bot: bool) -> None:
    assert is_bot(author, email) is bot


@pytest.mark.parametrize(
    ("subject", "number"),
    [
        ("toEntities world (#11533)", 11533),
        ("Merge pull request #120 from ada/branch", 120),
        ("Revert (#12) by hand", None),
        ("fixes #12", None),
        ("Add (#1) and more (#2)", 2),
        ("(#99999999999)", None),
    ],
)
def test_pull_requests(subject: str, number: int | None) -> None:
    assert pull_request(subject) == number


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ("-  tag: 7.4.1\n+  tag: 7.5.0", ("7.4.1 -> 7.5.0",)),
        ("-  tag: 7.4.1@sha256:aa\n+  tag: 7.4.1@sha256:bb", ("7.4.1 (new digest)",)),
        ("-  image: ghcr.io:5000/a/b:1.0\n+  image: ghcr.io:5000/a/b:1.1", ("1.0 -> 1.1",)),
        ('-      version: "1.0.0"\n+      version: 1.1.0 # renovate', ("1.0.0 -> 1.1.0",)),
        ("-  - newTag: v1\n+  - newTag: v2", ("v1 -> v2",)),
        ("-apiVersion: v1\n+apiVersion: v2", ()),
        ("+  tag: 7.5.0", ()),
        ("-  tag: 1\n-  tag: 2\n+  tag: 3\n+  tag: 4", ("1 -> 3", "2 -> 4")),
        (" context\n-  schedule: x\n+  schedule: y", ()),
    ],
)
def test_versions(patch: str, said: tuple[str, ...]) -> None:
    assert version_changes([FilePatch("a.yaml", patch)]) == said


def test_many_versions_are_cut() -> None:
    patch = "".join(f"-tag: {number}\n+tag: {number}.1\n" for number in range(20))
    said = version_changes([FilePatch("a.yaml", patch)])
    assert (len(said), said[-1]) == (MAX_WHAT + 1, "and 8 more")


def test_a_log_with_hostile_content() -> None:
    sha = "a" * 40
    one = f"\0WORD\0{sha}\0Ada\0a@b\0{10**30}\0subject \x1b[31m WORLD\0\n"
    raw = f":100644 000000 {'b' * 40} {'0' * 40} D\0a b\n.yaml\0:100644 100644 {'b' * 40} {'c' * 40} M\0x.txt\0"
    ((commit, rest),) = commits((one + raw).encode(), "WORD")
    assert commit.at == datetime(1970, 1, 1, tzinfo=UTC)
    assert commit.subject == "subject \x1b[31m WORLD"
    assert blob_changes(rest) == [BlobChange("a b\n.yaml", "b" * 40, None)]
    assert "%s" in log_format("WORD")


def test_patches_of_yaml_files_only() -> None:
    header = "diff --git a/{0} b/{0}\nindex 1..2 100644\n--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-tag: 1\n+tag: 2\n"
    assert [file.path for file in patches(header.format("a.yaml") + header.format("README.md"))] == ["a.yaml"]
    deleted = "diff --git a/a.yaml b/a.yaml\n--- a/a.yaml\n+++ /dev/null\n@@ -1 +0,0 @@\n-tag: 1\n"
    assert [file.path for file in patches(deleted)] == ["a.yaml"]
    assert patches("diff --git a/x.yaml b/x.yaml\nnew file mode 100644\n") == []


def test_a_tree_without_links_and_large_files() -> None:
    entries = (
        f"100644 blob {'a' * 40}      10\ta.yaml\x00120000 blob {'b' * 40}      10\tlink.yaml\x00"
        f"160000 commit {'c' * 40}       -\tmodule.yaml\x00100644 blob {'d' * 40} 9999999\tbig.yaml\0"
    )
    assert tree(entries.encode(), 1000) == {"a.yaml": "a" * 40}


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ("fatal: could not read Username for 'https://github.com': terminal prompts disabled", "authentication failed"),
        ("git@github.com: Permission denied (publickey).\nfatal: Could not read from remote", "authentication failed"),
        ("fatal: unable to access 'https://x/': Could not resolve host: x", "cannot resolve the host"),
        ("fatal: couldn't find remote ref refs/heads/x", "the branch does not exist"),
        ("fatal: something\x1b[31m odd", r"git fetch failed: something\x1b[31m odd"),
        ("", "git fetch failed: no reason given"),
    ],
)
def test_reasons(errors: str, said: str) -> None:
    assert reason(errors, "fetch") == said


def test_rate_limits() -> None:
    now = datetime(2026, 11, 24, 13, 5, tzinfo=UTC)
    reset = str(int(datetime(2026, 11, 24, 14, 5, tzinfo=UTC).timestamp()))
    until = limited_until(403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}, now)
    assert f"{until:%H:%M}" == "14:05"
    assert f"{limited_until(429, {}, now):%H:%M}" == "13:06"
    assert f"{limited_until(403, {'retry-after': '120'}, now):%H:%M}" == "13:07"
    assert limited_until(403, {}, now) is None
    assert limited_until(500, {"retry-after": "1"}, now) is None
