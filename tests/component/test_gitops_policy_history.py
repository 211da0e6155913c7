"""From an inquiry to the policy facts, over a real repository."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

import gitops_repos
from gitops_repos import FQDN, POLICY_FILE, STARTED_AT
from tocsin.enrich.policy_history import PolicyHistory
from tocsin.errors import LookupFailed
from tocsin.findings import Inquiry, PolicyFacts
from tocsin.gitops.git import GitRepository
from tocsin.gitops.layout import Layout
from tocsin.gitops.settings import GitOpsSettings, GitSettings
from tocsin.model import Destination, Kind, Subject

ASKED_AT = STARTED_AT + timedelta(days=2)
PASTE = Destination(
    "files.paste-drop.example.", "files.paste-drop.example", "paste-drop.example", "files.paste-drop[.]example"
)
API = Destination("api.example.com.lan.", "api.example.com", "example.com", "api.example[.]com")


def inquiry(*destinations: Destination, namespace: str | None = "media", workload: str | None = "recyclarr") -> Inquiry:
    subject = Subject("main", namespace, workload)
    return Inquiry(subject, frozenset({Kind.NOVEL}), destinations, ASKED_AT, ASKED_AT)


async def fresh(path: Path, **settings: object) -> GitRepository:
    values = {"path": path} | settings
    adapter = GitRepository(GitSettings.model_validate(values), GitOpsSettings().layout)
    await adapter.refresh()
    return adapter


async def look(adapter: GitRepository, asked: Inquiry) -> PolicyFacts:
    found = await PolicyHistory(adapter).look(asked)
    assert found.gaps == ()
    assert found.policy is not None
    return found.policy


async def test_the_policy_its_rule_its_changes_and_the_release(tmp_path: Path) -> None:
    gitops_repos.recyclarr(tmp_path)
    facts = await look(await fresh(tmp_path), inquiry(PASTE, API))
    (policy,) = facts.policies
    assert (policy.name, policy.namespace, policy.file, policy.primary) == (
        "recyclarr-allow",
        "media",
        POLICY_FILE,
        True,
    )
    assert policy.allows == {PASTE.name: "world:443", API.name: "world:443"}
    assert policy.named == ()
    assert [change.what for change in policy.changes][-1] == ("created",)
    assert [release.what for release in facts.releases] == [("7.4.1 -> 7.5.0",)]
    assert (facts.stale_for, facts.stale_reason) == (None, "")


async def test_a_named_destination_and_one_that_nothing_lets_through(tmp_path: Path) -> None:
    repo = gitops_repos.recyclarr(tmp_path)
    repo.commit("Close", {POLICY_FILE: gitops_repos.policy("recyclarr-allow", FQDN, app="recyclarr")})
    facts = await look(await fresh(tmp_path), inquiry(PASTE, API))
    assert facts.policies[0].allows == {API.name: "toFQDNs api.example.com:443"}
    assert facts.policies[0].named == (API.name,)


async def test_a_volume_names_nothing_and_is_told_what_lets_everything_through(tmp_path: Path) -> None:
    repo = gitops_repos.recyclarr(tmp_path)
    volume = replace(inquiry(), kinds=frozenset({Kind.VOLUME}))
    facts = await look(await fresh(tmp_path), volume)
    assert list(facts.policies[0].allows.values()) == ["world:443"]
    repo.commit("Close", {POLICY_FILE: gitops_repos.policy("recyclarr-allow", FQDN, app="recyclarr")})
    assert (await look(await fresh(tmp_path), volume)).policies[0].allows == {}


async def test_a_clusterwide_policy_is_listed_but_not_primary_and_its_denial_counts(tmp_path: Path) -> None:
    repo = gitops_repos.recyclarr(tmp_path)
    deny = (
        "kind: CiliumClusterwideNetworkPolicy\nmetadata: {name: closed}\n"
        "spec: {endpointSelector: {}, egressDeny: [{toEntities: [world]}]}\n"
    )
    repo.commit("Deny", {"kubernetes/closed.yaml": deny})
    adapter = await fresh(tmp_path)
    facts = await look(adapter, inquiry(PASTE))
    assert [(policy.name, policy.primary, policy.allows) for policy in facts.policies] == [
        ("recyclarr-allow", True, {}),
        ("closed", False, {}),
    ]
    facts = await look(adapter, inquiry(PASTE, workload="unknown-app"))
    assert [(policy.name, policy.primary) for policy in facts.policies] == [("closed", False)]
    assert facts.releases == ()


async def test_a_workload_without_a_policy(tmp_path: Path) -> None:
    gitops_repos.recyclarr(tmp_path)
    facts = await look(await fresh(tmp_path), inquiry(PASTE, workload="radarr"))
    assert facts == PolicyFacts(
        evidence="unresolved: nothing in media is called radarr",
        deployed=False,
    )


async def test_a_workload_that_cannot_be_told_is_a_gap() -> None:
    enricher = PolicyHistory(GitRepository(GitSettings(path=Path("/nowhere")), Layout()))
    with pytest.raises(LookupFailed, match="no workload and no pod"):
        await enricher.look(inquiry(PASTE, workload=None))
    with pytest.raises(LookupFailed, match="no namespace"):
        await enricher.look(inquiry(PASTE, namespace=None))
    with pytest.raises(LookupFailed, match="the workload cannot be told"):
        await enricher.look(replace(inquiry(PASTE), subject=Subject("main", "media", None, ("debug",))))
    assert (enricher.source, enricher.missing) == ("git", ("policy", "its history"))


async def test_before_the_first_fetch_it_is_a_gap(tmp_path: Path) -> None:
    adapter = GitRepository(GitSettings(path=tmp_path), Layout())
    with pytest.raises(LookupFailed, match="first fetch still under way"):
        await PolicyHistory(adapter).look(inquiry(PASTE))


async def test_a_lost_history_leaves_the_policy(tmp_path: Path) -> None:
    gitops_repos.recyclarr(tmp_path / "origin")
    adapter = await fresh(tmp_path / "origin")
    (tmp_path / "origin").rename(tmp_path / "gone")
    with pytest.raises(LookupFailed):
        await adapter.refresh()
    found = await PolicyHistory(adapter).look(inquiry(PASTE))
    assert found.policy is not None
    assert found.policy.policies[0].allows == {PASTE.name: "world:443"}
    assert found.policy.stale_reason == "not a git repository"
    assert [(gap.source, gap.missing) for gap in found.gaps] == [("git", ("the policy's history",))]


async def test_a_late_history_leaves_the_policy(tmp_path: Path) -> None:
    gitops_repos.recyclarr(tmp_path)
    found = await PolicyHistory(await fresh(tmp_path), timedelta(0)).look(inquiry(PASTE))
    assert found.policy is not None
    assert found.policy.policies[0].changes == ()
    assert [gap.reason for gap in found.gaps] == ["timed out after 0 s"]
