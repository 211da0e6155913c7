"""History adapter over the git command: a local repository, or a bare mirror of a remote one."""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

import structlog

from tocsin.errors import LookupFailed
from tocsin.findings import Change
from tocsin.gitops import git_log, history, index
from tocsin.gitops.git_command import Git, GitTimedOut
from tocsin.gitops.mirror import BRANCH, Mirror
from tocsin.gitops.repository import Freshness, Snapshot
from tocsin.gitops.settings import GitSettings
from tocsin.policy.document import Parsed
from tocsin.policy.parse import MAX_FILE_CHARS, parse

log = structlog.get_logger()

RELEASE_SCAN: Final = 20
_BATCH: Final = 500
_REMEMBERED: Final = 2000
_T = TypeVar("_T")
_LOG: Final = (
    "log",
    "-z",
    "--no-color",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--diff-merges=off",
)


class GitRepository:
    """Reads everything with git; nothing is checked out. See `Repository` for the methods, `Mirror` for `beside`."""

    source = "git"

    def __init__(self, settings: GitSettings, path_templates: Sequence[str], beside: Path = Path()) -> None:
        self._path_templates = path_templates
        self._mirror = Mirror(settings, beside) if settings.url is not None else None
        self._git = self._mirror.git if self._mirror else Git(settings.path or Path(), settings)
        self._head = BRANCH if self._mirror else f"refs/heads/{settings.branch}" if settings.branch else "HEAD"
        self._web_url = settings.web_url.rstrip("/") or _github_page(settings.url or "")
        self._freshness = Freshness()
        self._parsed: dict[str, Parsed] = {}
        self._refreshing = asyncio.Lock()
        self._suspect = False
        self._merges: dict[str, int | None] = {}
        self.refresh_every = settings.refresh_every

    async def refresh(self) -> None:
        """Fetches and reads the new head. A mirror that cannot be read is cloned again if the remote answers."""
        async with self._refreshing:
            try:
                await self._bring_up_to_date()
            except LookupFailed as failure:
                self._freshness.failed(str(failure))
                raise

    async def _bring_up_to_date(self) -> None:
        if self._mirror is None:
            return await self._read_head(datetime.now(UTC))
        try:
            if self._suspect:
                raise LookupFailed("the mirror has lost objects")
            await self._mirror.fetch()
            await self._read_head(datetime.now(UTC))
        except GitTimedOut:
            await self._read_old_mirror(self._mirror)
            raise
        except LookupFailed as failure:
            await self._clone_again(self._mirror, failure)
        await self._mirror.speed_up()

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
        output = await self._git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{self._head}^{{commit}}")
        sha = output.decode().split()[-1]
        if sha == self._freshness.sha:
            return self._freshness.succeeded(sha, self._freshness.snapshot().index, at)
        listing = await self._git.run("ls-tree", "-r", "-l", "-z", "--full-tree", sha)
        blob_of = await asyncio.to_thread(git_log.tree, listing, MAX_FILE_CHARS)
        unread = sorted(set(blob_of.values()) - self._parsed.keys())
        for start in range(0, len(unread), _BATCH):
            texts = await self._texts(unread[start : start + _BATCH])
            self._parsed |= await asyncio.to_thread(_parse_all, texts)
        self._parsed = {blob: self._parsed[blob] for blob in set(blob_of.values())}
        files = {path: self._parsed[blob] for path, blob in blob_of.items()}
        built = await asyncio.to_thread(index.build, files, self._path_templates)
        self._freshness.succeeded(sha, built, at)

    async def _texts(self, blobs: Sequence[str]) -> Mapping[str, str]:
        """Raises LookupFailed where an object is missing: the repository is broken (or a partial clone)."""
        if not blobs:
            return {}
        asked = "".join(f"{blob}\n" for blob in blobs).encode()
        texts = git_log.blobs(await self._git.run("cat-file", "--batch", stdin=asked), blobs)
        if len(texts) < len(set(blobs)):
            raise LookupFailed("objects are missing in the repository")
        return texts

    def snapshot(self) -> Snapshot:
        return self._freshness.snapshot()

    async def changes(self, path: str, limit: int) -> tuple[Change, ...]:
        found = await self._log(path, "--raw", "--no-abbrev", f"--max-count={limit}")
        files = [git_log.blob_changes(rest) for _, rest in found]
        wanted = {blob for each in files for file in each for blob in (file.before, file.after) if blob}
        texts = await self._reading(self._texts(sorted(wanted)))
        said = [
            history.policy_changes(
                history.FileVersions(file.path, texts.get(file.before or ""), texts.get(file.after or ""))
                for file in each
            )
            for each in files
        ]
        return await self._changes((commit, what) for (commit, _), what in zip(found, said, strict=True))

    async def releases(self, directory: str, limit: int, since_at: datetime) -> tuple[Change, ...]:
        since = f"--since={since_at.isoformat()}"
        found = await self._log(directory, "--patch", "--unified=0", since, f"--max-count={RELEASE_SCAN}")
        bumps = [(commit, history.version_changes(git_log.patches(rest))) for commit, rest in found]
        return await self._changes(islice((bump for bump in bumps if bump[1]), limit))

    async def _log(self, path: str, *options: str) -> list[tuple[history.Commit, str]]:
        record = secrets.token_hex(16)
        sha = self.snapshot().sha
        arguments = (*_LOG, f"--format={git_log.log_format(record)}", *options, sha, "--", path)
        return list(git_log.commits(await self._reading(self._git.run(*arguments)), record))

    async def _reading(self, answer: Awaitable[_T]) -> _T:
        """A command that fails in an alert, other than by taking long, makes the next refresh doubt the mirror."""
        try:
            return await answer
        except GitTimedOut:
            raise
        except LookupFailed:
            self._suspect = True
            raise

    async def _changes(self, said: Iterable[tuple[history.Commit, tuple[str, ...]]]) -> tuple[Change, ...]:
        return tuple(await asyncio.gather(*(self._change(commit, what) for commit, what in said)))

    async def _change(self, commit: history.Commit, what: tuple[str, ...]) -> Change:
        number = history.pull_request(commit.subject)
        if number is None:
            if commit.sha not in self._merges:
                brought_by = await self._merged_by(commit.sha)
                if len(self._merges) >= _REMEMBERED:
                    self._merges.clear()
                self._merges[commit.sha] = brought_by
            number = self._merges[commit.sha]
        return history.change(commit, what, number, self._web_url)

    async def _merged_by(self, sha: str) -> int | None:
        """The pull request whose merge commit brought a commit in, None for a commit on the branch itself."""
        head = self.snapshot().sha
        found = await self._git.run(
            *("log", "-z", "--ancestry-path", "--merges", "--reverse", "--topo-order", "--format=%P %s"),
            f"{sha}..{head}",
        )
        for merge in found.decode(errors="replace").split("\0"):
            onto, _, rest = merge.partition(" ")
            number = history.pull_request(rest.partition(" ")[2])
            if number:
                brought = await self._git.run("rev-list", "--max-count=1", sha, f"^{onto}")
                return number if brought else None
        return None

    async def check(self) -> str:
        await self.refresh()
        return self._freshness.sentence(self.source, datetime.now(UTC))

    async def close(self) -> None:
        """Nothing is open between two commands."""


def _parse_all(texts: Mapping[str, str]) -> dict[str, Parsed]:
    return {blob: parse(text) for blob, text in texts.items()}


def _github_page(url: str) -> str:
    found = re.fullmatch(r"(?:https://|ssh://git@|git@)github\.com[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?", url)
    return f"https://github.com/{found[1]}" if found else ""
