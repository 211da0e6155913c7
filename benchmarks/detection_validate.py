"""Whether the replay records what `promtool test rules` records, sample by sample.

Small random series with gaps and stale markers under rules that lean on everything the replay does itself: recursion,
rules that read a later one of their group, `for`, `keep_firing_for`, templated labels, `ALERTS`. All in groups of one
minute, since promtool knows no other interval. Exit 1 when they differ.
"""

import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from detection_engine import STALE, Labels, engine, labels
from detection_replay import Replay, load

MINUTES, SERIES, START = 400, 6, 1_772_409_600
EVERYTHING = '{__name__=~"r:.*|ALERTS"}'
RULES = yaml.safe_load("""
groups:
- name: all
  interval: 1m
  rules:
  - {record: r:sum, expr: "sum by (k) (max_over_time(x[3m])) > 2"}
  - {record: r:memory, expr: "sum by (k) (r:sum * 0 + 1) or last_over_time(r:memory[15m] offset 2m) * 0.9 > 0.3"}
  - {record: r:before, expr: "count by (k) (r:later)"}
  - {record: r:later, expr: "x > 5 unless on (k) r:memory > 0.95"}
  - {alert: Held, expr: "x > 5", for: 2m, labels: {window: 10m, who: "{{ $labels.k }}"}}
  - {alert: Kept, expr: "r:sum", keep_firing_for: 5m}
  - alert: Both
    expr: r:memory unless on (k) last_over_time(ALERTS{alertname="Held", alertstate="firing"}[10m])
    for: 3m
    keep_firing_for: 4m
""")
Recorded = dict[int, dict[str, float]]


def samples(seed: int) -> list[tuple[str, str, list[str]]]:
    """Labels and the values of every minute, as promtool writes them."""
    dice, found = random.Random(seed), []
    for number in range(SERIES):
        values: list[str] = []
        value, present = "0", True
        for _ in range(MINUTES):
            if dice.random() < 0.03:
                present = not present
            if dice.random() < 0.15:
                value = dice.choice("0134679")
            if dice.random() < 0.03:
                values.append("_")
            elif present:
                values.append(value)
            else:
                values.append("_" if not values or values[-1] in ("_", "stale") else "stale")
        found.append((f"k{number % 3}", f"s{number}", values))
    return found


def by_promtool(series: list[tuple[str, str, list[str]]], home: Path) -> Recorded:
    """promtool tells what an expression gives when it is expected to give something else."""
    questions = [
        {"expr": EVERYTHING, "eval_time": f"{minute}m", "exp_samples": [{"labels": "never", "value": 1}]}
        for minute in range(MINUTES)
    ]
    inputs = [{"series": f'x{{k="{k}",s="{s}"}}', "values": " ".join(values)} for k, s, values in series]
    test = {"interval": "1m", "input_series": inputs, "promql_expr_test": questions}
    content = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (home / "test.yaml").write_text(yaml.safe_dump(content, width=1_000_000))
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yaml"], cwd=home, capture_output=True, text=True, check=False
    )
    found: Recorded = {}
    for at, got in re.findall(r"time: (\S+),\s*\n\s*exp:.*\n\s*got:(.*)", done.stdout + done.stderr):
        minute = sum(int(n) * {"h": 60, "m": 1, "s": 0}[unit] for n, unit in re.findall(r"(\d+)([hms])", at))
        vector = re.findall(r"(\{.*?\}) ([-0-9.E+]+)(?:, |$)", got.strip())
        found[minute] = {_key(tuple(re.findall(r'(\w+)="([^"]*)"', key))): float(value) for key, value in vector}
    return found


def by_replay(series: list[tuple[str, str, list[str]]], rules: Path) -> Recorded:
    with engine() as prometheus:
        for k, s, values in series:
            numbers = [STALE if value == "stale" else value for value in values]
            prometheus.add(
                labels(__name__="x", k=k, s=s),
                [((START + at * 60) * 1000, float(each)) for at, each in enumerate(numbers) if each != "_"],
            )
        prometheus.flush()
        loaded = load([rules])
        for rule in loaded:
            rule.offset = 0.0
        Replay(prometheus, loaded, START, START + MINUTES * 60 - 1).run(
            [rule.name for rule in loaded], every_alert=True
        )
        return {
            minute: {_key(key): value for key, value in prometheus.instant(EVERYTHING, START + minute * 60).items()}
            for minute in range(MINUTES)
        }


def _key(pairs: Labels) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(pairs))


def main() -> None:
    compared = differ = 0
    for seed in range(3):
        with tempfile.TemporaryDirectory() as directory:
            rules = Path(directory) / "rules.yaml"
            rules.write_text(yaml.safe_dump(RULES))
            series = samples(seed)
            expected, found = by_promtool(series, Path(directory)), by_replay(series, rules)
        assert len(expected) == MINUTES, "promtool said something else"
        for minute in range(MINUTES):
            compared += len(expected[minute])
            wrong = {
                key
                for key in expected[minute].keys() | found[minute].keys()
                if abs(expected[minute].get(key, 1e9) - found[minute].get(key, -1e9)) > 1e-6
            }
            if wrong:
                print(f"series {seed}, minute {minute}: {sorted(wrong)}")
            differ += len(wrong)
    print(f"{compared} samples that promtool recorded, {differ} the replay did not record alike")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
