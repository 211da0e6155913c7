"""A bare mirror of one branch of a remote repository. It may be lost or broken at any time: it is cloned again."""

import asyncio
import secrets
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from tocsin.errors import LookupFailed
from tocsin.gitops.git_command import Git
from tocsin.gitops.settings import GitSettings

log = structlog.get_logger()

BRANCH: Final = "refs/heads/mirrored"
_FETCHED: Final = "fetched"
_LEFT_OVER_AFTER: Final = 3600.0


class Mirror:
    """Keeps a mirror of the remote named in the settings up to date; without a place of its own it lies in `beside`."""

    def __init__(self, settings: GitSettings, beside: Path) -> None:
        self._settings = settings
        self._place = (settings.data_directory or beside / "gitops") / "mirror.git"
        self.git = Git(self._place, settings)

    async def fetch(self) -> None:
        """Brings the branch up to date, wherever it was forced to; clones when there is no mirror yet."""
        if await asyncio.to_thread(self.exists):
            await self._fetch_into(self.git)
        else:
            await self.clone()

    async def clone(self) -> None:
        """Clones beside the present mirror and then takes its place, so that a failure changes nothing."""
        fresh = self._place.with_name(f"clone-{secrets.token_hex(4)}.git")
        git = Git(fresh, self._settings)
        try:
            await asyncio.to_thread(self._sweep)
            await git.run("init", "--quiet", "--bare", "--template=")
            await git.run("symbolic-ref", "HEAD", BRANCH)
            await self._fetch_into(git, *([f"--depth={self._settings.depth}"] if self._settings.depth else []))
            await asyncio.to_thread(_replace, fresh, self._place)
        except OSError as failure:
            raise LookupFailed(f"cannot write {self._place.parent}: {failure.strerror}") from failure
        finally:
            await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)

    async def _fetch_into(self, git: Git, *options: str) -> None:
        branch = f"refs/heads/{self._settings.branch}" if self._settings.branch else "HEAD"
        options += (f"--filter={self._settings.filter}",) if self._settings.filter else ()
        await git.run(
            *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--force"),
            *(*options, "origin", f"+{branch}:{BRANCH}"),
            within=self._settings.fetch_timeout,
        )
        await asyncio.to_thread((git.directory / _FETCHED).touch)

    async def tidy(self) -> None:
        """Adds what is new to the commit graph, whose changed paths make the history of a path fast; packs at times.

        Git keeps no commit graph of a shallow repository. A failure is logged: the mirror answers without it, slower.
        """
        within = self._settings.fetch_timeout
        try:
            await self.git.run(
                *("commit-graph", "write", "--reachable", "--changed-paths", "--split", "--no-progress"), within=within
            )
            await self.git.run("gc", "--auto", "--quiet", within=within)
        except LookupFailed as failure:
            log.warning("gitops_mirror_untidy", reason=str(failure))

    def exists(self) -> bool:
        """Whether there is a mirror, sound or not."""
        return (self._place / "HEAD").exists()

    def fetched_at(self) -> datetime:
        """When the mirror was last fetched; the start of time where that is not known."""
        marker = self._place / _FETCHED
        return datetime.fromtimestamp(marker.stat().st_mtime if marker.exists() else 0, UTC)

    def _sweep(self) -> None:
        """Makes the data directory and removes clones that an earlier process did not finish."""
        self._place.parent.mkdir(parents=True, exist_ok=True)
        for leftover in [*self._place.parent.glob("clone-*.git"), *self._place.parent.glob("old-*.git")]:
            if time.time() - leftover.stat().st_mtime > _LEFT_OVER_AFTER:  # a younger one may be somebody's at work
                shutil.rmtree(leftover, ignore_errors=True)


def _replace(fresh: Path, place: Path) -> None:
    old = place.with_name(f"old-{secrets.token_hex(4)}.git")
    if place.exists():
        place.rename(old)
    fresh.rename(place)
    shutil.rmtree(old, ignore_errors=True)
