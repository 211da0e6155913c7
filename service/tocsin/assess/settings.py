"""The thresholds of a verdict."""

from datetime import timedelta

from pydantic import Field

from tocsin.section import Duration, Section


class AssessSettings(Section):
    """Where a verdict turns. The rules themselves stand at the top of `novel` and `volume`."""

    explained_by_workloads: int = Field(
        3, ge=1, description="A name is explained once this many other workloads ask for the same registrable domain."
    )
    changed_within: Duration = Field(
        timedelta(hours=24),
        ge=timedelta(0),
        description="How long before the first look-up a release or a change of the policy is worth telling.",
    )
    look_back: Duration = Field(
        timedelta(days=14),
        gt=timedelta(0),
        description="Longest past a message speaks for; keep it at or below the retention of Prometheus.",
    )
    volume_multiple: float = Field(
        10.0, gt=1, description="A workload that sends this many times its 24 h average is far above its own day."
    )
    tunnel_domains_ignored: tuple[str, ...] = Field(
        (
            "amazonaws.com",
            "azure.com",
            "googlevideo.com",
            "mcafee.com",
            "plex.direct",
            "sophosxl.net",
            "spamhaus.org",
            "spamhaus.net",
            "ts.net",
            "windows.net",
        ),
        description="Domains whose machine-made names are normal; names in them never count as shaped like a tunnel.",
    )
