"""A cluster of 30 workloads over a few days: the raw series Prometheus would hold of it, and what is true of them.

Everything follows from the seed. Times are minutes since the start unless they say otherwise.

What is modelled because rules stumble over it: rollouts, jobs, restarts of the agents (counters vanish, and come back
only for names that are asked for again), pods whose counters vanish with them, an outage of Prometheus, scrapes that
fail (with stale markers, as Prometheus writes them), hostNetwork pods, names completed by search domains.
"""

import bisect
import functools
import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from detection_engine import STALE, Labels, labels

MINUTE, HOUR, DAY = 1, 60, 1440
MONDAY = 1_772_409_600
"""2026-03-02 00:00 UTC."""
RANDOM = "bcdfghjklmnpqrstvwxz2456789"
NODES = 3
LOOKED_UP_LATE = 1
"""Minutes for which Hubble still shows the counters of a pod that is gone."""


@dataclass
class Pod:
    workload: "Workload"
    name: str
    node: int
    start: float
    end: float
    owner: tuple[str, str]
    asks: dict[str, list[float]] = field(default_factory=dict)
    rate: list[float] = field(default_factory=list)
    """Bytes per second in each minute of its life."""

    def alive(self, at: float) -> bool:
        return self.start <= at < self.end


@dataclass
class Workload:
    namespace: str
    name: str
    kind: str
    usual: str
    """What it does, in words for the report."""
    hubble_names_it: bool = False
    host_network: bool = False
    pods: list[Pod] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)
    """Why it asked for a name that it did not always ask for."""
    sent: list[tuple[float, float, str]] = field(default_factory=list)
    """What it sent that was not usual, from when to when."""

    def at(self, minute: float) -> list[Pod]:
        return [pod for pod in self.pods if pod.alive(minute)]


@dataclass
class Attack:
    """One thing that must be found: the alert must begin between `start` and `until`, minutes since the start."""

    kind: str
    alert: str
    workload: Workload
    start: float
    until: float
    names: list[str]
    detail: str


@dataclass
class Week:
    """The raw series and the truth. `start` and the outages are Unix times."""

    seed: int
    days: int
    learning: int
    start: int
    workloads: list[Workload]
    attacks: list[Attack]
    outages: list[tuple[float, float]]
    restarts: list[list[float]]
    failing: dict[str, set[int]]

    @property
    def length(self) -> int:
        """Minutes."""
        return self.days * DAY

    @property
    def down(self) -> list[tuple[float, float]]:
        """When Prometheus was down, Unix times."""
        return [(self.start + begin * 60, self.start + end * 60) for begin, end in self.outages]

    def unix(self, minute: float) -> float:
        return self.start + minute * 60

    def series(self, names: bool = True, sent: bool = True) -> Iterator[tuple[Labels, list[tuple[int, float]]]]:
        """Every raw series and its samples: milliseconds and values, stale markers included.

        Without `names` those of Hubble are left out, without `sent` those of cAdvisor.
        """
        newest: dict[Labels, int] = {}
        for workload in self.workloads:
            for pod in sorted(workload.pods, key=lambda pod: pod.start):
                for series, samples in self._names(pod) if names else ():
                    # The next pod of a StatefulSet has the same name, maybe before the scrape that misses the last one.
                    fresh = [sample for sample in samples if sample[0] > newest.get(series, 0)]
                    if fresh:
                        newest[series] = fresh[-1][0]
                        yield series, fresh
                if sent:
                    yield from self._bytes(pod)
                yield from self._state(pod)

    def _names(self, pod: Pod) -> Iterator[tuple[Labels, list[tuple[int, float]]]]:
        workload = pod.workload
        agent = f"cilium-{pod.node}"
        who = ""
        if workload.hubble_names_it:
            who = pod.owner[1] if workload.kind == "CronJob" else workload.name
        edges = [*(at for at in self.restarts[pod.node] if pod.start < at < pod.end), pod.end + LOOKED_UP_LATE]
        for name, asks in pod.asks.items():
            series = labels(
                __name__="hubble_dns_queries_total", job="hubble-metrics", instance=f"10.0.0.1{pod.node}:9965",
                namespace="kube-system", pod=agent, source_namespace=workload.namespace, source_pod=pod.name,
                source_workload=who, query=f"{name}.", qtypes="A", rcode="", ips_returned="0",
            )  # fmt: skip
            samples: list[tuple[int, float]] = []
            begin = 0
            for edge in edges:
                end = bisect.bisect_left(asks, edge, begin)
                if end > begin:
                    counted = asks[begin:end]
                    count = functools.partial(_count, counted)
                    seen = self._scraped(f"agent-{pod.node}", counted[0], edge, count)
                    # Asked for again before the scrape that would have missed it.
                    if samples and seen and samples[-1][0] >= seen[0][0]:
                        samples.pop()
                    samples += seen
                begin = end
            if samples:
                yield series, samples

    def _bytes(self, pod: Pod) -> Iterator[tuple[Labels, list[tuple[int, float]]]]:
        total, counted = 0.0, [0.0]
        for rate in pod.rate:
            total += rate * 60
            counted.append(total)

        def value(at: float) -> float:
            lived = min(at - pod.start, len(pod.rate) - 1e-6)
            return counted[int(lived)] + pod.rate[int(lived)] * (lived % 1) * 60

        series = labels(
            __name__="container_network_transmit_bytes_total", job="kubelet", instance=f"10.0.0.1{pod.node}:10250",
            metrics_path="/metrics/cadvisor", namespace=pod.workload.namespace, pod=pod.name, interface="eth0",
            id=f"/kubepods/{pod.name}-{int(pod.start)}", image="registry.k8s.io/pause:3.10",
        )  # fmt: skip
        if samples := self._scraped(f"kubelet-{pod.node}", pod.start, pod.end, value):
            yield series, samples

    def _state(self, pod: Pod) -> Iterator[tuple[Labels, list[tuple[int, float]]]]:
        samples = self._scraped("state", pod.start, pod.end + 1, lambda _: 1.0)
        if not samples:
            return
        about = {
            "job": "kube-state-metrics", "instance": "10.42.0.17:8080", "namespace": pod.workload.namespace,
            "pod": pod.name, "uid": f"uid-{pod.name}-{int(pod.start)}",
        }  # fmt: skip
        kind, owner = pod.owner
        yield (
            labels(__name__="kube_pod_owner", owner_kind=kind, owner_name=owner, owner_is_controller="true", **about),
            samples,
        )
        host = str(pod.workload.host_network).lower()
        yield labels(__name__="kube_pod_info", host_network=host, node=f"node-{pod.node}", **about), samples

    def _scraped(
        self, target: str, begin: float, end: float, value: Callable[[float], float]
    ) -> list[tuple[int, float]]:
        """What the scrapes of a target see of a series that is there from `begin` to `end`."""
        offset = OFFSETS[target.partition("-")[0]] + (int(target[-1]) * 0.1 if target[-1].isdigit() else 0.0)
        failing, samples, present = self.failing[target], [], False
        for tick in range(max(0, math.ceil(begin - offset)), self.length):
            at = tick + offset
            if any(down <= at < up for down, up in self.outages):
                present = present and at < end
                continue
            there = at < end and tick not in failing
            stamp = round((self.start + at * 60) * 1000)
            if there:
                samples.append((stamp, value(at)))
            elif present:
                samples.append((stamp, STALE))
            present = there
            if at >= end:
                break
        return samples


def _count(asks: list[float], at: float) -> float:
    return float(bisect.bisect_right(asks, at))


OFFSETS = {"agent": 0.1, "kubelet": 0.4, "state": 0.7}
"""When in the minute a target is scraped, nodes one after the other."""


def tag(dice: random.Random, length: int) -> str:
    return "".join(dice.choice(RANDOM) for _ in range(length))


def run_pods(
    workload: Workload, dice: random.Random, length: float, replicas: int, rollouts: list[float], begin: float = -1
) -> None:
    """The pods of what runs all the time; a rollout replaces them, where Kubernetes does so after the new ones run."""
    turns = [begin, *sorted(rollouts), length + 10]
    nodes = [dice.randrange(NODES) for _ in range(replicas)]
    for start, end in itertools.pairwise(turns):
        generation = tag(dice, dice.choice((9, 10)))
        for replica in range(replicas):
            if workload.kind == "Deployment":
                name, owner = (
                    f"{workload.name}-{generation}-{tag(dice, 5)}",
                    ("ReplicaSet", f"{workload.name}-{generation}"),
                )
                node = dice.randrange(NODES)
                last = end + dice.uniform(0.5, 2)
            elif workload.kind == "DaemonSet":
                name, owner = f"{workload.name}-{tag(dice, 5)}", ("DaemonSet", workload.name)
                node, last = replica, end - dice.uniform(0.3, 1)
            else:
                ordinal = replica + (1 if workload.kind == "Cluster" else 0)
                name, owner = f"{workload.name}-{ordinal}", (workload.kind, workload.name)
                node, last = nodes[replica], end - dice.uniform(0.5, 2)
            workload.pods.append(Pod(workload, name, node, start + replica * 0.5, last, owner))


def job_pod(workload: Workload, dice: random.Random, start: float, minutes: float) -> Pod:
    job = f"{workload.name}-{29_540_160 + int(start)}"
    pod = Pod(workload, f"{job}-{tag(dice, 5)}", dice.randrange(NODES), start, start + minutes, ("Job", job))
    workload.pods.append(pod)
    return pod


def fill(pod: Pod, rate: Callable[[float], float], length: float) -> None:
    """Bytes per second for each minute of a pod's life."""
    pod.rate = [rate(pod.start + k) for k in range(math.ceil(min(pod.end, length + 1) - pod.start) + 1)]


def sends(pods: list[Pod], start: float, minutes: float, rate: float) -> None:
    """Adds bytes per second to the first pod that lives in each minute."""
    for minute in range(int(start), math.ceil(start + minutes)):
        for pod in pods:
            place = int(minute - pod.start)
            if pod.alive(minute) and 0 <= place < len(pod.rate):
                pod.rate[place] += rate * max(0.0, min(1.0, start + minutes - minute))
                break


def asks(pod: Pod, name: str, at: float) -> None:
    """One lookup, when the pod lives then."""
    if pod.start <= at < pod.end:
        bisect.insort(pod.asks.setdefault(name, []), at)
