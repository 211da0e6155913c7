"""A pod is claimed by the workload that made it, and by no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.pod_names import is_kubernetes_name, matches, strip_pod_name

HASH, END = "7f9c6d8b5", "x2b4c"

MADE = [
    ("Pod", "debug", "debug"),
    ("Deployment", "sonarr", "sonarr-7f9c6d8b5-x2b4c"),
    ("Deployment", "sonarr", "sonarr-5d4f8c7b9b-mn4q8"),
    ("Deployment", "sonarr", "sonarr-6bf5b5-mn4q8"),
    ("Deployment", "my.app", "my.app-7f9c6d8b5-x2b4c"),
    ("Rollout", "shop", "shop-7f9c6d8b5-x2b4c"),
    ("ReplicaSet", "sonarr", "sonarr-x2b4c"),
    ("DaemonSet", "cilium", "cilium-5kq2x"),
    ("StatefulSet", "home-assistant", "home-assistant-0"),
    ("StatefulSet", "redis", "redis-12"),
    ("Job", "db-migrate", "db-migrate-x2b4c"),
    ("Job", "db-migrate", "db-migrate-0-x2b4c"),
    ("Job", "db-migrate", "db-migrate-117-x2b4c"),
    ("CronJob", "recyclarr", "recyclarr-29788325-vfgx7"),
    ("CronJob", "recyclarr", "recyclarr-1695211500-vfgx7"),
    ("CronJob", "recyclarr", "recyclarr-29788325-3-vfgx7"),
    ("CronJob", "recyclarr", "recyclarr-manual-d4k-vfgx7"),
    ("Cluster", "postgres-16", "postgres-16-1"),
    ("Cluster", "postgres-16", "postgres-16-1-initdb-x2b4c"),
    ("Cluster", "postgres-16", "postgres-16-1-import-x2b4c"),
    ("Cluster", "postgres-16", "postgres-16-1-pgbasebackup-x2b4c"),
    ("Cluster", "postgres-16", "postgres-16-1-full-recovery-x2b4c"),
    ("Cluster", "postgres-16", "postgres-16-12-snapshot-recovery-x2b4c"),
    ("Cluster", "postgres-16", "postgres-16-3-join-x2b4c"),
    ("Cluster", "postgres-16", "postgres-16-1-major-upgrade-x2b4c"),
    ("Pooler", "postgres-rw", "postgres-rw-7f9c6d8b5-x2b4c"),
    ("AutoscalingRunnerSet", "home-ops-runner", "home-ops-runner-x7k2p-runner-9zq4l"),
    ("AutoscalingListener", "home-ops-runner", "home-ops-runner-754b578d-listener"),
    ("RunnerDeployment", "builder", "builder-x7k2p-9zq4l"),
    ("RunnerSet", "builder", "builder-x7k2p-0"),
    ("ReplicationSource", "plex", "volsync-src-plex-x2b4c"),
    ("ReplicationSource", "plex", "volsync-rclone-src-plex-x2b4c"),
    ("ReplicationSource", "plex", "volsync-rsync-src-plex-x2b4c"),
    ("ReplicationDestination", "plex-dst", "volsync-dst-plex-dst-x2b4c"),
    ("ReplicationDestination", "plex", "volsync-rsync-tls-dst-plex-x2b4c"),
    ("Dragonfly", "dragonfly", "dragonfly-0"),
    ("MariaDB", "mariadb", "mariadb-1"),
    ("MongoDBCommunity", "unifi-db", "unifi-db-2"),
    ("MongoDBCommunity", "unifi-db", "unifi-db-arb-0"),
    ("RabbitmqCluster", "mq", "mq-server-0"),
    ("Keycloak", "sso", "sso-0"),
    ("postgresql", "acid-db", "acid-db-1"),
    ("Elasticsearch", "logs", "logs-es-default-0"),
    ("Elasticsearch", "logs", "logs-es-data-hot-11"),
    ("Kibana", "logs", "logs-kb-7f9c6d8b5-x2b4c"),
    ("EMQX", "emqx", "emqx-core-0"),
    ("DeploymentConfig", "forms", "forms-7-x2b4c"),
    ("EMQX", "emqx", "emqx-core-944bb84db-2"),
    ("EMQX", "emqx", "emqx-replicant-699944997b-4hw26"),
    ("Prometheus", "kps", "prometheus-kps-0"),
    ("Prometheus", "kps", "prometheus-kps-shard-1-0"),
    ("PrometheusAgent", "kps", "prom-agent-kps-0"),
    ("Alertmanager", "kps", "alertmanager-kps-0"),
    ("ThanosRuler", "kps", "thanos-ruler-kps-0"),
    ("VMSingle", "stack", "vmsingle-stack-7f9c6d8b5-x2b4c"),
    ("VMAgent", "stack", "vmagent-stack-7f9c6d8b5-x2b4c"),
    ("VMAgent", "stack", "vmagent-stack-0"),
    ("VMAlert", "stack", "vmalert-stack-7f9c6d8b5-x2b4c"),
    ("VMAlertmanager", "stack", "vmalertmanager-stack-0"),
    ("Grafana", "grafana", "grafana-deployment-7f9c6d8b5-x2b4c"),
    ("HelmRelease", "cert-manager", "cert-manager-7f9c6d8b5-x2b4c"),
]


@pytest.mark.parametrize(("kind", "name", "pod"), MADE)
def test_a_workload_claims_its_pods(kind: str, name: str, pod: str) -> None:
    assert matches(kind, name, pod)
    assert not matches(kind, name, pod + "-x")
    assert not matches(kind, name, "x" + pod)
    assert not matches(kind, name, pod.upper())
    assert not matches(kind, name[:-1], pod)
    assert not matches(kind, "my-" + name, pod)


@pytest.mark.parametrize("pod", sorted({pod for _, _, pod in MADE}))
@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in MADE}))
def test_nothing_claims_a_pod_by_the_start_of_its_name(kind: str, pod: str) -> None:
    own = {name for _, name, each in MADE if each == pod}
    starts = {pod[:end] for end, letter in enumerate(pod) if letter == "-"}
    shorter = {start for start in starts if any(name.startswith(start + "-") for name in own)}
    assert [start for start in sorted(shorter - own) if matches(kind, start, pod)] == []


@pytest.mark.parametrize(
    ("kind", "name", "pod"),
    [
        # another app whose name goes on
        ("Deployment", "sonarr", "sonarr-exporter-5d7c9d8f6b-x2k4p"),
        ("Deployment", "qbittorrent", "qbittorrent-tools-5d7c9d8f6b-x2k4p"),
        ("Deployment", "a", "a-bcdfg-5d7c9d8f6b-x2k4p"),
        ("DaemonSet", "sonarr", "sonarr-exporter-x2b4c"),
        ("StatefulSet", "plex", "plex-db-0"),
        ("StatefulSet", "rss", "rss-pg-1"),
        ("Cluster", "postgres", "postgres-16-x-1"),
        ("CronJob", "backup", "backup-db-29788325-x2b4c"),
        ("AutoscalingRunnerSet", "runner", "runner-gpu-x7k2p-runner-9zq4l"),
        ("ReplicationSource", "plex", "volsync-src-plex-db-x2b4c"),
        ("HelmRelease", "cert-manager", "cert-manager-webhook-7f9c6d8b5-x2b4c"),
        ("HelmRelease", "cert-manager", "cert-manager"),
        # a word is no hash
        ("Deployment", "shop", "shop-bff-x2b4c"),
        ("Deployment", "sonarr", "sonarr-backend-x2b4c"),
        ("DaemonSet", "cilium", "cilium-agent"),
        # the pods of one kind are not those of another
        ("Deployment", "sonarr", "sonarr-0"),
        ("Deployment", "sonarr", "sonarr-x2b4c"),
        ("Deployment", "sonarr", "sonarr"),
        ("StatefulSet", "sonarr", "sonarr-7f9c6d8b5-x2b4c"),
        ("StatefulSet", "sonarr", "sonarr-x2b4c"),
        ("StatefulSet", "sonarr", "sonarr-24567"),
        ("StatefulSet", "sonarr", "sonarr-01"),
        ("DaemonSet", "sonarr", "sonarr-7f9c6d8b5-x2b4c"),
        ("DaemonSet", "sonarr", "sonarr-0-x2b4c"),
        ("Job", "recyclarr", "recyclarr-29788325-x2b4c"),
        ("Job", "recyclarr", "recyclarr-01-x2b4c"),
        ("CronJob", "recyclarr", "recyclarr-x2b4c"),
        ("CronJob", "recyclarr", "recyclarr-297883-x2b4c"),
        ("CronJob", "recyclarr", "recyclarr-manual-x2b4c"),
        ("Cluster", "postgres", "postgres-0"),
        ("RabbitmqCluster", "mq", "mq-0"),
        ("Elasticsearch", "logs", "logs-0"),
        ("Kibana", "logs", "logs-7f9c6d8b5-x2b4c"),
        ("EMQX", "emqx", "emqx-0"),
        ("DeploymentConfig", "forms", "forms-7-deploy"),
        ("DeploymentConfig", "forms", "forms-db-7-x2b4c"),
        ("EMQX", "emqx", "emqx-operator-699944997b-4hw26"),
        ("Cluster", "postgres", "postgres-1-backup-x2b4c"),
        ("Cluster", "postgres", "postgres-7f9c6d8b5-x2b4c"),
        ("AutoscalingRunnerSet", "runner", "runner-7f9c6d8b5-x2b4c"),
        ("AutoscalingRunnerSet", "home-ops-runner", "home-ops-runner-754b578d-listener"),
        ("AutoscalingListener", "runner", "runner-app-listener"),
        ("ReplicationSource", "plex", "volsync-dst-plex-x2b4c"),
        ("ReplicationSource", "plex", "plex-x2b4c"),
        ("Prometheus", "kps", "kps-0"),
        ("Prometheus", "kps", "prometheus-kps-shard-0-0"),
        ("Pod", "debug", "debug-0"),
        # no name, no kind, no pod
        ("Deployment", "", "-7f9c6d8b5-x2b4c"),
        ("Ingress", "sonarr", "sonarr-7f9c6d8b5-x2b4c"),
        ("Pod", "a b", "a b"),
        ("Deployment", "s.narr", "sonarr-7f9c6d8b5-x2b4c"),
    ],
)
def test_a_pod_of_somebody_else(kind: str, name: str, pod: str) -> None:
    assert not matches(kind, name, pod)


def generated(base: str, end: str = END) -> str:
    """What the API server makes of `generateName`."""
    return base[:58] + end


@pytest.mark.parametrize("length", range(40, 64))
@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("Deployment", "", f"-{HASH}-"),
        ("DaemonSet", "", "-"),
        ("Job", "", "-"),
        ("CronJob", "", "-29788325-"),
        ("Cluster", "", "-1-snapshot-recovery-"),
        ("AutoscalingRunnerSet", "", "-x7k2p-runner-"),
        ("RunnerDeployment", "", "-x7k2p-"),
        ("ReplicationSource", "volsync-src-", "-"),
        ("VMSingle", "vmsingle-", f"-{HASH}-"),
        ("Grafana", "", f"-deployment-{HASH}-"),
    ],
)
def test_a_name_that_was_cut(length: int, kind: str, before: str, after: str) -> None:
    name = ("abcdefghij" * 7)[:length]
    pod = generated(before + name + after)
    assert matches(kind, name, pod)
    assert not matches(kind, name, generated(before + name + after, "ae-ou"))
    assert not matches(kind, "x" + name[1:], pod)
    assert not matches("StatefulSet", name, pod)
    assert not matches(kind, name, generated(before + name[:38] + "-other-one" + after))


@pytest.mark.parametrize("length", [40, 50, 55, 60])
def test_a_completion_index_survives_the_cut(length: int) -> None:
    name = ("abcdefghij" * 7)[:length]
    assert matches("Job", name, f"{name[:55]}-1-{END}")
    assert matches("Job", name, f"{name[:53]}-117-{END}")
    assert not matches("Job", name, f"{name[:40]}x-117-{END}")
    if length <= 52:
        job = f"{name}-29788325"
        assert matches("CronJob", name, f"{job[:55]}-1-{END}")
        assert not matches("CronJob", name, f"{name}-297-1-{END}") or length == 50


def test_a_cron_job_with_a_long_name_started_by_hand() -> None:
    name = ("abcdefghij" * 5)[:50]
    assert matches("CronJob", name, f"{name[:42]}-manual-d4k-{END}")  # k9s
    assert matches("CronJob", name, f"{name[:41]}-manual-d4k-{END}")  # Kubernetes dashboard
    assert not matches("CronJob", name, f"{name[:40]}-manual-d4k-{END}")
    assert not matches("CronJob", name[:41], f"{name[:40]}-manual-d4k-{END}")


def test_two_workloads_that_claim_one_pod_differ_in_length() -> None:
    pod = "a-5d7c9d8f6b-x2k4p"
    assert matches("Deployment", "a", pod)
    assert matches("DaemonSet", "a-5d7c9d8f6b", pod)


@pytest.mark.parametrize(
    ("release", "pod", "found"),
    [
        ("cert-manager", "cert-manager-7f9c6d8b5-x2b4c", "cert-manager"),
        ("redis", "redis-0", "redis"),
        ("cilium", "cilium-5kq2x", "cilium"),
        ("cilium", "cilium-operator-7f9c6d8b5-x2b4c", None),
        ("cilium", "cilium", None),
        ("loki", "promtail-5kq2x", None),
    ],
)
def test_a_release_of_an_unknown_chart(release: str, pod: str, found: str | None) -> None:
    assert matches("HelmRelease", release, pod) is (found is not None)
    assert found is None or strip_pod_name(pod) == found


@given(st.sampled_from(sorted({kind for kind, _, _ in MADE} - {"Pod", "HelmRelease"})), st.text(), st.text())
def test_any_text_is_judged(kind: str, name: str, pod: str) -> None:
    assert matches(kind, name, pod) is False or is_kubernetes_name(pod)


@given(st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z])?", fullmatch=True))
def test_what_is_stripped_is_claimed(name: str) -> None:
    for kind, pod in (("Deployment", f"{name}-{HASH}-{END}"), ("StatefulSet", f"{name}-0"), ("Job", f"{name}-{END}")):
        stripped = strip_pod_name(pod)
        assert matches(kind, name, pod)
        assert stripped is None or stripped == name or name.startswith(stripped)
