"""What the lookups are asked and what they find, as frozen values. Loaded with the story, not with the server.

Rates are bytes per second, sizes bytes. What is None was not asked for, or is named in a gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tocsin.model import Destination, Kind, Statement, Subject


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What the enrichers are asked: one subject and everything its alerts of one event name.

    With `spared`, the reason, only what is in memory answers: in a storm other systems are left alone.
    """

    subject: Subject
    kinds: frozenset[Kind]
    destinations: tuple[Destination, ...]
    started_at: datetime
    asked_at: datetime
    spared: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """A lookup that visibly failed: the source, why, and what is therefore not known."""

    source: str
    reason: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lookups:
    """What Prometheus knows of one registrable domain, as asked for by one workload.

    `lookups` counts those of the last hour. `earlier_pods` are pods of the same workload, other than those of
    the alert, that asked within retention; `earlier_at` is when one last did. `neighbours` are other workloads
    (`namespace/workload`) that ask for the same registrable domain. `watched_for` is how long DNS series
    of this workload have been recorded: the true age of the baseline.
    """

    domain: str
    names: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    first_asked_at: datetime | None = None
    last_asked_at: datetime | None = None
    lookups: int | None = None
    earlier_pods: tuple[str, ...] = ()
    earlier_at: datetime | None = None
    neighbours: tuple[str, ...] | None = None
    watched_for: timedelta | None = None
    denied: bool = False


@dataclass(frozen=True, slots=True)
class Volume:
    """How much a workload sends, against its own past. Rates in bytes per second over 10 minutes.

    `sigma_7d` is the standard deviation of that rate over 7 days. `multiple` is `rate` over `avg_24h`. `since_at` is
    when it left its usual range and `sent` the bytes since then. `new_names` were first asked for in the
    same window. `baseline_for` is the true age of the series behind the averages.
    """

    rate: float | None = None
    avg_24h: float | None = None
    avg_7d: float | None = None
    sigma_7d: float | None = None
    multiple: float | None = None
    sent: float | None = None
    since_at: datetime | None = None
    new_names: tuple[str, ...] | None = None
    baseline_for: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One commit that touched a policy or a component. `what` is the rule-level change ("+ world:443").

    `url` is the page of the pull request or commit, empty where it is not known.
    """

    sha: str
    at: datetime
    author: str
    bot: bool
    subject: str
    pull_request: int | None = None
    what: tuple[str, ...] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class Releases:
    """The commits since `since_at` that gave a component another image or chart: how many, and the newest of them.

    `since_at` is later than what was asked for where the component's known history begins later, so that
    `total` over the time since then is the component's own base rate.
    """

    changes: tuple[Change, ...]
    total: int
    since_at: datetime


@dataclass(frozen=True, slots=True)
class PolicyMatch:
    """One policy that selects the workload. `allows` maps a destination name to the rule that lets it through.

    Of all rules that select the workload the most telling one is told, so that a destination has an entry in one
    policy at most. `named` lists the destination names for which that rule is a `toFQDNs` entry other than a bare `*`.
    `sure` is False where not all labels of the pods are known and the policy only most likely selects them.
    """

    name: str
    namespace: str
    file: str
    primary: bool = True
    allows: Mapping[str, str] = field(default_factory=dict)
    named: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    sure: bool = True


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """Which app the workload is, the policies that select it, what they say of its egress, and what lately changed.

    `evidence` says how the app was told, or why it could not be. `unrestricted` says that no policy puts its egress
    into default deny. `remarks` has more on the way of a destination (a denial, a suffix). `siblings` are workloads of
    the same app that have a policy of their own where this one has none. `statements`, best first, and `undecided` are
    what the policies say of its class. `changes` are the latest commits to the component's own directory, `releases`
    those that bump an image or a chart: `released_total` since `released_since`. `stale_for` is how old the GitOps data
    is when the last refresh failed, None when it is fresh; `stale_reason` says why.
    """

    policies: tuple[PolicyMatch, ...] = ()
    releases: tuple[Change, ...] = ()
    stale_for: timedelta | None = None
    stale_reason: str = ""
    app: str | None = None
    component: str = ""
    evidence: str = ""
    deployed: bool = True
    siblings: tuple[str, ...] = ()
    unrestricted: bool = False
    remarks: Mapping[str, str] = field(default_factory=dict)
    statements: tuple[Statement, ...] = ()
    undecided: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    released_total: int = 0
    released_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class PodFacts:
    """When the pods of the alert were created, by pod name."""

    created_at: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything the lookups of one inquiry found; what is None was not asked for or is named in `gaps`."""

    lookups: Mapping[str, Lookups] = field(default_factory=dict)
    volume: Volume | None = None
    policy: PolicyFacts | None = None
    pods: PodFacts | None = None
    gaps: tuple[Gap, ...] = ()
