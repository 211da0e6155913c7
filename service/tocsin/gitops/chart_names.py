"""What a chart names its workloads, and how a table of charts says so. Pure.

A row is a kind, a name, labels and conditions. In a text, `{full}` and `{name}` are the chart's `fullname` and `name`
(templates/_helpers.tpl, nearly the same in every chart), `{release}` is the release, `{namespace}` is left for whoever
knows it, and `{a.b:c}` the value of `a.b`,
or else `c`. Conditions, all of which must hold: `a.b` is not switched off, `+a.b` is switched on, `!a.b` is not
switched on, `a.b=c`, `a.b!=c`, `a.b~c` is not set or is a list with `c`, `+a.b~c` is a list with `c`. A value that is
set to null is not set, as in Helm.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from tocsin.gitops.pod_template import COMPONENT, INSTANCE, NAME, Labels, at, label
from tocsin.pod_names import LONGEST_POD, is_kubernetes_name
from tocsin.policy.fields import mapping

_KINDS: Final = {each.lower(): each for each in ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")} | {
    "pvc": "Deployment",  # grafana persistence.type
    "sts": "StatefulSet",
    "standalone": "Deployment",  # minio mode
    "distributed": "StatefulSet",
    "agent": "DaemonSet",  # vector role
    "aggregator": "StatefulSet",
    "stateless-aggregator": "Deployment",
}
_HOLE: Final = re.compile(r"\{([^{}:]+)(?::([^{}]*))?\}")
_CONDITION: Final = re.compile(r"(?P<mode>[+!]?)(?P<path>[^=~!]+)(?:(?P<test>=|!=|~)(?P<text>.+))?")


@dataclass(frozen=True, slots=True)
class Rendered:
    """One workload. `labels` are those that its pods are sure to have, sorted; there may be others.

    `part` tells the workloads of a release apart; it is empty for the main one and where there is only one.
    """

    kind: str
    name: str
    labels: Labels = ()
    part: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One workload of a chart, in texts with holes. `part` is set where the name does not tell it."""

    kind: str
    name: str
    labels: Labels
    when: tuple[str, ...] = ()
    part: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """`subcharts` are the charts it contains, each with the condition on this chart's values.

    `name` is set where it is not the chart's own, `longest` where the full name is cut earlier. Where not `merges`, the
    name is appended even to a release that contains it; where not `overrides`, no value changes the names.
    """

    rows: tuple[Row, ...]
    name: str = ""
    longest: int = LONGEST_POD
    merges: bool = True
    overrides: bool = True
    subcharts: tuple[tuple[str, str], ...] = ()


def standard(component: str = "", name: str = "{name}", **more: str) -> Labels:
    """The labels of nearly every chart; `more` are of keys without a prefix."""
    found = ((NAME, name), (INSTANCE, "{release}"), *more.items())
    return (*found, (COMPONENT, component)) if component else found


def row(kind: str, name: str, *when: str, labels: Labels | None = None, part: str = "") -> Row:
    return Row(kind, name, standard() if labels is None else labels, when, part)


def component(kind: str, name: str, *when: str) -> Row:
    """A workload that is called, and labelled, after its component."""
    return row(kind, f"{{full}}-{name}", *when, labels=standard(name))


def fixed(kind: str, name: str, *when: str, key: str = "app", more: Labels = ()) -> Row:
    """A workload whose name does not depend on the release and is the value of a label."""
    return Row(kind, name, ((key, name), *more), when)


def single(kind: str, *when: str, labels: Labels | None = None) -> Chart:
    return Chart((row(kind, "{full}", *when, labels=labels),))


def several(*rows: Row) -> Chart:
    return Chart(rows)


def workloads(
    charts: Mapping[str, Chart], chart: str, release: str, values: Mapping[str, Any]
) -> tuple[Rendered, ...] | None:
    """What the release renders; None for a chart that is not in the table.

    A name that Kubernetes would not accept or that is too long for a label is left out; one with a variable of Flux
    stands as it is. Raises TypeError for values that have another type than the chart's.
    """
    known = charts.get(chart)
    if known is None:
        return None
    found = list(_own(known, chart, release, values))
    for subchart, condition in known.subcharts:
        if _holds(condition, values):
            for each in workloads(charts, subchart, release, mapping(values, subchart)) or ():
                found.append(replace(each, part="-".join(filter(None, (subchart, each.part)))))
    return (replace(found[0], part=""),) if len(found) == 1 else tuple(found)


def _own(chart: Chart, chart_name: str, release: str, values: Mapping[str, Any]) -> Iterator[Rendered]:
    name = _override(chart, values, "nameOverride") or chart.name or chart_name
    full = _fullname(chart, name, release, values)
    known = {"full": full, "name": _cut(name, LONGEST_POD), "release": release, "namespace": "{namespace}"}
    for each in chart.rows:
        kind = _KINDS.get(_filled(each.kind, known, values).lower())
        own = _filled(each.name, known, values)
        if kind is None or not _is_name(own) or not all(_holds(condition, values) for condition in each.when):
            continue
        labels = {key: _filled(text, known, values) for key, text in each.labels}
        part = each.part or ("" if own == full else own.removeprefix(f"{full}-"))
        yield Rendered(kind, own, tuple(sorted(labels.items())), part)


def _fullname(chart: Chart, name: str, release: str, values: Mapping[str, Any]) -> str:
    full = _override(chart, values, "fullnameOverride")
    if not full:
        full = release if chart.merges and name in release else f"{release}-{name}"
    return _cut(full, chart.longest)


def _override(chart: Chart, values: Mapping[str, Any], key: str) -> str:
    return _text(values, key) if chart.overrides else ""


def _cut(name: str, longest: int) -> str:
    return name if "$" in name else name[:longest].removesuffix("-")


def _is_name(name: str) -> bool:
    return "$" in name or (len(name) <= LONGEST_POD and is_kubernetes_name(name))


def _filled(text: str, known: Mapping[str, str], values: Mapping[str, Any]) -> str:
    return _HOLE.sub(lambda hole: known.get(hole[1]) or _text(values, hole[1]) or hole[2] or "", text)


def _holds(condition: str, values: Mapping[str, Any]) -> bool:
    parsed = _CONDITION.fullmatch(condition)
    if parsed is None:
        raise ValueError(f"not a condition: {condition}")
    path, mode, text = parsed["path"], parsed["mode"], parsed["text"]
    match parsed["test"]:
        case "=":
            return _text(values, path) == text
        case "!=":
            return _text(values, path) != text
    value = _value(values, path)
    if value is None:
        return mode != "+"
    if parsed["test"] == "~":
        return isinstance(value, list) and text in value
    return bool(value) is (mode != "!")


def _text(values: Mapping[str, Any], path: str) -> str:
    value = _value(values, path)
    return "" if value is None else label(value)


def _value(values: Mapping[str, Any], path: str) -> Any:
    *parents, key = path.split(".")
    return at(values, parents).get(key)
