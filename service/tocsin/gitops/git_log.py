"""The output of `git log`, `git ls-tree` and `git cat-file`, read from bytes. Pure.

Every field ends in NUL, which no name and no subject can contain; records are told apart by a word the caller
chooses at random, so that no file content can pretend to be a commit.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tocsin.gitops.history import Commit, FilePatch, is_yaml

_FIELDS: Final = 5
_RAW: Final = re.compile(r":\d{6} \d{6} ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) [A-Z]\d*\0([^\0]*)\0")
_TREE: Final = re.compile(r"(\d{6}) (\w+) ([0-9a-f]{40,64}) +(\d+|-)\t(.*)", re.DOTALL)
_FILE_START: Final = re.compile(r"^diff --git .*$", re.MULTILINE)
_NEW_PATH: Final = re.compile(r"^(?:\+\+\+ \"?b/|--- \"?a/)(.*?)\"?\t?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class BlobChange:
    """One file of a commit as blob ids; None where the file did not exist."""

    path: str
    before: str | None
    after: str | None


def log_format(record: str) -> str:
    """The `--format` that `commits` reads: sha, author, email, committer's date, subject."""
    return f"{record}%x00%H%x00%an%x00%ae%x00%ct%x00%s%x00"


def commits(output: bytes, record: str) -> Iterator[tuple[Commit, str]]:
    """Each commit of a `git log -z` with the text of its differences (raw or patch)."""
    for part in output.decode(errors="replace").split(f"{record}\0")[1:]:
        sha, author, email, committed, subject, rest = part.split("\0", _FIELDS)
        yield Commit(sha, _instant(committed), author, email, subject), rest


def blob_changes(raw: str) -> list[BlobChange]:
    """The files of a `--raw -z` section that can hold a policy."""
    return [BlobChange(path, _blob(before), _blob(after)) for before, after, path in _RAW.findall(raw) if is_yaml(path)]


def patches(text: str) -> list[FilePatch]:
    """The YAML files of a `--patch` section. Content lines start with a sign, so they cannot look like a header."""
    found = []
    for section in _FILE_START.split(text)[1:]:
        header, _, body = section.partition("\n@@")
        paths = _NEW_PATH.findall(header)
        if paths and is_yaml(paths[-1]):
            found.append(FilePatch(paths[-1], body))
    return found


def tree(output: bytes, max_size: int) -> Mapping[str, str]:
    """Path to blob id of every YAML file (no symbolic link) up to `max_size` bytes in a `git ls-tree -r -l -z`."""
    entries = (_TREE.fullmatch(entry) for entry in output.decode(errors="replace").split("\0") if entry)
    return {
        entry[5]: entry[3]
        for entry in entries
        if entry and entry[1] in ("100644", "100755") and is_yaml(entry[5]) and int(entry[4]) <= max_size
    }


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


def _instant(committed: str) -> datetime:
    """A commit's date is whatever its author's clock said, even outside the calendar."""
    try:
        return datetime.fromtimestamp(int(committed), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
