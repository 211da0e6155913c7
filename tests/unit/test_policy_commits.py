"""What is read out of commits: bots, pull requests, versions, and the output of git."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gitops_repos
from tocsin.gitops.git_command import reason
from tocsin.gitops.git_log import BlobChange, blob_changes, commits, differences, log_format, sizes, tree
from tocsin.gitops.github_line import limited_until
from tocsin.gitops.history import MAX_WHAT, FileVersions, bounded, is_bot, pull_request, what_changed
from tocsin.gitops.path_log import roots
from tocsin.gitops.versions import is_release, patch, replaced


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
    ("lines", "said"),
    [
        ("-  tag: 7.4.1\n+  tag: 7.5.0", ["7.4.1 -> 7.5.0"]),
        ("-  tag: 7.4.1@sha256:aa\n+  tag: 7.4.1@sha256:bb", ["7.4.1 (new digest)"]),
        ("-  image: ghcr.io:5000/a/b:1.0\n+  image: ghcr.io:5000/a/b:1.1", ["1.0 -> 1.1"]),
        ("-  image: a/b:1@sha256:aa\n+  image: a/b:1@sha256:bb", ["1 (new digest)"]),
        ("-  image: a/b@sha256:aa\n+  image: a/b@sha256:bb", ["sha256:aa -> sha256:bb"]),
        ("-  image: a/b:1@sha256:aa\n+  image: a/b@sha256:aa", ["1 -> sha256:aa"]),
        ('-      version: "1.0.0"\n+      version: 1.1.0 # renovate', ["1.0.0 -> 1.1.0"]),
        ("-  - newTag: v1\n+  - newTag: v2", ["v1 -> v2"]),
        ("-  tag: &version 1.0\n+  tag: &version 1.1", ["1.0 -> 1.1"]),
        ('-{"tag":"1.0"}\n+{"tag":"1.1"}', ["1.0 -> 1.1"]),
        ("-  ref: {semver: '>=1.0 <2.0'}\n+  ref: {semver: '>=1.0 <3.0'}", [">=1.0 <2.0 -> >=1.0 <3.0"]),
        ("-[{tag: 1}, {tag: 2}]\n+[{tag: 3}, {tag: 4}]", ["1 -> 3", "2 -> 4"]),
        ("-apiVersion: v1\n+apiVersion: v2", []),
        ("+  tag: 7.5.0", []),
        ("-  tag: 7.5.0", []),
        ("-  tag: 7.5.0\n+    tag: 7.5.0", []),
        ("-  tag: 1\n-  tag: 2\n+  tag: 3\n+  tag: 4", ["1 -> 3", "2 -> 4"]),
        ("-  image: a/b:1\n-  image: c/d:1\n+  image: c/d:2", ["1 -> 2"]),
        ("-  image: a/b:1\n+  image: a/c:1", ["a/b:1 -> a/c:1"]),
        ("-  tag: 1\n+  version: 2", []),
        ("-  # tag: 1\n+  # tag: 2", []),
        ("-  tag: 1 # was\n+  tag: 1 # is", []),
        ("-  tag: ${VERSION}\n+  tag: ${OTHER}", []),
        ("-  command: [x, 'tag: 1']\n+  command: [y, 'tag: 1']", []),
        (" context\n-  schedule: x\n+  schedule: y", []),
        ("-  key: ENC[AES256_GCM,data:x]\n-  version: 3.8.1\n+  key: ENC[AES256_GCM,data:y]\n+  version: 3.9.0", []),
    ],
)
def test_versions(lines: str, said: list[str]) -> None:
    assert replaced([lines]) == said


def test_many_versions_are_cut() -> None:
    said = bounded(replaced(["".join(f"-tag: {number}\n+tag: {number}.1\n" for number in range(20))]))
    assert (len(said), said[-1]) == (MAX_WHAT + 1, "and 8 more")


def test_a_patch_of_two_texts() -> None:
    assert patch("a: 1\ntag: 1\nb: 2\ntag: 2\nc: 3\n", "a: 1\ntag: 2\nb: 2\ntag: 3\nc: 3\n") == (
        "-tag: 1\n+tag: 2\n-tag: 2\n+tag: 3"
    )
    assert patch("tag: 1\n", "tag: 1\n") == patch("a: 1\n", "a: 2\n") == patch("", "tag: 1\n") == ""
    assert patch("tag: 1", "tag: 1\ntag: 1") == ""


def test_a_text_that_is_written_anew_takes_no_time() -> None:
    before, after = ("\n".join(f"{word}{number}" for number in range(50_000)) for word in "ab")
    assert replaced([patch(f"{before}\ntag: 1\n{before}", f"{after}\ntag: 2\n{after}")]) == ["1 -> 2"]


@given(st.lists(st.sampled_from(["tag: 1", "tag: 2", "a: b"])), st.lists(st.sampled_from(["tag: 1", "tag: 3", "c: d"])))
def test_a_patch_leads_from_one_text_to_the_other(before: list[str], after: list[str]) -> None:
    lines = patch("\n".join(before), "\n".join(after)).splitlines()
    if lines:
        removed, added = ([line[1:] for line in lines if line[0] == sign] for sign in "-+")
        assert Counter(before) - Counter(removed) + Counter(added) == Counter(after)


def test_what_changed_says_rules_before_versions() -> None:
    files = [
        FileVersions("release.yaml", "tag: 1\n", "tag: 2\n"),
        FileVersions("policy.yaml", None, gitops_repos.policy("x", gitops_repos.WORLD)),
        FileVersions("new.yaml", None, "tag: 1\n"),
        FileVersions("note.yaml", "a: 1\n", "a: 2\n"),
    ]
    assert what_changed(files) == ("created", "1 -> 2")


@pytest.mark.parametrize(
    ("subject", "release"),
    [
        ("feat(container): update image ghcr.io/x/y ( 1.2 ➔ 1.3 )", True),
        ("fix(helm): update chart app-template (3.1.0 → 3.2.0) (#12)", True),
        ("feat(container): update ghcr.io/x/y docker tag to v2", True),
        ("feat(container): update recyclarr (#11999)", True),
        ("Bump actions/checkout from 3 to 4", True),
        ("chore(container): update image digest", True),
        ("Explain why", False),
        ("Move a -> b", False),
        ("update the policy", False),
        ("Allow ports from 3 hosts", False),
    ],
)
def test_subjects_that_say_release(subject: str, release: bool) -> None:
    assert is_release(subject) is release


def test_few_places_hold_many_paths() -> None:
    paths = [f"kubernetes/apps/{number % 20}/{number}/app/policy.yaml" for number in range(40)]
    assert roots(paths) == ["kubernetes/apps"]
    assert roots(paths[:16]) == sorted(paths[:16])
    assert roots([f"{number}.yaml" for number in range(40)]) == []
    assert roots(["a", "a/b/c"]) == ["a", "a/b/c"]


def test_a_log_with_hostile_content() -> None:
    sha = "a" * 40
    one = f"\0WORD\0{sha}\0{'d' * 40} {'e' * 40}\0Ada\0a@b\0{10**30}\0subject \x1b[31m WORLD\0\n"
    raw = f":100644 000000 {'b' * 40} {'0' * 40} D\0a b\n.yaml\0:100644 100644 {'b' * 40} {'c' * 40} M\0x.txt\0"
    ((commit, rest),) = commits((one + raw).encode(), "WORD")
    assert commit.parents == ("d" * 40, "e" * 40)
    assert commit.at == datetime(1970, 1, 1, tzinfo=UTC)
    assert commit.subject == "subject \x1b[31m WORLD"
    assert rest == [BlobChange("a b\n.yaml", "b" * 40, None), BlobChange("x.txt", "b" * 40, "c" * 40)]
    assert blob_changes("") == []
    assert "%s" in log_format("WORD")


def test_a_tree_without_links() -> None:
    entries = (
        f"100644 blob {'a' * 40}\ta.yaml\x00120000 blob {'b' * 40}\tlink.yaml\x00"
        f"160000 commit {'c' * 40}\tmodule.yaml\x00100755 blob {'d' * 40}\ta\tb\n.yml\x00100644 blob {'e' * 40}\tx\0"
    )
    assert tree(entries.encode()) == {"a.yaml": "a" * 40, "a\tb\n.yml": "d" * 40}


def test_sizes_without_what_is_missing() -> None:
    assert sizes(f"{'a' * 40} blob 12\n{'b' * 40} missing\n".encode()) == {"a" * 40: 12}


def test_differences_of_a_merge_with_each_parent() -> None:
    merge, raw = "a" * 40, f":100644 100644 {'b' * 40} {'c' * 40} M\0"
    pairs = [(merge, "1"), (merge, "2"), (merge, "3")]
    output = f"{merge}\0{raw}x.yaml\0{raw}:y\0{merge}\0{merge}\0{raw}z\0"
    assert differences(output.encode(), pairs) == {
        (merge, "1"): {"x.yaml", ":y"},
        (merge, "2"): frozenset(),
        (merge, "3"): {"z"},
    }


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
    assert f"{limited_until(403, {}, now, 'You have exceeded a secondary rate limit'):%H:%M}" == "13:06"
    assert limited_until(500, {"retry-after": "1"}, now) is None
