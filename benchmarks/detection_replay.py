"""Alerting rules replayed over a simulated past, in the engine of a real Prometheus.

Prometheus cannot run faster than time, and `promtool test rules` knows neither the intervals of groups nor more than
10,000 samples. Here Prometheus holds the past and evaluates every expression; this module plays its rule manager:

* a group is evaluated at its own interval and offset, its rules in order, and not at all while Prometheus is down;
* what a rule records, a later evaluation reads; a series that vanishes gets a stale marker;
* alerts go through `for` and `keep_firing_for`, and `ALERTS` is recorded when a rule asks for it.

An expression only reads what is older than itself, so a rule that does not depend on its own past is evaluated for
hours at once, in order of dependence. Rules that do are evaluated step by step. `for` does not start anew after an
outage.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from detection_engine import STALE, Engine, EvaluationFailed, Labels, Vector

CHUNK = 12 * 3600
"""Seconds evaluated at once."""


@dataclass
class Rule:
    group: int
    place: int
    interval: float
    offset: float
    name: str
    alert: bool
    expression: str
    extra: dict[str, str]
    hold: float = 0.0
    keep: float = 0.0
    needs: set[int] = field(default_factory=set)
    # What the rule manager remembers between two evaluations.
    written: set[Labels] = field(default_factory=set)
    keys: dict[Labels, Labels] = field(default_factory=dict)
    active: dict[Labels, list[float]] = field(default_factory=dict)


@dataclass
class Episode:
    """One alert from its first firing to its last, Unix times."""

    labels: dict[str, str]
    began: float
    ended: float


def load(paths: Iterable[Path]) -> list[Rule]:
    """The rules of plain files and PrometheusRule objects."""
    rules: list[Rule] = []
    for number, group in enumerate(group for path in paths for group in groups(path)):
        interval = seconds(group.get("interval", "1m"))
        for place, raw in enumerate(group["rules"]):
            rules.append(
                Rule(
                    number,
                    place,
                    interval,
                    3.0 + 7.0 * number,
                    raw.get("alert") or raw["record"],
                    "alert" in raw,
                    raw["expr"],
                    raw.get("labels", {}),
                    seconds(raw.get("for", "0s")),
                    seconds(raw.get("keep_firing_for", "0s")),
                )
            )
    _find_needs(rules)
    return rules


def groups(path: Path) -> list[dict[str, Any]]:
    """The rule groups of a plain file or of PrometheusRule objects."""
    documents = [each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each]
    return [group for document in documents for group in document.get("spec", document)["groups"]]


def seconds(duration: str) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+)(ms|[smhdwy])", duration))


def _find_needs(rules: list[Rule]) -> None:
    for at, rule in enumerate(rules):
        words = set(
            re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.sub(r'"(?:\\.|[^"\\])*"|\'[^\']*\'', "", rule.expression))
        )
        named = set(re.findall(r'alertname="([^"]+)"', rule.expression))
        for other_at, other in enumerate(rules):
            if other.alert:
                needed = "ALERTS" in words and (not named or other.name in named)
            else:
                needed = other.name in words
            if needed:
                rule.needs.add(other_at)
                # It sees the round before, of a rule that comes later in its own group: both must go step by step.
                if other.group == rule.group and other.place > rule.place:
                    other.needs.add(at)


def _in_order(rules: list[Rule], wanted: Iterable[int]) -> list[list[int]]:
    """The wanted rules and what they need, in groups that depend on each other, what is needed first (Tarjan)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    found: list[list[int]] = []

    def visit(at: int) -> None:
        index[at] = low[at] = len(index)
        stack.append(at)
        for other in sorted(rules[at].needs):
            if other not in index:
                visit(other)
                low[at] = min(low[at], low[other])
            elif other in stack:
                low[at] = min(low[at], index[other])
        if low[at] == index[at]:
            members = stack[stack.index(at) :]
            del stack[stack.index(at) :]
            found.append(sorted(members))

    for at in wanted:
        if at not in index:
            visit(at)
    return found


class Replay:
    """The rules over a past from `start` to `end`; Prometheus is down in `outages`. Unix times."""

    def __init__(
        self, engine: Engine, rules: list[Rule], start: float, end: float, outages: Sequence[tuple[float, float]] = ()
    ) -> None:
        self._engine, self._rules, self._start, self._end, self._outages = engine, rules, start, end, outages
        self._asked_for = {need for rule in rules for need in rule.needs}
        self._episodes: dict[Labels, list[Episode]] = {}
        self.failures: dict[str, int] = {}

    def run(self, names: Iterable[str], *, every_alert: bool = False) -> list[Episode]:
        """Evaluates the rules of these names and what they depend on. Returns when alerts fired, by time.

        `every_alert` records `ALERTS` also of those no rule asks for.
        """
        if every_alert:
            self._asked_for.update(range(len(self._rules)))
        for members in _in_order(self._rules, [at for at, rule in enumerate(self._rules) if rule.name in set(names)]):
            if len(members) == 1 and members[0] not in self._rules[members[0]].needs:
                self._at_once(members[0])
            else:
                self._step_by_step(members)
        return sorted((e for found in self._episodes.values() for e in found), key=lambda e: e.began)

    def _times(self, rule: Rule) -> list[float]:
        count = int((self._end - self._start - rule.offset) // rule.interval) + 1
        return [self._start + rule.offset + rule.interval * k for k in range(count)]

    def _down(self, at: float) -> bool:
        return any(begin <= at < end for begin, end in self._outages)

    def _at_once(self, number: int) -> None:
        rule = self._rules[number]
        times = self._times(rule)
        size = max(1, int(CHUNK // rule.interval))
        for first in range(0, len(times), size):
            piece = times[first : first + size]
            samples: dict[Labels, list[tuple[int, float]]] = {}
            for at, vector in self._vectors(rule, piece):
                self._settle(number, at, vector, samples)
            for series, found in samples.items():
                self._engine.add(series, found)
            self._engine.flush()

    def _vectors(self, rule: Rule, times: list[float]) -> Iterator[tuple[float, Vector | None]]:
        try:
            found = self._engine.over(rule.expression, times[0], times[-1], rule.interval)
        except EvaluationFailed:
            for at in times:
                yield at, self._evaluate(rule, at)
            return
        columns: dict[float, list[tuple[Labels, float]]] = {at: [] for at in times}
        # Prometheus counts in milliseconds.
        exact = {round(at, 3): at for at in times}
        for metric, values in found.items():
            for at, value in values:
                columns[exact[at]].append((metric, value))
        for at, column in columns.items():
            yield at, dict(column)

    def _evaluate(self, rule: Rule, at: float) -> Vector | None:
        try:
            return self._engine.instant(rule.expression, at)
        except EvaluationFailed as reason:
            self._failed(rule, str(reason))
            return None

    def _failed(self, rule: Rule, reason: str) -> None:
        key = f"{rule.name}: {reason[:200]}"
        self.failures[key] = self.failures.get(key, 0) + 1

    def _step_by_step(self, members: list[int]) -> None:
        steps = sorted(
            (at, self._rules[number].group, self._rules[number].place, number)
            for number in members
            for at in self._times(self._rules[number])
        )
        for at, _, _, number in steps:
            if self._down(at):
                continue
            samples: dict[Labels, list[tuple[int, float]]] = {}
            self._settle(number, at, self._evaluate(self._rules[number], at), samples)
            for series, found in samples.items():
                self._engine.add(series, found)
            self._engine.flush()

    def _settle(
        self, number: int, at: float, vector: Vector | None, samples: dict[Labels, list[tuple[int, float]]]
    ) -> None:
        """What follows of one evaluation: samples to write, alerts that begin, go on and end."""
        rule = self._rules[number]
        if any(end <= at < end + rule.interval for _, end in self._outages):
            rule.written = set()
        if vector is None or self._down(at):
            return
        made: Vector = {}
        for metric, value in vector.items():
            key = rule.keys.get(metric) or rule.keys.setdefault(metric, _recorded(rule, metric))
            if key in made:
                self._failed(rule, "the same labels twice")
                return
            made[key] = value
        if rule.alert:
            made = self._alerts(rule, at, made)
            if number not in self._asked_for:
                return
        stamp = round(at * 1000)
        for key, value in made.items():
            samples.setdefault(key, []).append((stamp, value))
        for key in rule.written - made.keys():
            samples.setdefault(key, []).append((stamp, STALE))
        rule.written = set(made)

    def _alerts(self, rule: Rule, at: float, found: Vector) -> Vector:
        for key in found:
            rule.active.setdefault(key, [at, math.nan, math.nan])[2] = math.nan
        states: Vector = {}
        for key, state in list(rule.active.items()):
            since, firing, missing = state
            if key not in found:
                state[2] = missing = at if math.isnan(missing) else missing
                if math.isnan(firing) or at - missing >= rule.keep:
                    del rule.active[key]
                    continue
            if math.isnan(firing) and at - since >= rule.hold:
                state[1] = firing = at
                self._episodes.setdefault(key, []).append(Episode(dict(key), at, at))
            if not math.isnan(firing):
                self._episodes[key][-1].ended = at
            name = "pending" if math.isnan(firing) else "firing"
            states[tuple(sorted((*key, ("__name__", "ALERTS"), ("alertstate", name))))] = 1.0
        return states


def _recorded(rule: Rule, metric: Labels) -> Labels:
    """The labels a rule gives to what its expression finds."""
    own = {name: text for name, text in metric if name != "__name__"}
    own.update({name: _filled(text, own) for name, text in rule.extra.items()})
    own["alertname" if rule.alert else "__name__"] = rule.name
    return tuple(sorted((name, text) for name, text in own.items() if text))


def _filled(text: str, own: dict[str, str]) -> str:
    return re.sub(r"\{\{ *\$labels\.(\w+) *\}\}", lambda found: own.get(found[1], ""), text)
