"""What a workload's egress is meant to be, from what the operator wrote in apps.yaml. Pure."""

import re
from fnmatch import fnmatchcase
from functools import lru_cache

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tocsin import inert
from tocsin.model import Classification, Evidence, Posture, Subject

SOURCE = "apps.yaml"
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


def classify(subject: Subject, apps: AppsFile) -> Classification:
    """Takes the most specific entry that matches; entries as specific that disagree become conflicts.

    An entry that spells out the workload beats a pattern, then more literal characters in the workload beat
    fewer, then a namespace spelled out beats a namespace pattern beats none; of equals the first in the file wins.
    """
    if not subject.workload:
        return _unknown("the workload could not be told, so that no entry applies")
    matching = [entry for entry in apps.apps if _matches(entry.match, subject)]
    if not matching:
        return _unknown(f"no entry matches {inert.text(subject.label)}")
    best = max(matching, key=lambda entry: _specificity(entry.match))
    rivals = [
        entry
        for entry in matching
        if _specificity(entry.match) == _specificity(best.match) and entry.posture is not best.posture
    ]
    return Classification(
        posture=best.posture,
        evidence=(_evidence(best),),
        conflicts=tuple(_evidence(entry) for entry in rivals),
        expected=best.expected,
        note=best.note,
    )


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


def _specificity(match: str) -> tuple[bool, int, int, int]:
    namespace, _, workload = match.rpartition("/")
    named = 0 if not namespace else 1 if _WILD.search(namespace) else 2
    return (not _WILD.search(workload), _literals(workload), named, _literals(namespace))


def _literals(pattern: str) -> int:
    return len(re.sub(r"\[[^\]]*\]|[*?]", "", pattern))


def _evidence(entry: AppEntry) -> Evidence:
    return Evidence(SOURCE, f"{entry.match}: {entry.posture.value}")


def _unknown(statement: str) -> Classification:
    return Classification(Posture.UNKNOWN, (Evidence(SOURCE, statement),))
