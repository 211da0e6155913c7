"""What GitHub's API says of paths, in few calls. What a commit did never changes, so it is kept by commit."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tocsin.findings import Change, Releases
from tocsin.gitops import history, versions
from tocsin.gitops.github_line import GitHubLine, NotFound
from tocsin.gitops.layout import within

if TYPE_CHECKING:
    from github import Github
    from github.Commit import Commit as GitHubCommit

MAX_SCANNED: Final = 100
"""Commits of one component that are counted as releases: a page of GitHub's."""
MAX_READ: Final = 10
"""Commits of one component that are read to see what they release; of the others the subject counts."""
MAX_FILES: Final = 10
"""Files of one commit whose contents are asked for."""
_MAX_PATCH_CHARS: Final = 100_000
_REMEMBERED: Final = 1024
_POLICY: Final = "Cilium"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class At:
    """The commit that questions are about, its YAML files, and those among them that hold policies."""

    sha: str
    files: Collection[str]
    policies: Collection[str]


@dataclass(frozen=True, slots=True)
class _File:
    """One YAML file of a commit; without a patch where GitHub leaves it out for its size."""

    path: str
    before: bool
    after: bool
    patch: str | None


@dataclass(frozen=True, slots=True)
class _Scanned:
    """The commits of a component since `asked_at`, which its history covers from `since_at`."""

    sha: str
    asked_at: datetime
    since_at: datetime
    commits: tuple[history.Commit, ...]


class GitHubHistory:
    """Asks GitHub; the answers are those described in `Repository`."""

    def __init__(self, line: GitHubLine, repository: str, web_url: str) -> None:
        self._line = line
        self._name = repository
        self._web_url = web_url
        self._known: OrderedDict[Hashable, Any] = OrderedDict()
        self._scanned: dict[str, _Scanned] = {}

    async def changes(self, at: At, path: str, limit: int) -> tuple[Change, ...]:
        """One request, and for every commit not seen before its details; without a request where nothing is new."""
        found = await self._remember(("commits", at.sha, path, limit), lambda: self._commits(at.sha, path, limit))
        return tuple([await self._change(commit, await self._what(at, path, commit)) for commit in found])

    async def releases(self, at: At, directory: str, limit: int, since_at: datetime) -> Releases:
        """The newest releases by what their commits changed; the older ones are counted by what their subject says."""
        scanned = self._scanned.get(directory)
        if scanned is None or scanned.sha != at.sha or since_at < scanned.asked_at:
            scanned = self._scanned[directory] = await self._scan(at.sha, directory, since_at)
        commits = [commit for commit in scanned.commits if commit.at >= since_at]
        newest: list[Change] = []
        total = 0
        for number, commit in enumerate(commits):
            if number < MAX_READ and len(newest) < limit:
                what = await self._released(directory, commit)
                newest += [await self._change(commit, what)] if what else []
                total += bool(what)
            else:
                total += versions.is_release(commit.subject)
        return Releases(tuple(newest), total, max(since_at, scanned.since_at))

    async def _scan(self, sha: str, directory: str, since_at: datetime) -> _Scanned:
        commits = await self._commits(sha, directory, MAX_SCANNED, since=since_at)
        whole = len(commits) < MAX_SCANNED
        begins = bool(commits) and not (whole and await self._existed(sha, directory, since_at))
        return _Scanned(sha, since_at, commits[-1].at if begins else since_at, commits)

    async def _existed(self, sha: str, directory: str, at: datetime) -> bool:
        """Asked once a day: a directory that was there stays one that was there."""
        older = ("older", directory, at.date())
        return bool(await self._remember(older, lambda: self._commits(sha, directory, 1, until=at)))

    async def _commits(self, sha: str, path: str, limit: int, **window: Any) -> tuple[history.Commit, ...]:
        """The newest commits up to the commit of the snapshot, in as few pages as there can be."""

        def ask(client: "Github") -> tuple[history.Commit, ...]:
            client.per_page = min(limit, 100)
            found = client.get_repo(self._name).get_commits(sha=sha, path=path, **window)
            return tuple(_commit(commit) for commit in islice(found, limit))

        return await self._line.call(ask)

    async def _what(self, at: At, path: str, commit: history.Commit) -> tuple[str, ...]:
        if len(commit.parents) > 1:
            return ()
        what: tuple[str, ...] = await self._remember(
            ("what", path, commit.sha),
            lambda: self._of_file(path, commit) if history.is_yaml(path) else self._of_directory(at, path, commit),
        )
        return what

    async def _of_file(self, path: str, commit: history.Commit) -> tuple[str, ...]:
        return history.what_changed([await self._versions(_File(path, True, True, None), commit)])

    async def _of_directory(self, at: At, directory: str, commit: history.Commit) -> tuple[str, ...]:
        """Asks for the contents of those files only that hold a policy now, may have held one, or say so."""
        files = [file for file in await self._files(commit) if within(file.path, directory)]
        asked = [
            file
            for file in files
            if file.path in at.policies or file.path not in at.files or _POLICY in (file.patch or _POLICY)
        ]
        rules = history.rule_changes([await self._versions(file, commit) for file in asked[:MAX_FILES]])
        unread = [f"and {len(asked) - MAX_FILES} more files"] if len(asked) > MAX_FILES else []
        return history.bounded(rules + versions.replaced(_patches(files)) + unread)

    async def _released(self, directory: str, commit: history.Commit) -> tuple[str, ...]:
        if len(commit.parents) > 1:
            return ()
        files = [file for file in await self._files(commit) if within(file.path, directory)]
        return history.bounded(versions.replaced(_patches(files)))

    async def _files(self, commit: history.Commit) -> tuple[_File, ...]:
        """The YAML files that a commit touched, without following renames."""

        def ask(client: "Github") -> tuple[_File, ...]:
            found: list[_File] = []
            for file in client.get_repo(self._name).get_commit(commit.sha).files:
                moved = file.status == "renamed"
                kept = file.status not in ("added", "removed", "renamed", "copied")
                if moved:
                    found.append(_File(file.previous_filename, True, False, ""))
                patch = file.patch[:_MAX_PATCH_CHARS] if file.patch is not None else None
                found.append(_File(file.filename, kept or file.status == "removed", file.status != "removed", patch))
            return tuple(sorted((file for file in found if history.is_yaml(file.path)), key=lambda file: file.path))

        files: tuple[_File, ...] = await self._remember(("files", commit.sha), lambda: self._line.call(ask))
        return files

    async def _versions(self, file: _File, commit: history.Commit) -> history.FileVersions:
        parent = commit.parents[0] if commit.parents and file.before else None
        before = await self._text(file.path, parent) if parent else None
        after = await self._text(file.path, commit.sha) if file.after else None
        return history.FileVersions(file.path, before, after)

    async def _text(self, path: str, sha: str) -> str | None:
        """A file at a commit, None where it does not exist there."""

        def ask(client: "Github") -> str | None:
            found = client.get_repo(self._name).get_contents(path, ref=sha)
            if isinstance(found, list) or found.encoding != "base64":
                return None
            content: bytes = found.decoded_content
            return content.decode(errors="replace")

        try:
            return await self._line.call(ask)
        except NotFound:
            return None

    async def _change(self, commit: history.Commit, what: tuple[str, ...]) -> Change:
        number = history.pull_request(commit.subject)
        if number is None:
            number = await self._remember(("pull", commit.sha), lambda: self._pull_request(commit.sha))
        return history.change(commit, what, number, self._web_url)

    async def _pull_request(self, sha: str) -> int | None:
        def ask(client: "Github") -> int | None:
            pulls = client.get_repo(self._name).get_commit(sha).get_pulls()
            return next((pull.number for pull in pulls), None)

        return await self._line.call(ask)

    async def _remember(self, key: Hashable, ask: Callable[[], Awaitable[_T]]) -> _T:
        if key not in self._known:
            self._known[key] = await ask()
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        answer: _T = self._known[key]
        return answer


def _patches(files: Collection[_File]) -> list[str]:
    return [file.patch or "" for file in files if file.before and file.after]


def _commit(commit: "GitHubCommit") -> history.Commit:
    inner = commit.commit
    return history.Commit(
        sha=commit.sha,
        at=inner.committer.date.astimezone(UTC),
        author=inner.author.name or "",
        email=inner.author.email or "",
        subject=(inner.message or "").partition("\n")[0],
        parents=tuple(parent.sha for parent in commit.parents),
    )
