"""What of the detection rules differs from cluster to cluster."""

from datetime import timedelta

from pydantic import Field, field_validator

from tocsin.enrich import promql
from tocsin.section import Duration, Section


class RulesSettings(Section):
    """What `tocsin rules` makes the Prometheus rules of; the service itself reads none of it.

    Names of the own network, the interface and labels of one cluster are taken from `destination` and `prometheus`,
    workloads that are unbounded from apps.yaml.
    """

    learning: Duration = Field(
        timedelta(hours=70),
        gt=timedelta(0),
        description="A fresh system raises nothing for so long; just under three days, so that it is live on day 4.",
    )
    learning_of_workload: Duration = Field(
        timedelta(days=1),
        gt=timedelta(0),
        description="A new workload raises no novel destination for so long after its first lookup; names known for so "
        "long can be a family.",
    )
    hold: Duration = Field(
        timedelta(minutes=50),
        gt=timedelta(minutes=15),
        description="A novel destination fires for this long, up to 10 minutes more; then its name counts as known.",
    )
    remember: Duration = Field(
        timedelta(days=35),
        gt=timedelta(days=8),
        description="A name nobody of the workload asked for in this time is new again. Longer than a month, for jobs "
        "that run once in one; it does not depend on the retention of Prometheus.",
    )
    workloads_ignored: tuple[str, ...] = Field(
        ("coredns", "kube-dns", "node-local-dns", "nodelocaldns", "cilium", "cilium-envoy"),
        description="Workloads whose names are not watched, besides those that apps.yaml calls unbounded: resolvers "
        "ask on behalf of others. A glob for the workload, or namespace/workload.",
    )
    names_per_domain: int = Field(
        5,
        ge=1,
        description="More new names than this under one domain, within the hold, are one alert about `*.domain`.",
    )
    names_per_workload: int = Field(
        20, ge=1, description="More new names of one workload than this, within the hold, are one alert about `*`."
    )
    family: int = Field(
        5,
        ge=2,
        description="A domain of which a workload has known at least so many names may get further ones silently "
        "(a vendor with numbered servers).",
    )
    shared_domains: tuple[str, ...] = Field(
        (),
        description="Domains that are never a family, because anybody gets a name there, besides the well-known ones "
        "(amazonaws.com, github.io, trycloudflare.com ...). A glob for the registered domain.",
    )
    volume_namespaces_ignored: tuple[str, ...] = Field(
        ("kube-system", "rook-ceph", "longhorn-system"),
        description="Namespaces whose bytes are not watched: storage and network agents move what others ask them to.",
    )
    burst_floor: int = Field(
        500_000, ge=1, description="Bytes per second over 10 minutes below which nothing is a burst."
    )
    night_floor: int = Field(
        1_000_000,
        ge=1,
        description="Bytes per second over 10 minutes below which nothing is far above its time of day.",
    )
    hour_floor: int = Field(500_000_000, ge=1, description="Bytes in an hour below which nothing is a large hour.")
    day_floor: int = Field(2_000_000_000, ge=1, description="Bytes in a day below which nothing is a large day.")
    keep_labels: tuple[str, ...] = Field(
        (),
        description="Labels that tell clusters apart where one ruler evaluates the rules of several, for example "
        "[cluster]; every rule then keeps them.",
    )

    @field_validator("keep_labels")
    @classmethod
    def _label_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not promql.is_label_name(name):
                raise ValueError(f'"{name}" is not a label name')
        return value
