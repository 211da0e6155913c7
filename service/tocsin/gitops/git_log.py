"""The output of `git log`, `git ls-tree` and `git cat-file`, read from bytes. Pure.

Every field ends in NUL, which no name and no subject can contain; records are told apart by a word the caller
chooses at random, so that no file content can pretend to be a commit.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tocsin.gitops.history import Commit, is_yaml

_FIELDS: Final = 6
_RAW: Final = re.compile(r":\d{6} \d{6} ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) [A-Z]\d*\0([^\0]*)\0")
_TREE: Final = re.compile(r"(\d{6}) (\w+) ([0-9a-f]{40,64})\t(.*)", re.DOTALL)
_PAIR: Final = re.compile(r"([0-9a-f]{40,64})\0((?::\d{6} [^\0]*\0[^\0]*\0)*)")


@dataclass(frozen=True, slots=True)
class BlobChange:
    """One file of a commit as blob ids; None where the file did not exist."""

    path: str
    before: str | None
    after: str | None


def log_format(record: str) -> str:
    """The `--format` that `commits` reads: sha, parents, author, email, committer's date, subject."""
    return f"{record}%x00%H%x00%P%x00%an%x00%ae%x00%ct%x00%s%x00"


def commits(output: bytes, record: str) -> Iterator[tuple[Commit, list[BlobChange]]]:
    """Each commit of a `git log -z --raw --no-abbrev` with all files it changed."""
    for part in output.decode(errors="replace").split(f"{record}\0")[1:]:
        sha, parents, author, email, committed, subject, raw = part.split("\0", _FIELDS)
        yield Commit(sha, instant(committed), author, email, subject, tuple(parents.split())), blob_changes(raw)


def blob_changes(raw: str) -> list[BlobChange]:
    """The files of a `--raw -z --no-abbrev` section."""
    return [BlobChange(path, _blob(before), _blob(after)) for before, after, path in _RAW.findall(raw)]


def differences(output: bytes, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], frozenset[str]]:
    """The files that differ in a `git diff-tree --stdin -r --raw -z --no-abbrev --always`, by what was compared."""
    found = _PAIR.findall(output.decode(errors="replace"))
    return {
        pair: frozenset(file.path for file in blob_changes(raw)) for pair, (_, raw) in zip(pairs, found, strict=True)
    }


def tree(output: bytes) -> Mapping[str, str]:
    """Path to blob id of every YAML file (no symbolic link) in a `git ls-tree -r -z`."""
    entries = (_TREE.fullmatch(entry) for entry in output.decode(errors="replace").split("\0") if entry)
    return {entry[4]: entry[3] for entry in entries if entry and entry[1] in ("100644", "100755") and is_yaml(entry[4])}


def sizes(output: bytes) -> dict[str, int]:
    """The sizes in a `git cat-file --batch-check` by blob id; what is missing is left out."""
    lines = (line.split() for line in output.decode(errors="replace").splitlines())
    return {words[0]: int(words[2]) for words in lines if len(words) == 3 and words[2].isdecimal()}


def blobs(output: bytes, asked: Sequence[str]) -> dict[str, str]:
    """The texts of a `git cat-file --batch` by blob id; what is missing is left out."""
    texts: dict[str, str] = {}
    at = 0
    for blob in asked:
        end = output.index(b"\n", at)
        header = output[at:end].split(b" ")
        at = end + 1
        if header[-1].isdigit():
            size = int(header[-1])
            texts[blob] = output[at : at + size].decode(errors="replace")
            at += size + 1
    return texts


def _blob(value: str) -> str | None:
    return value if value.strip("0") else None


def instant(committed: str) -> datetime:
    """A commit's date is whatever its author's clock said, even outside the calendar."""
    try:
        return datetime.fromtimestamp(int(committed), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
