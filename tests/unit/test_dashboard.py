"""The Grafana dashboard is whole: it asks for what exists, fits on its page and makes nothing of hostile names."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.metrics import MetricWrapperBase

from grafana import ANNOTATIONS, COMPONENT, DASHBOARD, FILE, PANELS, ROWS, VARIABLES, annotations, label_values, targets
from kustomized import places, read
from rule_tests import shipped
from tocsin import metrics
from tocsin.enrich.promql import POD_SUFFIX
from tocsin.rules.settings import RulesSettings

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
HOSTILE = ("destination", "destination_domain", "query")
"""Labels that whoever controls a pod writes."""

RULES = [rule for group in shipped()["groups"] for rule in group["rules"]]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
EXPORTED = {
    f"{each._name}{suffix}"
    for each in vars(metrics).values()
    if isinstance(each, MetricWrapperBase)
    for suffix in {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(str(each._type), ("",))
}
OTHERS = {"hubble_dns_queries_total", "hubble_lost_events_total", "ALERTS", "ALERTS_FOR_STATE"}
"""Hubble's counters and the series that Prometheus makes of alerts."""

EXPRESSIONS = {
    **{f"{each.owner} {each.name}": each.expression for each in (*targets(), *annotations())},
    **{f"variable {name}": selector for name, selector, _ in label_values()},
}


def metric_names(expression: str) -> set[str]:
    """Names of metrics in PromQL, those in a matcher of `__name__` included."""
    named = {name for found in re.findall(r'__name__=~"([^"]*)"', expression) for name in found.split("|")}
    bare = re.sub(r'"(?:\\.|[^"\\])*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", bare)
    bare = re.sub(r"\b(?:by|on|ignoring)\s*\([^)]*\)|\boffset\s+\w+", " ", bare)
    words = re.findall(r"(?<![\w.])[A-Za-z_][\w:]*(?!\s*\()\b", bare)
    return named | set(words) - {"and", "or", "unless", "bool", "by", "on"}


def strings(value: Any) -> Iterator[str]:
    """Every text inside a value."""
    if isinstance(value, str):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(each)


# -- what it asks for ----


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_every_metric_exists(where: str) -> None:
    names = metric_names(EXPRESSIONS[where])
    assert names
    assert names <= EXPORTED | RECORDED | OTHERS


def test_every_metric_of_the_service_is_shown() -> None:
    asked = set().union(*map(metric_names, EXPRESSIONS.values()))
    histograms = {name for name in EXPORTED if name.endswith(("_count", "_sum"))}
    assert EXPORTED - histograms <= asked


def test_every_alert_exists() -> None:
    raised = [rule["alert"] for rule in RULES if "alert" in rule]
    patterns = {found for each in EXPRESSIONS.values() for found in re.findall(r'\balertname=~?"([^"]*)"', each)}
    assert len(patterns) == 4
    for pattern in patterns:
        assert any(re.fullmatch(pattern, name) for name in raised), pattern


def test_whatever_is_of_one_cluster_can_be_chosen_by_it() -> None:
    own = re.compile(r'(?:tocsin_\w+|tocsin:unavailable|ALERTS\{alertstate="firing", tocsin="health"\})')
    for where, expression in EXPRESSIONS.items():
        if where == "variable cluster":
            continue
        series = re.findall(r"\b(?:\w+:\w+:\w+|hubble_\w+|ALERTS\w*)\b(?=\{)", own.sub("", expression))
        count = expression.count('cluster=~"$cluster"')
        assert count == len(series) or where.startswith("variable"), where


def test_pods_are_told_by_the_pattern_of_the_rules() -> None:
    assert VARIABLES["pod_suffix"]["query"] == POD_SUFFIX
    assert "\\" not in POD_SUFFIX, "Grafana escapes it in a variable"
    pods = [part for each in EXPRESSIONS.values() for part in re.findall(r'pod=~"([^"]*)"', each)]
    assert set(pods) == {"${workload}(-(${pod_suffix:raw}))?"}


def test_the_lines_above_which_it_fires_are_those_of_the_rules() -> None:
    settings = RulesSettings()
    floors = [int(floor) for floor in re.findall(r"\)\), (\d+)\)", EXPRESSIONS["Bytes a second over 10 minutes line"])]
    assert floors == [settings.burst_floor, settings.night_floor]
    assert f", {settings.hour_floor})" in EXPRESSIONS["Sent in 1 h line"]
    assert f", {settings.day_floor})" in EXPRESSIONS["Sent in 24 h line"]
    rules = {rule["record"]: rule["expr"].replace("last_over_time(", "") for rule in RULES if "record" in rule}
    judged_by = {"peak10m": "burst", "season10m": "burst", "peak1h": "large_hour", "peak1d": "large_day"}
    for past, record in judged_by.items():
        judging = rules[f"workload:egress_tx_bytes:{record}"]
        (times,) = re.findall(rf"([\d.]+) \* workload:egress_tx_bytes:{past}\b", judging)
        line = next(each for where, each in EXPRESSIONS.items() if where.endswith(" line") and past in each)
        assert re.search(rf"clamp_min\({times} \* (?:3600 \* |86400 \* )?max\(last_over_time\(\S+:{past}\b", line)


# -- how it looks ----


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_panel_says_what_to_conclude_and_asks_the_chosen_prometheus(panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 60 and panel["description"].endswith(".")
    assert panel["datasource"] == SOURCE
    assert not any("datasource" in target for target in panel["targets"])
    assert panel["type"] in {"stat", "table", "timeseries"}
    names = [target["refId"] for target in panel["targets"]]
    assert len(set(names)) == len(names)
    if panel["type"] == "table":
        assert all(target["format"] == "table" and target["instant"] for target in panel["targets"])
    if panel["type"] != "table":
        assert all(target["legendFormat"] for target in panel["targets"])


def test_every_query_besides_asks_the_chosen_prometheus() -> None:
    others = [*ANNOTATIONS, *(each for each in VARIABLES.values() if each["type"] == "query")]
    assert [each["datasource"] for each in others] == [SOURCE] * 5
    assert VARIABLES["datasource"]["query"] == "prometheus"


def test_it_needs_no_migration_and_no_plugin() -> None:
    assert DASHBOARD["schemaVersion"] >= 39
    assert isinstance(DASHBOARD["refresh"], str)
    assert "time_options" not in DASHBOARD["timepicker"]
    assert "id" not in DASHBOARD and "__inputs" not in DASHBOARD


def test_ids_are_unique_and_annotations_are_drawn_on_panels_that_exist() -> None:
    ids = Counter(panel["id"] for panel in DASHBOARD["panels"])
    assert ids.most_common(1)[0][1] == 1
    titles = Counter(panel["title"] for panel in DASHBOARD["panels"])
    assert titles.most_common(1)[0][1] == 1
    drawn = {panel["id"] for panel in PANELS if panel["type"] == "timeseries"}
    for annotation in ANNOTATIONS:
        assert annotation["filter"]["exclude"] is False and set(annotation["filter"]["ids"]) <= drawn


def test_panels_fill_their_rows_and_none_covers_another() -> None:
    covered: Counter[tuple[int, int]] = Counter()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        covered.update((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"]))
    assert set(covered.values()) == {1}
    assert len(covered) == 24 * (1 + max(y for _, y in covered)), "there is a hole"
    tops = [row["gridPos"]["y"] for row in ROWS]
    assert tops == sorted(tops) and all(row["collapsed"] is False and row["panels"] == [] for row in ROWS)


def test_an_override_names_a_series_or_a_column() -> None:
    for panel in PANELS:
        named = {target.get("legendFormat") for target in panel["targets"]}
        for each in panel.get("transformations", ()):
            named |= set(each["options"].get("renameByName", {}).values()) | set(each["options"].get("indexByName", ()))
        for override in panel["fieldConfig"]["overrides"]:
            matcher = override["matcher"]
            assert matcher["options"] in named or matcher["id"] == "byRegexp", panel["title"]


# -- names are hostile ----


def test_no_link_is_made_of_a_name() -> None:
    links = [link for place in places(DASHBOARD) for link in strings([place.get("links"), place.get("url")])]
    assert any("var-workload" in link for link in links)
    for link in links:
        fields = {"__data.fields.namespace", "__data.fields.workload"}
        assert set(re.findall(r"\$\{([^}:]*)", link)) <= {"datasource", "cluster", "__url_time_range"} | fields
        assert "://" not in link


def test_no_name_reaches_the_html_of_an_annotation() -> None:
    """Grafana renders the text of annotations as HTML, images and links included."""
    for annotation in ANNOTATIONS:
        shown = annotation["titleFormat"] + annotation["textFormat"] + annotation["tagKeys"]
        (kept,) = re.findall(r"^max by \(([^)]*)\)", annotation["target"]["expr"])
        assert not any(label in shown or label in kept for label in HOSTILE)
        assert set(re.findall(r"\{\{(\w+)\}\}", shown)) <= set(kept.split(", "))


def test_cells_are_plain_text() -> None:
    kinds = {place["cellOptions"]["type"] for place in places(DASHBOARD) if "cellOptions" in place}
    assert kinds == {"auto"}
    coloured = [each["value"] for each in places(DASHBOARD) if each.get("id") == "custom.cellOptions"]
    assert coloured == [{"type": "color-background", "mode": "basic"}]


# -- how it is installed ----


def test_the_config_map_keeps_its_name_and_its_variables() -> None:
    (kustomization,) = read(COMPONENT / "kustomization.yaml")
    (generator,) = kustomization["configMapGenerator"]
    assert generator["files"] == [FILE.name]
    options = generator["options"]
    assert options["disableNameSuffixHash"] is True
    assert options["labels"] == {"grafana_dashboard": "1"}
    # Flux replaces ${NAME} in everything it applies, where postBuild is used.
    assert options["annotations"] == {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}
    assert "${datasource}" in FILE.read_text(encoding="utf-8")


def test_the_documentation_names_the_object_and_every_row() -> None:
    page = (COMPONENT.parents[2] / "docs" / "dashboard.md").read_text(encoding="utf-8")
    (kustomization,) = read(COMPONENT / "kustomization.yaml")
    assert f"name: {kustomization['configMapGenerator'][0]['name']}\n" in page and f"key: {FILE.name}\n" in page
    for row in ROWS:
        assert f"| {row['title'].replace('$namespace / $workload: ', '... ')} |" in page
