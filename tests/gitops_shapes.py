"""Small GitOps repositories, as path -> text, each in a shape that real ones have."""

from collections.abc import Mapping

from tocsin.gitops import manifests
from tocsin.gitops.index import Index, build
from tocsin.gitops.layout import Layout
from tocsin.gitops.settings import GitOpsSettings

Files = dict[str, str]

TEMPLATES = GitOpsSettings().path_templates


def index(files: Files, *roots: str, templates: tuple[str, ...] = TEMPLATES) -> Index:
    """Reads a repository without git."""
    return build({path: manifests.read(text) for path, text in files.items()}, Layout(roots, templates))


FLUX_API = "kustomize.toolkit.fluxcd.io/v1"


def cnp(
    name: str,
    *egress: str,
    labels: Mapping[str, str] | None = None,
    namespace: str = "",
    kind: str = "CiliumNetworkPolicy",
    selector: str = "",
    head: str = "",
) -> str:
    """A policy; each of `egress` is one entry in flow style, a comment above it may stand before a newline."""
    where = f"  namespace: {namespace}\n" if namespace else ""
    chosen = selector or "{matchLabels: " + _flow(labels or {"app.kubernetes.io/name": name}) + "}"
    lines = [f"    - {each}" if "\n" not in each else _commented(each) for each in egress]
    allowed = "  egress:\n" + "\n".join(lines) + "\n" if egress else "  ingress: [{}]\n"
    return (
        f"---\n{head}apiVersion: cilium.io/v2\nkind: {kind}\nmetadata:\n  name: {name}\n{where}"
        f"spec:\n  endpointSelector: {chosen}\n{allowed}"
    )


def _flow(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'"{key}": "{value}"' for key, value in labels.items()) + "}"


def _commented(entry: str) -> str:
    comment, _, rest = entry.rpartition("\n")
    return "\n".join(f"    {line}" for line in comment.splitlines()) + f"\n    - {rest}"


WORLD = '{toEntities: [world], toPorts: [{ports: [{port: "443", protocol: TCP}]}]}'
DNS = (
    "{toEndpoints: [{matchLabels: {io.kubernetes.pod.namespace: kube-system, k8s-app: kube-dns}}], "
    'toPorts: [{ports: [{port: "53", protocol: ANY}], rules: {dns: [{matchPattern: "*"}]}}]}'
)


def fqdn(*names: str) -> str:
    """One toFQDNs entry on 443."""
    listed = ", ".join(f"{{matchName: {name}}}" for name in names)
    return f'{{toFQDNs: [{listed}], toPorts: [{{ports: [{{port: "443", protocol: TCP}}]}}]}}'


def overlay(*resources: str, namespace: str = "", components: tuple[str, ...] = (), more: str = "") -> str:
    """A kustomization.yaml."""
    lines = ["apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization"]
    lines += [f"namespace: {namespace}"] if namespace else []
    lines += ["resources:", *(f"  - {each}" for each in resources)] if resources else []
    lines += ["components:", *(f"  - {each}" for each in components)] if components else []
    return "\n".join(lines) + "\n" + more


def flux(
    name: str,
    path: str,
    *,
    target: str = "",
    components: tuple[str, ...] = (),
    substitute: Mapping[str, str] | None = None,
    more: str = "",
) -> str:
    """A Flux Kustomization."""
    lines = ["---", f"apiVersion: {FLUX_API}", "kind: Kustomization", "metadata:", f"  name: {name}", "spec:"]
    lines += [f"  path: ./{path}", "  sourceRef: {kind: GitRepository, name: flux-system}"]
    lines += [f"  targetNamespace: {target}"] if target else []
    lines += ["  components:", *(f"    - {each}" for each in components)] if components else []
    lines += [
        "  postBuild:",
        "    substitute:",
        *(f"      {key}: {value}" for key, value in (substitute or {}).items()),
    ] * bool(substitute)
    return "\n".join(lines) + "\n" + more


def app_template(
    name: str, *controllers: str, labels: Mapping[str, str] | None = None, comment: str = "", more: str = ""
) -> str:
    """A HelmRelease of the app-template chart. A controller may say its type: "sync:cronjob".

    `comment` stands above the labels of its pods.
    """
    lines = ["---", "apiVersion: helm.toolkit.fluxcd.io/v2", "kind: HelmRelease", "metadata:", f"  name: {name}"]
    lines += ["spec:", "  chart: {spec: {chart: app-template, version: 4.4.0}}", "  values:"]
    if labels:
        lines += ["    defaultPodOptions:", "      labels:", *([f"        # {comment}"] if comment else [])]
        lines += [f'        {key}: "{value}"' for key, value in labels.items()]
    lines += ["    controllers:"]
    for each in controllers or (name,):
        identifier, _, kind = each.partition(":")
        lines += [f"      {identifier}:", *([f"        type: {kind}"] if kind else [])]
        lines += [f"        containers: {{app: {{image: {{repository: ghcr.io/x/{identifier}, tag: 1.0.0}}}}}}"]
    return "\n".join(lines) + "\n" + more


def deployment(
    name: str, *, namespace: str = "", kind: str = "Deployment", labels: Mapping[str, str] | None = None
) -> str:
    """A plain workload."""
    where = f", namespace: {namespace}" if namespace else ""
    pod = _flow(labels or {"app.kubernetes.io/name": name.strip("'")})
    return (
        f"---\napiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}{where}}}\n"
        f"spec:\n  selector: {{matchLabels: {pod}}}\n  template:\n    metadata: {{labels: {pod}}}\n"
        "    spec: {containers: [{name: app, image: x:1}]}\n"
    )


def home_ops() -> Files:
    """Flux with a cluster root, one ks.yaml an app, `targetNamespace`, policies beside the releases without namespace."""
    apps = "kubernetes/apps"
    return {
        "kubernetes/flux/cluster/ks.yaml": flux("cluster-apps", apps),
        f"{apps}/media/kustomization.yaml": overlay(
            "./namespace.yaml", "./recyclarr/ks.yaml", "./immich/ks.yaml", "./sonarr/ks.yaml", namespace="media"
        ),
        f"{apps}/media/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: not-used, labels: {tier: fun}}\n",
        f"{apps}/media/recyclarr/ks.yaml": flux("recyclarr", f"{apps}/media/recyclarr/app", target="media"),
        f"{apps}/media/recyclarr/app/kustomization.yaml": overlay("./helmrelease.yaml", "./netpol.yaml"),
        f"{apps}/media/recyclarr/app/helmrelease.yaml": app_template("recyclarr", "recyclarr:cronjob"),
        f"{apps}/media/recyclarr/app/netpol.yaml": cnp(
            "recyclarr-allow", DNS, fqdn("api.github.com"), labels={"app.kubernetes.io/name": "recyclarr"}
        ),
        f"{apps}/media/immich/ks.yaml": flux(
            "immich",
            f"{apps}/media/immich/app",
            target="media",
            components=("../../../../components/volsync",),
            substitute={"APP": "immich"},
        ),
        f"{apps}/media/immich/app/kustomization.yaml": overlay("./helmrelease.yaml", "./networkpolicy.yaml"),
        f"{apps}/media/immich/app/helmrelease.yaml": app_template("immich", "server", "machine-learning"),
        f"{apps}/media/immich/app/networkpolicy.yaml": cnp(
            "immich-server",
            DNS,
            WORLD,
            labels={"app.kubernetes.io/name": "immich", "app.kubernetes.io/controller": "server"},
        )
        + cnp(
            "immich-machine-learning",
            DNS,
            fqdn("huggingface.co"),
            selector="{matchExpressions: [{key: app.kubernetes.io/name, operator: In, values: [immich]}, {key: app.kubernetes.io/controller, operator: NotIn, values: [server]}]}",
        ),
        # Without a kustomization: Flux takes the whole directory.
        f"{apps}/media/sonarr/ks.yaml": flux(
            "sonarr",
            f"{apps}/media/sonarr/app",
            target="media",
            components=("../../../../components/volsync",),
            substitute={"APP": "sonarr"},
        ),
        f"{apps}/media/sonarr/app/helmrelease.yaml": app_template("sonarr"),
        f"{apps}/media/sonarr/app/policy.yaml": cnp("sonarr", WORLD),
        # Not in any kustomization.
        f"{apps}/media/plex/ks.yaml": flux("plex", f"{apps}/media/plex/app", target="media"),
        f"{apps}/media/plex/app/helmrelease.yaml": app_template("plex"),
        f"{apps}/media/plex/app/policy.yaml": cnp("plex", WORLD),
        "kubernetes/components/volsync/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [./backup.yaml, ./netpol.yaml]\n",
        "kubernetes/components/volsync/backup.yaml": "apiVersion: volsync.backube/v1alpha1\nkind: ReplicationSource\nmetadata: {name: '${APP}'}\nspec: {sourcePVC: '${APP}', restic: {repository: x}}\n",
        "kubernetes/components/volsync/netpol.yaml": cnp(
            "${APP}-backup", WORLD, labels={"app.kubernetes.io/created-by": "volsync"}
        ),
    }


def kustomize_overlays() -> Files:
    """No Flux: bases and overlays, the outermost namespace wins, prefixes and labels are added, patches are no objects."""
    return {
        "apps/podinfo/base/kustomization.yaml": overlay("deployment.yaml", "policy.yaml", namespace="inner"),
        "apps/podinfo/base/deployment.yaml": deployment("podinfo"),
        "apps/podinfo/base/policy.yaml": cnp("podinfo", fqdn("api.github.com")),
        "apps/podinfo/overlays/prod/kustomization.yaml": overlay(
            "../../base",
            namespace="podinfo",
            more="namePrefix: prod-\npatches:\n  - path: patch.yaml\nlabels:\n  - pairs: {tier: web}\n    includeSelectors: true\n",
        ),
        "apps/podinfo/overlays/prod/patch.yaml": deployment("podinfo"),
        "charts/own/Chart.yaml": "name: own\n",
        "charts/own/templates/deployment.yaml": "kind: Deployment\nmetadata: {name: {{ .Release.Name }}}\n{{- if x }}\n",
    }


def transformed() -> Files:
    """NamespaceTransformers: one that sets what is unset, one that gives Flux Kustomizations their target."""
    setting = (
        "apiVersion: builtin\nkind: NamespaceTransformer\nmetadata: {name: set, namespace: tools}\nunsetOnly: true\n"
    )
    target = (
        "apiVersion: builtin\nkind: NamespaceTransformer\nmetadata: {name: x, namespace: home}\n"
        "fieldSpecs:\n  - {path: spec/targetNamespace, kind: Kustomization, create: true}\n"
    )
    return {
        "flux/cluster.yaml": flux("cluster", "apps"),
        "apps/kustomization.yaml": overlay("./tools", "./home"),
        "apps/tools/kustomization.yaml": overlay("a.yaml", "b.yaml", more="transformers: [set.yaml]\n"),
        "apps/tools/set.yaml": setting,
        "apps/tools/a.yaml": deployment("unset"),
        "apps/tools/b.yaml": deployment("placed", namespace="elsewhere"),
        "apps/home/kustomization.yaml": overlay("ks.yaml", more=f"transformers:\n  - |-\n{_indented(target)}"),
        "apps/home/ks.yaml": flux("frigate", "apps/home/frigate"),
        "apps/home/frigate/release.yaml": app_template("frigate"),
    }


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def opt_in() -> Files:
    """Clusterwide policies that pods opt into by a label, and one for all that lack it; a namespace-level policy."""
    netpols = "kubernetes/apps/kube-system/cilium/netpols"
    return {
        "kubernetes/flux/cluster/ks.yaml": flux("cluster-apps", "kubernetes/apps"),
        f"{netpols}/kustomization.yaml": overlay("world.yaml", "default.yaml"),
        f"{netpols}/world.yaml": cnp(
            "allow-world", WORLD, labels={"egress.home.arpa/allow-world": "true"}, kind="CiliumClusterwideNetworkPolicy"
        ),
        f"{netpols}/default.yaml": cnp(
            "allow-cluster",
            "{toEntities: [cluster]}",
            kind="CiliumClusterwideNetworkPolicy",
            selector="{matchExpressions: [{key: egress.home.arpa/custom, operator: DoesNotExist}]}",
        ),
        "kubernetes/apps/media/kustomization.yaml": overlay(
            "policy.yaml", "recyclarr", "qbittorrent", "bazarr", namespace="media"
        ),
        "kubernetes/apps/media/policy.yaml": cnp(
            "public-web",
            WORLD,
            selector="{matchExpressions: [{key: app.kubernetes.io/name, operator: In, values: [bazarr, prowlarr]}]}",
        ),
        "kubernetes/apps/media/recyclarr/kustomization.yaml": overlay("helmrelease.yaml"),
        "kubernetes/apps/media/recyclarr/helmrelease.yaml": app_template(
            "recyclarr", "recyclarr:cronjob", labels={"egress.home.arpa/allow-world": "true"}
        ),
        "kubernetes/apps/media/qbittorrent/kustomization.yaml": overlay("helmrelease.yaml", "netpol.yaml"),
        "kubernetes/apps/media/qbittorrent/helmrelease.yaml": app_template(
            "qbittorrent", labels={"egress.home.arpa/custom": "true"}
        ),
        "kubernetes/apps/media/qbittorrent/netpol.yaml": cnp(
            "qbittorrent-vpn-only", labels={"app.kubernetes.io/name": "qbittorrent"}
        ),
        "kubernetes/apps/media/bazarr/kustomization.yaml": overlay("helmrelease.yaml"),
        "kubernetes/apps/media/bazarr/helmrelease.yaml": app_template("bazarr"),
    }


def argo() -> Files:
    """Argo CD: an Application a directory, and an ApplicationSet over directories."""
    return {
        "argocd/rss.yaml": (
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: rss, namespace: argocd}\n"
            "spec:\n  source: {repoURL: https://example.com/x, path: manifests/rss}\n  destination: {namespace: feeds}\n"
        ),
        "argocd/set.yaml": (
            "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: infra}\nspec:\n"
            "  generators:\n    - git: {repoURL: x, directories: [{path: infra/*}, {path: infra/old, exclude: true}]}\n"
            "  template:\n    metadata: {name: '{{ path.basename }}'}\n    spec:\n"
            "      source: {repoURL: x, path: '{{ path }}'}\n      destination: {namespace: '{{path.basename}}'}\n"
        ),
        "manifests/rss/server.yaml": deployment("rss-server"),
        "manifests/rss/ui.yaml": deployment("rss-ui"),
        "manifests/rss/netpol-server.yaml": cnp("rss-server", WORLD),
        "infra/blocky/kustomization.yaml": overlay("deployment.yaml", "netpol.yaml"),
        "infra/blocky/deployment.yaml": deployment("blocky"),
        "infra/blocky/netpol.yaml": cnp("blocky", fqdn("one.one.one.one")),
        "infra/old/deployment.yaml": deployment("old"),
    }
