"""What is said of DNS names: whether Hubble counts lookups, of every pod, with the labels that are needed. Pure.

A judge returns None where another line has said it already.
"""

from typing import Final

from tocsin import units
from tocsin.detection.answers import Answers, Said, note, ok, wrong
from tocsin.enrich.prometheus import DNS_QUERIES

HELM: Final = 'hubble.metrics.enabled: ["dns:query;labelsContext=source_namespace,source_pod,source_workload"]'
"""The value of Cilium's Helm chart that everything about names rests on."""
LOWERCASE: Final = "{sourceLabels: [query], targetLabel: query, action: lowercase}"


def look_ups(known: Answers) -> Said:
    """The metric itself."""
    if number := known.count("dns"):
        return ok(units.count(number, "series", "series"))
    if known.count("hubble"):
        why = f"Hubble is scraped but counts none. Set {HELM}, and select the pods by a policy with rules.dns"
    else:
        why = f"no Hubble metric is scraped. Set {HELM}, and scrape port 9965 of every Cilium agent"
    return wrong(f"no {DNS_QUERIES}, so no new destination can be found: {why}")


def query(known: Answers) -> Said | None:
    """The label with the name."""
    if not known.count("dns"):
        return None
    if known.count("query"):
        return ok("the label query is there")
    return wrong(f"{DNS_QUERIES} has no label query, so no name is known. Write dns:query, as in {HELM}")


def source(known: Answers) -> Said | None:
    """The labels with whoever asked."""
    if not known.count("dns"):
        return None
    if not known.count("source"):
        return wrong(
            f"{DNS_QUERIES} has no labels source_namespace and source_pod, so nobody knows which pod asked. Set {HELM}"
        )
    if not known.count("workload"):
        return note(f"no label source_workload: workloads are guessed from the names of pods. Add it, as in {HELM}")
    return ok("source_namespace, source_pod and source_workload are there")


def aaaa(known: Answers) -> Said | None:
    """Whether `ignoreAAAA` hides half of it."""
    if not known.count("dns"):
        return None
    if known.count("aaaa"):
        return ok("counted")
    return note(
        "none is counted: a program that looks up nothing but IPv6 addresses is not seen. "
        "Take ignoreAAAA out of hubble.metrics.enabled"
    )


def case(known: Answers) -> Said | None:
    """Whether one name can look like several."""
    if not known.count("query"):
        return None
    if not (number := known.count("capitals")):
        return ok("all are in lower case")
    return note(
        f"{units.count(number, 'name')} with capital letters. A resolver that mixes case (0x20) makes one name look "
        f"like many new ones. Add to hubble.metrics.serviceMonitor.metricRelabelings: {LOWERCASE}"
    )


def agents(known: Answers) -> Said | None:
    """Whether every node exports."""
    exporting, nodes, down = known.count("agents"), known.count("nodes"), known.named("down", "instance")
    if not exporting:
        return None
    if exporting < nodes:
        silent = f" (no answer from {down})" if down else ""
        return note(
            f"{exporting} of {units.count(nodes, 'node')} export Hubble metrics{silent}: pods on the others are not "
            "watched. Look at the Cilium agents there, and at the scrape targets on port 9965"
        )
    if down and not nodes:
        return note(f"no answer from {down}: pods there are not watched. Look at the Cilium agents there")
    return ok(f"{exporting} of {units.count(nodes, 'node')} export" if nodes else units.count(exporting, "agent"))


def events(known: Answers) -> Said | None:
    """Whether Hubble loses some. Cilium exports the counter from the first loss on."""
    lost = known.number("lost")
    if lost is None:
        return None
    if lost < 1:
        return ok("none was lost within an hour")
    return note(
        f"about {lost:.0f} were lost within an hour, lookups among them. Raise hubble.eventQueueSize, for example to "
        "32768, or give the Cilium agents more CPU"
    )


def namespaces(known: Answers) -> Said | None:
    """Where pods send, but are not seen to ask for anything."""
    if not known.count("source"):
        return None
    unseen = known.named("unseen", "namespace")
    if not unseen:
        return ok("wherever pods send, lookups are seen")
    return note(
        f"pods in {unseen} send, but no lookup of theirs is seen. Where that is not meant, select the pods by a "
        "CiliumNetworkPolicy that has rules.dns for port 53 of kube-dns"
    )
