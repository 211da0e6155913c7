"""What a workload's egress is meant to be. Pure.

Best evidence first: the operator's apps.yaml; an annotation or an agreed comment on a policy; what the structure of the
policies proves; what a comment beside a rule says; the list of well-known apps that ships with tocsin. The first that
says something decides; those that say otherwise are conflicts, shown and not hidden.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tocsin import inert
from tocsin.model import Classification, Evidence, Ground, Posture, Statement, Subject

SOURCE = "apps.yaml"
SHIPPED_SOURCE = "list of well-known apps"
SOURCES = frozenset({SOURCE, SHIPPED_SOURCE})
"""Sources that are words of our own and need no escaping."""
_WILD = re.compile(r"[*?\[]")
_MATCH = re.compile(r"[A-Za-z0-9*?\[\]!._-]+(/[A-Za-z0-9*?\[\]!._-]+)?")
_EXPECTED = re.compile(r"(\*\*\.)?[a-z0-9_*-]+(\.[a-z0-9_*-]+)*")


class AppEntry(BaseModel):
    """What is known of the workloads that `match` selects."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str = Field(description='Glob for the workload, or "namespace/workload".')
    posture: Posture = Field(description="bounded, unbounded, between, lan_only or unknown.")
    expected: tuple[str, ...] = Field(
        (),
        description="Names it may ask for. * matches within one label, a leading **. one or more whole labels.",
    )
    note: str = Field("", description="Shown to whoever reads the message in full.")

    @field_validator("match")
    @classmethod
    def _matchable(cls, value: str) -> str:
        if not _MATCH.fullmatch(value):
            raise ValueError(f'"{value}" matches nothing; write "workload" or "namespace/workload", * for any text')
        return value

    @field_validator("expected")
    @classmethod
    def _readable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        patterns = tuple(pattern.strip().removesuffix(".").lower() for pattern in value)
        for pattern in patterns:
            if pattern in ("*", "**"):
                raise ValueError(f'"{pattern}" would expect every name; say "posture: unbounded" instead')
            if not _EXPECTED.fullmatch(pattern):
                raise ValueError(f'"{pattern}" is not a name or pattern like api.example.com, *.example.com')
        return patterns


class AppsFile(BaseModel):
    """The content of apps.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    apps: tuple[AppEntry, ...] = Field(description="One entry for each workload or group of workloads.")


class ShippedApps(AppsFile):
    """The list that ships with tocsin: a guess about well-known apps, not a word of the operator."""


def classify(subject: Subject, apps: AppsFile, statements: Sequence[Statement] = ()) -> Classification:
    """Weighs everything that is said of the workload. `statements` are those of its policies, the best first."""
    entry, rivals = _entry(subject, apps)
    shipped = isinstance(apps, ShippedApps)
    listed = [_listed(each, shipped=shipped) for each in ([entry] if entry else []) + rivals]
    said = [*statements, *listed] if shipped else [*listed, *statements]
    said = [each for each in said if each.posture is not Posture.UNKNOWN]
    if not said:
        return Classification(
            Posture.UNKNOWN, (Evidence(SOURCE, _why_unknown(subject, entry)),), note=entry.note if entry else ""
        )
    posture = said[0].posture
    evidence = [Evidence(each.source, each.text) for each in said if each.posture is posture]
    conflicts = [Evidence(each.source, each.text) for each in said if each.posture is not posture]
    return Classification(
        posture,
        tuple(dict.fromkeys(evidence)),
        tuple(dict.fromkeys(conflicts)),
        expected=entry.expected if entry else (),
        note=entry.note if entry else "",
        ground=said[0].ground,
    )


def _entry(subject: Subject, apps: AppsFile) -> tuple[AppEntry | None, list[AppEntry]]:
    """The most specific entry that matches, and those as specific that disagree with it.

    An entry that spells out the workload beats a pattern, then more literal characters in the workload beat
    fewer, then a namespace spelled out beats a namespace pattern beats none; of equals the first in the file wins.
    """
    matching = [entry for entry in apps.apps if subject.workload and _matches(entry.match, subject)]
    if not matching:
        return None, []
    best = max(matching, key=lambda entry: _specificity(entry.match))
    equals = [entry for entry in matching if _specificity(entry.match) == _specificity(best.match)]
    return best, [entry for entry in equals if entry.posture is not best.posture]


def _listed(entry: AppEntry, *, shipped: bool) -> Statement:
    source = SHIPPED_SOURCE if shipped else SOURCE
    return Statement(entry.posture, Ground.LISTED, source, f"{entry.match}: {entry.posture.value}")


def _why_unknown(subject: Subject, entry: AppEntry | None) -> str:
    if not subject.workload:
        return "the workload could not be told, so that no entry applies"
    return f"{entry.match}: unknown" if entry else f"no entry matches {inert.text(subject.label)}"


def is_expected(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a normalised name is covered. A name that stands for many needs a pattern that covers them all."""
    return any(_compiled(pattern).fullmatch(name) for pattern in patterns)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    head = r"(?:[a-z0-9_*-]+\.)+" if pattern.startswith("**.") else ""
    rest = re.escape(pattern.removeprefix("**."))
    return re.compile(head + re.sub(r"(?:\\\*)+", "[a-z0-9_-]*", rest))


def _matches(match: str, subject: Subject) -> bool:
    namespace, _, workload = match.rpartition("/")
    if namespace and not fnmatchcase(subject.namespace or "", namespace):
        return False
    return fnmatchcase(subject.workload or "", workload)


def is_pattern(name: str) -> bool:
    """Whether part of a `match` stands for more than one name."""
    return _WILD.search(name) is not None


def _specificity(match: str) -> tuple[bool, int, int, int]:
    namespace, _, workload = match.rpartition("/")
    named = 0 if not namespace else 1 if is_pattern(namespace) else 2
    return (not is_pattern(workload), _literals(workload), named, _literals(namespace))


def _literals(pattern: str) -> int:
    return len(re.sub(r"\[[^\]]*\]|[*?]", "", pattern))
