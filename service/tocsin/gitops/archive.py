"""Reads the YAML files out of a `.tar.gz` of one commit without unpacking it. Pure but for the open file."""

import hashlib
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Final

from tocsin.errors import LookupFailed
from tocsin.gitops import manifests
from tocsin.gitops.history import is_yaml
from tocsin.yaml_documents import MAX_FILE_CHARS

MAX_UNPACKED_BYTES: Final = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class Contents:
    """The YAML files of a commit: the blob id by path, and what was read by blob id."""

    blob_of: Mapping[str, str]
    parsed: Mapping[str, manifests.File]

    def files(self) -> dict[str, manifests.File]:
        """What every file declares, by path in the repository."""
        return {path: self.parsed[blob] for path, blob in self.blob_of.items()}


def read(archive: IO[bytes], known: Mapping[str, manifests.File]) -> Contents:
    """Reads every YAML file whose content is not in `known` yet.

    Links are ignored. Raises LookupFailed when the archive is damaged or unpacks to more than MAX_UNPACKED_BYTES.
    """
    blob_of: dict[str, str] = {}
    parsed: dict[str, manifests.File] = {}
    unpacked = 0
    try:
        with tarfile.open(fileobj=archive, mode="r|gz") as members:
            for member in members:
                unpacked += member.size
                if unpacked > MAX_UNPACKED_BYTES:
                    raise LookupFailed("the archive unpacks to too much")
                path = member.name.partition("/")[2]
                if not member.isreg() or not is_yaml(path) or member.size > MAX_FILE_CHARS:
                    continue
                content = members.extractfile(member)
                if content is None:
                    continue
                text = content.read()
                blob = blob_of[path] = blob_id(text)
                if blob not in parsed:
                    parsed[blob] = known[blob] if blob in known else manifests.read(text.decode(errors="replace"))
    except (tarfile.TarError, EOFError, OSError) as failure:
        raise LookupFailed("the archive of the commit is damaged") from failure
    return Contents(blob_of, parsed)


def blob_id(content: bytes) -> str:
    """The name git gives to a content."""
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()
