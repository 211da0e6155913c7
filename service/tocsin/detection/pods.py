"""What is said of bytes, and of what is known about pods. Pure.

A judge returns None where another line has said it already.
"""

from tocsin import units
from tocsin.detection.answers import Answers, Said, note, ok
from tocsin.detection.questions import POD_INFO
from tocsin.enrich.prometheus import POD_CREATED, POD_OWNER, REPLICASET_OWNER, SENT_BYTES


def sent(known: Answers) -> Said:
    """The counters of bytes, of the interface that pods have."""
    if not known.count("bytes"):
        return note(
            f"no {SENT_BYTES}, so no unusual volume can be found. Scrape /metrics/cadvisor of every kubelet, and do "
            "not drop that metric"
        )
    if not known.count("interface"):
        there = known.named("interfaces", "interface") or "none with a name"
        return note(
            f"no counter of interface {known.interface}, so no unusual volume can be found. There are: {there}. "
            "Set prometheus.interface to that of the pods, and make the rules again"
        )
    if not known.count("pods"):
        return note(f"{SENT_BYTES} has no label pod: scrape the kubelet's own /metrics/cadvisor, not another cAdvisor")
    return ok(units.count(known.count("interface"), "counter"))


def samples(known: Answers) -> Said | None:
    """Whether they come often enough for a rate over 10 minutes."""
    number = known.number("samples")
    if number is None:
        return None
    if number >= 3:
        return ok(f"{number:.0f} in 10 minutes")
    return note(
        f"{number:.0f} of a counter in 10 minutes are too few for a rate. Scrape /metrics/cadvisor every 2 minutes or "
        "more often"
    )


def renamed(known: Answers) -> Said | None:
    """Whether the exporter's own labels took the place of the pod's."""
    if metrics := known.named("renamed", "__name__"):
        return note(
            f"in {metrics} the pod is in exported_pod, and pod is the exporter's own. Set honorLabels: true "
            "(honor_labels) where it is scraped"
        )
    return ok("is the pod's own") if known.count("bytes") or known.count("owners") else None


def state(known: Answers) -> Said:
    """What kube-state-metrics tells of owners and ages."""
    missing = {
        "owners": f"no {POD_OWNER}: the byte rules take workloads from the names of pods",
        "replicasets": f"no {REPLICASET_OWNER}: the Deployment of a pod is guessed",
        "created": f"no {POD_CREATED}: messages cannot say how old a pod is",
    }
    said = [text for question, text in missing.items() if not known.count(question)]
    if not said:
        return ok("owners and ages of pods are known")
    return note(f"{'; '.join(said)}. Scrape kube-state-metrics, and do not drop or disallow them")


def host_network(known: Answers) -> Said:
    """Whether the bytes of a node can be told from those of a pod."""
    if known.count("host_network"):
        return ok("pods in the network of their node are known")
    return note(
        f"no {POD_INFO} with host_network: pods in the network of their node cannot be left out, and all that the node "
        "sends counts as theirs. Scrape kube-state-metrics, and do not drop or disallow it"
    )
