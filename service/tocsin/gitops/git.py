"""History adapter over the git command: a local repository, or a bare mirror of a remote one."""

import asyncio
import re
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import structlog

from tocsin.errors import LookupFailed
from tocsin.findings import Change, Releases
from tocsin.gitops import git_log, index, manifests
from tocsin.gitops.git_command import Git, Inconclusive
from tocsin.gitops.git_history import GitHistory, Head
from tocsin.gitops.git_objects import Objects, batches
from tocsin.gitops.layout import Layout
from tocsin.gitops.mirror import BRANCH, Mirror
from tocsin.gitops.repository import Freshness, Snapshot
from tocsin.gitops.settings import GitSettings

log = structlog.get_logger()

_T = TypeVar("_T")


class GitRepository:
    """Reads everything with git; nothing is checked out. See `Repository` for the methods, `Mirror` for `beside`.

    `revision` is read in place of the configured branch.
    """

    source = "git"

    def __init__(
        self, settings: GitSettings, layout: Layout, beside: Path = Path(), revision: str | None = None
    ) -> None:
        self._layout = layout
        self._mirror = Mirror(settings, beside) if settings.url is not None else None
        self._git = self._mirror.git if self._mirror else Git(settings.path or Path(), settings)
        branch = f"refs/heads/{settings.branch}" if settings.branch else "HEAD"
        self._head = revision or (BRANCH if self._mirror else branch)
        web_url = settings.web_url.rstrip("/") or _github_page(settings.url or "")
        self._objects = Objects(self._git, partial=settings.filter is not None)
        self._history = GitHistory(self._git, self._objects, web_url, settings.fetch_timeout)
        self._freshness = Freshness()
        self._cut: frozenset[str] = frozenset()
        self._parsed: dict[str, manifests.File] = {}
        self._refreshing = asyncio.Lock()
        self._suspect = False
        self.refresh_every = settings.refresh_every

    async def refresh(self) -> None:
        """Fetches and reads the new head. A mirror that cannot be read is cloned again if the remote answers."""
        async with self._refreshing:
            try:
                await self._bring_up_to_date()
            except Exception as failure:
                self._freshness.failed(failure)
                raise

    async def _bring_up_to_date(self) -> None:
        if self._mirror is None:
            return await self._read_head(datetime.now(UTC))
        try:
            if self._suspect:
                raise LookupFailed("the mirror has lost objects")
            await self._mirror.fetch()
            await self._read_head(datetime.now(UTC))
        except Inconclusive:
            await self._read_old_mirror(self._mirror)
            raise
        except LookupFailed as failure:
            await self._clone_again(self._mirror, failure)
        await self._mirror.tidy()

    async def _clone_again(self, mirror: Mirror, cause: LookupFailed) -> None:
        """Tells a broken mirror from an unreachable remote by trying: a clone that fails changes nothing."""
        try:
            await mirror.clone()
        except LookupFailed:
            await self._read_old_mirror(mirror)
            raise cause from None
        log.warning("gitops_mirror_cloned_again", reason=str(cause))
        await self._read_head(datetime.now(UTC))
        self._suspect = False

    async def _read_old_mirror(self, mirror: Mirror) -> None:
        """After a restart, what an earlier process fetched is better than nothing."""
        if self._freshness.sha is None and await asyncio.to_thread(mirror.exists):
            try:
                await self._read_head(mirror.fetched_at())
            except LookupFailed as failure:
                log.warning("gitops_mirror_unreadable", reason=str(failure))

    async def _read_head(self, at: datetime) -> None:
        sha = (await self._git.run("rev-list", "-1", "--end-of-options", self._head, "--")).decode().strip()
        if sha == self._freshness.sha:
            known = self._freshness.snapshot()
            return self._freshness.succeeded(sha, known.index, at, known.cut_at)
        cut, cut_at = await self._where_it_ends()
        blob_of = await asyncio.to_thread(git_log.tree, await self._git.run("ls-tree", "-r", "-z", "--full-tree", sha))
        parsed = {blob: self._parsed[blob] for blob in blob_of.values() if blob in self._parsed}
        for batch in batches(await self._objects.sizes(sorted(set(blob_of.values()) - parsed.keys()))):
            parsed |= await asyncio.to_thread(_parse_all, await self._objects.read(batch))
        files = {path: parsed[blob] for path, blob in blob_of.items() if blob in parsed}
        built = await asyncio.to_thread(index.build, files, self._layout)
        self._parsed, self._cut = parsed, cut
        self._freshness.succeeded(sha, built, at, cut_at)

    async def _where_it_ends(self) -> tuple[frozenset[str], datetime | None]:
        """The oldest commits of a shallow repository, and the time of the newest of them."""
        place = await self._git.run("rev-parse", "--path-format=absolute", "--git-path", "shallow")
        cut = await asyncio.to_thread(_words, Path(place.decode().removesuffix("\n")))
        if not cut:
            return frozenset(), None
        times = await self._git.run("show", "--no-patch", "--format=%ct", "--end-of-options", *cut)
        return frozenset(cut), max(map(git_log.instant, times.decode().split()))

    def snapshot(self) -> Snapshot:
        return self._freshness.snapshot()

    async def changes(self, path: str, limit: int) -> tuple[Change, ...]:
        return await self._reading(self._history.changes(self._known(), path, limit))

    async def histories(self, paths: Sequence[str], limit: int) -> Mapping[str, tuple[Change, ...]]:
        return await self._reading(self._history.histories(self._known(), paths, limit))

    async def releases(self, directory: str, limit: int, since_at: datetime) -> Releases:
        return await self._reading(self._history.releases(self._known(), directory, limit, since_at))

    def _known(self) -> Head:
        return Head(self.snapshot().sha, self._cut)

    async def _reading(self, answer: Awaitable[_T]) -> _T:
        """A command that fails in an alert, other than by taking long, makes the next refresh doubt the mirror."""
        try:
            return await answer
        except Inconclusive:
            raise
        except LookupFailed:
            self._suspect = True
            raise

    async def check(self) -> str:
        await self.refresh()
        return self._freshness.sentence(self.source, datetime.now(UTC))

    async def close(self) -> None:
        """Nothing is open between two commands."""


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except FileNotFoundError:
        return []


def _parse_all(texts: Mapping[str, str]) -> dict[str, manifests.File]:
    return {blob: manifests.read(text) for blob, text in texts.items()}


def _github_page(url: str) -> str:
    found = re.fullmatch(r"(?:https://|ssh://git@|git@)github\.com[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?", url)
    return f"https://github.com/{found[1]}" if found else ""
