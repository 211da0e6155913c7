"""History adapter over GitHub's API, without a clone: one archive per head commit, commits by path on demand.

What a commit says never changes, so it is kept by commit; asking again for an unchanged history costs one request.
"""

import asyncio
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import aiohttp

from tocsin.errors import LookupFailed
from tocsin.findings import Change
from tocsin.gitops import archive, history, index
from tocsin.gitops.github_line import GitHubLine, NotFound
from tocsin.gitops.repository import Freshness, Snapshot
from tocsin.gitops.settings import GitHubSettings

if TYPE_CHECKING:
    from github import Github
    from github.Commit import Commit as GitHubCommit

RELEASE_SCAN: Final = 10
MAX_FILES: Final = 10
_REMEMBERED: Final = 512
_MIB: Final = 1024 * 1024


class GitHubRepository:
    """Reads everything through one PyGithub client. See `Repository` for the methods."""

    source = "GitHub"

    def __init__(self, settings: GitHubSettings, path_templates: Sequence[str]) -> None:
        self._settings = settings
        self._path_templates = path_templates
        self._line = GitHubLine(settings)
        self._freshness = Freshness()
        self._refreshing = asyncio.Lock()
        self._etag = ""
        self._said: OrderedDict[Hashable, Any] = OrderedDict()
        self._web_url = f"{_web_host(settings.base_url)}/{settings.repository}"
        self.refresh_every = settings.refresh_every

    async def refresh(self) -> None:
        """Asks whether the branch has moved (free of rate limit if not) and reads the archive of a new head."""
        async with self._refreshing:
            try:
                sha = await self._line.call(self._head)
                if sha == self._freshness.sha:
                    built = self._freshness.snapshot().index
                else:
                    built = await self._read_archive(sha)
                self._freshness.succeeded(sha, built, datetime.now(UTC))
            except LookupFailed as failure:
                self._freshness.failed(str(failure))
                raise

    def _head(self, client: "Github") -> str:
        """The commit the branch points to; the validator of the last answer makes an unchanged one a 304."""
        reference = quote(self._settings.branch or "HEAD", safe="")
        headers = {"Accept": "application/vnd.github.sha"}
        if self._etag and self._freshness.sha:
            headers["If-None-Match"] = self._etag
        status, answered, body = client.requester.requestJson(
            "GET", f"/repos/{self._settings.repository}/commits/{reference}", headers=headers
        )
        if status == 304 and self._freshness.sha:
            return self._freshness.sha
        if status != 200:
            raise client.requester.createException(status, answered, {})
        self._etag = str(answered.get("etag", ""))
        return _sha(body)

    async def _read_archive(self, sha: str) -> index.Index:
        link = await self._line.call(lambda client: self._repository(client).get_archive_link("tarball", sha))
        try:
            async with asyncio.timeout(self._settings.archive_timeout.total_seconds()):
                with tempfile.TemporaryFile() as file:
                    await _download(link, file, self._settings.max_archive_mib * _MIB)
                    files = await asyncio.to_thread(archive.parsed_files, file)
        except TimeoutError as failure:
            raise LookupFailed(
                f"archive timed out after {self._settings.archive_timeout.total_seconds():g} s"
            ) from failure
        return index.build(files, self._path_templates)

    def snapshot(self) -> Snapshot:
        return self._freshness.snapshot()

    async def changes(self, path: str, limit: int) -> tuple[Change, ...]:
        found = await self._commits(path, limit, None)
        return tuple(
            [await self._remember(("change", path, commit.sha), self._policy_change, commit, path) for commit in found]
        )

    async def releases(self, directory: str, limit: int, since_at: datetime) -> tuple[Change, ...]:
        releases: list[Change] = []
        for commit in await self._commits(directory, RELEASE_SCAN, since_at):
            found = await self._remember(("release", directory, commit.sha), self._release, commit, directory)
            releases += [found] if found.what else []
            if len(releases) == limit:
                break
        return tuple(releases)

    async def _commits(self, path: str, limit: int, since_at: datetime | None) -> list["GitHubCommit"]:
        """One bounded page of commits, newest first, up to the commit of the snapshot."""
        sha = self.snapshot().sha

        def ask(client: "Github") -> list["GitHubCommit"]:
            since = {"since": since_at} if since_at else {}
            return list(islice(self._repository(client).get_commits(sha=sha, path=path, **since), limit))

        return await self._line.call(ask)

    async def _policy_change(self, commit: "GitHubCommit", path: str) -> Change:
        parent = commit.parents[0].sha if commit.parents else None
        paths = (
            [path] if history.is_yaml(path) else [file.path for file in await self._patches(commit, path)][:MAX_FILES]
        )
        files = [
            history.FileVersions(each, await self._text(each, parent), await self._text(each, commit.sha))
            for each in paths
        ]
        return await self._change(commit, history.policy_changes(files))

    async def _release(self, commit: "GitHubCommit", directory: str) -> Change:
        what = history.version_changes(await self._patches(commit, directory))
        return await self._change(commit, what) if what else history.change(_commit(commit), what, None, "")

    async def _patches(self, commit: "GitHubCommit", directory: str) -> list[history.FilePatch]:
        """The YAML files below a directory that a commit touched; GitHub leaves the patch of a huge file out."""

        def ask(_client: "Github") -> list[history.FilePatch]:
            inside = (file for file in commit.files if file.filename.startswith(f"{directory}/"))
            return [
                history.FilePatch(file.filename, file.patch or "") for file in inside if history.is_yaml(file.filename)
            ]

        return await self._line.call(ask)

    async def _text(self, path: str, sha: str | None) -> str | None:
        """A file at a commit, None where it does not exist there."""
        if sha is None:
            return None

        def ask(client: "Github") -> str | None:
            found = self._repository(client).get_contents(path, ref=sha)
            if isinstance(found, list) or found.encoding != "base64":
                return None
            content: bytes = found.decoded_content
            return content.decode(errors="replace")

        try:
            return await self._line.call(ask)
        except NotFound:
            return None

    async def _change(self, commit: "GitHubCommit", what: tuple[str, ...]) -> Change:
        read = _commit(commit)
        number = history.pull_request(read.subject)
        if number is None:
            number = await self._line.call(lambda _client: next((pull.number for pull in commit.get_pulls()), None))
        return history.change(read, what, number, self._web_url)

    async def _remember(self, key: Hashable, ask: Callable[..., Any], *arguments: object) -> Change:
        if key not in self._said:
            self._said[key] = await ask(*arguments)
            if len(self._said) > _REMEMBERED:
                self._said.popitem(last=False)
        self._said.move_to_end(key)
        change: Change = self._said[key]
        return change

    def _repository(self, client: "Github") -> Any:
        return client.get_repo(self._settings.repository)

    async def check(self) -> str:
        await self.refresh()
        return self._freshness.sentence(self.source, datetime.now(UTC))

    async def close(self) -> None:
        await self._line.close()


async def _download(link: str, file: IO[bytes], limit: int) -> None:
    """The link is signed and short-lived; it needs no token and gets none."""
    try:
        async with aiohttp.ClientSession() as session, session.get(link) as answer:
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


def _commit(commit: "GitHubCommit") -> history.Commit:
    inner = commit.commit
    return history.Commit(
        sha=commit.sha,
        at=inner.committer.date.astimezone(UTC),
        author=inner.author.name or "",
        email=inner.author.email or "",
        subject=(inner.message or "").partition("\n")[0],
    )


def _sha(body: str) -> str:
    """PyGithub hands a text body over as it came, or quoted as JSON."""
    sha = body.strip().strip('"')
    if not sha or any(char not in "0123456789abcdef" for char in sha):
        raise ValueError("not a commit id")
    return sha


def _web_host(base_url: str) -> str:
    parts = urlsplit(base_url)
    return "https://github.com" if parts.hostname == "api.github.com" else f"{parts.scheme}://{parts.netloc}"
