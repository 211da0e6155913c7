"""Which of the sources that Flux and Argo CD are told about is the repository itself. Pure.

A path in another repository may exist here by chance, and the top of one always does. Repositories are told apart by
their names: the same one is reached over HTTPS and SSH, and through mirrors.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from tocsin.gitops.application_sets import outline
from tocsin.gitops.argo import Application
from tocsin.gitops.flux import MAIN_SOURCE, FluxKustomization
from tocsin.gitops.manifests import File


class Sources:
    """Where Flux's own source is declared, that is the repository; else it is the one most paths of which are here."""

    def __init__(self, files: Mapping[str, File], exists: Callable[[str], bool]) -> None:
        self._declared = {(kind, name): url for each in files.values() for kind, name, url in each.sources}
        main = {_named(url) for (_, name), url in self._declared.items() if name == MAIN_SOURCE}
        fitting = _fitting(self._applied(files.values()), exists)
        argued = _fitting(_argued(files.values()), exists)
        self._own = argued | (main if main & fitting else main | fitting)

    def has(self, one: FluxKustomization) -> bool:
        """Whether a Flux Kustomization applies this repository; a source that is declared nowhere is taken for it."""
        return self.is_own(self._declared.get(one.source, ""))

    def is_own(self, url: str) -> bool:
        """Whether a URL may be this repository's."""
        return not url or "{" in url or not self._own or _named(url) in self._own

    def _applied(self, files: Iterable[File]) -> Iterator[tuple[str, str]]:
        for content in files:
            for one in content.flux:
                yield self._declared.get(one.source, ""), one.path


def _argued(files: Iterable[File]) -> Iterator[tuple[str, str]]:
    for content in files:
        applications: list[Application] = [*content.applications, *map(outline, content.application_sets)]
        for one in applications:
            yield from ((source.url, source.path) for source in one.sources)


def _fitting(uses: Iterable[tuple[str, str]], exists: Callable[[str], bool]) -> set[str]:
    """The repositories whose paths are here most often."""
    counted = Counter(_named(url) for url, path in uses if url and "{" not in url and path and exists(path))
    most = max(counted.values(), default=0)
    return {name for name, count in counted.items() if count == most}


def _named(url: str) -> str:
    return url.rstrip("/").removesuffix(".git").replace(":", "/").rpartition("/")[2].lower()
