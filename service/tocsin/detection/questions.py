"""What is asked, in PromQL. Pure.

Every question reads a moment or a few minutes, and is answered with a count or with a few names.
"""

from datetime import timedelta
from typing import Final

from tocsin.enrich import promql
from tocsin.enrich.prometheus import DNS_QUERIES, POD_CREATED, POD_OWNER, REPLICASET_OWNER, SENT_BYTES, Prometheus
from tocsin.enrich.promql import Regex

POD_INFO: Final = "kube_pod_info"
NODE_INFO: Final = "kube_node_info"
LOST_EVENTS: Final = "hubble_lost_events_total"
LOSING: Final = Regex("perf_event_ring_buffer|observer_events_queue")
"""Where an event is lost before it is counted. The third source, `hubble_ring_buffer`, is of readers of flows only."""
REQUESTS: Final = "hubble_metrics_http_handler_requests_total"
"""Exported by every agent with Hubble metrics, also by one whose pods look nothing up."""
SEEN: Final = "workload_destination:egress_dns:seen"
MEMORY: Final = "workload_destination:egress_dns:memory"
WORKLOAD_MEMORY: Final = "workload:egress_dns:memory"
RATE: Final = "workload:egress_tx_bytes:rate10m"

_ANY: Final = Regex(".+")
_RECORDED: Final = timedelta(minutes=25)
"""Memory is recorded every 10 minutes; Prometheus forgets a sample after 5."""


def questions(prometheus: Prometheus) -> dict[str, str]:
    """Every question by its name."""
    return _names(prometheus) | _pods(prometheus) | _rules(prometheus)


def _names(prometheus: Prometheus) -> dict[str, str]:
    select = prometheus.selector
    dns, requests = select(DNS_QUERIES), select(REQUESTS)
    same_job = f"and on (job) group by (job) ({dns})"
    lost = select(LOST_EVENTS, source=LOSING)
    sent = select(SENT_BYTES, interface=prometheus.settings.interface, namespace=_ANY)
    sending = f"{sent} unless on (namespace, pod) {select(POD_INFO, host_network='true')}"
    asking = promql.by("group", ("source_namespace",), select(DNS_QUERIES, source_namespace=_ANY))
    asking = promql.extract(asking, "namespace", "source_namespace", Regex("(.+)"))
    return {
        "dns": f"count({dns})",
        "query": f"count({select(DNS_QUERIES, query=_ANY)})",
        "source": f"count({select(DNS_QUERIES, source_namespace=_ANY, source_pod=_ANY)})",
        "workload": f"count({select(DNS_QUERIES, source_workload=_ANY)})",
        "aaaa": f"count({select(DNS_QUERIES, qtypes=Regex('.*AAAA.*'))})",
        "capitals": f"count(group by (query) ({select(DNS_QUERIES, query=Regex('.*[A-Z].*'))}))",
        "hubble": f"count({requests})",
        # Where the agents' own metric is dropped, `up` of the job that the lookups come from counts them.
        "agents": f"count(group by (instance) ({requests} or on () ({select('up')} == 1 {same_job})))",
        "down": f"{select('up')} == 0 {same_job}",
        "nodes": f"count(group by (node) ({select(NODE_INFO)}))",
        "lost": f"sum({promql.over('increase', lost, timedelta(hours=1))})",
        "unseen": f"group by (namespace) ({sending}) unless on (namespace) {asking}",
    }


def _pods(prometheus: Prometheus) -> dict[str, str]:
    select = prometheus.selector
    interface = prometheus.settings.interface
    sent = select(SENT_BYTES, interface=interface)
    renamed = " or ".join(select(metric, exported_pod=_ANY) for metric in (SENT_BYTES, POD_OWNER, POD_INFO))
    return {
        "bytes": f"count({select(SENT_BYTES)})",
        "interface": f"count({sent})",
        "interfaces": f"topk(6, count by (interface) ({select(SENT_BYTES, interface=_ANY)}))",
        "pods": f"count({select(SENT_BYTES, interface=interface, pod=_ANY)})",
        "samples": f"quantile(0.5, {promql.over('count_over_time', sent, timedelta(minutes=10))})",
        "renamed": f"count by (__name__) ({renamed})",
        "owners": f"count({select(POD_OWNER)})",
        "replicasets": f"count({select(REPLICASET_OWNER)})",
        "created": f"count({select(POD_CREATED)})",
        "host_network": f"count({select(POD_INFO, host_network=_ANY)})",
    }


def _rules(prometheus: Prometheus) -> dict[str, str]:
    select = prometheus.selector
    remembered = promql.over("last_over_time", select(WORKLOAD_MEMORY), _RECORDED)
    return {
        "seen": f"count({select(SEEN)})",
        "memory": f"count({promql.over('last_over_time', select(MEMORY), _RECORDED)})",
        "rate": f"count({select(RATE)})",
        # The first of the last eight days, looked at every two hours, at which anything was remembered.
        "age": f"time() - min_over_time(timestamp(group({remembered}))[8d:2h])",
        "alerts": f"count({promql.over('last_over_time', select('ALERTS'), timedelta(days=1))})",
    }
