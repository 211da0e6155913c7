"""What rule packs cost at 200 workloads with 200 names each, side by side, in a real Prometheus.

    detection_cost.py [--workloads 200] [--names 200] [--minutes 5] [NAME=]RULES ...

Prometheus scrapes the raw series once a minute. What a pack records and looks back on is written as it would be after
as long as the pack looks back; which series these are is found by evaluating the pack over a quarter of an hour. Every
group is evaluated once a minute, whatever its interval. The CPU that takes is shared out among the groups by the time
each takes, and then divided by the interval the group really has.
"""

import argparse
import http.client
import http.server
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from detection import packs
from detection_engine import Engine, Labels, engine, labels, packed
from detection_replay import Replay, groups, load, seconds

WARM = 30 * 60
"""Seconds of raw samples before the rules begin."""
MOST = 8 * 86_400 + 5_400


def raw(workloads: int, names: int) -> Iterator[tuple[Labels, float]]:
    """The series of pods that run all the time, and how fast they count in a second."""
    for number in range(workloads):
        name, namespace = f"app-{number}", f"ns-{number % 20}"
        owner = f"{name}-6c7f8b9d54"
        pod = f"{owner}-x{number % 10}k2p"
        node = {"instance": f"10.0.0.1{number % 3}"}
        hubble = {"source_namespace": namespace, "source_pod": pod, "source_workload": name, "qtypes": "A", **node}
        for asked in range(names):
            query = f"host-{asked}.vendor-{asked // 3}-{number % 7}.example."
            yield labels(__name__="hubble_dns_queries_total", job="hubble-metrics", query=query, **hubble), 0.01
        about = {"namespace": namespace, "pod": pod, **node}
        counted = {"__name__": "container_network_transmit_bytes_total", "interface": "eth0", "id": f"/kubepods/{pod}"}
        yield labels(job="kubelet", **counted, **about), 20_000.0
        yield labels(__name__="kube_pod_info", host_network="false", job="kube-state-metrics", **about), 0.0
        owned = {"owner_kind": "ReplicaSet", "owner_name": owner, "owner_is_controller": "true"}
        yield labels(__name__="kube_pod_owner", job="kube-state-metrics", **owned, **about), 0.0


def value(rate: float, at: float) -> float:
    return rate * (at % 100_000_000) if rate else 1.0


def write_raw(prometheus: Engine, series: list[tuple[Labels, float]], start: float, end: float) -> None:
    shared: dict[float, bytes] = {}
    times = range(int(start), int(end), 60)
    for each, rate in series:
        if rate not in shared:
            shared[rate] = packed([(at * 1000, value(rate, at)) for at in times])
        prometheus.add_packed(each, shared[rate], len(times))
    prometheus.flush()


def looked_back_on(paths: list[Path]) -> dict[str, tuple[float, float]]:
    """For each recorded name that is read with a range: how far back, and the interval of its group, in seconds."""
    rules = load(paths)
    found: dict[str, tuple[float, float]] = {}
    for rule in rules:
        pattern = rf"{re.escape(rule.name)}(?:\{{[^}}]*\}})?\[(\w+)\](?:\s+offset\s+(\w+))?"
        spans = [
            seconds(span) + seconds(offset) for other in rules for span, offset in re.findall(pattern, other.expression)
        ]
        if spans and not rule.alert:
            found[rule.name] = (min(MOST, max(spans)), rule.interval)
    return found


def recorded(paths: list[Path], series: list[tuple[Labels, float]], end: float) -> dict[str, dict[Labels, float]]:
    """What the pack records of these series at the end of a quarter of an hour."""
    with engine("--query.max-samples=500000000") as prometheus:
        write_raw(prometheus, series, end - WARM - 900, end)
        names = looked_back_on(paths)
        Replay(prometheus, load(paths), end - 900, end).run(names)
        return {name: prometheus.instant(f"last_over_time({name}[15m])", end) for name in names}


def write_past(prometheus: Engine, paths: list[Path], found: dict[str, dict[Labels, float]], end: float) -> int:
    """Writes as much of it as the pack looks back on. Returns the number of samples."""
    count = 0
    for name, (span, interval) in looked_back_on(paths).items():
        times = [end - interval * k for k in range(int(span // interval), 0, -1)]
        shared: dict[float, bytes] = {}
        for each, last in found[name].items():
            # A value that is the time when something was seen last was so throughout.
            stamp = abs(last - end) < 86_400
            key = -1.0 if stamp else last
            if key not in shared:
                shared[key] = packed([(round(at * 1000), at if stamp else last) for at in times])
            prometheus.add_packed(each, shared[key], len(times))
            count += len(times)
    prometheus.flush()
    return count


@contextmanager
def exposition(series: list[tuple[Labels, float]]) -> Iterator[str]:
    """Serves the raw series; the value is `host:port`."""
    keys = []
    for each, rate in series:
        text = ",".join(f'{name}="{val}"' for name, val in each if name != "__name__")
        keys.append((dict(each)["__name__"] + "{" + text + "} ", rate))

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            now = time.time()
            values = {rate: f"{value(rate, now):.0f}\n" for rate in {rate for _, rate in keys}}
            body = "".join(key + values[rate] for key, rate in keys).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def own_metrics(prometheus: Engine) -> dict[str, float]:
    line = http.client.HTTPConnection(prometheus.address, timeout=60)
    line.request("GET", "/metrics")
    text = line.getresponse().read().decode()
    line.close()
    return {key: float(val) for key, _, val in (row.rpartition(" ") for row in text.splitlines() if row[:1] != "#")}


def measure(name: str, paths: list[Path], series: list[tuple[Labels, float]], minutes: int) -> dict[str, float]:
    """Seconds of CPU a minute for each group."""
    now = time.time()
    found = recorded(paths, series, now)
    with tempfile.TemporaryDirectory() as directory, exposition(series) as target:
        home = Path(directory)
        every = [group | {"interval": "1m"} for path in paths for group in groups(path)]
        intervals = {g["name"]: seconds(g.get("interval", "1m")) for path in paths for g in groups(path)}
        (home / "rules.yml").write_text(yaml.safe_dump({"groups": every}))
        scrape = {
            "job_name": "all", "honor_labels": True, "scrape_interval": "1m", "scrape_timeout": "50s",
            "static_configs": [{"targets": [target]}],
        }  # fmt: skip
        with engine("--web.enable-lifecycle", configuration="") as prometheus:
            now = time.time()
            count = write_past(prometheus, paths, found, now)
            write_raw(prometheus, series, now - WARM, now)
            print(f"{name}: {count / 1e6:.0f} million samples of the past in {time.time() - now:.0f} s", flush=True)
            _load(prometheus, {"scrape_configs": [scrape]})
            time.sleep(75)
            before = own_metrics(prometheus)["process_cpu_seconds_total"]
            time.sleep(60)
            scraping = own_metrics(prometheus)["process_cpu_seconds_total"] - before
            _load(prometheus, {"scrape_configs": [scrape], "rule_files": [str(home / "rules.yml")]})
            # Every group has had its turn, and those that read them another one.
            time.sleep(130)
            began, before = time.time(), own_metrics(prometheus)["process_cpu_seconds_total"]
            took: dict[str, list[float]] = {group: [] for group in intervals}
            for _ in range(minutes):
                time.sleep(60)
                metrics = own_metrics(prometheus)
                for key, val in metrics.items():
                    if mentioned := re.match(
                        r'prometheus_rule_group_last_duration_seconds\{rule_group="[^"]*;(.*)"\}', key
                    ):
                        took[mentioned[1]].append(val)
            failures = sum(v for k, v in metrics.items() if k.startswith("prometheus_rule_evaluation_failures_total"))
            used = (metrics["process_cpu_seconds_total"] - before) / (time.time() - began) * 60 - scraping
        took_at_once = {group: statistics.median(values) for group, values in took.items()}
        total = sum(took_at_once.values())
        print(
            f"{name}: {failures:.0f} evaluations failed; every group once a minute takes {total:.1f} s by the clock, "
            f"{used:.1f} s of CPU; scraping takes {scraping:.1f} s of CPU a minute",
            flush=True,
        )
        # The clock also counts what others do on this machine; the process's CPU is what the evaluation takes.
        return {group: once * used / total * 60 / intervals[group] for group, once in took_at_once.items()}


def _load(prometheus: Engine, configuration: dict[str, Any]) -> None:
    prometheus.configuration.write_text(yaml.safe_dump(configuration))
    line = http.client.HTTPConnection(prometheus.address, timeout=60)
    line.request("POST", "/-/reload")
    answer = line.getresponse()
    if answer.status != 200:
        raise RuntimeError(answer.read().decode())
    line.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rules", nargs="*")
    parser.add_argument("--workloads", type=int, default=200)
    parser.add_argument("--names", type=int, default=200)
    parser.add_argument("--minutes", type=int, default=5)
    given = parser.parse_args()
    series = list(raw(given.workloads, given.names))
    lines = ["| rules | group | seconds of CPU a minute | of one core |", "|---|---|---|---|"]
    for name, paths in packs(given.rules).items():
        found = measure(name, paths, series, given.minutes)
        rows = [*found.items(), ("all", sum(found.values()))]
        lines += [f"| {name} | {group} | {took:.2f} | {took / 60:.1%} |" for group, took in rows]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
