"""The past of a Prometheus: samples of days gone by, and what recording rules would have made of them.

promtool can do the second as well (`create-blocks-from rules`), but it leaves a block for every rule and two hours,
which takes a minute or two, and it does not know which rules use what others recorded.
"""

import http.client
import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

from tocsin.demo import exposition, program
from tocsin.section import parse_duration

IMPORTER = "promtool"
POINTS = 10_000
"""Asked for at a time; Prometheus answers at most 11,000 points a series."""
ANSWERS_WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule, evaluated every so many seconds."""

    name: str
    expression: str
    labels: Mapping[str, str]
    every: float


def samples(file: Path, data: Path) -> None:
    """Imports a file in OpenMetrics into the directory of a Prometheus that does not run. Raises ProgramBroken."""
    # Few large blocks instead of one for every two hours: the tool reads the whole file once for each.
    command = [
        IMPORTER, "tsdb", "create-blocks-from", "openmetrics", "--quiet", "--max-block-duration=480h",
        str(file), str(data),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise program.ProgramBroken(f"{IMPORTER} cannot import {file}: {done.stderr.strip()[-500:]}")


def recordings(files: Iterable[Path], data: Path, serve: Callable[[], AbstractContextManager[str]]) -> None:
    """Adds what the recording rules in `files` would have recorded from the samples in `data`, up to the last one.

    `serve` runs a Prometheus over `data` and yields its address; it is started again whenever there is more to read.
    A rule that uses its own past (a memory) finds none, and is right as far as the samples themselves reach.
    Raises ProgramBroken.
    """
    start, end = _span(data)
    made = data.parent / "recordings.om"
    remaining = list(passes(recording_rules(files)))
    while remaining:
        with serve() as url, made.open("w", encoding="utf-8") as out:
            while remaining and not out.tell():  # what recorded nothing gives the next ones nothing to read
                with ThreadPoolExecutor(2) as two:
                    for lines in two.map(lambda rule: list(_recorded(rule, url, start, end)), remaining.pop(0)):
                        out.writelines(lines)
            recorded = out.tell()
            out.write("# EOF\n")
        if recorded:
            samples(made, data)
    made.unlink()


def recording_rules(files: Iterable[Path]) -> list[Recording]:
    """The recording rules of rule files; each group must state its interval."""
    found = []
    for file in files:
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            every = parse_duration(group["interval"]).total_seconds()
            for rule in group["rules"]:
                if "record" in rule:
                    found.append(Recording(rule["record"], rule["expr"], rule.get("labels", {}), every))
    return found


def passes(rules: Iterable[Recording]) -> Iterator[list[Recording]]:
    """The rules in steps: each uses only what earlier steps recorded, and itself. Raises CycleError."""
    by_name: dict[str, list[Recording]] = {}
    for rule in rules:
        by_name.setdefault(rule.name, []).append(rule)
    sorter = TopologicalSorter(
        {
            name: {word for rule in same for word in re.findall(r"[\w:]+", rule.expression)} & (by_name.keys() - {name})
            for name, same in by_name.items()
        }
    )
    sorter.prepare()
    while sorter.is_active():
        names = sorter.get_ready()
        yield [rule for name in names for rule in by_name[name]]
        sorter.done(*names)


def _span(data: Path) -> tuple[float, float]:
    """Unix times of the first and the last sample in the blocks of a Prometheus."""
    blocks = [json.loads(meta.read_text(encoding="utf-8")) for meta in data.glob("*/meta.json")]
    # The end of a block is the first millisecond that is not in it.
    return min(block["minTime"] for block in blocks) / 1000, max(block["maxTime"] - 1 for block in blocks) / 1000


def _recorded(rule: Recording, url: str, start: float, end: float) -> Iterator[str]:
    """What the rule records from `start` to `end`, the last time at `end`, as lines of OpenMetrics."""
    at = end - (end - start) // rule.every * rule.every
    while at <= end:
        last = min(at + (POINTS - 1) * rule.every, end)
        for found in _ask(url, query=rule.expression, start=at, end=last, step=rule.every):
            labels = {**found["metric"], **rule.labels}
            labels.pop("__name__", None)
            key = exposition.series(rule.name, labels)
            yield from (f"{key} {value} {when:.3f}\n" for when, value in found["values"])
        at = last + rule.every


def _ask(url: str, **parameters: str | float) -> list[dict[str, Any]]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=ANSWERS_WITHIN)
    try:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/api/v1/query_range", urlencode(parameters), form)
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    if answer["status"] != "success":
        raise program.ProgramBroken(f"Prometheus cannot evaluate {parameters['query']}: {answer['error']}")
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result
