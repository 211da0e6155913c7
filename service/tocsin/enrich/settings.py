"""How long lookups may take as a whole."""

from datetime import timedelta

from pydantic import Field

from tocsin.section import Duration, Section


class EnrichSettings(Section):
    """How long a message may wait for its explanation."""

    deadline: Duration = Field(
        timedelta(seconds=5),
        gt=timedelta(0),
        description="All lookups of one webhook end by then; what is late becomes a gap in the message.",
    )
    workloads_per_minute: int = Field(
        20,
        ge=1,
        description="Workloads that are looked up in a minute, and as many at once after a quiet one. In a storm the "
        "rest is told without; the message says so.",
    )
    plain_after: int = Field(
        5, ge=1, description="An event whose processing failed this often is forwarded plainly, without an explanation."
    )
