"""Which workloads' names are not watched, as a cascade of patterns. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tocsin.classify import AppsFile, is_pattern
from tocsin.enrich import promql
from tocsin.model import Posture
from tocsin.rules.patterns import globs


@dataclass(frozen=True, slots=True)
class Run:
    """Workloads (`namespace/workload`) that match `pattern`, RE2, are watched or not; a later run overrules."""

    watched: bool
    pattern: str

    @property
    def quoted(self) -> str:
        """The pattern as a PromQL string."""
        return promql.quote(self.pattern)


def runs(apps: AppsFile, ignored: Iterable[str]) -> list[Run]:
    """At most three: patterns of unbounded workloads, what of them is watched after all, single unbounded workloads.

    The more specific entry of apps.yaml counts, as everywhere. Of two patterns that only overlap, the unbounded one
    does. What is `ignored` is not watched whatever apps.yaml says.
    """
    unbounded = [entry.match for entry in apps.apps if entry.posture is Posture.UNBOUNDED] + list(ignored)
    globs_, single = [m for m in unbounded if is_pattern(m)], [m for m in unbounded if not is_pattern(m)]
    within = [
        entry.match
        for entry in apps.apps
        if entry.posture is not Posture.UNBOUNDED and any(_covers(each, entry.match) for each in globs_)
    ]
    return [
        Run(watched, _pattern(found)) for watched, found in ((False, globs_), (True, within), (False, single)) if found
    ]


def _covers(pattern: str, match: str) -> bool:
    """Whether everything that `match` selects, `pattern` selects as well."""
    return fnmatchcase(match if "/" in match else f"*/{match}", pattern if "/" in pattern else f"*/{pattern}")


def _pattern(matches: Sequence[str]) -> str:
    anywhere, somewhere = [m for m in matches if "/" not in m], [m for m in matches if "/" in m]
    return "|".join([f".*/(?:{globs(anywhere)})"] * bool(anywhere) + [globs(somewhere)] * bool(somewhere))
