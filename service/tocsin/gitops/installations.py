"""What Helm releases make, with the values they take from other files of the repository. Pure."""

import posixpath
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from tocsin.gitops import app_template, kustomize, substitute, workloads
from tocsin.gitops.argo import Chart, Source
from tocsin.gitops.helm import FILE_NAME, VALUES_NAME
from tocsin.gitops.manifests import File
from tocsin.gitops.workloads import Workload
from tocsin.yaml_documents import BROKEN, load, sentence

_Found = TypeVar("_Found", bound=tuple[Any, ...])
Variables = Mapping[str, str]
ConfigMaps = tuple[tuple[str, str, str], ...]
"""Name, key and file of generated ConfigMaps."""


@dataclass(slots=True)
class Installations:
    """Reads releases and charts. `used` gathers the files of values, `problems` what cannot be read."""

    files: Mapping[str, File]
    problems: MutableMapping[str, None]
    used: set[str] = field(default_factory=set)
    _sources: dict[str, list[tuple[str, str, str | None]]] = field(default_factory=dict)
    _data: dict[str, list[tuple[str, Mapping[str, str]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path, content in self.files.items():
            for name, pairs in content.variables:
                self._data.setdefault(name, []).append((path, dict(pairs)))
            for name, url, tag in content.charts:
                self._sources.setdefault(name, []).append((path, url, tag))

    def of_flux(
        self, path: str, resource: Mapping[str, Any], variables: Variables, config_maps: ConfigMaps
    ) -> tuple[Workload, ...]:
        """A HelmRelease with its variables filled in, and what it takes from ConfigMaps and an OCIRepository."""
        try:
            resource = substitute.everywhere(resource, variables)
            read = [self._config_map(path, each, variables, config_maps) for each in workloads.values_from(resource)]
            values = [each for each in read if each is not None]
            reference = ((resource.get("spec") or {}).get("chartRef") or {}).get("name")
            url, version = self._source(path, str(reference)) if reference else ("", None)
            found = workloads.declared(resource, values, substitute.text(url, variables), version)
            return tuple(replace(each, unread=True) for each in found) if None in read else found
        except BROKEN as failure:
            self.problems[f"{path}: {sentence(failure)}"] = None
            return ()

    def _config_map(
        self, path: str, wanted: tuple[str, str], variables: Variables, config_maps: ConfigMaps
    ) -> Mapping[str, Any] | None:
        """The values under a key of a ConfigMap, made of a file or written out; None where it is not here."""
        made = self._values(file for name, key, file in config_maps if (name, key) == wanted)
        if made:
            return made[0]
        written = [(file, data[wanted[1]]) for file, data in self._data.get(wanted[0], ()) if wanted[1] in data]
        if not written:
            return None
        value = load(substitute.text(_nearest(path, written)[1], variables))
        return value if isinstance(value, dict) else {}

    def of_argo(self, path: str, chart: Chart, namespace: str | None) -> tuple[Workload, ...]:
        """A chart that an Application installs."""
        return self.of_chart(
            path, chart.release, chart.name, [*self._values(chart.value_files), chart.values], namespace
        )

    def of_directory(self, path: str, source: Source, namespace: str | None) -> tuple[Workload, ...]:
        """A chart of the repository: the charts it brings along, or else itself."""
        chart = self.files[f"{source.path}/{FILE_NAME}"]
        files = (f"{source.path}/{VALUES_NAME}", *source.value_files)
        values: Mapping[str, Any] = {}
        for layer in (*self._values(files), source.values):
            values = workloads.overlaid(values, layer)
        if not chart.dependencies:
            return self.of_chart(path, source.release, posixpath.basename(source.path), [values], namespace)
        found: list[Workload] = []
        for one in filter(lambda each: each.is_on(values), chart.dependencies):
            own = values.get(one.key)
            alias = {"nameOverride": one.key} if one.key != one.name != app_template.CHART else {}
            layers = [alias, own if isinstance(own, dict) else {}]
            found += self.of_chart(path, source.release, one.name, layers, namespace, one.version)
        return tuple(found)

    def of_kustomize(self, path: str, chart: kustomize.HelmChart) -> tuple[Workload, ...]:
        """A chart that a kustomization inflates."""
        beside = (kustomize.resolve(posixpath.dirname(path), each) for each in chart.value_files)
        layers = [*self._values(filter(None, beside)), chart.values]
        return self.of_chart(path, chart.release, chart.name, layers, chart.namespace, chart.version)

    def of_chart(
        self,
        path: str,
        release: str,
        chart: str,
        layers: Iterable[Mapping[str, Any]],
        namespace: str | None,
        version: str | None = None,
    ) -> tuple[Workload, ...]:
        """A chart with layers of values, the last of which wins; a problem of `path` where they cannot be read."""
        values: Mapping[str, Any] = {}
        for layer in layers:
            values = workloads.overlaid(values, layer)
        try:
            return workloads.from_chart(release, chart, values, namespace, version)
        except BROKEN as failure:
            self.problems[f"{path}: {sentence(failure)}"] = None
            return ()

    def _values(self, paths: Iterable[str]) -> list[Mapping[str, Any]]:
        known = [path for path in paths if path in self.files]
        self.used.update(known)
        return [values for path in known if (values := self.files[path].values)]

    def _source(self, path: str, name: str) -> tuple[str, str | None]:
        """URL and tag of an OCIRepository: the one nearest to the release of those that bear the name."""
        found = self._sources.get(name)
        if not found:
            return "", None
        _, url, tag = _nearest(path, found)
        return url, tag


def _nearest(path: str, found: Sequence[_Found]) -> _Found:
    """Of what bears one name, that whose file, its first part, is nearest to the release."""
    return max(found, key=lambda each: len(posixpath.commonprefix([each[0], path])))
