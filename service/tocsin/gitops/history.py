"""What a commit says: who made it, for which pull request, and what it did to its files. Pure.

Author and subject are whatever the committer wrote, cut to one line of bounded length, not escaped.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tocsin.findings import Change
from tocsin.gitops import versions
from tocsin.policy import diff

MAX_WHAT: Final = 12
_MAX_CHARS: Final = 200
_SQUASHED: Final = re.compile(r"\(#(\d{1,9})\)\s*$")
_MERGED: Final = re.compile(r"^Merge pull request #(\d{1,9})\b")
_BOT: Final = re.compile(
    r"\[bot\]$|^(?:renovate|dependabot|flux|fluxcd|github-actions|argocd-image-updater|pre-commit-ci)(?:[ -]?bot)?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit as a history adapter reads it. `at` is the committer's date, `parents` are ids."""

    sha: str
    at: datetime
    author: str
    email: str
    subject: str
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileVersions:
    """One file before and after a commit; None where it did not exist."""

    path: str
    before: str | None
    after: str | None


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


def rule_changes(files: Iterable[FileVersions]) -> list[str]:
    """The rule-level changes of all policy files of one commit."""
    return [said for file in files for said in diff.summary(file.before, file.after)]


def what_changed(files: Sequence[FileVersions]) -> tuple[str, ...]:
    """What one commit did to its files: the rules of policies first, then versions; nothing for any other change."""
    patches = (
        versions.patch(file.before, file.after) for file in files if file.before is not None and file.after is not None
    )
    return bounded(rule_changes(files) + versions.replaced(patches))


def bounded(said: Sequence[str]) -> tuple[str, ...]:
    """At most MAX_WHAT different sentences, none of them long."""
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
