"""The rules are what the configuration says, and stay within what rulers accept."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tocsin import apps_file, pod_names, settings
from tocsin.classify import AppsFile, classify
from tocsin.destination import DestinationSettings
from tocsin.enrich.prometheus_settings import PrometheusSettings
from tocsin.model import Posture, Subject
from tocsin.rules import pack, patterns, watch
from tocsin.rules.settings import RulesSettings

ROOT = Path(__file__).parents[2]
COMPONENT = ROOT / "kustomize" / "components" / "rules"
MIMIR_RULES_PER_GROUP = 20
"""Grafana Mimir's `ruler_max_rules_per_rule_group`."""


def rendered(
    rules: RulesSettings | None = None,
    destination: DestinationSettings | None = None,
    prometheus: PrometheusSettings | None = None,
    apps: AppsFile | None = None,
) -> dict[str, str]:
    return pack.render(
        rules or RulesSettings(),
        destination or DestinationSettings(),
        prometheus or PrometheusSettings(),
        apps or apps_file.load(),
    )


def groups(texts: dict[str, str]) -> list[dict[str, Any]]:
    return [group for text in texts.values() for group in yaml.safe_load(pack.rule_file(text))["groups"]]


def expressions(texts: dict[str, str]) -> str:
    return "\n".join(rule["expr"] for group in groups(texts) for rule in group["rules"])


def test_the_committed_files_are_what_the_committed_configuration_renders() -> None:
    made = settings.load(ROOT / "config" / "tocsin.yaml", {})
    apps = apps_file.load(ROOT / "config" / "apps.yaml")
    for name, text in pack.render(made.rules, made.destination, made.prometheus, apps).items():
        committed = (COMPONENT / f"{name}.yaml").read_text(encoding="utf-8")
        assert committed == pack.prometheus_rule(name, text), "run: tocsin rules --output kustomize/components/rules"


def test_both_forms_hold_the_same_groups() -> None:
    for name, text in rendered().items():
        made = yaml.safe_load(pack.prometheus_rule(name, text))
        assert made["spec"]["groups"] == yaml.safe_load(pack.rule_file(text))["groups"]


def test_groups_are_small_enough_for_mimir_and_have_an_interval() -> None:
    for group in groups(rendered()):
        assert len(group["rules"]) <= MIMIR_RULES_PER_GROUP, group["name"]
        assert group["interval"]


def test_egress_alerts_have_the_labels_that_routes_and_tocsin_rely_on() -> None:
    alerts = {rule["alert"]: rule for group in groups(rendered()) for rule in group["rules"] if "alert" in rule}
    for name in ("EgressNovelDestination", "EgressVolumeAnomaly"):
        assert alerts[name]["labels"]["severity"] == "warning"
        assert name in settings.Settings().identify.alerts
        assert "pod" in alerts[name]["annotations"]
        assert "pod" not in alerts[name]["labels"]


def test_no_rule_looks_further_back_than_promtool_can_hold() -> None:
    """10,000 samples a series; at one in two minutes, not quite two weeks."""
    days = {"d": 1.0, "h": 1 / 24, "m": 1 / 1440}
    for length, unit in re.findall(r"\[(\d+)([dhm])\]", expressions(rendered())):
        assert int(length) * days[unit] <= 8


def test_what_was_forgotten_is_learned_again() -> None:
    """The windows that prove a past end where the memory of names does, eight days ago."""
    found = expressions(rendered(RulesSettings.model_validate({"learning": "50h", "learning_of_workload": "6h"})))
    assert "workload:egress_dns:memory[142h] offset 50h" in found
    assert "workload:egress_dns:memory[186h] offset 6h" in found


def test_settings_are_rendered() -> None:
    rules = RulesSettings.model_validate(
        {
            "names_per_domain": 7, "names_per_workload": 33, "family": 9, "shared_domains": ["*.tenants.example"],
            "volume_namespaces_ignored": [], "burst_floor": 111, "night_floor": 222, "hour_floor": 333,
            "day_floor": 444, "hold": "40m", "remember": "60d", "workloads_ignored": ["dns-*", "net/blocky"],
        }
    )  # fmt: skip
    destination = DestinationSettings.model_validate({"cluster_domain": "k8s.example", "lan_domains": ["home.example"]})
    prometheus = PrometheusSettings.model_validate({"interface": "net0", "extra_labels": {"cluster": "home"}})
    found = expressions(rendered(rules, destination, prometheus))
    for part in (
        "> 7", "> 33", ">= 9", r"|.*\\.tenants\\.example", "> 111", "> 222", "> 333 / 3600", "> 444 / 86400",
        "offset 40m", "time() - 5184000", r"|k8s\\.example|home\\.example)", 'interface="net0"}', 'cluster="home"',
        "dns-.*", "net/blocky",
    ):  # fmt: skip
        assert part in found, part
    assert "namespace!~" not in found


def test_a_ruler_of_several_clusters_keeps_them_apart() -> None:
    """No aggregation and no match between series may lose the label, but the one that counts evaluations."""
    found = expressions({"egress-detection": rendered(RulesSettings(keep_labels=("cluster",)))["egress-detection"]})
    health = found.index("absent_over_time")
    for clause in re.findall(r"\b(?:by|on) \(([^)]*)\)", found[:health]):
        assert clause.startswith("cluster"), clause


def test_a_label_to_keep_must_be_one() -> None:
    with pytest.raises(ValueError, match="not a label name"):
        RulesSettings(keep_labels=("clus-ter",))


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        ("sonarr-5d7c9d8f6b-x2b4c", "sonarr"), ("shop-bff-5d7c9d8f6b-x2b4c", "shop-bff"),
        ("shop-bff-x2b4c", "shop-bff"),
        ("node-exporter-x2b4c", "node-exporter"), ("db-0", "db"), ("pg-main-12", "pg-main"), ("alone", "alone"),
        ("dump-29480580-qh7wz", "dump"), ("train-29480580-3-qh7wz", "train"), ("pg-1-initdb-x2b4c", "pg"),
        ("home-ops-x7k2p-runner-8fq4d", "home-ops"), ("prometheus-k8s-0", "prometheus-k8s"),
    ],
)  # fmt: skip
def test_the_workload_in_the_name_of_a_pod(pod: str, workload: str) -> None:
    found = re.fullmatch(patterns.POD, pod)
    assert found and found[1] == workload
    assert (pod_names.strip_pod_name(pod) or pod) == workload


@pytest.mark.parametrize(
    ("told", "workload"),
    [
        ("sonarr", "sonarr"), ("shop-bff", "shop-bff"), ("dump-29480580", "dump"), ("rollout-5d7c9d8f6b", "rollout"),
        ("home-ops-x7k2p-runner-8fq4d", "home-ops"), ("db-0", "db-0"), ("mqtt-tls", "mqtt-tls"),
    ],
)  # fmt: skip
def test_the_workload_that_hubble_names(told: str, workload: str) -> None:
    found = re.fullmatch(patterns.SOURCE_WORKLOAD, told)
    assert found and found[1] == workload


@pytest.mark.parametrize(
    ("owner", "workload"),
    [
        ("ReplicaSet/sonarr-5d7c9d8f6b", "sonarr"), ("ReplicaSet/by-hand", "by-hand"), ("Job/dump-29480580", "dump"),
        ("Job/once", "once"), ("EphemeralRunner/home-ops-x7k2p-runner-8fq4d", "home-ops"), ("Node/beast", ""),
        ("Cluster/pg-main", "pg-main"), ("StatefulSet/db-0", "db-0"),
    ],
)  # fmt: skip
def test_the_workload_that_owns_a_pod(owner: str, workload: str) -> None:
    found = re.fullmatch(patterns.OWNER, owner)
    assert found and "".join(group or "" for group in found.groups()) == workload


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("api.github.com.", "github.com"), ("github.com", "github.com"), ("a.b.c.example.co.uk.", "example.co.uk"),
        ("shop.example.com.au.", "example.com.au"), ("x.or.jp.", "x.or.jp"), ("foo.s3.amazonaws.com.", "amazonaws.com"),
        ("_sip._tcp.example.org.", "example.org"),
    ],
)  # fmt: skip
def test_the_registered_domain(name: str, domain: str) -> None:
    found = re.fullmatch(patterns.DOMAIN, name)
    assert found and found[1] == domain


@pytest.mark.parametrize("domain", ["amazonaws.com", "github.io", "duckdns.org", "trycloudflare.com", "ngrok-free.app"])
def test_domains_of_many_owners(domain: str) -> None:
    found = expressions(rendered())
    pattern = re.search(r'destination_domain!~"((?:[^"\\]|\\.)*)"', found)
    assert pattern
    assert re.fullmatch(pattern[1].replace("\\\\", "\\"), domain)
    assert not re.fullmatch(pattern[1].replace("\\\\", "\\"), "cdn-vendor.net")


@pytest.mark.parametrize(
    ("glob", "text", "fits"),
    [
        ("a*b?", "axxbc", True), ("[ab]-x", "b-x", True), ("[!ab]-x", "b-x", False), ("a.b", "axb", False),
        ("[", "[", True),
    ],
)  # fmt: skip
def test_globs(glob: str, text: str, fits: bool) -> None:
    assert bool(re.fullmatch(patterns.globs([glob]), text)) is fits


def unwatched(apps: AppsFile, namespace: str, workload: str) -> bool:
    verdict = False
    for run in watch.runs(apps, ()):
        if re.fullmatch(run.pattern, f"{namespace}/{workload}"):
            verdict = not run.watched
    return verdict


def shipped_workloads() -> Iterator[str]:
    for entry in apps_file.load().apps:
        yield entry.match.replace("*", "x")


@pytest.mark.parametrize("workload", sorted({*shipped_workloads(), "stranger"}))
def test_what_apps_yaml_calls_unbounded_is_not_watched(workload: str) -> None:
    apps = apps_file.load()
    posture = classify(Subject("", "media", workload), apps).posture
    assert unwatched(apps, "media", workload) is (posture is Posture.UNBOUNDED)


def test_entries_for_one_namespace() -> None:
    entries = [
        {"match": "lab/*", "posture": "unbounded"},
        {"match": "lab/vault", "posture": "bounded"},
        {"match": "toy", "posture": "unbounded"},
    ]
    apps = AppsFile.model_validate({"apps": entries})
    wanted = {"lab/x": True, "lab/vault": False, "home/x": False, "home/toy": True, "home/vault": False}
    assert {each: unwatched(apps, *each.split("/")) for each in wanted} == wanted


def test_nothing_unbounded() -> None:
    assert not unwatched(AppsFile(apps=()), "media", "sonarr")
