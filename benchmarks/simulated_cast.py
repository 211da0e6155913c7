"""Who lives in the simulated cluster, what they usually do, and what is done to them."""

import math
import random
from collections.abc import Callable

from simulated_week import (
    DAY,
    HOUR,
    MONDAY,
    NODES,
    Attack,
    Pod,
    Week,
    Workload,
    asks,
    fill,
    job_pod,
    run_pods,
    sends,
    tag,
)

KB, MB, GB = 1e3, 1e6, 1e9
INTERNAL = (
    "{own}.{namespace}.svc.cluster.local", "postgres.database.svc.cluster.local", "{name}.cluster.local",
    "{name}.{namespace}.svc.cluster.local", "{name}.svc.cluster.local", "{name}.example.home",
    "nas.example.home", "postgres", "11.0.0.10.in-addr.arpa", "printer.local", "router.lan", "wpad",
)  # fmt: skip


class Cast:
    """Builds one week. The order of calls matters: everything is drawn from one seed."""

    def __init__(self, seed: int, learning: int, scored: int) -> None:
        self.dice = random.Random(seed)
        self.learning, self.days = learning, learning + scored
        self.length = self.days * DAY
        self.start = MONDAY + seed * 2 * 86_400
        self.workloads: list[Workload] = []
        self.attacks: list[Attack] = []
        begin = learning * DAY
        outage = begin + self.dice.uniform(1, scored - 1) * DAY
        early = self.dice.uniform(0.5, learning - 0.5) * DAY
        self.outages = [(early, early + 10), (outage, outage + 45)]
        # Each agent is upgraded once and dies once, at times of their own.
        upgrade = begin + self.dice.uniform(1, scored - 1) * DAY
        self.restarts = [sorted((self.dice.uniform(0.2, self.days) * DAY, upgrade + 4 * node)) for node in range(NODES)]
        self.failing = self._failures()

    def _failures(self) -> dict[str, set[int]]:
        dice, found = self.dice, {}
        for target in [f"{kind}-{node}" for kind in ("agent", "kubelet") for node in range(NODES)] + ["state"]:
            ticks: set[int] = set()
            for minutes in (
                1,
                1,
                1,
                2,
                3,
                6,
                12 if target.startswith("kubelet") else 4,
                25 if target == "state" else 1,
            ):
                at = dice.randrange(self.length)
                ticks.update(range(at, at + minutes))
            found[target] = ticks
        return found

    def week(self, seed: int) -> Week:
        self.workloads.sort(key=lambda w: (w.namespace, w.name))
        return Week(
            seed, self.days, self.learning, self.start, self.workloads, self.attacks, self.outages, self.restarts,
            self.failing,
        )  # fmt: skip

    def __getitem__(self, name: str) -> Workload:
        return next(each for each in self.workloads if each.name == name)

    def runs(
        self, place: str, usual: str, rate: Callable[[float], float], *, kind: str = "Deployment", replicas: int = 1,
        rollouts: int = 1, names: int = 12, begin: float = -1, host_network: bool = False,
    ) -> Workload:  # fmt: skip
        """Something that runs all the time, with names it asks for at start, every few minutes or once a day."""
        namespace, name = place.split("/")
        dice = self.dice
        workload = Workload(namespace, name, kind, usual, dice.random() < 0.5, host_network)
        self.workloads.append(workload)
        when = [dice.uniform(max(begin, 0) + HOUR, self.length - HOUR) for _ in range(rollouts)]
        run_pods(workload, dice, self.length, replicas, when, begin)
        for pod in workload.pods:
            fill(pod, lambda at: rate(at) / replicas, self.length)
        for number, asked in enumerate(self._vendors(name, names)):
            self._habit(workload, asked, ("start", "often", "often", "hourly", "daily")[number % 5], begin)
        if not host_network:
            for pattern in INTERNAL:
                pretend = pattern.format(own=name, name=f"api.{name}-vendor.example", namespace=namespace)
                self._habit(workload, pretend, dice.choice(("start", "hourly", "rare")), begin)
        return workload

    def job(self, place: str, usual: str, starts: list[tuple[float, float, float]], names: int = 3) -> Workload:
        """A CronJob: each start with its minutes and its bytes per second."""
        namespace, name = place.split("/")
        workload = Workload(namespace, name, "CronJob", usual, self.dice.random() < 0.5)
        self.workloads.append(workload)
        known = self._vendors(name, names)
        for start, minutes, rate in starts:
            pod = job_pod(workload, self.dice, start, minutes)
            fill(pod, self.steady(rate), self.length)
            for asked in known:
                asks(pod, asked, start + self.dice.uniform(0, min(2, minutes / 2)))
        return workload

    def _vendors(self, name: str, count: int) -> list[str]:
        hosts = ("api", "cdn", "auth", "images", "updates", "telemetry", "www", "static")
        domains = [f"{name}-vendor.example", *(f"{tag(self.dice, 6)}-{name}.example" for _ in range(count))]
        return [f"{self.dice.choice(hosts)}.{domains[k // 2]}" if k else f"{name}-vendor.example" for k in range(count)]

    def _habit(self, workload: Workload, name: str, habit: str, begin: float = -1) -> None:
        dice = self.dice
        every = {"often": dice.uniform(6, 40), "hourly": 60.0}.get(habit, 0.0)
        for pod in workload.pods:
            if habit == "rare" or habit == "daily":
                continue
            asks(pod, name, pod.start + dice.uniform(0.05, 2))
            at = pod.start + dice.uniform(0, every)
            while every and at < min(pod.end, self.length):
                asks(pod, name, at)
                at += every * dice.uniform(0.7, 1.3)
        if habit in ("daily", "rare"):
            at = max(begin, 0) + dice.uniform(0, DAY) if habit == "daily" else dice.uniform(0, self.length)
            while at < self.length:
                self.ask(workload, name, at)
                at += DAY + dice.uniform(-30, 30) if habit == "daily" else dice.uniform(1, 5) * DAY

    def ask(self, workload: Workload, name: str, at: float) -> None:
        if alive := workload.at(at):
            asks(self.dice.choice(alive), name, at)

    def quiet(self, rate: float, spread: float = 0.4) -> Callable[[float], float]:
        return lambda at: rate * self.dice.lognormvariate(0, spread)

    def steady(self, rate: float) -> Callable[[float], float]:
        return lambda at: rate * self.dice.uniform(0.8, 1.2)

    def diurnal(self, day: float, night: float, peak: float = 14) -> Callable[[float], float]:
        def rate(at: float) -> float:
            wave: float = max(0.0, math.cos((at / HOUR % 24 - peak) / 24 * 2 * math.pi)) ** 1.5
            return (night + (day - night) * wave) * self.dice.lognormvariate(0, 0.3)

        return rate

    def bursty(
        self, base: float, top: float, a_day: float, hours: tuple[int, int] = (0, 24)
    ) -> Callable[[float], float]:
        bursts: list[tuple[float, float, float]] = []
        for day in range(self.days):
            for _ in range(max(0, round(self.dice.gauss(a_day, a_day / 3)))):
                begin = day * DAY + self.dice.uniform(*hours) * HOUR
                bursts.append((begin, begin + self.dice.uniform(5, 90), top * self.dice.uniform(0.3, 1)))
        return lambda at: base * self.dice.lognormvariate(0, 0.5) + sum(r for b, e, r in bursts if b <= at < e)

    def nights(
        self, hour: float, minutes: float, rate: float, growth: float = 1.02
    ) -> list[tuple[float, float, float]]:
        """Once a night, not to the minute, with more to do each day."""
        return [
            (
                day * DAY + hour * HOUR + self.dice.uniform(0, 25),
                minutes * growth**day * self.dice.uniform(0.85, 1.15),
                rate * self.dice.uniform(0.85, 1.1),
            )
            for day in range(self.days)
        ]

    def moment(self, margin: float = 0.4) -> float:
        """A minute of the scored days, not in an outage nor close to one."""
        while True:
            at = self.dice.uniform(self.learning + 0.1, self.days - margin) * DAY
            if not any(begin - 2 * HOUR < at < end + 2 * HOUR for begin, end in self.outages):
                return at

    def strange(self) -> str:
        return f"{tag(self.dice, 7)}.{tag(self.dice, 9)}.example"

    def novel(self, kind: str, workload: Workload, at: float, names: list[str], detail: str, grace: float = 0) -> None:
        until = at + 2 * HOUR + grace
        self.attacks.append(Attack(kind, "EgressNovelDestination", workload, at, until, names, detail))

    def volume(
        self, kind: str, workload: Workload, at: float, minutes: float, rate: float, pods: list[Pod] | None = None
    ) -> None:
        sends(pods or sorted(workload.pods, key=lambda pod: pod.start), at, minutes, rate)
        detail = f"{rate * minutes * 60 / GB:.1f} GB in {minutes / 60:.1f} h at {rate / MB:.2f} MB/s"
        grace = HOUR if minutes < DAY else 6 * HOUR
        self.attacks.append(Attack(kind, "EgressVolumeAnomaly", workload, at, at + minutes + grace, [], detail))
