"""What a commit says: who made it, for which pull request, and which versions it bumps. Pure.

Author, subject and versions are whatever the committer wrote, cut to one line of bounded length, not escaped.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tocsin.findings import Change
from tocsin.policy import diff

MAX_WHAT: Final = 12
_MAX_CHARS: Final = 200
_SQUASHED: Final = re.compile(r"\(#(\d{1,9})\)\s*$")
_MERGED: Final = re.compile(r"^Merge pull request #(\d{1,9})\b")
_BOT: Final = re.compile(
    r"\[bot\]$|^(?:renovate|dependabot|flux|fluxcd|github-actions|argocd-image-updater|pre-commit-ci)(?:[ -]?bot)?$",
    re.IGNORECASE,
)
_VERSION_LINE: Final = re.compile(
    r"""^[+-]\s*(?:-\s+)?["']?(?P<key>tag|version|image|newTag|targetRevision|appVersion)["']?\s*:\s*"""
    r"""["']?(?P<value>[^\s"'#]{1,300})"""
)


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit as a history adapter reads it. `at` is the committer's date."""

    sha: str
    at: datetime
    author: str
    email: str
    subject: str


@dataclass(frozen=True, slots=True)
class FileVersions:
    """One file before and after a commit; None where it did not exist."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class FilePatch:
    """The unified diff of one file in a commit, with or without context lines."""

    path: str
    patch: str


def pull_request(subject: str) -> int | None:
    """The number in "... (#123)" (squash and rebase merges) or "Merge pull request #123 from ..."."""
    found = _SQUASHED.search(subject) or _MERGED.search(subject)
    return int(found[1]) if found else None


def is_bot(author: str, email: str) -> bool:
    """Whether the author calls itself a bot; anyone can."""
    return any(_BOT.search(name.strip()) for name in (author, email.partition("@")[0]))


def is_yaml(path: str) -> bool:
    """Whether the file can hold a policy or a release."""
    return path.endswith((".yaml", ".yml"))


def policy_changes(files: Iterable[FileVersions]) -> tuple[str, ...]:
    """The rule-level changes of all policy files of one commit, at most MAX_WHAT."""
    return _bounded([said for file in files for said in diff.summary(file.before, file.after)])


def version_changes(files: Iterable[FilePatch]) -> tuple[str, ...]:
    """The image tags and chart versions that a commit replaced, as "7.4.1 -> 7.5.0"."""
    said = []
    for file in files:
        removed: list[tuple[str, str]] = []
        for line in file.patch.splitlines():
            found = _VERSION_LINE.match(line)
            if not found:
                continue
            key, version = found["key"], _version(found["key"], found["value"])
            if line.startswith("-"):
                removed.append((key, version))
            elif old := next((pair for pair in removed if pair[0] == key), None):
                removed.remove(old)
                said.append(f"{old[1]} -> {version}" if old[1] != version else f"{version} (new digest)")
    return _bounded(said)


def _version(key: str, value: str) -> str:
    value = value.partition("@")[0]
    name, colon, tag = value.rpartition(":")
    return tag if key == "image" and colon and "/" not in tag and name else value


def _bounded(said: Sequence[str]) -> tuple[str, ...]:
    unique = [text if len(text) <= _MAX_CHARS else f"{text[: _MAX_CHARS - 1]}…" for text in dict.fromkeys(said)]
    cut = [f"and {len(unique) - MAX_WHAT} more"] if len(unique) > MAX_WHAT else []
    return tuple(unique[:MAX_WHAT] + cut)


def change(commit: Commit, what: tuple[str, ...], number: int | None, web_url: str) -> Change:
    """Puts a commit into the model's words; `web_url` is the repository's page, or empty."""
    page = f"{web_url}/pull/{number}" if number else f"{web_url}/commit/{commit.sha}"
    return Change(
        sha=commit.sha,
        at=commit.at,
        author=commit.author[:_MAX_CHARS],
        bot=is_bot(commit.author, commit.email),
        subject=commit.subject.partition("\n")[0][:_MAX_CHARS],
        pull_request=number,
        what=what,
        url=page if web_url else "",
    )
