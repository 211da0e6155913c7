"""The workloads that well-known charts render: a table, in the form that `chart_names` explains. Pure.

A pod is never given to a release because their names begin alike: of a chart that is not here nothing is known, and a
workload is only here if its name follows from the release and the values. Above each chart stands where its templates
are. The labels are mostly those of its selector, which rarely change; names that did (tetragon, kyverno before 3.0) are
the newer ones. A chart may render more than is here: redis with a sentinel, loki where its mode is not set.

A chart's name is not its vendor's: `redis` and `postgresql` are Bitnami's. `minio` of both vendors has one workload,
of which the kind is only known where `mode` is set.
"""

from collections.abc import Mapping
from typing import Any, Final

from tocsin.gitops.chart_names import Chart, Rendered, Row, component, fixed, row, several, single, standard, workloads
from tocsin.gitops.monitoring_charts import MONITORING
from tocsin.gitops.pod_template import COMPONENT, INSTANCE, NAME, PART_OF

__all__ = ["CHARTS", "Rendered", "rendered"]


def rendered(chart: str, release: str, values: Mapping[str, Any]) -> tuple[Rendered, ...] | None:
    """The workloads of a release of `chart`, the last part of its URL; None for a chart that is not known.

    Raises TypeError for values that have another type than the chart's.
    """
    return workloads(CHARTS, chart, release, values)


def _named(part: str, *when: str) -> Row:
    """A Deployment that has its part's name in the label of the name."""
    return row("Deployment", f"{{full}}-{part}", *when, labels=standard(name=f"{{name}}-{part}"))


def _cert_manager(kind: str, component: str, *when: str) -> Row:
    return row(kind, f"{{full}}-{component}", *when, labels=standard(component, component, app=component))


def _argo_cd(kind: str, value: str, component: str, *when: str) -> Row:
    component = f"{{{value}.name:{component}}}"
    return row(kind, f"{{full}}-{component}", *when, labels=standard(component, f"{{name}}-{component}"))


def _kyverno(component: str, value: str) -> Row:
    name = f"{{name}}-{component}"
    return row("Deployment", name, f"{value}.enabled", labels=standard(component, name), part=component)


def _keda(name: str, *when: str) -> Row:
    return row("Deployment", name, *when, labels=standard(name=name, app=name))


def _cilium(kind: str, name: str, *when: str) -> Row:
    return fixed(kind, name, *when, key="k8s-app", more=((NAME, name),))


def _flux(name: str, default: bool = True) -> Row:
    more = ((COMPONENT, name), (PART_OF, "flux"))
    return fixed("Deployment", name, f"{'' if default else '+'}instance.components~{name}", more=more)


def _immich(part: str, *when: str) -> Row:
    return row("Deployment", f"{{release}}-{part}", *when, labels=standard(name=part), part=part)


def _longhorn(kind: str, name: str) -> Row:
    return fixed(kind, name, more=standard())


_CILIUM_OPERATOR: Final = ((NAME, "cilium-operator"), ("io.cilium/app", "operator"))

CHARTS: Final[Mapping[str, Chart]] = {
    **MONITORING,
    # cert-manager/cert-manager, deploy/charts/cert-manager
    "cert-manager": several(
        row("Deployment", "{full}", labels=standard("controller", app="{name}")),
        _cert_manager("Deployment", "webhook"),
        _cert_manager("Deployment", "cainjector", "cainjector.enabled"),
        _cert_manager("Job", "startupapicheck", "startupapicheck.enabled"),
    ),
    # external-secrets/external-secrets, deploy/charts/external-secrets
    "external-secrets": several(
        row("Deployment", "{full}", "createOperator"),
        _named("webhook", "webhook.create"),
        _named("cert-controller", "certController.create", "!webhook.certManager.enabled"),
    ),
    # kubernetes-sigs/external-dns, charts/external-dns
    "external-dns": single("Deployment"),
    # cilium/cilium, install/kubernetes/cilium; cilium/tetragon, install/kubernetes/tetragon
    "cilium": several(
        fixed("DaemonSet", "cilium", "agent", key="k8s-app", more=((NAME, "cilium-agent"),)),
        _cilium("DaemonSet", "cilium-envoy", "envoy.enabled", "!preflight.enabled"),
        fixed("DaemonSet", "cilium-pre-flight-check", "+preflight.enabled", key="k8s-app"),
        fixed(
            "Deployment",
            "cilium-operator",
            "operator.enabled",
            key="name",
            more=_CILIUM_OPERATOR,
        ),
        _cilium("Deployment", "hubble-relay", "+hubble.relay.enabled"),
        _cilium("Deployment", "hubble-ui", "+hubble.ui.enabled"),
    ),
    "tetragon": several(
        row("DaemonSet", "{release}", "tetragon.enabled", "!tetragon.nameOverride"),
        row(
            "Deployment",
            "{release}-operator",
            "tetragonOperator.enabled",
            "!tetragonOperator.nameOverride",
            labels=standard(name="tetragon-operator"),
        ),
    ),
    # coredns/helm, charts/coredns; ori-edge/k8s_gateway, charts/k8s-gateway
    "coredns": several(
        row(
            "Deployment",
            "{full}",
            "deployment.enabled",
            "!deployment.name",
            "isClusterService",
            labels=(*standard(), ("k8s-app", "{k8sAppLabelOverride:coredns}")),
        ),
        row("Deployment", "{full}", "deployment.enabled", "!deployment.name", "isClusterService=false"),
    ),
    "k8s-gateway": single("Deployment"),
    # kubernetes-sigs/metrics-server, kubernetes-sigs/descheduler, kubernetes-sigs/headlamp, charts/*
    "metrics-server": single("Deployment"),
    "descheduler": single("{kind:CronJob}"),
    "headlamp": single("Deployment"),
    # kubernetes-sigs/node-feature-discovery, deployment/helm/node-feature-discovery
    "node-feature-discovery": several(
        row("Deployment", "{full}-master", "master.enable", labels=standard(role="master")),
        row("DaemonSet", "{full}-worker", "worker.enable", labels=standard(role="worker")),
        row("Deployment", "{full}-gc", "gc.enable", labels=standard(role="gc")),
    ),
    # intel/helm-charts, charts/device-plugin-operator
    "intel-device-plugins-operator": several(
        row("Deployment", "inteldeviceplugins-controller-manager", labels=(("control-plane", "controller-manager"),)),
    ),
    # stakater/Reloader, deployments/kubernetes/chart/reloader; its labels differ between versions
    "reloader": Chart((row("Deployment", "{full}", labels=()),), merges=False),
    # spegel-org/spegel, postfinance/kubelet-csr-approver, charts/*; emberstack/kubernetes-reflector, src/helm/reflector
    "spegel": single("DaemonSet"),
    "kubelet-csr-approver": single("Deployment"),
    "reflector": single("Deployment", "!cron.enabled"),
    # kubernetes/ingress-nginx, charts/ingress-nginx
    "ingress-nginx": several(
        row("{controller.kind:Deployment}", "{full}-{controller.name:controller}", labels=standard("controller")),
        row(
            "Deployment",
            "{full}-{defaultBackend.name:defaultbackend}",
            "+defaultBackend.enabled",
            labels=standard("default-backend"),
        ),
    ),
    # envoyproxy/gateway, charts/gateway-helm
    "gateway-helm": several(fixed("Deployment", "envoy-gateway", key="control-plane", more=standard())),
    # traefik/traefik-helm-chart; the namespace is in the label of the instance
    "traefik": single(
        "{deployment.kind:Deployment}",
        "deployment.enabled",
        labels=((NAME, "{name}"), (INSTANCE, "{release}-{namespace}")),
    ),
    # cloudnative-pg/charts, dragonflydb/dragonfly-operator, CrunchyData/postgres-operator-examples (helm/install)
    "cloudnative-pg": single("Deployment"),
    "dragonfly-operator": single("Deployment"),
    "pgo": several(fixed("Deployment", "pgo", key="postgres-operator.crunchydata.com/control-plane")),
    # mariadb-operator/mariadb-operator, emqx/emqx-operator, deploy/charts/*
    "mariadb-operator": several(
        row("Deployment", "{full}"),
        _named("webhook", "webhook.enabled"),
        _named("cert-controller", "certController.enabled"),
    ),
    "emqx-operator": several(
        row("Deployment", "{full}-controller-manager", labels=(*standard(), ("control-plane", "controller-manager"))),
    ),
    # bitnami/charts, bitnami/*; with a sentinel the pods of redis are others
    "redis": several(
        row("{master.kind:StatefulSet}", "{full}-master", "!sentinel.enabled", labels=standard("master")),
        row(
            "{replica.kind:StatefulSet}",
            "{full}-replicas",
            "architecture!=standalone",
            "!sentinel.enabled",
            labels=standard("replica"),
        ),
    ),
    "postgresql": several(
        row("StatefulSet", "{full}", "architecture!=replication", labels=standard("primary")),
        row("StatefulSet", "{full}-{primary.name:primary}", "architecture=replication", labels=standard("primary")),
        row("StatefulSet", "{full}-{readReplicas.name:read}", "architecture=replication", labels=standard("read")),
    ),
    # minio/minio, helm/minio
    "minio": single("{mode}", labels=()),
    # nats-io/k8s, helm/charts/nats
    "nats": several(
        row("StatefulSet", "{full}", "!statefulSet.name", labels=standard("nats")),
        row("Deployment", "{full}-box", "natsBox.enabled", "!natsBox.deployment.name", labels=standard("nats-box")),
    ),
    # metallb/metallb, charts/metallb
    "metallb": several(
        component("Deployment", "controller", "controller.enabled"),
        component("DaemonSet", "speaker", "speaker.enabled"),
    ),
    # rook/rook, deploy/charts/*; what the operator makes of a CephCluster is not here
    "rook-ceph": several(fixed("Deployment", "rook-ceph-operator")),
    "rook-ceph-cluster": several(fixed("Deployment", "rook-ceph-tools", "+toolbox.enabled")),
    # openebs/dynamic-localpv-provisioner, deploy/helm/charts
    "openebs": Chart((), subcharts=(("localpv-provisioner", "localpv-provisioner.enabled"),)),
    "localpv-provisioner": single(
        "Deployment",
        "localpv.enabled",
        labels=(("release", "{release}"), ("openebs.io/component-name", "openebs-{localpv.name:localpv-provisioner}")),
    ),
    # longhorn/longhorn, chart
    "longhorn": several(
        _longhorn("DaemonSet", "longhorn-manager"),
        _longhorn("Deployment", "longhorn-driver-deployer"),
        _longhorn("Deployment", "longhorn-ui"),
    ),
    # democratic-csi/charts, stable/democratic-csi
    "democratic-csi": several(
        row(
            "Deployment",
            "{full}-controller",
            "controller.enabled",
            "controller.strategy!=node",
            labels=standard("controller-linux"),
        ),
        row("DaemonSet", "{full}-node", "node.enabled", labels=standard("node-linux")),
    ),
    # kubernetes-csi/csi-driver-nfs, kubernetes-csi/csi-driver-smb, charts/latest/*
    "csi-driver-nfs": several(
        fixed("Deployment", "{controller.name:csi-nfs-controller}"),
        fixed("DaemonSet", "{node.name:csi-nfs-node}"),
    ),
    "csi-driver-smb": several(
        fixed("Deployment", "{controller.name:csi-smb-controller}"),
        fixed("DaemonSet", "{linux.dsName:csi-smb-node}", "linux.enabled"),
    ),
    # piraeusdatastore/helm-charts, charts/snapshot-controller
    "snapshot-controller": Chart((row("Deployment", "{full}", "controller.enabled"),), overrides=False),
    # backube/volsync, helm/volsync
    "volsync": single("Deployment"),
    # vmware-tanzu/helm-charts, charts/velero
    "velero": several(
        row("Deployment", "{full}"),
        fixed("DaemonSet", "node-agent", "+deployNodeAgent", key="name", more=standard()),
    ),
    # kedacore/charts, keda
    "keda": several(
        _keda("{operator.name:keda-operator}"),
        _keda("{operator.name:keda-operator}-metrics-apiserver"),
        _keda("{webhooks.name:keda-admission-webhooks}", "webhooks.enabled"),
    ),
    # kyverno/kyverno, charts/kyverno, since 3.0
    "kyverno": several(
        _kyverno("admission-controller", "admissionController"),
        _kyverno("background-controller", "backgroundController"),
        _kyverno("cleanup-controller", "cleanupController"),
        _kyverno("reports-controller", "reportsController"),
    ),
    # goauthentik/helm, charts/authentik
    "authentik": Chart(
        (
            row("Deployment", "{full}-{server.name:server}", "server.enabled", labels=standard("{server.name:server}")),
            row("Deployment", "{full}-{worker.name:worker}", "worker.enabled", labels=standard("{worker.name:worker}")),
        ),
        subcharts=(("postgresql", "+postgresql.enabled"), ("redis", "+redis.enabled")),
    ),
    # crowdsecurity/helm-charts, charts/crowdsec
    "crowdsec": several(
        row("DaemonSet", "{release}-agent", "agent.enabled", labels=()),
        row("Deployment", "{release}-lapi", "lapi.enabled", labels=()),
        row("Deployment", "{release}-appsec", "+appsec.enabled", labels=()),
    ),
    # argoproj/argo-helm, charts/argo-cd; `nameOverride` is set in values.yaml
    "argo-cd": Chart(
        (
            _argo_cd("StatefulSet", "controller", "application-controller", "!controller.dynamicClusterDistribution"),
            _argo_cd("Deployment", "controller", "application-controller", "+controller.dynamicClusterDistribution"),
            _argo_cd("Deployment", "server", "server"),
            _argo_cd("Deployment", "repoServer", "repo-server"),
            _argo_cd("Deployment", "applicationSet", "applicationset-controller", "applicationSet.enabled"),
            _argo_cd("Deployment", "notifications", "notifications-controller", "notifications.enabled"),
            _argo_cd("Deployment", "dex", "dex-server", "dex.enabled"),
            _argo_cd("Deployment", "redis", "redis", "redis.enabled", "!redis-ha.enabled"),
        ),
        name="argocd",
    ),
    # controlplaneio-fluxcd/charts; fluxcd/flux2 manifests have the label
    "flux-operator": single("Deployment"),
    "flux-instance": several(
        _flux("source-controller"),
        _flux("kustomize-controller"),
        _flux("helm-controller"),
        _flux("notification-controller"),
        _flux("image-reflector-controller", default=False),
        _flux("image-automation-controller", default=False),
    ),
    # flux-iac/tofu-controller, charts/tofu-controller
    "tofu-controller": several(row("Deployment", "{full}"), _named("branch-planner", "+branchPlanner.enabled")),
    # aquasecurity/trivy-operator, deploy/helm; tailscale/tailscale, cmd/k8s-operator/deploy/chart
    "trivy-operator": single("Deployment"),
    "tailscale-operator": several(fixed("Deployment", "operator")),
    # FairwindsOps/charts, stable/*
    "goldilocks": several(
        component("Deployment", "controller", "controller.enabled"),
        component("Deployment", "dashboard", "dashboard.enabled"),
    ),
    "vpa": several(
        component("Deployment", "recommender", "recommender.enabled"),
        component("Deployment", "updater", "updater.enabled"),
        component("Deployment", "admission-controller", "admissionController.enabled"),
    ),
    # immich-app/immich-charts, charts/immich; each part is a release of its own of the common library
    "immich": Chart(
        (
            *(_immich(part, f"{part}.enabled") for part in ("server", "machine-learning")),
            *(_immich(part, f"+{part}.enabled") for part in ("microservices", "valkey")),
        ),
        overrides=False,
        subcharts=(("postgresql", "+postgresql.enabled"), ("redis", "+redis.enabled")),
    ),
    # home-operations/tuppr, charts/tuppr; nextcloud/helm, charts/nextcloud; gitea/helm-gitea
    "tuppr": single("Deployment"),
    "nextcloud": Chart(
        (row("Deployment", "{full}", labels=standard("app")),),
        subcharts=(("postgresql", "+postgresql.enabled"), ("redis", "+redis.enabled")),
    ),
    "gitea": single("Deployment"),
}
