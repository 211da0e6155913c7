"""What both history adapters do, and how they are kept fresh."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from tocsin import inert, metrics, units
from tocsin.errors import LookupFailed
from tocsin.findings import Change, Releases

if TYPE_CHECKING:
    from tocsin.gitops.index import Index

log = structlog.get_logger()

MAX_TOLD = 10
"""Problems of one commit that are logged; `tocsin policies audit` lists all."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The policies at `sha`. `refreshed_at` is when the repository was last known to stand there.

    `failure` says why the latest refresh failed, empty where it did not; the data is then as old as `refreshed_at`.
    `cut_at` is where a shallow history ends, None for a whole one: older changes exist and are not known.
    """

    sha: str
    index: Index
    refreshed_at: datetime
    failure: str = ""
    cut_at: datetime | None = None

    def stale_for(self, now: datetime) -> timedelta | None:
        """How old the data is, None while it is fresh."""
        return now - self.refreshed_at if self.failure else None


class Repository(Protocol):
    """A GitOps repository. Every method raises LookupFailed with a reason fit for a message."""

    @property
    def source(self) -> str:
        """Its name in messages: "git" or "GitHub"."""
        ...

    @property
    def refresh_every(self) -> timedelta: ...

    async def refresh(self) -> None:
        """Brings the data up to date; run it in the background, never inside an alert.

        On failure the earlier data keeps answering, with the failure in its snapshot.
        """
        ...

    def snapshot(self) -> Snapshot:
        """The policies at the newest commit seen by `refresh`."""
        ...

    async def changes(self, path: str, limit: int) -> tuple[Change, ...]:
        """The newest commits that touched a file or directory.

        `what` holds the rule-level changes of policies and the versions replaced, nothing for any other change. A
        commit that only happens to be the oldest one fetched (`Snapshot.cut_at`) is left out.
        """
        ...

    async def histories(self, paths: Sequence[str], limit: int) -> Mapping[str, tuple[Change, ...]]:
        """What `changes` says for each of many paths; for a command line, not for an alert."""
        ...

    async def releases(self, directory: str, limit: int, since_at: datetime) -> Releases:
        """The commits in a directory (or file) that replaced an image or a chart version; `what` says which.

        Asked for the time from `since_at` until the commit of the snapshot; at most `limit` of them are told.
        """
        ...

    async def check(self) -> str:
        """Refreshes and describes the state in one sentence, for `tocsin check`."""
        ...

    async def close(self) -> None: ...


async def keep_fresh(repository: Repository) -> None:
    """Refreshes for ever, at once and then every `refresh_every`; a failure is logged and shown in messages."""
    told = ""
    _note(repository)
    while True:
        try:
            await repository.refresh()
            told = _tell(repository.snapshot(), told)
        except LookupFailed as failure:
            log.warning("gitops_refresh_failed", source=repository.source, reason=str(failure))
        except Exception:
            log.error("gitops_refresh_broke", source=repository.source, exc_info=True)
        _note(repository)
        await asyncio.sleep(repository.refresh_every.total_seconds())


def _note(repository: Repository) -> None:
    """Keeps the gauge at how old the data is, also where it is what an earlier process had fetched."""
    refreshed = metrics.GITOPS_REFRESHED.labels(repository.source)
    with suppress(LookupFailed):
        refreshed.set(repository.snapshot().refreshed_at.timestamp())


def _tell(snapshot: Snapshot, told: str) -> str:
    """Logs what a new commit holds, with the first of what could not be read; returns what is told now."""
    if snapshot.sha != told:
        index = snapshot.index
        log.info(
            "gitops_read",
            sha=snapshot.sha,
            policies=len(index.policies),
            workloads=len(index.workloads),
            without_namespace=index.unplaced,
            problems=len(index.problems),
            first_problems=[inert.text(problem) for problem in index.problems[:MAX_TOLD]],
        )
    return snapshot.sha


class Freshness:
    """The snapshot an adapter answers from, and what became of the latest refresh."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._failure = ""

    def succeeded(self, sha: str, index: Index, at: datetime, cut_at: datetime | None = None) -> None:
        self._snapshot = Snapshot(sha, index, at, cut_at=cut_at)
        self._failure = ""

    def failed(self, failure: Exception) -> None:
        known = isinstance(failure, LookupFailed)
        self._failure = str(failure) if known else f"internal error ({type(failure).__name__})"

    @property
    def sha(self) -> str | None:
        """The commit the data belongs to."""
        return self._snapshot.sha if self._snapshot else None

    def snapshot(self) -> Snapshot:
        """Raises LookupFailed until a first refresh has succeeded."""
        if self._snapshot is None:
            raise LookupFailed(self._failure or "first fetch still under way")
        return replace(self._snapshot, failure=self._failure)

    def sentence(self, source: str, now: datetime) -> str:
        """The state for an operator: "git: 163 policies and 201 workloads at 1a2b3c4, fetched 2 min ago"."""
        snapshot = self.snapshot()
        minutes = int((now - snapshot.refreshed_at).total_seconds() // 60)
        extra = [f"{snapshot.index.unplaced} without a namespace"] if snapshot.index.unplaced else []
        extra += [units.count(len(snapshot.index.problems), "problem")] if snapshot.index.problems else []
        extra += [f"no history before {snapshot.cut_at:%d %B %Y}"] if snapshot.cut_at else []
        noted = f" ({', '.join(extra)})" if extra else ""
        age = f"fetched {minutes} min ago" if minutes else "fetched just now"
        policies = units.count(len(snapshot.index.policies), "policy", "policies")
        found = f"{policies} and {units.count(len(snapshot.index.workloads), 'workload')}"
        return f"{source}: {found}{noted} at {snapshot.sha[:7]}, {age}"
