"""Reads the policies out of a `.tar.gz` of one commit without unpacking it. Pure but for the open file it is given."""

import tarfile
from typing import IO, Final

from tocsin.errors import LookupFailed
from tocsin.gitops.history import is_yaml
from tocsin.policy.document import Parsed
from tocsin.policy.parse import MAX_FILE_CHARS, parse

MAX_UNPACKED_BYTES: Final = 4 * 1024**3


def parsed_files(archive: IO[bytes]) -> dict[str, Parsed]:
    """Returns every YAML file that has policies or problems, by path in the repository.

    Links are ignored. Raises LookupFailed when the archive is damaged or unpacks to more than MAX_UNPACKED_BYTES.
    """
    found: dict[str, Parsed] = {}
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
                parsed = parse(content.read().decode(errors="replace")) if content else Parsed()
                if parsed.policies or parsed.problems:
                    found[path] = parsed
    except (tarfile.TarError, EOFError, OSError) as failure:
        raise LookupFailed("the archive of the commit is damaged") from failure
    return found
