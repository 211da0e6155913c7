"""What the log of a repository says of paths. What a commit did never changes, so it is kept by commit."""

import asyncio
import secrets
from collections.abc import Collection, Hashable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from tocsin.findings import Change, Releases
from tocsin.gitops import git_log, history, path_log, versions
from tocsin.gitops.git_command import Git
from tocsin.gitops.git_objects import Objects
from tocsin.gitops.path_log import Entry, PathLog

MAX_SCANNED: Final = 500
"""Commits of one component that are looked at for releases."""
_MAX_FILES: Final = 200
"""Files of one commit that are looked at."""
_REMEMBERED: Final = 4000
_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")
_LOG: Final = (
    "log",
    "-z",
    "--no-color",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--diff-merges=off",
    "--raw",
    "--no-abbrev",
)


@dataclass(frozen=True, slots=True)
class Head:
    """The commit that questions are about. `cut` are the oldest commits fetched of a shallow repository.

    Everything seems to begin in a commit of `cut`; what it changed is not known.
    """

    sha: str
    cut: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Released:
    """All releases of a component since `asked_at`, which its history covers from `since_at`."""

    head: Head
    asked_at: datetime
    since_at: datetime
    bumps: tuple[tuple[history.Commit, tuple[str, ...]], ...]


class GitHistory:
    """Asks git; the answers are those described in `Repository`."""

    def __init__(self, git: Git, objects: Objects, web_url: str, one_pass_within: timedelta) -> None:
        self._git = git
        self._objects = objects
        self._web_url = web_url
        self._one_pass_within = one_pass_within
        self._asked: dict[str, tuple[Head, int, tuple[Change, ...]]] = {}
        self._said: dict[tuple[str, str], tuple[str, ...]] = {}
        self._merges: dict[str, int | None] = {}
        self._released: dict[str, _Released] = {}

    async def changes(self, head: Head, path: str, limit: int) -> tuple[Change, ...]:
        known = self._asked.get(path)
        if known is None or known[:2] != (head, limit):
            known = (head, limit, await self._newest(head, path, limit))
            _keep(self._asked, path, known)
        return known[2]

    async def _newest(self, head: Head, path: str, limit: int) -> tuple[Change, ...]:
        found = await self._log(head, [path], f"--max-count={limit + len(head.cut)}")
        entries = _known(found, head)[:limit]
        said = await self._what({path: entries})
        return await self._changes(head, [(entry.commit, said[entry.commit.sha, path]) for entry in entries])

    async def histories(self, head: Head, paths: Sequence[str], limit: int) -> Mapping[str, tuple[Change, ...]]:
        """One reading of the whole log, and one comparison of all merges with their parents."""
        below = path_log.roots(paths)
        options = ("--full-history", "--sparse", "--date-order")
        log = PathLog({entry.commit.sha: entry for entry in await self._log(head, below, *options)})
        log.differs = await self._differences(log.merges(), below)
        newest = await asyncio.to_thread(log.newest, head.sha, paths, limit + len(head.cut))
        found = {path: _known(entries, head)[:limit] for path, entries in newest.items()}
        said = await self._what(found)
        brought = await asyncio.to_thread(log.brought_by, head.sha)
        return {
            path: tuple(
                history.change(
                    entry.commit,
                    said[entry.commit.sha, path],
                    history.pull_request(entry.commit.subject) or brought.get(entry.commit.sha),
                    self._web_url,
                )
                for entry in entries
            )
            for path, entries in found.items()
        }

    async def releases(self, head: Head, directory: str, limit: int, since_at: datetime) -> Releases:
        known = self._released.get(directory)
        if known is None or known.head != head or since_at < known.asked_at:
            known = await self._all_releases(head, directory, since_at)
            _keep(self._released, directory, known)
        bumps = [(commit, what) for commit, what in known.bumps if commit.at >= since_at]
        changes = await self._changes(head, bumps[:limit])
        return Releases(changes, len(bumps), max(since_at, known.since_at))

    async def _all_releases(self, head: Head, directory: str, since_at: datetime) -> _Released:
        found, older = await asyncio.gather(
            self._log(head, [directory], f"--since={since_at.isoformat()}", f"--max-count={MAX_SCANNED}"),
            self._existed(head, directory, since_at),
        )
        begins = bool(found) and (not older or len(found) == MAX_SCANNED)
        changed = [(entry.commit, _yaml(entry, modified=True)) for entry in _known(found, head)]
        texts = await self._objects.texts(_blobs(file for _, files in changed for file in files))
        bumps = await asyncio.to_thread(_bumps, changed, texts)
        return _Released(head, since_at, found[-1].commit.at if begins else since_at, bumps)

    async def _existed(self, head: Head, directory: str, at: datetime) -> bool:
        """Whether a directory was there at a time; False before the history that is known."""
        newest = await self._git.run("rev-list", "--max-count=1", f"--before={at.isoformat()}", head.sha)
        if not newest:
            return False
        return bool(await self._git.run("ls-tree", "-z", "--full-tree", newest.decode().strip(), "--", directory))

    async def _log(self, head: Head, paths: Sequence[str], *options: str) -> list[Entry]:
        record = secrets.token_hex(16)
        command = (*_LOG, f"--format={git_log.log_format(record)}", *options, head.sha, "--", *paths)
        output = await self._git.run(*command, within=None if "--max-count" in options[-1] else self._one_pass_within)
        return [Entry(commit, tuple(files)) for commit, files in git_log.commits(output, record)]

    async def _differences(
        self, pairs: Sequence[tuple[str, str]], below: Sequence[str]
    ) -> Mapping[tuple[str, str], Collection[str]]:
        if not pairs:
            return {}
        output = await self._git.run(
            *("diff-tree", "--stdin", "-r", "--raw", "-z", "--no-abbrev", "--no-renames", "--always", "--", *below),
            stdin="".join(f"{merge} {parent}\n" for merge, parent in pairs).encode(),
            within=self._one_pass_within,
        )
        return await asyncio.to_thread(git_log.differences, output, pairs)

    async def _what(self, found: Mapping[str, Sequence[Entry]]) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """What every commit did to each path, by commit and path."""
        entries = {(entry.commit.sha, path): entry for path, each in found.items() for entry in each}
        said = {key: self._said[key] for key in entries if key in self._said}
        unread = {key: _yaml(entry) for key, entry in entries.items() if key not in said}
        texts = await self._objects.texts(_blobs(file for files in unread.values() for file in files))
        fresh = await asyncio.to_thread(_what_changed, unread, texts)
        for key, what in fresh.items():
            _keep(self._said, key, what)
        said |= fresh
        return said

    async def _changes(self, head: Head, said: Sequence[tuple[history.Commit, tuple[str, ...]]]) -> tuple[Change, ...]:
        return tuple(await asyncio.gather(*(self._change(head, commit, what) for commit, what in said)))

    async def _change(self, head: Head, commit: history.Commit, what: tuple[str, ...]) -> Change:
        number = history.pull_request(commit.subject)
        if number is None and commit.sha in self._merges:
            number = self._merges[commit.sha]
        elif number is None:
            number = await self._merged_by(head, commit.sha)
            _keep(self._merges, commit.sha, number)
        return history.change(commit, what, number, self._web_url)

    async def _merged_by(self, head: Head, sha: str) -> int | None:
        """The pull request whose merge into the branch itself brought a commit in, None for a commit made on it."""
        since = f"{sha}..{head.sha}"
        after = await self._git.run("rev-list", "--ancestry-path", "--merges", since)
        if not after:
            return None
        merges = await self._git.run(
            *("log", "-z", "--first-parent", "--merges", "--diff-merges=off", "--reverse", "--format=%H %P %s"), since
        )
        later = set(after.decode().split())
        for merge in merges.decode(errors="replace").split("\0"):
            commit, _, rest = merge.partition(" ")
            if commit in later:
                onto, _, rest = rest.partition(" ")
                brought = await self._git.run("rev-list", "--max-count=1", sha, f"^{onto}")
                return history.pull_request(rest.partition(" ")[2]) if brought else None
        return None


def _known(entries: Sequence[Entry], head: Head) -> list[Entry]:
    return [entry for entry in entries if entry.commit.sha not in head.cut]


def _yaml(entry: Entry, *, modified: bool = False) -> list[git_log.BlobChange]:
    """The files that can hold a policy or a release; only those that were there before and after, if wanted."""
    files = [file for file in entry.files if history.is_yaml(file.path)]
    return [file for file in files if not modified or (file.before and file.after)][:_MAX_FILES]


def _blobs(files: Iterable[git_log.BlobChange]) -> list[str]:
    return sorted({blob for file in files for blob in (file.before, file.after) if blob})


def _versions(file: git_log.BlobChange, texts: Mapping[str, str]) -> history.FileVersions | None:
    """None where a version is too large to be read."""
    if any(blob and blob not in texts for blob in (file.before, file.after)):
        return None
    before, after = (texts[blob] if blob else None for blob in (file.before, file.after))
    return history.FileVersions(file.path, before, after)


def _what_changed(
    asked: Mapping[tuple[str, str], Sequence[git_log.BlobChange]], texts: Mapping[str, str]
) -> dict[tuple[str, str], tuple[str, ...]]:
    read = {key: [_versions(file, texts) for file in files] for key, files in asked.items()}
    return {key: history.what_changed([file for file in files if file]) for key, files in read.items()}


def _bumps(
    changed: Sequence[tuple[history.Commit, Sequence[git_log.BlobChange]]], texts: Mapping[str, str]
) -> tuple[tuple[history.Commit, tuple[str, ...]], ...]:
    """The commits that replaced a version, with what they did."""
    found = []
    for commit, files in changed:
        read = (_versions(file, texts) for file in files)
        patches = [versions.patch(file.before or "", file.after or "") for file in read if file]
        if what := history.bounded(versions.replaced(patches)):
            found.append((commit, what))
    return tuple(found)


def _keep(known: MutableMapping[_K, _V], key: _K, value: _V) -> None:
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = value
