"""History adapter over GitHub's API, without a clone: one archive per head commit, commits by path on demand."""

import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import aiohttp

from tocsin.errors import LookupFailed
from tocsin.findings import Change, Releases
from tocsin.gitops import archive, index
from tocsin.gitops.github_history import At, GitHubHistory
from tocsin.gitops.github_line import GitHubLine
from tocsin.gitops.layout import Layout
from tocsin.gitops.repository import Freshness, Snapshot
from tocsin.gitops.settings import GitHubSettings

if TYPE_CHECKING:
    from github import Github

_MIB: Final = 1024 * 1024


class GitHubRepository:
    """Reads everything through one PyGithub client. See `Repository` for the methods."""

    source = "GitHub"

    def __init__(self, settings: GitHubSettings, layout: Layout) -> None:
        self._settings = settings
        self._layout = layout
        self._line = GitHubLine(settings)
        self._freshness = Freshness()
        self._refreshing = asyncio.Lock()
        self._contents = archive.Contents({}, {})
        self._seen = ("", "")
        web_url = f"{_web_host(settings.base_url)}/{settings.repository}"
        self._history = GitHubHistory(self._line, settings.repository, web_url)
        self.refresh_every = settings.refresh_every

    async def refresh(self) -> None:
        """Asks whether the branch has moved (free of rate limit if not) and reads the archive of a new head."""
        async with self._refreshing:
            try:
                sha = await self._line.call(self._head)
                if sha == self._freshness.sha:
                    built = self._freshness.snapshot().index
                else:
                    contents = await self._read_archive(sha)
                    built = await asyncio.to_thread(index.build, contents.files(), self._layout)
                    self._contents = contents
                self._freshness.succeeded(sha, built, datetime.now(UTC))
            except Exception as failure:
                self._freshness.failed(failure)
                raise

    def _head(self, client: "Github") -> str:
        """The commit the branch points to; the validator of the last answer makes an unchanged one a 304."""
        reference = quote(self._settings.branch or "HEAD", safe="")
        headers = {"Accept": "application/vnd.github.sha"}
        validator, seen = self._seen
        if validator:
            headers["If-None-Match"] = validator
        status, answered, body = client.requester.requestJson(
            "GET", f"/repos/{self._settings.repository}/commits/{reference}", headers=headers
        )
        if status == 304 and seen:
            return seen
        if status != 200:
            raise client.requester.createException(status, answered, _object(body))
        sha = _sha(body)
        self._seen = (str(answered.get("etag", "")), sha)
        return sha

    async def _read_archive(self, sha: str) -> archive.Contents:
        """Reads only what is new since the last one."""
        repository, allowed = self._settings.repository, self._settings.archive_timeout.total_seconds()
        link = await self._line.call(lambda client: client.get_repo(repository).get_archive_link("tarball", sha))
        if not keeps_archives(link, self._settings.base_url):
            raise LookupFailed("GitHub sends elsewhere for the archive; is gitops.github.base_url right?")
        try:
            async with asyncio.timeout(allowed):
                with tempfile.TemporaryFile() as file:
                    await _download(link, file, self._settings.max_archive_mib * _MIB)
                    return await asyncio.to_thread(archive.read, file, self._contents.parsed)
        except TimeoutError as failure:
            raise LookupFailed(f"the archive timed out after {allowed:g} s") from failure

    def snapshot(self) -> Snapshot:
        return self._freshness.snapshot()

    async def changes(self, path: str, limit: int) -> tuple[Change, ...]:
        return await self._history.changes(self._at(), path, limit)

    async def histories(self, paths: Sequence[str], limit: int) -> Mapping[str, tuple[Change, ...]]:
        """One after the other: GitHub answers for one path at a time."""
        return {path: await self.changes(path, limit) for path in paths}

    async def releases(self, directory: str, limit: int, since_at: datetime) -> Releases:
        return await self._history.releases(self._at(), directory, limit, since_at)

    def _at(self) -> At:
        snapshot = self.snapshot()
        return At(snapshot.sha, self._contents.blob_of, {placed.file for placed in snapshot.index.policies})

    async def check(self) -> str:
        await self.refresh()
        return self._freshness.sentence(self.source, datetime.now(UTC))

    async def close(self) -> None:
        await self._line.close()


async def _download(link: str, file: IO[bytes], limit: int) -> None:
    """The link is signed and short-lived; it needs no token and gets none."""
    try:
        async with aiohttp.ClientSession() as session, session.get(link, allow_redirects=False) as answer:
            if answer.status != 200:
                raise LookupFailed(f"the archive answered {answer.status}")
            size = 0
            async for chunk in answer.content.iter_chunked(_MIB):
                size += len(chunk)
                if size > limit:
                    raise LookupFailed(f"the archive is larger than {limit // _MIB} MiB")
                await asyncio.to_thread(file.write, chunk)
    except aiohttp.ClientError as failure:
        raise LookupFailed("cannot fetch the archive") from failure
    file.seek(0)


def keeps_archives(link: str, base_url: str) -> bool:
    """Whether an archive may be fetched there: from the API's own host, or from `codeload` beside it. Pure."""
    try:
        there, api = urlsplit(link), urlsplit(base_url)
    except ValueError:
        return False
    beside = f"codeload.{(api.hostname or '').removeprefix('api.')}"
    return there.scheme == api.scheme and there.netloc in (api.netloc, beside)


def _object(body: str) -> dict[str, Any]:
    """What an error says, where it is JSON."""
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _sha(body: str) -> str:
    """PyGithub hands a text body over as it came, or quoted as JSON."""
    sha = body.strip().strip('"')
    if not sha or any(char not in "0123456789abcdef" for char in sha):
        raise ValueError("not a commit id")
    return sha


def _web_host(base_url: str) -> str:
    parts = urlsplit(base_url)
    return "https://github.com" if parts.hostname == "api.github.com" else f"{parts.scheme}://{parts.netloc}"
