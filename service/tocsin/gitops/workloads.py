"""Which workloads a Kubernetes object declares, and what their pods carry. Pure.

An object becomes a workload where the names of its pods follow from it (see `pod_names`). Charts and operators whose
rules are followed: app-template, the two of Actions Runner Controller (charts/*/templates/_helpers.tpl), VolSync
(controllers/mover), and those in `charts` and `pod_template`.

A value may contain a variable of Flux (`${APP}`). It is taken as it stands, so that a rule that compares two values
(is the controller's identifier the name of the release?) needs objects in which the variables are replaced.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from tocsin.gitops import app_template, charts
from tocsin.gitops.chart_names import Rendered
from tocsin.gitops.pod_template import (
    COMPONENT,
    INSTANCE,
    NAME,
    PART_OF,
    RUNNER_LABELS,
    Labels,
    at,
    label,
    merged,
    named,
    pod_template,
)
from tocsin.pod_names import is_kubernetes_name
from tocsin.policy.fields import mapping, optional
from tocsin.yaml_documents import BROKEN, load

_MOVERS: Final = ("restic", "rclone", "rsync", "rsyncTLS", "kopia")
_LONGEST_RELEASE: Final = 53
_KNOWN_CHARTS: Final = (*charts.CHARTS, app_template.CHART, "gha-runner-scale-set", "gha-runner-scale-set-controller")


@dataclass(frozen=True, slots=True)
class Workload:
    """Something that makes pods. Its pods are named after `name`, see `pod_names.matches`.

    `kind` is the kind of the object, that of the rendered object for a chart that is known, and `HelmRelease` for a
    release of one that is not. `namespace` is what the document says; `pins_namespace` marks a `targetNamespace`, which
    neither kustomize nor a Flux Kustomization changes. `labels` are sorted; a key with two values has one of them,
    which one is not known. `complete` says whether its pods have no other label that a policy could ask for.
    `part` is the identifier of the controller where the `release` has several. `stated` are labels that the values of a
    chart give to some of its pods, nobody knows which. `unread` says that what is not read may add any label.
    """

    kind: str
    name: str
    namespace: str | None
    labels: Labels = ()
    complete: bool = True
    release: str = ""
    part: str = ""
    chart: str = ""
    host_network: bool = False
    pins_namespace: bool = False
    stated: Labels = ()
    unread: bool = False


def declared(
    resource: Mapping[str, Any],
    extra_values: Iterable[Mapping[str, Any]] = (),
    chart: str = "",
    version: str | None = None,
) -> tuple[Workload, ...]:
    """The workloads of one object, none for most kinds.

    For a HelmRelease: `extra_values` are the values that `values_from` names, in its order; `chart` and `version` are
    the URL and the tag of the OCIRepository in `chartRef`, where the caller knows them. Raises TypeError, ValueError,
    KeyError or AttributeError for a malformed object.
    """
    group, _, _ = str(resource.get("apiVersion") or "").rpartition("/")
    match group, str(resource.get("kind") or ""):
        case "helm.toolkit.fluxcd.io", "HelmRelease":
            return _flux_release(resource, extra_values, chart, version)
        case "helm.cattle.io", "HelmChart":
            return _k3s_release(resource)
        case "volsync.backube", "ReplicationSource" | "ReplicationDestination" as kind:
            return _replication(kind, resource)
        case "postgres-operator.crunchydata.com", "PostgresCluster":
            return tuple(_crunchy(resource))
    return _simple(group, str(resource.get("kind") or ""), resource)


def values_from(resource: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Name and key of the ConfigMaps that hold whole values of a HelmRelease, the later ones winning."""
    return tuple(
        (str(entry["name"]), str(entry.get("valuesKey") or "values.yaml"))
        for entry in _sources(resource)
        if entry["kind"] == "ConfigMap" and not entry.get("targetPath")
    )


def from_chart(
    release: str,
    chart: str,
    values: Mapping[str, Any],
    namespace: str | None,
    version: str | None = None,
    complete: bool = True,
) -> tuple[Workload, ...]:
    """The workloads of a release. `chart` is its name, or a path or URL that ends in it, or empty if it is not known.

    `complete` says whether these are all the values that are set.
    """
    name = chart.rstrip("/").rpartition("/")[2]
    override = str(values.get("nameOverride") or "")
    everywhere, somewhere = _labels_in(values)
    usual = release if override in release else f"{release}-{override}"
    whole = Workload(
        kind="HelmRelease",
        name=str(values.get("fullnameOverride") or usual),
        namespace=namespace,
        labels=merged(everywhere, {INSTANCE: release} | ({NAME: override} if override else {})),
        complete=False,
        release=release,
        chart=name,
        stated=somewhere,
    )
    if name == app_template.CHART or (not name and app_template.is_like(values)):
        return _app_template(whole, values, version, complete)
    if name == "gha-runner-scale-set" or (not name and "githubConfigUrl" in values):
        return _runner_scale_set(whole, values)
    if name == "gha-runner-scale-set-controller":
        return (_runner_controller(whole, values),)
    # What the table does not know (hooks, further modes of a chart) is left to the release as a whole.
    return (whole, *(_known(whole, one, everywhere) for one in charts.rendered(name, release, values) or ()))


def _simple(group: str, kind: str, resource: Mapping[str, Any]) -> tuple[Workload, ...]:
    found = pod_template(group, kind, resource)
    if found is None:
        return ()
    name, namespace = _identity(resource)
    return (Workload(kind, name, namespace, found.labels, found.complete, host_network=found.host_network),)


def _crunchy(resource: Mapping[str, Any]) -> Iterator[Workload]:
    """The sets of instances, the proxy and the repository host of Crunchy's operator (internal/naming/names.go)."""
    (name, namespace), spec = _identity(resource), mapping(resource, "spec")
    own = {"postgres-operator.crunchydata.com/cluster": name}
    everywhere = at(spec, ("metadata", "labels"))

    def part(kind: str, part: str, *path: str, of: Mapping[str, Any] = spec) -> Workload:
        labels = merged({**everywhere, **at(of, (*path, "metadata", "labels"))}, own)
        return Workload(kind, f"{name}-{part}", namespace, labels, complete=False, part=part)

    for instance in spec.get("instances") or []:
        yield part("PostgresCluster", str(instance.get("name") or "00"), of=instance)
    if mapping(spec, "proxy"):
        yield part("Deployment", "pgbouncer", "proxy", "pgBouncer")
    if mapping(spec, "backups"):
        yield part("StatefulSet", "repo-host", "backups", "pgbackrest")


def _known(whole: Workload, one: Rendered, everywhere: Mapping[str, Any]) -> Workload:
    labels = merged(everywhere, dict(one.labels))
    return replace(whole, kind=one.kind, name=one.name, labels=labels, part=one.part)


def _labels_in(values: Mapping[str, Any]) -> tuple[Mapping[str, Any], Labels]:
    """Labels for all pods of a chart, as its values have them by custom, and those for some of its pods."""
    everywhere = {**mapping(values, "commonLabels"), **_flat(values.get("podLabels"))}
    found: dict[tuple[str, str], None] = {}
    waiting: list[tuple[Any, bool]] = [(each, key == "pod") for key, each in values.items() if key != "podLabels"]
    while waiting:
        value, of_pod = waiting.pop()
        for key, inner in value.items() if isinstance(value, dict) else ():
            if key in ("podLabels", "extraPodLabels") or (of_pod and key == "labels"):
                found.update(dict.fromkeys((str(name), label(text)) for name, text in _flat(inner).items()))
            else:
                waiting.append((inner, key in ("pod", "podMetadata", "podTemplate", "metadata")))
    return everywhere, tuple(sorted(found))


def _flat(value: Any) -> dict[str, Any]:
    """The texts of a mapping."""
    found = value.items() if isinstance(value, dict) else ()
    return {str(key): each for key, each in found if each is not None and not isinstance(each, dict | list)}


def _replication(kind: str, resource: Mapping[str, Any]) -> tuple[Workload, ...]:
    (name, namespace), spec = _identity(resource), mapping(resource, "spec")
    by_volsync = {"app.kubernetes.io/created-by": "volsync"}
    for mover in _MOVERS:
        if spec.get(mover) is not None:
            labels = merged(mapping(mapping(spec, mover), "moverPodLabels"), by_volsync)
            return (Workload(kind, name, namespace, labels, complete=False),)
    if spec.get("syncthing") is not None:
        return (Workload("Deployment", f"volsync-{name}", namespace, merged({}, by_volsync), complete=False),)
    return ()


def _flux_release(
    resource: Mapping[str, Any], extra_values: Iterable[Mapping[str, Any]], chart: str, version: str | None
) -> tuple[Workload, ...]:
    (own_name, namespace), spec = _identity(resource), mapping(resource, "spec")
    target, written = str(spec.get("targetNamespace") or ""), mapping(mapping(spec, "chart"), "spec")
    name = f"{target}-{own_name}" if target else own_name
    given = list(extra_values)
    values: Mapping[str, Any] = {}
    for layer in (*given, mapping(spec, "values")):
        values = overlaid(values, layer)
    reference = str(mapping(spec, "chartRef").get("name") or "")
    found = from_chart(
        release=str(spec.get("releaseName") or _shortened(name)),
        chart=chart or str(written.get("chart") or "") or (reference if reference in _KNOWN_CHARTS else ""),
        values=values,
        namespace=target or namespace,
        version=version or optional(written.get("version")),
        complete=len(given) >= len(_sources(resource)) and not spec.get("postRenderers"),
    )
    named = tuple(dict.fromkeys(_patched(spec)))
    found += tuple(replace(found[0], kind=kind, name=name) for kind, name in named if found[0].kind == "HelmRelease")
    return tuple(replace(each, pins_namespace=each.pins_namespace or bool(target)) for each in found)


def _patched(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and name of the workloads that a release's post-renderers change: they exist."""
    for renderer in spec.get("postRenderers") or []:
        for patch in mapping(renderer, "kustomize").get("patches") or []:
            target = mapping(patch, "target")
            if target.get("kind") in ("Deployment", "StatefulSet", "DaemonSet") and is_kubernetes_name(
                str(target.get("name") or "")
            ):
                yield str(target["kind"]), str(target["name"])


def _k3s_release(resource: Mapping[str, Any]) -> tuple[Workload, ...]:
    (name, namespace), spec = _identity(resource), mapping(resource, "spec")
    try:
        values = load(str(spec.get("valuesContent") or "")) or {}
    except BROKEN as failure:
        raise ValueError("valuesContent is not YAML") from failure
    target = str(spec.get("targetNamespace") or "")
    found = from_chart(
        release=name,
        chart=str(spec.get("chart") or ""),
        values=mapping({"valuesContent": values}, "valuesContent"),
        namespace=target or namespace,
        version=optional(spec.get("version")),
        complete=not spec.get("set") and not spec.get("valuesSecrets"),
    )
    return tuple(replace(each, pins_namespace=each.pins_namespace or bool(target)) for each in found)


def _app_template(
    whole: Workload, values: Mapping[str, Any], version: str | None, complete: bool
) -> tuple[Workload, ...]:
    found = app_template.controllers(values, whole.release, version)
    if not found and values.get("controllers") is None:
        return (whole,)
    return tuple(
        replace(
            whole,
            kind=each.kind,
            name=each.name,
            labels=each.labels,
            complete=complete and each.complete,
            part=each.identifier if len(found) > 1 else "",
            chart=app_template.CHART,
            host_network=each.host_network,
            stated=(),
        )
        for each in found
    )


def _runner_scale_set(whole: Workload, values: Mapping[str, Any]) -> tuple[Workload, ...]:
    """The runners, and the listener where the values say in which namespace the controller runs it."""
    name = str(values.get("runnerScaleSetName") or whole.release).replace("_", "-")
    template = mapping(values, "template")
    own = named(RUNNER_LABELS, name)
    runners = replace(
        whole,
        kind="AutoscalingRunnerSet",
        name=name,
        labels=merged(at(template, ("metadata", "labels")), own),
        host_network=mapping(template, "spec").get("hostNetwork") is True,
        chart="gha-runner-scale-set",
        stated=(),
    )
    namespace = optional(mapping(values, "controllerServiceAccount").get("namespace"))
    if namespace is None:
        return (runners,)
    listener = Workload(
        kind="AutoscalingListener",
        name=name,
        namespace=namespace,
        labels=merged({}, own | {COMPONENT: "runner-scale-set-listener"}),
        complete=False,
        release=whole.release,
        part="listener",
        chart=runners.chart,
        pins_namespace=True,
    )
    return (replace(runners, part="runner"), listener)


def _runner_controller(whole: Workload, values: Mapping[str, Any]) -> Workload:
    name = str(values.get("nameOverride") or "gha-rs-controller")
    full = whole.release if name in whole.release else f"{whole.release}-{name}"
    own = {NAME: name, INSTANCE: whole.release, PART_OF: "gha-rs-controller", COMPONENT: "controller-manager"}
    return replace(
        whole,
        kind="Deployment",
        name=str(values.get("fullnameOverride") or full),
        labels=merged(mapping(values, "podLabels"), own),
    )


def _sources(resource: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = mapping(resource, "spec").get("valuesFrom") or []
    if not isinstance(found, list):
        raise TypeError("valuesFrom is not a list")
    return found


def overlaid(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merges values as the Helm controller does: mappings key by key, anything else is replaced."""
    found = dict(under)
    for key, value in over.items():
        below = found.get(key)
        found[key] = overlaid(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return found


def _shortened(release: str) -> str:
    """The Helm controller keeps 40 characters of a longer name and adds a hash (internal/release/name.go)."""
    if len(release) <= _LONGEST_RELEASE or "$" in release:
        return release
    return f"{release[:40]}-{hashlib.sha256(release.encode()).hexdigest()[:12]}"


def _identity(resource: Mapping[str, Any]) -> tuple[str, str | None]:
    metadata = mapping(resource, "metadata")
    return str(metadata["name"]), optional(metadata.get("namespace"))
