"""Every query of the dashboard, put to a real Prometheus with a simulated past, the shipped rules and tocsin itself."""

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from fake_ntfy import FakeNtfy
from grafana import DASHBOARD, PANELS, VARIABLES, Query, annotations, filled_in, label_values, targets
from kit import body, novel, tocsin
from rule_tests import shipped
from tocsin.demo import history, prometheus, repository
from tocsin.demo.cluster import DAY, WORKLOADS, Cluster
from tocsin.demo.program import free_port

# The first test waits until the past is recorded, which takes its time where other tests run beside it.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

STRANGER = "files.paste-drop.example"
AGO = 1500.0
"""Seconds since one pod asked for a name nobody of its workload knew, and another began to send far too much."""
PAST = {"sonarr": history.Burst(1.0, AGO, STRANGER), "node-red": history.Burst(18_000_000.0, AGO)}
NOVEL, VOLUME = ("media", "sonarr"), ("home", "node-red")
STEP = 120
"""Seconds from point to point, about what Grafana asks for a day on a wide screen."""

Series = tuple[Mapping[str, str], list[float]]
"""Labels and values; one value where the query is an instant one."""


@dataclass
class Answers:
    """What Prometheus said `at` that time: by app and query, and the options of each variable by app."""

    at: float = 0
    series: dict[tuple[tuple[str, str], Query], list[Series]] = field(default_factory=dict)
    options: dict[tuple[tuple[str, str], str], list[str]] = field(default_factory=dict)

    def of(self, app: tuple[str, str], owner: str, name: str = "A") -> list[Series]:
        """The answer to one query of a panel."""
        return next(
            found
            for (whose, query), found in self.series.items()
            if (whose, query.owner, query.name) == (app, owner, name)
        )

    def row(self, app: tuple[str, str], destination: str) -> dict[str, float]:
        """One row of the table of destinations, joined as Grafana does."""
        columns = [query.name for query in targets() if query.owner == "Destinations"]
        cells = {name: self.of(app, "Destinations", name) for name in columns}
        return {
            name: values[0]
            for name, found in cells.items()
            for labels, values in found
            if labels["destination"] == destination
        }


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Everything is started, asked and ended once."""
    return asyncio.run(_asked(tmp_path_factory.mktemp("dashboard")))


async def _asked(directory: Path) -> Answers:
    # Hundreds of short-lived pods would triple the time and show nothing more.
    cluster = Cluster(tuple(workload for workload in WORKLOADS if workload.kind != "CronJob"))
    past = directory / "history.om"
    history.write(cluster, past, time.time(), 9.0, PAST)
    port = free_port()
    (directory / "gitops").mkdir()
    configuration = {
        "prometheus": {"url": f"http://127.0.0.1:{port}"},
        "gitops": {"git": {"path": str(repository.build(directory / "gitops"))}},
    }
    async with FakeNtfy() as phone, aiohttp.ClientSession() as session:
        configuration["channels"] = {"phone": {"type": "ntfy", "url": phone.url, "topic": "egress"}}
        async with tocsin(directory, configuration) as service:
            scraped = service.url.removeprefix("http://")
            server = prometheus.running(tocsin=scraped, history=past, rules=[_rules(directory)], port=port)
            async with _entered(server) as url:
                door = Door(session, url)
                await door.becomes('tocsin_build_info{version!=""}')
                async with session.post(
                    f"{service.url}/webhook", data=body(novel(STRANGER, workload="sonarr"))
                ) as told:
                    assert told.status == 200
                await door.becomes('increase(tocsin_deliveries_total{outcome="sent"}[1h]) > 0')
                await door.becomes("tocsin_gitops_refreshed_timestamp_seconds > 0")
                await door.becomes(
                    'count(count by (alertname) (ALERTS{alertname=~"Egress.*", alertstate="firing"})) == 2'
                )
                return await _ask_everything(door)


def _rules(directory: Path) -> Path:
    """The shipped rules: what is recorded as often as ever, which its past needs, and alerts every second."""
    groups = shipped()["groups"]
    recorded = [{**group, "rules": [rule for rule in group["rules"] if "record" in rule]} for group in groups]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    path = directory / "rules.yaml"
    made = [*(group for group in recorded if group["rules"]), {"name": "alerts", "interval": "1s", "rules": alerts}]
    path.write_text(yaml.safe_dump({"groups": made}), encoding="utf-8")
    return path


@asynccontextmanager
async def _entered(context: AbstractContextManager[str]) -> AsyncIterator[str]:
    """A blocking context, off the event loop."""
    value = await asyncio.to_thread(context.__enter__)
    try:
        yield value
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


@dataclass
class Door:
    """Asks Prometheus what Grafana would."""

    session: aiohttp.ClientSession
    url: str

    async def get(self, path: str, **parameters: Any) -> Any:
        """The data of an answer; a query that fails fails the test, with what was asked."""
        async with self.session.get(f"{self.url}/api/v1/{path}", params=parameters) as response:
            answer = await response.json()
        assert answer["status"] == "success", f"{answer['error']}: {parameters}"
        assert not answer.get("warnings"), f"{answer['warnings']}: {parameters}"
        return answer["data"]

    async def series(self, query: Query, expression: str, at: float) -> list[Series]:
        """The finite values that come of a query, over the time range of the dashboard where it is no instant one."""
        if query.instant:
            found = (await self.get("query", query=expression, time=at))["result"]
            values = [(each["metric"], [each["value"]]) for each in found]
        else:
            assert DASHBOARD["time"] == {"from": "now-24h", "to": "now"}
            found = (await self.get("query_range", query=expression, start=at - DAY, end=at, step=STEP))["result"]
            values = [(each["metric"], each["values"]) for each in found]
        made = [
            (labels, [float(value) for _, value in points if math.isfinite(float(value))]) for labels, points in values
        ]
        return [(labels, finite) for labels, finite in made if finite]

    async def becomes(self, expression: str) -> None:
        """Waits until a query has an answer."""
        async with asyncio.timeout(40):
            while not (await self.get("query", query=expression))["result"]:
                await asyncio.sleep(0.1)


async def _ask_everything(door: Door) -> Answers:
    answers = Answers(time.time())
    for namespace, workload in (NOVEL, VOLUME):
        app = namespace, workload
        values = {
            "cluster": VARIABLES["cluster"]["allValue"],
            "namespace": namespace,
            "workload": workload,
            "pod_suffix": VARIABLES["pod_suffix"]["query"],
        }
        for query in (*targets(), *annotations()):
            expression = filled_in(query.expression, values)
            assert set(re.findall(r"\$\w*\{?", expression)) <= {"$1"}, expression
            answers.series[app, query] = await door.series(query, expression, answers.at)
        for name, selector, label in label_values():
            match = {"match[]": filled_in(selector, values), "start": answers.at - DAY, "end": answers.at}
            answers.options[app, name] = await door.get(f"label/{label}/values", **match)
    return answers


# -- nothing is empty ----


@pytest.mark.parametrize("query", list(targets()), ids=lambda query: f"{query.owner} {query.name}")
def test_every_query_has_data_that_its_legend_can_name(answers: Answers, query: Query) -> None:
    found = answers.series[NOVEL, query]
    assert found
    for label in set(re.findall(r"\{\{(\w+)\}\}", query.legend)) - {"cluster"}:
        assert any(label in labels for labels, _ in found), label


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_no_panel_is_empty_for_a_workload_that_is_not_watched(answers: Answers, panel: dict[str, Any]) -> None:
    assert any(answers.of(VOLUME, panel["title"], target["refId"]) for target in panel["targets"])


@pytest.mark.parametrize(("app", "name"), [(NOVEL, "Novel destination"), (VOLUME, "Volume anomaly")])
def test_alerts_are_marked_with_who_and_nothing_that_a_pod_wrote(
    answers: Answers, app: tuple[str, str], name: str
) -> None:
    ((labels, _),) = answers.of(app, name, "annotation")
    assert (labels["namespace"], labels["workload"]) == app
    assert labels.keys() <= {"alertname", "namespace", "workload", "window"}


def test_the_variables_offer_what_there_is(answers: Answers) -> None:
    assert {"media", "home", "network"} <= set(answers.options[NOVEL, "namespace"])
    assert {"sonarr", "jellyfin"} == set(answers.options[NOVEL, "workload"])
    assert {"node-red", "home-assistant", "esphome"} == set(answers.options[VOLUME, "workload"])
    assert answers.options[NOVEL, "cluster"] == [], "the label is only there where the rules keep it"


# -- and it is right ----


def test_a_single_lookup_is_one_new_name_with_its_date(answers: Answers) -> None:
    row = answers.row(NOVEL, STRANGER)
    assert row["state"] == 2
    assert row["lookups"] == 2, "an A and an AAAA"
    assert row["last"] / 1000 == pytest.approx(answers.at, abs=300)
    asked_at = answers.at - AGO
    assert asked_at - 120 < row["first"] / 1000 < asked_at + 900, "remembered every 10 minutes"


def test_a_name_of_old_is_known_and_no_younger_than_eight_days(answers: Answers) -> None:
    row = answers.row(NOVEL, "api.thetvdb.com")
    assert row["state"] == 1
    assert row["first"] / 1000 == pytest.approx(answers.at - 8 * DAY, abs=900)
    assert row["lookups"] == pytest.approx(2 * DAY / 600, rel=0.05)


def test_the_names_of_a_workload_that_is_not_watched_are_shown_but_not_remembered(answers: Answers) -> None:
    row = answers.row(VOLUME, "flows.nodered.org")
    assert row.keys() == {"state", "last", "lookups"} and row["state"] == 0
    known = {
        name: answers.of(VOLUME, "What detection knows of it", name)[0][1] for name in ("watched", "names", "bytes")
    }
    assert known == {"watched": [0], "names": [1], "bytes": [2]}
    known = {
        name: answers.of(NOVEL, "What detection knows of it", name)[0][1] for name in ("watched", "names", "bytes")
    }
    assert known == {"watched": [2], "names": [2], "bytes": [2]}


def test_what_fires_is_above_the_line_and_what_does_not_is_below(answers: Answers) -> None:
    panel = "Bytes a second over 10 minutes"
    for app, fires in ((VOLUME, True), (NOVEL, False)):
        ((_, now),), ((_, line),) = answers.of(app, panel, "now"), answers.of(app, panel, "line")
        assert (now[-1] > line[-1]) is fires
    (usual,), (times,) = (answers.of(VOLUME, "Against its own past", name)[0][1] for name in ("usual", "times"))
    assert 100_000 < usual < 250_000 and times > 70, "what it sends now is no part of what is usual"


def test_now_says_what_fires_since_when_and_that_the_rest_is_well(answers: Answers) -> None:
    assert answers.of(NOVEL, "Egress alerts")[0][1] == [2]
    firing = {labels["alertname"]: (labels, values[0]) for labels, values in answers.of(NOVEL, "Firing egress alerts")}
    labels, since = firing["EgressNovelDestination"]
    assert (labels["namespace"], labels["workload"], labels["destination"]) == (*NOVEL, STRANGER)
    assert since / 1000 == pytest.approx(answers.at, abs=120)
    assert firing["EgressVolumeAnomaly"][0]["window"] == "10m"
    assert answers.of(NOVEL, "Detection")[0][1] == [0]
    assert answers.of(NOVEL, "tocsin")[0][1] == [1]
    assert answers.of(NOVEL, "Health alerts") == [({"alertname": "none"}, [0])]
    assert answers.of(NOVEL, "Learned workloads", "names")[0][1] == [1]
