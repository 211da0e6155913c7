"""A small simulated cluster whose pods ask for names, send bytes, come and go.

It exposes what Hubble, cAdvisor and kube-state-metrics would, in their true shapes, on one /metrics.
"""

import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from aiohttp import web

from tocsin.demo import exposition
from tocsin.demo.exposition import Labels

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes generated names of."""
DENIED = "Policy denied"
"""The rcode of a lookup that Cilium's DNS proxy refused."""
DAY = 86_400.0

Reading = tuple[str, Labels, float]
"""Metric, labels and value at one moment."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What is deployed. `names` are what its pods ask for every `ask_every` seconds; rates are bytes per second.

    `kind` is Deployment, StatefulSet, DaemonSet or CronJob; a CronJob runs every hour for ten minutes.
    """

    namespace: str
    name: str
    kind: str
    names: tuple[str, ...]
    rate: float = 20_000.0
    ask_every: float = 600.0
    app: str = ""


WORKLOADS = (
    Workload("media", "recyclarr", "CronJob", ("api.github.com", "raw.githubusercontent.com"), 3_000),
    Workload("media", "sonarr", "Deployment", ("api.thetvdb.com", "skyhook.sonarr.tv", "services.sonarr.tv"), 60_000),
    Workload("media", "jellyfin", "Deployment", ("repo.jellyfin.org", "api.themoviedb.org"), 400_000),
    Workload("home", "node-red", "Deployment", ("api.open-meteo.com", "flows.nodered.org"), 160_000),
    Workload("home", "home-assistant", "StatefulSet", ("api.met.no", "alerts.home-assistant.io"), 90_000),
    Workload("home", "esphome", "Deployment", ("api.github.com", "schemas.esphome.io")),
    Workload("security", "external-secrets", "Deployment", ("my.1password.com",)),
    Workload("network", "external-dns", "Deployment", ("api.cloudflare.com",)),
    Workload("observability", "grafana", "Deployment", ("grafana.com", "stats.grafana.org")),
    Workload("default", "searxng", "Deployment", ("html.duckduckgo.com", "api.qwant.com"), 120_000),
    Workload("observability", "node-agent", "DaemonSet", ("telemetry.grafana.com",), 8_000),
)  # fmt: skip


@dataclass(slots=True, eq=False)
class Pod:
    """One pod with its counters."""

    workload: Workload
    name: str
    owner: tuple[str, str]
    created_at: float
    node: str = "beast"
    ends_at: float = math.inf
    queries: dict[tuple[str, str, str], float] = field(default_factory=lambda: defaultdict(float))
    sent: float = 0.0
    extra_rate: float = 0.0

    @property
    def namespace(self) -> str:
        """Where it runs."""
        return self.workload.namespace

    def rate_at(self, at: float) -> float:
        """Bytes per second: more by day than by night, never quite the same."""
        by_day = 1 + 0.4 * math.sin(2 * math.pi * (at / DAY - 0.4))
        noise = 0.9 + 0.2 * random.Random(f"{self.name}{int(at / 300)}").random()  # noqa: S311
        return self.workload.rate * by_day * noise

    def pass_time(self, start: float, end: float) -> None:
        """Lets the pod do what it always does from `start` to `end`."""
        self.sent += (self.rate_at(end) + self.extra_rate) * (end - start)
        for name in self.workload.names:
            times = int(end / self.workload.ask_every) - int(start / self.workload.ask_every)
            if times:
                self.ask(name, times)

    def ask(self, name: str, times: int = 1, *, rcode: str = "") -> None:
        """Counts lookups of a name; the resolver of a pod asks for both address families."""
        for qtype in ("A", "AAAA"):
            self.queries[name.removesuffix(".") + ".", qtype, rcode] += times


class Cluster:
    """Workloads and their pods. Time passes when it is looked at."""

    def __init__(self, workloads: tuple[Workload, ...] = WORKLOADS, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._random = random.Random(7)  # noqa: S311
        self._seen_at = now()
        self.workloads = workloads
        self.pods: list[Pod] = []

    def start(self) -> None:
        """Begins without a past: creates the pods of everything but the cron jobs."""
        for workload in self.workloads:
            if workload.kind != "CronJob":
                self.pods.append(self.create(workload, self._seen_at))

    def resume(self, pods: list[Pod], at: float) -> None:
        """Begins with pods that have a past, which ended at `at`."""
        self.pods, self._seen_at = pods, at

    def find(self, namespace: str, name: str) -> Workload:
        """The workload of that name. Raises KeyError."""
        found = next((each for each in self.workloads if (each.namespace, each.name) == (namespace, name)), None)
        if found is None:
            raise KeyError(f"{namespace}/{name}")
        return found

    def pods_of(self, namespace: str, name: str) -> list[Pod]:
        """Pods that run now, the newest last."""
        workload = self.find(namespace, name)
        return [pod for pod in self.pods if pod.workload is workload and pod.ends_at > self._now()]

    def ask(self, pod: Pod, name: str, times: int = 1, *, denied: bool = False) -> None:
        """Lets a pod look a name up, now."""
        pod.ask(name, times, rcode=DENIED if denied else "")

    def send(self, pod: Pod, bytes_per_second: float) -> None:
        """Lets a pod send that much on top of what it always sends, from now on."""
        self.pass_time()
        pod.extra_rate = bytes_per_second

    def run(self, namespace: str, name: str) -> Pod:
        """Starts one more pod of a workload: the next run of a cron job."""
        self.pass_time()
        pod = self.create(self.find(namespace, name), self._now())
        self.pods.append(pod)
        return pod

    def rollout(self, namespace: str, name: str) -> Pod:
        """Replaces the pods of a workload by one with another ReplicaSet; returns the new pod."""
        for pod in self.pods_of(namespace, name):
            pod.ends_at = self._now()
        return self.run(namespace, name)

    def create(self, workload: Workload, at: float) -> Pod:
        """A pod with a name like Kubernetes gives it, which asks for all its names; the caller adds it to `pods`."""
        match workload.kind:
            case "CronJob":
                owner = ("Job", f"{workload.name}-{int(at // 60)}")
            case "Deployment":
                owner = ("ReplicaSet", f"{workload.name}-{self._letters(9)}")
            case _:
                owner = (workload.kind, workload.name)
        name = f"{workload.name}-0" if workload.kind == "StatefulSet" else f"{owner[1]}-{self._letters(5)}"
        pod = Pod(workload, name, owner, at)
        for each in workload.names:
            pod.ask(each)
        return pod

    def pass_time(self, until: float | None = None) -> None:
        """Lets everything happen that happens by itself, and removes pods that ended a minute ago."""
        now = self._now() if until is None else until
        for pod in self.pods:
            if pod.ends_at > now:
                pod.pass_time(max(self._seen_at, pod.created_at), now)
        self.pods = [pod for pod in self.pods if pod.ends_at > now - 60]
        self._seen_at = now

    def readings(self) -> Iterator[Reading]:
        """Every series as of now."""
        self.pass_time()
        yield from exposition.agent()
        for pod in self.pods:
            yield from exposition.hubble(pod)
            if pod.ends_at > self._seen_at:
                yield exposition.cadvisor(pod)
                yield from exposition.kube_state(pod)

    def app(self) -> web.Application:
        """Serves /metrics in Prometheus's text format."""

        async def metrics(_: web.Request) -> web.Response:
            return web.Response(text=exposition.text(self.readings()))

        app = web.Application()
        app.router.add_get("/metrics", metrics)
        return app

    def _letters(self, count: int) -> str:
        return "".join(self._random.choices(ALPHABET, k=count))
