"""Reads the contents of files out of a repository's objects, few at a time and none that is huge."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

from tocsin.errors import LookupFailed
from tocsin.gitops import git_log
from tocsin.gitops.git_command import Git, Inconclusive
from tocsin.yaml_documents import MAX_FILE_CHARS

_FEW: Final = 20
"""So few are read without asking for their sizes first, which saves a command."""
_BATCH: Final = 500
_BATCH_BYTES: Final = 8 * 1024 * 1024


class Objects:
    """The objects of one repository; of a partial clone, what is missing is fetched first, all in one request."""

    def __init__(self, git: Git, *, partial: bool) -> None:
        self._git = git
        self._partial = partial

    async def sizes(self, blobs: Sequence[str]) -> Mapping[str, int]:
        """The sizes of blobs by id, without those larger than MAX_FILE_CHARS.

        Raises LookupFailed where an object is missing: the repository is broken.
        """
        if not blobs:
            return {}
        asked = "".join(f"{blob}\n" for blob in blobs).encode()
        if self._partial:
            await self._fetch(asked)
        found = git_log.sizes(await self._git.run("cat-file", "--batch-check", stdin=asked))
        if len(found) < len(set(blobs)):
            raise LookupFailed("objects are missing in the repository")
        return {blob: size for blob, size in found.items() if size <= MAX_FILE_CHARS}

    async def texts(self, blobs: Sequence[str]) -> Mapping[str, str]:
        """The texts of blobs by id; those that are too large are left out."""
        if not self._partial and 0 < len(blobs) <= _FEW:
            with suppress(Inconclusive):  # more than a command may answer: look at the sizes first
                found = await self.read(blobs)
                if len(found) < len(set(blobs)):
                    raise LookupFailed("objects are missing in the repository")
                return {blob: text for blob, text in found.items() if len(text) <= MAX_FILE_CHARS}
        texts: dict[str, str] = {}
        for batch in batches(await self.sizes(blobs)):
            texts |= await self.read(batch)
        return texts

    async def read(self, batch: Sequence[str]) -> Mapping[str, str]:
        """The texts of one of `batches`."""
        asked = "".join(f"{blob}\n" for blob in batch).encode()
        return git_log.blobs(await self._git.run("cat-file", "--batch", stdin=asked), batch)

    async def _fetch(self, asked: bytes) -> None:
        """Does not speak to the remote when every object is there already."""
        try:
            await self._git.run(
                *("-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head"),
                *("--no-auto-maintenance", "--recurse-submodules=no", "--filter=blob:none", "--stdin", "origin"),
                stdin=asked,
            )
        except LookupFailed as failure:
            raise Inconclusive(str(failure)) from failure


def batches(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """The ids in groups that are read with one command."""
    left = iter(sizes.items())
    while group := list(islice(left, _BATCH)):
        batch: list[str] = []
        total = 0
        for blob, size in group:
            if batch and total + size > _BATCH_BYTES:
                yield batch
                batch, total = [], 0
            batch.append(blob)
            total += size
        yield batch
