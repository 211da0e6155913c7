"""What `tocsin check` says of Hubble and of scraping, asked of a real Prometheus: each fault gives its line, no other.

One Prometheus holds many clusters, told apart by the label `cluster`: a good one, and one with each fault.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml
from aiohttp import web

from real_prometheus import DAY, HOUR, MINUTE, Written
from scripted import HANG, Answer, ScriptedServer, Seen
from tocsin.demo import exposition, stage
from tocsin.demo import prometheus as server
from tocsin.detection import ask
from tocsin.enrich.prometheus import Prometheus, PrometheusSettings

DNS = "hubble_dns_queries_total"
SENT = "container_network_transmit_bytes_total"
HUBBLE_PAGE = (Path(__file__).parents[2] / "docs" / "hubble.md").read_text(encoding="utf-8")
HUBBLE = "hubble_metrics_http_handler_requests_total"
RECORDED = (
    "workload_destination:egress_dns:seen",
    "workload_destination:egress_dns:memory",
    "workload:egress_tx_bytes:rate10m",
)
HELM = 'hubble.metrics.enabled: ["dns:query;labelsContext=source_namespace,source_pod,source_workload"]'


@dataclass(frozen=True)
class Series:
    """One series that lives for the last half hour, unless it says otherwise; every value is 1, unless it rises."""

    metric: str
    labels: dict[str, str]
    born: float = 30 * MINUTE
    rises: float = 0.0
    value: float = 1.0
    every: float = MINUTE


Cluster = list[Series]
Fault = Callable[[Cluster], Cluster]


def asked(pod: str, namespace: str, name: str, qtypes: str = "A") -> Series:
    source = {"source_namespace": namespace, "source_pod": pod, "source_workload": "app", "query": f"{name}."}
    return Series(DNS, {**agent(1), **source, "qtypes": qtypes, "rcode": ""})


def agent(number: int) -> dict[str, str]:
    return {"job": "hubble-metrics", "instance": f"10.0.0.{number}:9965"}


def sent(pod: str, namespace: str, interface: str = "eth0") -> Series:
    return Series(SENT, {"namespace": namespace, "pod": pod, "interface": interface, "job": "kubelet"})


def pod(name: str, namespace: str, host_network: str = "false") -> Cluster:
    who = {"namespace": namespace, "pod": name}
    return [
        Series("kube_pod_owner", who | {"owner_kind": "ReplicaSet", "owner_name": "app-7f9c"}),
        Series("kube_pod_info", who | {"host_network": host_network, "node": "one"}),
        Series("kube_pod_created", who),
    ]


def good() -> Cluster:
    who = {"namespace": "media", "workload": "app"}
    return [
        *(asked("app-1", "media", "api.example.com", qtypes) for qtypes in ("A", "AAAA")),
        asked("db-0", "home", "api.example.com"),
        *(Series(HUBBLE, agent(each) | {"code": "200"}) for each in (1, 2)),
        *(Series("up", agent(each)) for each in (1, 2)),
        *(Series("kube_node_info", {"node": each}) for each in ("one", "two")),
        Series("hubble_lost_events_total", agent(1) | {"source": "observer_events_queue"}, value=40),
        Series("hubble_lost_events_total", agent(1) | {"source": "hubble_ring_buffer"}, rises=9),
        sent("app-1", "media"),
        sent("db-0", "home"),
        sent("cilium-x", "kube-system"),
        *pod("app-1", "media"),
        *pod("db-0", "home"),
        *pod("cilium-x", "kube-system", host_network="true"),
        Series("kube_replicaset_owner", {"namespace": "media", "replicaset": "app-7f9c", "owner_name": "app"}),
        Series(RECORDED[0], who | {"destination": "api.example.com"}),
        # Recorded every ten minutes, the last time eight minutes ago.
        Series(RECORDED[1], who | {"destination": "api.example.com"}, born=28 * MINUTE, every=10 * MINUTE),
        Series("workload:egress_dns:memory", who, born=4 * DAY + 8 * MINUTE, every=10 * MINUTE),
        Series(RECORDED[2], who),
        Series("ALERTS", {"alertname": "Watchdog", "alertstate": "firing"}),
    ]


def without(*metrics: str) -> Fault:
    return lambda cluster: [each for each in cluster if each.metric not in metrics]


def unlabelled(metric: str, *names: str) -> Fault:
    """Every series of the metric loses labels, those that are then the same become one."""

    def fault(cluster: Cluster) -> Cluster:
        left: Cluster = []
        for each in cluster:
            cut = {name: value for name, value in each.labels.items() if name not in names}
            changed = replace(each, labels=cut) if each.metric == metric else each
            left += [changed] if changed not in left else []
        return left

    return fault


def labelled(metric: str, **labels: str) -> Fault:
    return lambda cluster: [
        replace(each, labels=each.labels | labels) if each.metric == metric else each for each in cluster
    ]


def changed(metric: str, **fields: Any) -> Fault:
    return lambda cluster: [replace(each, **fields) if each.metric == metric else each for each in cluster]


def with_(*more: Series) -> Fault:
    return lambda cluster: [*cluster, *more]


def without_instance(metric: str, number: int) -> Fault:
    instance = agent(number)["instance"]
    return lambda cluster: [
        each for each in cluster if not (each.metric == metric and each.labels["instance"] == instance)
    ]


def both(*faults: Fault) -> Fault:
    def fault(cluster: Cluster) -> Cluster:
        for each in faults:
            cluster = each(cluster)
        return cluster

    return fault


def without_pod(name: str) -> Fault:
    return lambda cluster: [each for each in cluster if each.labels.get("pod") != name]


DOWN = both(without_instance(HUBBLE, 2), without_instance("up", 2), with_(Series("up", agent(2), value=0)))

FAULTS: dict[str, tuple[Fault, str]] = {
    "no-dns": (
        without(DNS),
        f"wrong lookups: no {DNS}, so no new destination can be found: Hubble is scraped but counts none. Set "
        f"{HELM}, and "
        "select the pods by a policy with rules.dns",
    ),
    "no-hubble": (
        without(DNS, HUBBLE, "up"),
        f"wrong lookups: no {DNS}, so no new destination can be found: no Hubble metric is scraped. Set "
        f"{HELM}, and scrape "
        "port 9965 of every Cilium agent",
    ),
    "no-query": (
        unlabelled(DNS, "query"),
        f"wrong names: {DNS} has no label query, so no name is known. Write dns:query, as in {HELM}",
    ),
    "no-source": (
        unlabelled(DNS, "source_namespace", "source_pod", "source_workload"),
        f"wrong who asks: {DNS} has no labels source_namespace and source_pod, so nobody knows which pod "
        f"asked. Set {HELM}",
    ),
    "no-pod-of-source": (
        unlabelled(DNS, "source_pod", "source_workload"),
        f"wrong who asks: {DNS} has no labels source_namespace and source_pod, so nobody knows which pod "
        f"asked. Set {HELM}",
    ),
    "no-workload": (
        unlabelled(DNS, "source_workload"),
        f"note  who asks: no label source_workload: workloads are guessed from the names of pods. Add it, as in {HELM}",
    ),
    "ignore-aaaa": (
        lambda cluster: [each for each in cluster if each.labels.get("qtypes") != "AAAA"],
        "note  AAAA lookups: none is counted: a program that looks up nothing but IPv6 addresses is not seen. Take "
        "ignoreAAAA out of hubble.metrics.enabled",
    ),
    "mixed-case": (
        with_(asked("app-1", "media", "aPi.exAMple.com"), asked("db-0", "home", "aPi.exAMple.com")),
        "note  case of names: 1 name with capital letters. A resolver that mixes case (0x20) makes one name look like "
        "many new ones. Add to hubble.metrics.serviceMonitor.metricRelabelings: "
        "{sourceLabels: [query], targetLabel: query, action: lowercase}",
    ),
    "agent-down": (
        DOWN,
        "note  Hubble: 1 of 2 nodes export Hubble metrics (no answer from 10.0.0.2:9965): pods on the others are not "
        "watched. Look at the Cilium agents there, and at the scrape targets on port 9965",
    ),
    "agent-not-scraped": (
        both(without_instance(HUBBLE, 2), without_instance("up", 2)),
        "note  Hubble: 1 of 2 nodes export Hubble metrics: pods on the others are not watched. Look at the "
        "Cilium agents "
        "there, and at the scrape targets on port 9965",
    ),
    "agent-down-nodes-unknown": (
        both(DOWN, without("kube_node_info")),
        "note  Hubble: no answer from 10.0.0.2:9965: pods there are not watched. Look at the Cilium agents there",
    ),
    "lost-events": (
        lambda cluster: [
            replace(each, rises=60) if each.labels.get("source") == "observer_events_queue" else each
            for each in cluster
        ],
        "note  Hubble's events: about 1840 were lost within an hour, lookups among them. Raise "
        "hubble.eventQueueSize, for "
        "example to 32768, or give the Cilium agents more CPU",
    ),
    "unseen-namespaces": (
        with_(*(sent("a-0", name) for name in ("games", "\x1b[31mred", "b", "c", "d", "e", "f", "media"))),
        "note  namespaces: pods in \\x1b[31mred, b, c, d, e, f and 1 more send, but no lookup of theirs is "
        "seen. Where that "
        "is not meant, select the pods by a CiliumNetworkPolicy that has rules.dns for port 53 of kube-dns",
    ),
    "no-bytes": (
        without(SENT, RECORDED[2]),
        f"note  bytes sent: no {SENT}, so no unusual volume can be found. Scrape /metrics/cadvisor of every "
        "kubelet, and "
        "do not drop that metric",
    ),
    "other-interface": (
        both(labelled(SENT, interface="ens3"), without(RECORDED[2])),
        "note  bytes sent: no counter of interface eth0, so no unusual volume can be found. There are: ens3. Set "
        "prometheus.interface to that of the pods, and make the rules again",
    ),
    "other-cadvisor": (
        both(without_pod("cilium-x"), unlabelled(SENT, "pod")),
        f"note  bytes sent: {SENT} has no label pod: scrape the kubelet's own /metrics/cadvisor, not another cAdvisor",
    ),
    "seldom-scraped": (
        changed(SENT, every=7 * MINUTE, born=28 * MINUTE),
        "note  byte samples: 2 of a counter in 10 minutes are too few for a rate. Scrape /metrics/cadvisor "
        "every 2 minutes "
        "or more often",
    ),
    "exported-pod": (
        lambda cluster: [
            replace(each, labels=each.labels | {"exported_pod": each.labels["pod"], "pod": "kube-state-metrics-0"})
            if each.metric == "kube_pod_owner"
            else each
            for each in cluster
        ],
        "note  label pod: in kube_pod_owner the pod is in exported_pod, and pod is the exporter's own. Set "
        "honorLabels: "
        "true (honor_labels) where it is scraped",
    ),
    "no-owners": (
        without("kube_pod_owner"),
        "note  kube-state-metrics: no kube_pod_owner: the byte rules take workloads from the names of pods. Scrape "
        "kube-state-metrics, and do not drop or disallow them",
    ),
    "no-replicasets-nor-ages": (
        without("kube_replicaset_owner", "kube_pod_created"),
        "note  kube-state-metrics: no kube_replicaset_owner: the Deployment of a pod is guessed; no kube_pod_created: "
        "messages cannot say how old a pod is. Scrape kube-state-metrics, and do not drop or disallow them",
    ),
    "no-host-network": (
        both(without_pod("cilium-x"), unlabelled("kube_pod_info", "host_network")),
        "note  host network: no kube_pod_info with host_network: pods in the network of their node cannot be "
        "left out, and "
        "all that the node sends counts as theirs. Scrape kube-state-metrics, and do not drop or disallow it",
    ),
    "no-rules": (
        without(*RECORDED, "workload:egress_dns:memory"),
        f"note  rules: no {', '.join(RECORDED)}: the rules are not loaded, or for less than 10 minutes. Apply "
        "the component "
        "kustomize/components/rules where this Prometheus takes its rules from",
    ),
    "no-volume-rules": (
        without(RECORDED[2]),
        f"note  rules: no {RECORDED[2]}: the rules are not loaded, or for less than 10 minutes. Apply the "
        "component kustomize/components/rules where this Prometheus takes its rules from",
    ),
    "no-alerts": (
        without("ALERTS"),
        "note  alerts: no series ALERTS within a day. Either nothing fired, not even a watchdog, or this "
        "address does not "
        "hold the alerts of its ruler: set prometheus.url to one that does",
    ),
}

FINE: dict[str, Fault] = {
    "good": lambda cluster: cluster,
    "metric-of-the-agents-dropped": without(HUBBLE),
    "no-loss-ever": without("hubble_lost_events_total"),
    "an-interface-more": with_(sent("app-1", "media", "net1")),
    "nodes-unknown": without("kube_node_info"),
}
LEARNED_AFTER = timedelta(hours=70)
AGES = {"learning": 24 * HOUR, "learned": 73 * HOUR}


def write(written: Written) -> None:
    """Every cluster into one past."""
    clusters = {name: fault(good()) for name, (fault, _) in FAULTS.items()}
    clusters |= {name: fault(good()) for name, fault in FINE.items()}
    clusters |= {name: changed("workload:egress_dns:memory", born=age)(good()) for name, age in AGES.items()}
    for name, cluster in clusters.items():
        for series in cluster:
            record(written, replace(series, labels=series.labels | {"cluster": name}))


def record(written: Written, series: Series) -> None:
    def value(ago: float) -> float:
        return series.value + series.rises * (series.born - ago) / series.every

    ago = series.born
    while ago >= 0:
        written.add(series.metric, series.labels, value, ago, ago)
        ago -= series.every


PAST = (write,)


@asynccontextmanager
async def door(url: str, **settings: Any) -> AsyncIterator[Prometheus]:
    prometheus = Prometheus(PrometheusSettings(url=url, **{"timeout": timedelta(seconds=30)} | settings))
    try:
        yield prometheus
    finally:
        prometheus.close()


async def said(story: tuple[Written, str], cluster: str) -> tuple[list[str], list[str]]:
    """The lines that are ok, and the others; those that say "wrong" are the ones that fail."""
    written, url = story
    async with door(url, extra_labels={"cluster": cluster}) as prometheus:
        found = await ask.look(prometheus, LEARNED_AFTER, written.at)
    assert [line for well, line in found if not well] == [line for _, line in found if line.startswith("wrong ")]
    fine = [line for _, line in found if line.startswith("ok    ")]
    return fine, [line for _, line in found if line not in fine]


async def test_a_good_cluster(story: tuple[Written, str]) -> None:
    fine, others = await said(story, "good")
    assert others == []
    assert [re.sub(r"\d d \d+ h", "some time", line) for line in fine] == [
        "ok    lookups: 3 series",
        "ok    names: the label query is there",
        "ok    who asks: source_namespace, source_pod and source_workload are there",
        "ok    AAAA lookups: counted",
        "ok    case of names: all are in lower case",
        "ok    Hubble: 2 of 2 nodes export",
        "ok    Hubble's events: none was lost within an hour",
        "ok    namespaces: wherever pods send, lookups are seen",
        "ok    bytes sent: 3 counters",
        "ok    byte samples: 11 in 10 minutes",
        "ok    label pod: is the pod's own",
        "ok    kube-state-metrics: owners and ages of pods are known",
        "ok    host network: pods in the network of their node are known",
        "ok    rules: what they record is there",
        "ok    learning: done; names are remembered for some time or more",
        "ok    alerts: ALERTS is there",
    ]


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_gives_its_line_and_no_other(story: tuple[Written, str], name: str) -> None:
    _, others = await said(story, name)
    assert others == [FAULTS[name][1]]


@pytest.mark.parametrize("name", FINE)
async def test_what_is_no_fault_gives_none(story: tuple[Written, str], name: str) -> None:
    assert (await said(story, name))[1] == []


async def test_how_much_is_learned(story: tuple[Written, str]) -> None:
    _, (line,) = await said(story, "learning")
    assert re.fullmatch(
        r"note  learning: goes on for about (1 d 2[23] h|2 d); until then no new destination is told. Names "
        r"are remembered "
        r"for 2[23] h. Where that does not grow, give Prometheus a retention of 9 days or more",
        line,
    )
    fine, others = await said(story, "learned")
    assert others == []
    assert any(re.match(r"ok    learning: done; names are remembered for (2 d 23 h|3 d)", line) for line in fine)


async def test_every_check_has_a_fault() -> None:
    told = {line.split(" ", 1)[1].strip().split(":")[0] for _, line in FAULTS.values()}
    assert told | {"learning"} == set(ask.CHECKS)


@pytest.mark.parametrize("name", ["version", *ask.CHECKS])
def test_every_line_is_documented(name: str) -> None:
    assert f"\n| `{name}` |" in HUBBLE_PAGE


def test_the_values_that_are_documented_are_those_that_are_told() -> None:
    (values,) = re.findall(r"Helm chart:\n\n```yaml\n(.*?)```", HUBBLE_PAGE, re.DOTALL)
    metrics = yaml.safe_load(values)["hubble"]["metrics"]
    assert f'hubble.metrics.enabled: ["{metrics["enabled"][0]}"]' == HELM
    assert {"sourceLabels": ["query"], "targetLabel": "query", "action": "lowercase"} in metrics["serviceMonitor"][
        "metricRelabelings"
    ]


# -- what cannot be asked ----


class Answering(ScriptedServer):
    """Gives a version, and an error to every question that holds `refused`."""

    def __init__(self, version: str | None = "3.5.0", refused: str = "nothing") -> None:
        super().__init__()
        self._version, self._refused = version, refused

    async def answer(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        if seen.path.endswith("buildinfo"):
            if self._version is None:
                return web.Response(status=404)
            return web.json_response({"status": "success", "data": {"version": self._version}})
        if self._refused in parse_qs(seen.body.decode())["query"][0]:
            refusal = {
                "status": "error",
                "errorType": "execution",
                "error": "query processing would load too many samples",
            }
            return web.json_response(refusal, status=422)
        vector = [{"metric": {}, "value": [0, "500000"]}]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": vector}})


async def test_what_cannot_be_asked_is_a_note_and_hides_nothing_else() -> None:
    async with Answering(refused="kube_") as server, door(server.url) as prometheus:
        found = await ask.look(prometheus, LEARNED_AFTER)
    notes = [line for _, line in found if "not known" in line]
    assert notes == [
        "note  Hubble, namespaces, label pod, kube-state-metrics, host network: not known; Prometheus HTTP 422: query "
        "processing would load too many samples"
    ]
    assert all(well for well, _ in found)
    assert {"ok    lookups: 500000 series", "ok    rules: what they record is there"} <= {line for _, line in found}


async def test_a_prometheus_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "_WITHIN", 0.2)
    async with Answering() as server, door(server.url, threads=2) as prometheus:
        server.script(Answer(200, '{"data": {"version": "3.5.0"}}'), HANG, HANG)
        found = await ask.look(prometheus, LEARNED_AFTER)
    assert found == [(True, "note  detection: Prometheus did not answer every question within 0.2 s")]
    assert server.most_at_once == 2, "no more questions at a time than prometheus.threads"


@pytest.mark.parametrize(
    ("version", "shown"),
    [("2.42.0", ""), ("v3.0.1", ""), ("2.41.0", "2.41.0"), ("2.24.0", "2.24.0"), ("0.36.1", "0.36.1"), (None, "none")],
)
async def test_a_version_that_is_not_known_to_do_is_noted(version: str | None, shown: str) -> None:
    async with Answering(version) as server, door(server.url) as prometheus:
        lines = [line for _, line in await ask.look(prometheus, LEARNED_AFTER) if line.startswith("note  version: ")]
    assert [line.split()[2] for line in lines] == ([f"{shown}."] if shown and version else ["none"] if shown else [])
    assert all("The rules need Prometheus 2.42 or newer" in line for line in lines)


# -- what is scraped ----


async def test_what_is_scraped_is_understood_as_soon_as_it_is_there() -> None:
    """The good cluster as exporters show it, before anything was learned."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=exposition.text((each.metric, each.labels, each.value) for each in good()))

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    async with stage.serving(application) as address:
        with server.running([address.removeprefix("http://")]) as url:
            async with door(url) as prometheus, asyncio.timeout(40):
                while names(found := await ask.look(prometheus, LEARNED_AFTER)) != ["learning"]:
                    await asyncio.sleep(0.2)
    assert found[-2][1].startswith("note  learning: goes on for about 2 d 22 h")


def names(found: list[tuple[bool, str]]) -> list[str]:
    """What is not well."""
    return [line[6:].split(":")[0] for _, line in found if not line.startswith("ok    ")]
