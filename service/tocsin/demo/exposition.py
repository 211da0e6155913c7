"""The series of Hubble, cAdvisor and kube-state-metrics in their true shapes, and the text formats they travel in.

Every series carries `job` and `instance`, so that backfilled and scraped samples belong to the same series; scrape
with `honor_labels: true`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.demo.cluster import Pod, Reading

Labels = Mapping[str, str]

TOCSIN = {"namespace": "observability", "pod": "tocsin-0"}
"""What the operator's ServiceMonitor adds to the series of tocsin itself."""
LOST_BY = ("perf_event_ring_buffer", "observer_events_queue", "hubble_ring_buffer")
"""Where Hubble can lose events."""

_AGENT = {"job": "hubble-metrics", "instance": "10.0.0.11:9965", "namespace": "kube-system", "pod": "cilium-x7k2p"}
_KUBELET = {"job": "kubelet", "instance": "10.0.0.11:10250", "metrics_path": "/metrics/cadvisor"}
_STATE = {"job": "kube-state-metrics", "instance": "10.42.0.17:8080"}


def hubble(pod: Pod) -> Iterator[Reading]:
    """`dns:query;labelsContext=source_namespace,source_pod,source_workload`."""
    source = {"source_namespace": pod.namespace, "source_pod": pod.name, "source_workload": pod.workload.name}
    for (query, qtypes, rcode), count in pod.queries.items():
        labels = _AGENT | source | {"query": query, "qtypes": qtypes, "rcode": rcode, "ips_returned": "0"}
        yield "hubble_dns_queries_total", labels, count


def agent() -> Iterator[Reading]:
    """What Hubble tells of itself: it loses nothing."""
    for source in LOST_BY:
        yield "hubble_lost_events_total", _AGENT | {"source": source}, 0


def tocsin() -> Iterator[Reading]:
    """What tells that tocsin runs."""
    yield "tocsin_build_info", {"job": "tocsin", "instance": "10.42.0.23:8080"} | TOCSIN, 1


def cadvisor(pod: Pod) -> Reading:
    """One counter a pod sandbox: no container."""
    labels = {
        "namespace": pod.namespace, "pod": pod.name, "interface": "eth0", "node": pod.node,
        "image": "registry.k8s.io/pause:3.10", "name": f"sandbox-{pod.name}", "id": f"/kubepods/burstable/{pod.name}",
    }  # fmt: skip
    return "container_network_transmit_bytes_total", _KUBELET | labels, float(int(pod.sent))


def kube_state(pod: Pod) -> Iterator[Reading]:
    """What kube-state-metrics tells of a pod and of what owns it."""
    kind, owner = pod.owner
    who = _STATE | {"namespace": pod.namespace, "pod": pod.name}
    owned = {"owner_kind": kind, "owner_name": owner, "owner_is_controller": "true"}
    info = {
        "uid": f"uid-{pod.name}", "node": pod.node, "host_ip": "10.0.0.11", "pod_ip": "10.42.0.80",
        "created_by_kind": kind, "created_by_name": owner, "priority_class": "", "host_network": "false",
    }  # fmt: skip
    yield "kube_pod_owner", who | owned, 1
    yield "kube_pod_info", who | info, 1
    yield "kube_pod_created", who | {"uid": f"uid-{pod.name}"}, float(int(pod.created_at))
    yield "kube_pod_labels", who | {"label_app_kubernetes_io_name": pod.workload.app or pod.workload.name}, 1
    above = {"owner_kind": pod.workload.kind, "owner_name": pod.workload.name, "owner_is_controller": "true"}
    namespace = _STATE | {"namespace": pod.namespace}
    if kind == "ReplicaSet":
        yield "kube_replicaset_owner", namespace | {"replicaset": owner} | above, 1
    if kind == "Job":
        yield "kube_job_owner", namespace | {"job_name": owner} | above, 1


def text(readings: Iterable[Reading]) -> str:
    """Prometheus's text format."""
    by_metric: dict[str, dict[str, float]] = {}
    for metric, labels, value in readings:
        by_metric.setdefault(metric, {})[series(metric, labels)] = value
    lines = []
    for metric, values in by_metric.items():
        lines.append(f"# TYPE {metric} {'counter' if metric.endswith('_total') else 'gauge'}")
        lines += [f"{name} {value:.17g}" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def series(metric: str, labels: Labels) -> str:
    """A series as both formats write it."""
    return metric + "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
