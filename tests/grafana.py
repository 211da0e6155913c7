"""The committed Grafana dashboard: its parts, and its queries as Grafana sends them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPONENT = Path(__file__).parents[1] / "kustomize" / "components" / "dashboard"
FILE = COMPONENT / "tocsin-egress.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
ROWS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] == "row"]
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ANNOTATIONS: list[dict[str, Any]] = DASHBOARD["annotations"]["list"]
VARIABLES: dict[str, dict[str, Any]] = {each["name"]: each for each in DASHBOARD["templating"]["list"]}

_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)(?::\w+)?\}")
_LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")


@dataclass(frozen=True)
class Query:
    """One query; `owner` is the panel, annotation or variable, `name` what tells it from the others of that owner."""

    owner: str
    name: str
    expression: str
    instant: bool = False
    legend: str = ""


def targets() -> Iterator[Query]:
    """The queries of the panels."""
    for panel in PANELS:
        for each in panel["targets"]:
            legend = each.get("legendFormat", "")
            yield Query(panel["title"], each["refId"], each["expr"], each.get("instant", False), legend)


def annotations() -> Iterator[Query]:
    """The queries of the annotations."""
    for each in ANNOTATIONS:
        yield Query(each["name"], "annotation", each["target"]["expr"], legend=each["textFormat"])


def label_values() -> Iterator[tuple[str, str, str]]:
    """Of each variable that is a query: its name, the selector, and the label whose values it offers."""
    for name, variable in VARIABLES.items():
        if variable["type"] == "query":
            found = _LABEL_VALUES.fullmatch(variable["query"]["query"])
            assert found and variable["definition"] == variable["query"]["query"]
            yield name, found[1], found[2]


def filled_in(text: str, values: Mapping[str, str]) -> str:
    """`text` with the variables replaced. Like Grafana, it leaves what no variable is called, `$1` for example."""
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[2], found[0]), text)
