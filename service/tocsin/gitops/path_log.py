"""The history of many paths from one reading of the log, each simplified as `git log -- path` does by itself. Pure.

`git log -- one two` is not what `git log -- one` and `git log -- two` say: at a merge that took `one` as it was on one
side, git follows that side alone for `one`, and both sides for the two together.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tocsin.gitops.git_log import BlobChange
from tocsin.gitops.history import Commit, pull_request

_MAX_ROOTS: Final = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A commit and the files it changed against its only parent; a merge has none."""

    commit: Commit
    files: tuple[BlobChange, ...] = ()


@dataclass(slots=True)
class PathLog:
    """`entries` are all commits by id, the newest first, but children before parents.

    `differs` holds, for a merge and each of its parents, the files that are not the same.
    """

    entries: Mapping[str, Entry]
    differs: Mapping[tuple[str, str], Collection[str]] = field(default_factory=dict)

    def merges(self) -> list[tuple[str, str]]:
        """Every merge with each of its parents."""
        commits = (entry.commit for entry in self.entries.values() if len(entry.commit.parents) > 1)
        return [(commit.sha, parent) for commit in commits for parent in commit.parents]

    def newest(self, head: str, paths: Sequence[str], limit: int) -> dict[str, list[Entry]]:
        """The newest commits of every path, with the files below it."""
        found: dict[str, list[Entry]] = {path: [] for path in paths}
        follow: dict[str, set[str]] = {head: set(paths)}
        for sha, entry in self.entries.items():
            if sha in follow:
                for parent, paths_there in self._onto(entry, follow.pop(sha), found):
                    wanted = {path for path in paths_there if len(found[path]) < limit}
                    follow[parent] = follow[parent] | wanted if parent in follow else wanted
        return {path: entries[:limit] for path, entries in found.items()}

    def _onto(
        self, entry: Entry, still: set[str], found: Mapping[str, list[Entry]]
    ) -> Iterator[tuple[str, Collection[str]]]:
        """Notes what the commit changed; yields each parent with the paths whose history goes on there."""
        parents = entry.commit.parents
        if len(parents) < 2:
            for path, files in _by_path(entry.files, still).items():
                found[path].append(Entry(entry.commit, tuple(files)))
            yield from ((parent, still) for parent in parents)
            return
        changed = [_touched(self.differs.get((entry.commit.sha, parent), ()), still) for parent in parents]
        everywhere = set.intersection(*changed)
        for path in everywhere:
            found[path].append(Entry(entry.commit))
        left = still - everywhere
        for parent, touched in zip(parents, changed, strict=True):
            same = left - touched
            left -= same
            yield parent, same | everywhere

    def brought_by(self, head: str) -> dict[str, int]:
        """The pull request whose merge into the branch itself brought a commit in, by commit; where one did."""
        chain = [head]
        while (parents := self._parents(chain[-1])) and parents[0] in self.entries:
            chain.append(parents[0])
        brought: dict[str, int | None] = dict.fromkeys(chain)
        for merge in reversed(chain):
            number = pull_request(self.entries[merge].commit.subject)
            waiting = list(self._parents(merge)[1:])
            while waiting:
                sha = waiting.pop()
                if sha not in brought and sha in self.entries:
                    brought[sha] = number
                    waiting += self._parents(sha)
        return {sha: number for sha, number in brought.items() if number is not None}

    def _parents(self, sha: str) -> tuple[str, ...]:
        return self.entries[sha].commit.parents


def roots(paths: Collection[str]) -> list[str]:
    """Few directories that hold all paths; git compares every file it meets with every path it is asked for."""
    parts = [[part for part in path.split("/") if part not in ("", ".")] for path in paths]
    for depth in range(max(map(len, parts), default=0), 0, -1):
        shortened = {"/".join(each[:depth]) for each in parts}
        if len(shortened) <= _MAX_ROOTS:
            return sorted(shortened)
    return []


def _by_path(files: Collection[BlobChange], asked: set[str]) -> dict[str, list[BlobChange]]:
    found: dict[str, list[BlobChange]] = {}
    for file in files:
        for path in _holders(file.path):
            if path in asked:
                found.setdefault(path, []).append(file)
    return found


def _touched(files: Collection[str], asked: set[str]) -> set[str]:
    return {path for file in files for path in _holders(file) if path in asked}


def _holders(file: str) -> Iterator[str]:
    """A file and every directory above it."""
    yield file
    while (cut := file.rfind("/")) > 0:
        file = file[:cut]
        yield file
