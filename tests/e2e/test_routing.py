"""Where Alertmanager sends what: egress alerts to tocsin, what is wrong with tocsin to its own notifier."""

import asyncio
import json
import re
import subprocess
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from kit import until
from kustomized import EXAMPLE, TOP, Manifest, of_kind, on_base, read, rendered
from prometheus_operator import Strategy, alertmanager_configuration
from tocsin.demo import alertmanager, program
from tocsin.settings import Settings

COMPONENT = TOP / "kustomize" / "components" / "alertmanager-config"
RULES = TOP / "kustomize" / "components" / "rules"
EXPLAINED, NOTIFIED = "observability/tocsin/tocsin", "observability/tocsin-health/notifier"
ELSEWHERE = "default"
MAIN = {"route": {"receiver": ELSEWHERE}, "receivers": [{"name": ELSEWHERE}]}
SECRETS = {
    ("tocsin", "webhook-token"): "sekret",
    ("tocsin-alertmanager", "pushover-user"): "u" * 30,
    ("tocsin-alertmanager", "pushover-token"): "t" * 30,
}
HEALTH = (
    *("EgressDetectionBlind", "TocsinDown", "TocsinBacklogOld", "TocsinDeliveriesFailing", "TocsinDeadLetters"),
    *("TocsinGitOpsStale", "TocsinGapsRising", "TocsinFallback"),
)
APP = {"namespace": "media", "workload": "recyclarr", "severity": "warning"}

Labels = dict[str, str]


def health(name: str, **labels: str) -> Labels:
    return {"alertname": name, "severity": "critical", "tocsin": "health", **labels}


def egress(name: str = "EgressNovelDestination", **labels: str) -> Labels:
    return {"alertname": name, "destination": "files.paste-drop.example", **APP, **labels}


ROUTED = [
    *((egress(name), EXPLAINED) for name in Settings().identify.alerts),
    *((health(name), NOTIFIED) for name in HEALTH),
    # It carries the labels of the alert it stands for; one alert never goes both ways.
    (health("TocsinFallback", **APP, destination="a.example", egress_alert="EgressNovelDestination"), NOTIFIED),
    (health("EgressNovelDestination", **APP), NOTIFIED),
    ({"alertname": "KubePodCrashLooping", **APP}, ELSEWHERE),
    ({"alertname": "EgressGatewayDown", "namespace": "kube-system"}, ELSEWHERE),
    ({"alertname": "Watchdog"}, ELSEWHERE),
]


def objects() -> list[Manifest]:
    return of_kind(rendered(EXAMPLE), "AlertmanagerConfig")


def configuration(strategy: Strategy = "None", **more: Any) -> dict[str, Any]:
    return alertmanager_configuration(objects(), MAIN, SECRETS, strategy=strategy, **more)


def amtool(*arguments: str) -> str:
    return subprocess.run(["amtool", *arguments], check=True, capture_output=True, text=True).stdout


def written(tmp_path: Path, configuration: Mapping[str, Any]) -> Path:
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    return path


def receivers(path: Path, labels: Labels) -> list[str]:
    """Every receiver that gets an alert with these labels."""
    pairs = [f"{name}={value}" for name, value in labels.items()]
    return amtool("config", "routes", "test", f"--config.file={path}", *pairs).strip().split(",")


# -- without Alertmanager ----


def meaning(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Which alerts go where and how, whatever the receivers are called and wherever the secrets are."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            kept = {key.removesuffix("_file"): plain(each) for key, each in value.items() if key != "name"}
            return kept | {key: "secret" for key in ("credentials", "user_key", "token") if key in kept}
        return [plain(each) for each in value] if isinstance(value, list) else value

    settings = {each["name"]: plain(each) for each in configuration["receivers"]}
    found = {}
    for route in configuration["route"]["routes"]:
        matchers = sorted(_matcher(matcher) for matcher in route["matchers"])
        times = {key: value for key, value in route.items() if key.startswith("group_") or key.endswith("_interval")}
        found[" and ".join(matchers)] = (times, settings[route["receiver"]])
    return found


def _matcher(text: str) -> str:
    """Without spaces; a regular expression that is a word is an equality."""
    return re.sub(r'=~("\w+")$', r"=\1", re.sub(r"\s*(=~|!~|!=|=)\s*", r"\1", text))


def test_the_file_for_those_without_the_operator_says_the_same() -> None:
    (plain,) = read(COMPONENT / "alertmanager.yaml")
    assert meaning(plain) == meaning(configuration())
    assert len(meaning(plain)) == 2


def test_the_component_alone_says_the_same_as_in_the_example(tmp_path: Path) -> None:
    assert of_kind(on_base(COMPONENT, tmp_path), "AlertmanagerConfig") == objects()


# -- amtool ----


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    return written(tmp_path, configuration())


@pytest.mark.e2e
def test_alertmanager_accepts_both_files(converted: Path) -> None:
    for path in (converted, COMPONENT / "alertmanager.yaml"):
        assert "SUCCESS" in amtool("check-config", str(path))


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("labels", "receiver"), ROUTED, ids=lambda value: value.get("alertname") if isinstance(value, dict) else None
)
def test_every_alert_goes_one_way(converted: Path, labels: Labels, receiver: str) -> None:
    assert receivers(converted, labels) == [receiver]
    plain = {EXPLAINED: "tocsin", NOTIFIED: "notifier", ELSEWHERE: ELSEWHERE}
    assert receivers(COMPONENT / "alertmanager.yaml", labels) == [plain[receiver]]


@pytest.mark.e2e
def test_every_alert_of_the_rules_goes_one_way(converted: Path) -> None:
    rules = [
        rule
        for each in of_kind(rendered(RULES), "PrometheusRule")
        for group in each["spec"]["groups"]
        for rule in group["rules"]
    ]
    ways = defaultdict(set)
    for rule in rules:
        if "alert" in rule:
            (way,) = receivers(converted, {"alertname": rule["alert"], "namespace": "media", **rule.get("labels", {})})
            ways[way].add(rule["alert"])
    assert ways.keys() == {EXPLAINED, NOTIFIED}
    assert ways[EXPLAINED] <= Settings().identify.alerts.keys()
    assert ways[NOTIFIED] == set(HEALTH)


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("strategy", "alertmanager_namespace", "arrives"),
    [
        ("None", "monitoring", True),
        ("OnNamespace", "observability", False),
        ("OnNamespaceExceptForAlertmanagerNamespace", "observability", True),
        ("OnNamespaceExceptForAlertmanagerNamespace", "monitoring", False),
    ],
)
def test_with_the_operator_s_default_the_egress_alerts_of_other_namespaces_are_lost(
    tmp_path: Path, strategy: Strategy, alertmanager_namespace: str, arrives: bool
) -> None:
    path = written(tmp_path, configuration(strategy, alertmanager_namespace=alertmanager_namespace))
    assert "SUCCESS" in amtool("check-config", str(path)), "nothing shows the mistake"
    assert receivers(path, egress(namespace="media")) == [EXPLAINED if arrives else ELSEWHERE]
    assert receivers(path, egress(namespace="observability")) == [EXPLAINED]
    assert receivers(path, health("TocsinDown")) == [NOTIFIED if arrives else ELSEWHERE]


# -- a real Alertmanager ----


class Receivers:
    """Two servers in one: what Alertmanager posts to /explained and to /notified."""

    def __init__(self) -> None:
        self.webhooks: dict[str, list[dict[str, Any]]] = {"explained": [], "notified": []}
        self.tokens: set[str] = set()
        self.url = ""

    async def post(self, request: web.Request) -> web.Response:
        way = request.match_info["way"]
        if way == "explained":
            self.tokens.add(request.headers.get("Authorization", ""))
        self.webhooks[way].append(await request.json())
        return web.Response()

    def arrived(self, way: str) -> set[str]:
        """The names of the alerts."""
        return {alert["labels"]["alertname"] for webhook in self.webhooks[way] for alert in webhook["alerts"]}


@pytest.fixture
async def ways() -> AsyncIterator[Receivers]:
    found = Receivers()
    app = web.Application()
    app.router.add_post("/{way}", found.post)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


def quick(configuration: Mapping[str, Any], url: str) -> dict[str, Any]:
    """The same routing, at once, to receivers of this machine; Pushover's address cannot be changed."""
    changed = deepcopy(dict(configuration))
    for route in changed["route"]["routes"]:
        route.update(group_wait="1s", group_interval="1s", repeat_interval="1h")
    _, explained, notified = changed["receivers"]
    explained["webhook_configs"][0]["url"] = f"{url}/explained"
    del notified["pushover_configs"]
    notified["webhook_configs"] = [{"url": f"{url}/notified"}]
    return changed


@contextmanager
def started(directory: Path, configuration: Mapping[str, Any]) -> Iterator[str]:
    path, port = written(directory, configuration), program.free_port()
    found = program.find(*alertmanager.PROGRAMS, package=alertmanager.PROGRAMS[0])
    flags = (f"--config.file={path}", f"--storage.path={directory / 'data'}", "--cluster.listen-address=")
    with program.running([found, *flags, f"--web.listen-address=127.0.0.1:{port}"], port, directory / "log") as url:
        yield url


@asynccontextmanager
async def running(directory: Path, configuration: Mapping[str, Any]) -> AsyncIterator[str]:
    context = started(directory, configuration)
    url = await asyncio.to_thread(context.__enter__)
    try:
        yield url
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


FALLBACK = [
    health(
        "TocsinFallback",
        **{
            **APP,
            "namespace": namespace,
            "destination": f"{namespace}.example",
            "egress_alert": "EgressNovelDestination",
        },
    )
    for namespace in ("media", "home", "downloads")
]


@pytest.mark.e2e
async def test_what_fires_arrives_where_it_should_and_nowhere_else(tmp_path: Path, ways: Receivers) -> None:
    sent = [labels for labels, _ in ROUTED] + FALLBACK
    now = datetime.now(UTC)
    alerts = [
        {
            "labels": labels,
            "annotations": {"summary": f"{labels['alertname']} in {labels.get('namespace', 'the cluster')}"},
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(minutes=5)).isoformat(),
        }
        for labels in sent
    ]
    explained = {labels["alertname"] for labels, way in ROUTED if way == EXPLAINED}
    notified = {labels["alertname"] for labels, way in ROUTED if way == NOTIFIED}
    async with running(tmp_path, quick(configuration(), ways.url)) as url, aiohttp.ClientSession() as session:
        async with session.post(f"{url}/api/v2/alerts", json=alerts) as response:
            assert response.status == 200, await response.text()
        await until(lambda: explained <= ways.arrived("explained") and notified <= ways.arrived("notified"))
        async with session.get(f"{url}/api/v2/alerts") as response:
            found = {json.dumps(each["labels"], sort_keys=True): each["receivers"] for each in await response.json()}
    assert (ways.arrived("explained"), ways.arrived("notified")) == (explained, notified)
    assert ways.tokens == {"Bearer sekret"}
    for labels, way in ROUTED:
        assert found[json.dumps(labels, sort_keys=True)] == [{"name": way}]


@pytest.mark.e2e
async def test_while_tocsin_is_away_one_message_lists_every_egress_alert(tmp_path: Path, ways: Receivers) -> None:
    now = datetime.now(UTC)
    alerts = [
        {
            "labels": labels,
            "annotations": {"summary": f"{labels['namespace']}/recyclarr asked for {labels['namespace']}[.]example"},
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(minutes=5)).isoformat(),
        }
        for labels in FALLBACK
    ]
    original = configuration()

    def whole() -> dict[str, Any] | None:
        return next((each for each in ways.webhooks["notified"] if len(each["alerts"]) == len(FALLBACK)), None)

    async with running(tmp_path, quick(original, ways.url)) as url, aiohttp.ClientSession() as session:
        async with session.post(f"{url}/api/v2/alerts", json=alerts) as response:
            assert response.status == 200, await response.text()
        webhook = await until(whole)
    assert len({each["groupKey"] for each in ways.webhooks["notified"]}) == 1
    (pushover,) = original["receivers"][2]["pushover_configs"]
    data = tmp_path / "data.json"
    data.write_text(json.dumps(webhook), encoding="utf-8")

    def shown(template: str) -> str:
        arguments = (f"--template.text={template}", f"--template.data={data}", "--template.glob=/dev/null")
        return amtool("template", "render", *arguments).strip()

    assert shown(pushover["title"]) == "TocsinFallback"
    assert shown(pushover["message"]).splitlines() == [
        f"- {namespace}/recyclarr asked for {namespace}[.]example" for namespace in ("downloads", "home", "media")
    ]
    assert shown(pushover["priority"]) == "1"
