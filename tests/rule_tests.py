"""Scenarios for `promtool test rules`: series built from what pods do, and which alerts that must raise.

promtool evaluates every group at every step, whatever its interval, and in any order. Times are minutes since the
scenario began.
"""

import math
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

HOUR = 60
DAY = 24 * HOUR
EGRESS = "Egress(NovelDestination|VolumeAnomaly)"
RULES = Path(__file__).parents[1] / "kustomize" / "components" / "rules"

Labels = Mapping[str, str]


@cache
def shipped(*names: str) -> dict[str, Any]:
    """Groups of the committed PrometheusRules by the beginning of their names, all by default, as a plain rule file."""
    rules = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(RULES.glob("*-*.yaml"))]
    groups = [group for each in rules for group in each["spec"]["groups"]]
    return {"groups": [group for group in groups if not names or group["name"].startswith(names)]}


@dataclass
class Scenario:
    """What happens in a small cluster, sampled and evaluated every `step` minutes for `length` minutes."""

    length: int
    step: int = 2
    rules: Sequence[Mapping[str, Any]] = field(default_factory=lambda: [shipped()])
    series: dict[tuple[str, tuple[tuple[str, str], ...]], list[float | None]] = field(default_factory=dict)
    expected: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)

    def sample(self, metric: str, labels: Labels, start: float, end: float, value: Any) -> None:
        """Writes a series from `start` to `end`, that one not included; `value` is a number or takes the minute."""
        points = self.series.setdefault(
            (metric, tuple(sorted(labels.items()))), [None] * (self.length // self.step + 1)
        )
        for index in range(math.ceil(start / self.step), min(len(points), math.ceil(end / self.step))):
            points[index] = float(value(index * self.step) if callable(value) else value)

    def asks(
        self,
        pod: str,
        name: str,
        start: float = 0,
        end: float | None = None,
        *,
        namespace: str = "media",
        workload: str | None = None,
        **labels: str,
    ) -> None:
        """Hubble's counter of a pod and a name: born at 1, and flat. It lives until `end`."""
        told = {} if workload is None else {"source_workload": workload}
        who = {"source_namespace": namespace, "source_pod": pod, **told}
        what = {"query": name, "qtypes": "A", "rcode": "", "ips_returned": "0"}
        agent = {
            "job": "hubble-metrics",
            "instance": "10.0.0.11:9965",
            "namespace": "kube-system",
            "pod": "cilium-x7k2p",
        }
        self.sample("hubble_dns_queries_total", {**agent, **who, **what, **labels}, start, self._end(end), 1)

    def sends(
        self,
        pod: str,
        rate: Any,
        start: float = 0,
        end: float | None = None,
        *,
        namespace: str = "media",
        **labels: str,
    ) -> None:
        """cAdvisor's counter of a pod; `rate` is bytes per second, a number or a function of the minute."""
        total, counted = 0.0, {}
        for index in range(math.ceil(start / self.step), math.ceil(self._end(end) / self.step)):
            minute = index * self.step
            counted[minute] = total
            total += (rate(minute) if callable(rate) else rate) * self.step * 60
        who = {"namespace": namespace, "pod": pod, "interface": "eth0", "id": f"/kubepods/{pod}", **labels}
        self.sample("container_network_transmit_bytes_total", who, start, self._end(end), counted.__getitem__)

    def owned(
        self, pod: str, kind: str, name: str, start: float = 0, end: float | None = None, *, namespace: str = "media"
    ) -> None:
        """What kube-state-metrics tells of a pod's owner."""
        who = {"namespace": namespace, "pod": pod}
        owner = {"owner_kind": kind, "owner_name": name, "owner_is_controller": "true"}
        self.sample("kube_pod_owner", {**who, **owner}, start, self._end(end), 1)

    def outage(self, start: float, end: float, metric: str = "") -> None:
        """Nothing, or nothing of a metric, is scraped from `start` to `end`."""
        for (name, _), points in self.series.items():
            if metric in ("", name):
                for index in range(math.ceil(start / self.step), math.ceil(end / self.step)):
                    points[index] = None

    def fires(self, at: float, *alerts: Labels | str, of: str = EGRESS, only: str = ".*") -> None:
        """At a minute exactly these alerts fire: each its labels, or just a destination of media/sonarr."""
        self._expect(_firing(of, only), at, alerts)

    def fired(self, start: float, end: float, *alerts: Labels | str, of: str = EGRESS, only: str = ".*") -> None:
        """Between two minutes exactly these alerts fired at some time."""
        self._expect(f"present_over_time({_firing(of, only)}[{int(end - start)}m])", end, alerts)

    def tells(self, at: float, alertname: str, labels: Labels, annotations: Labels) -> None:
        """At a minute exactly one alert of that name fires, with exactly these labels and annotations."""
        alert = {"exp_labels": dict(labels), "exp_annotations": dict(annotations)}
        self.alerts.append({"eval_time": f"{int(at)}m", "alertname": alertname, "exp_alerts": [alert]})

    def _expect(self, expression: str, at: float, alerts: Iterable[Labels | str]) -> None:
        keys = "alertname, namespace, workload, destination, window, signal, egress_alert"
        wanted = []
        for alert in alerts:
            labels = dict(novel(alert) if isinstance(alert, str) else alert)
            wanted.append({"labels": "{" + ", ".join(f'{k}="{v}"' for k, v in labels.items()) + "}", "value": 1})
        expr = f"group by ({keys}) ({expression})"
        self.expected.append({"expr": expr, "eval_time": f"{int(at)}m", "exp_samples": wanted})

    def _end(self, end: float | None) -> float:
        return self.length + self.step if end is None else end

    def check(self) -> None:
        """Runs promtool; fails with what it says."""
        with tempfile.TemporaryDirectory() as directory:
            home = Path(directory)
            names = []
            for number, rules in enumerate(self.rules):
                names.append(f"rules-{number}.yaml")
                (home / names[-1]).write_text(yaml.safe_dump(rules), encoding="utf-8")
            test = {
                "interval": f"{self.step}m",
                "input_series": [
                    {"series": _series(metric, labels), "values": _notation(points)}
                    for (metric, labels), points in self.series.items()
                ],
                "promql_expr_test": self.expected,
                "alert_rule_test": self.alerts,
            }
            content = {"rule_files": names, "evaluation_interval": f"{self.step}m", "tests": [test]}
            (home / "test.yaml").write_text(yaml.safe_dump(content, width=1_000_000), encoding="utf-8")
            done = subprocess.run(
                ["promtool", "test", "rules", "test.yaml"], cwd=home, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


def novel(destination: str, workload: str = "sonarr", namespace: str = "media") -> Labels:
    """An EgressNovelDestination."""
    return {
        "alertname": "EgressNovelDestination", "namespace": namespace, "workload": workload, "destination": destination
    }  # fmt: skip


def volume(window: str, workload: str = "sonarr", namespace: str = "media") -> Labels:
    """An EgressVolumeAnomaly."""
    return {"alertname": "EgressVolumeAnomaly", "namespace": namespace, "workload": workload, "window": window}


def _firing(alertnames: str, workloads: str) -> str:
    return f'ALERTS{{alertstate="firing", alertname=~"{alertnames}", workload=~"{workloads}"}}'


def _series(metric: str, labels: Iterable[tuple[str, str]]) -> str:
    escaped = ((name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in labels)
    return metric + "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"


def _notation(points: Sequence[float | None]) -> str:
    """promtool's expanding notation: `1+0x9` is ten times 1, `_x3` is three times nothing."""
    made: list[str] = []
    index = 0
    while index < len(points):
        value, run = points[index], 1
        while index + run < len(points) and points[index + run] == value:
            run += 1
        if value is None:
            made.append(f"_x{run}")
        else:
            made.append(f"{value:.15g}+0x{run - 1}" if run > 1 else f"{value:.15g}")
        index += run
    return " ".join(made)
