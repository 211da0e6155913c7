"""One file of the repository in one place of a cluster, and what the layers around it do to it. Pure."""

from dataclasses import dataclass, replace

from tocsin.gitops.flux import NOTHING_BUILT, PostBuild
from tocsin.gitops.manifests import File
from tocsin.gitops.patches import NONE, Patches
from tocsin.gitops.workloads import Workload
from tocsin.yaml_documents import name_of


@dataclass(frozen=True, slots=True)
class Context:
    """What the outer layers do to an object, and where they are.

    `base` is the directory that is read. `outer` is the one from which a path led elsewhere, None where none did;
    `borrowed` marks a component of kustomize, which belongs to whoever takes it in. `unit` is the name of the Flux
    Kustomization or Application, `installed_by` of the Application that installs a chart.
    `namespace` is forced upon every object; `default_namespace` serves one that names none, `last_namespace` one for
    which nothing else is known. `child_namespace` is forced upon Flux Kustomizations as their target.
    """

    base: str
    deployed: bool
    outer: str | None = None
    borrowed: bool = False
    unit: str = ""
    installed_by: str = ""
    namespace: str | None = None
    default_namespace: str | None = None
    last_namespace: str | None = None
    child_namespace: str | None = None
    prefix: str = ""
    suffix: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    patches: Patches = NONE
    variables: tuple[tuple[str, str], ...] = ()
    for_children: PostBuild = NOTHING_BUILT
    config_maps: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """One file in one place, its variables filled in. `workloads` includes those of releases and charts."""

    path: str
    content: File
    workloads: tuple[Workload, ...]
    context: Context


def left(content: File, context: Context) -> File:
    """What is left of a file when patches have removed what they name, as it is written or as it ends up."""
    if not context.patches.deleted:
        return content

    def stays(kind: str, name: str) -> bool:
        names = (name, f"{context.prefix}{name}{context.suffix}")
        return not any(each.hits(kind, *names) for each in context.patches.deleted)

    return replace(
        content,
        policies=tuple(each for each in content.policies if stays(each.kind, each.name)),
        workloads=tuple(
            each
            for each in content.workloads
            if (stays("HelmRelease", each.release) if each.release else stays(each.kind, each.name))
        ),
        releases=tuple(each for each in content.releases if stays("HelmRelease", name_of(each))),
        flux=tuple(each for each in content.flux if stays("Kustomization", each.name)),
        applications=tuple(each for each in content.applications if stays("Application", each.name)),
    )
