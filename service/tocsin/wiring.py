"""Builds the story from the settings: sources, lookups, channels, pipeline. The one place that knows every vendor."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tocsin.apps_file import load as load_apps
from tocsin.channels import Connected, connect
from tocsin.classify import AppsFile
from tocsin.enrich.enricher import Enricher, NotAsked
from tocsin.enrich.lookups import DnsLookups
from tocsin.enrich.pods import PodAges, PodOwners
from tocsin.enrich.prometheus import Prometheus
from tocsin.enrich.volume import VolumeLookups
from tocsin.explain import Explainer, OwnerLookup, Rules
from tocsin.gitops.repository import Repository, keep_fresh
from tocsin.housekeeping import announce, expect, keep_house, observe, release
from tocsin.model import Kind
from tocsin.outlet import Outlet
from tocsin.pipeline import Pipeline
from tocsin.settings import Settings
from tocsin.store.database import Database

__all__ = [
    "Connected",
    "Sources",
    "announce",
    "build_pipeline",
    "connect",
    "keep_fresh",
    "keep_house",
    "load_apps",
    "observe",
    "release",
    "sources",
]

HISTORY_SHARE = 0.8
"""Part of the enrichment deadline that a policy's history may use up; a late history must not take the policy along."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where findings come from; None for what is not configured."""

    prometheus: Prometheus | None
    repository: Repository | None

    async def close(self) -> None:
        """Gives connections and threads back."""
        if self.prometheus is not None:
            self.prometheus.close()
        if self.repository is not None:
            await self.repository.close()


def sources(settings: Settings) -> Sources:
    """Builds the configured sources; none of them is asked anything yet."""
    prometheus = Prometheus(settings.prometheus) if settings.prometheus.url else None
    return Sources(prometheus, _repository(settings))


def build_pipeline(
    settings: Settings,
    apps: AppsFile,
    database: Database,
    found: Sources,
    outlets: Sequence[Outlet],
    *,
    offline: bool = False,
) -> Pipeline:
    """The story, with every lookup the configuration allows for; with `offline` without any."""
    rules = Rules(
        identify=settings.identify,
        destination=settings.destination,
        apps=apps,
        decide=settings.decide,
        enrich=settings.enrich,
        assess=settings.assess,
        routes=settings.routes,
        retry=settings.retry,
        storm=settings.storm,
    )
    owners: list[OwnerLookup] = []
    if found.prometheus is not None and not offline:
        owners.append(PodOwners(found.prometheus))
    if found.repository is not None and not offline:
        from tocsin.enrich.declared import DeclaredOwners  # noqa: PLC0415 - only what is configured is loaded

        owners.append(DeclaredOwners(found.repository))
    enrichers = _enrichers(settings, found, offline=offline)
    explainer = Explainer(database, rules, enrichers, owners)
    expect([outlet.name for outlet in outlets], [each.source for each in enrichers])
    return Pipeline(database, rules, explainer, outlets, settings.mode)


def _enrichers(settings: Settings, found: Sources, *, offline: bool) -> list[Enricher]:
    absent = "was not asked (offline)" if offline else "is not configured"
    lookups: list[Enricher] = []
    if found.prometheus is not None and not offline:
        lookups += [
            DnsLookups(found.prometheus, settings.destination),
            VolumeLookups(found.prometheus, settings.destination),
            PodAges(found.prometheus),
        ]
    else:
        lookups.append(NotAsked("Prometheus", absent, ("first-seen", "neighbours"), frozenset({Kind.NOVEL})))
        lookups.append(NotAsked("Prometheus", absent, ("rate and averages",), frozenset({Kind.VOLUME})))
    if found.repository is not None and not offline:
        from tocsin.enrich.policy_history import PolicyHistory  # noqa: PLC0415

        lookups.append(PolicyHistory(found.repository, settings.enrich.deadline * HISTORY_SHARE))
    else:
        lookups.append(NotAsked("GitOps repository", absent, ("the policy", "its history")))
    return lookups


def _repository(settings: Settings) -> Repository | None:
    gitops = settings.gitops
    if gitops.git is not None:
        from tocsin.gitops.git import GitRepository  # noqa: PLC0415 - only what is configured is loaded

        return GitRepository(gitops.git, gitops.layout, Path(settings.store.path).parent)
    if gitops.github is not None:
        from tocsin.gitops.github import GitHubRepository  # noqa: PLC0415

        return GitHubRepository(gitops.github, gitops.layout)
    return None
