"""Asks, and makes the lines."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from tocsin.detection import names, pods, rules
from tocsin.detection.answers import Answers, Said, note
from tocsin.detection.questions import questions
from tocsin.enrich.prometheus import Prometheus, Sample
from tocsin.errors import LookupFailed

OLDEST_VERSION: Final = (2, 42)
"""Of Prometheus: the oldest that the rules are tested with."""
_WITHIN: Final = 30.0

CHECKS: Final[Mapping[str, Callable[[Answers], Said | None]]] = {
    "lookups": names.look_ups,
    "names": names.query,
    "who asks": names.source,
    "AAAA lookups": names.aaaa,
    "case of names": names.case,
    "Hubble": names.agents,
    "Hubble's events": names.events,
    "namespaces": names.namespaces,
    "bytes sent": pods.sent,
    "byte samples": pods.samples,
    "label pod": pods.renamed,
    "kube-state-metrics": pods.state,
    "host network": pods.host_network,
    "rules": rules.loaded,
    "learning": rules.learning,
    "alerts": rules.alerts,
}
"""What is looked at, by the name that its line begins with, in their order."""


async def look(prometheus: Prometheus, learning: timedelta, at: datetime | None = None) -> list[tuple[bool, str]]:
    """Whether each thing is well enough, and the line to print. What could not be asked is a note.

    `learning` is how long the rules learn before they tell; `at` the instant to ask about, now by default.
    """
    try:
        async with asyncio.timeout(_WITHIN):
            version, found = await _version(prometheus), await _ask(prometheus, at)
    except TimeoutError:
        return [(True, f"note  detection: Prometheus did not answer every question within {_WITHIN:g} s")]
    known = Answers(found, prometheus.settings.interface, learning)
    said = {"version": version}
    failed: dict[str, list[str]] = {}
    for name, judge in CHECKS.items():
        try:
            said[name] = judge(known)
        except LookupFailed as failure:
            failed.setdefault(str(failure), []).append(name)
    lines = [(each.level != "wrong", f"{each.level:<5} {name}: {each.text}") for name, each in said.items() if each]
    return lines + [(True, f"note  {', '.join(each)}: not known; Prometheus {why}") for why, each in failed.items()]


async def _ask(prometheus: Prometheus, at: datetime | None) -> dict[str, Sequence[Sample] | LookupFailed]:
    room = asyncio.Semaphore(prometheus.settings.threads)  # the time of a question begins when it is asked for

    async def ask(expression: str) -> Sequence[Sample] | LookupFailed:
        async with room:
            try:
                return await prometheus.query(expression, at)
            except LookupFailed as failure:
                return failure

    asked = questions(prometheus)
    return dict(zip(asked, await asyncio.gather(*map(ask, asked.values())), strict=True))


async def _version(prometheus: Prometheus) -> Said | None:
    """Something to say only of one that is not known to do."""
    try:
        version = await prometheus.version()
    except LookupFailed:
        return None
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if found and (int(found[1]), int(found[2])) >= OLDEST_VERSION:
        return None
    wanted = ".".join(map(str, OLDEST_VERSION))
    return note(
        f"{version or 'none is given'}. The rules need Prometheus {wanted} or newer. Thanos, Mimir and VictoriaMetrics "
        "number themselves otherwise: there, look whether the rules are evaluated without error"
    )
