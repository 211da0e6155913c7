"""Whether somebody is told, and why. Pure: what was told before and what came in now, nothing else.

The incident is the unit. A notice always has a named reason; so has every silence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from tocsin.model import NoticeReason, Verdict
from tocsin.section import Duration, Section


class DecideSettings(Section):
    """When an incident is told again, and when it is over."""

    repeat_after: Duration = Field(
        timedelta(hours=24),
        gt=timedelta(0),
        description="Tell again when an incident still fires this long after it was last told. "
        "Checked when Alertmanager repeats the alert, so it is rounded up to its repeat_interval.",
    )
    quiet_after: Duration = Field(
        timedelta(hours=6),
        gt=timedelta(0),
        description="An incident is over once nothing has fired for this long; firing again later is a new incident.",
    )
    lost_after: Duration = Field(
        timedelta(days=7),
        gt=timedelta(0),
        description="An incident whose alerts were never resolved, and of which Alertmanager said nothing "
        "for this long, is over as well. Keep it above Alertmanager's repeat_interval.",
    )
    resolved: bool = Field(False, description="Tell when an incident that was told has stopped firing.")


class SkipReason(StrEnum):
    """Why nobody is told."""

    DUPLICATE = "duplicate"
    """Nothing in it that the incident does not know."""
    SAME = "same"
    """Something new (a pod, a name), but the conclusion is no worse than what was told."""
    QUIET = "quiet"
    """It stopped firing, and resolved incidents are not told."""
    UNSEEN = "unseen"
    """It stopped firing, but was never seen firing."""


class Action(StrEnum):
    """What follows from what came in."""

    SKIP = "skip"
    LOOK = "look"
    """Look again, and tell only when the verdict is worse than what was told."""
    NOTIFY = "notify"


@dataclass(frozen=True, slots=True)
class Decision:
    """An action and its named reason; LOOK carries the reason for silence in case nothing is worse."""

    action: Action
    reason: NoticeReason | SkipReason


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of one open incident.

    `told_at` and `told_verdict` are written after a successful delivery only. `pending_verdict` is the verdict of
    a message that is still on its way. `firing` maps fingerprints to the instants their alerts started at.
    `version` changes with every write, so that two events about one incident cannot both decide on old memory.
    `unheard`: the latest notice was made in mode shadow, and nobody got it.
    """

    incident_id: str
    version: int = 0
    seen: int = 0
    firing: Mapping[str, datetime] = field(default_factory=dict)
    told_at: datetime | None = None
    told_verdict: Verdict | None = None
    pending_verdict: Verdict | None = None
    unheard: bool = False

    @property
    def known_verdict(self) -> Verdict | None:
        """The worst verdict that was told or is about to be, None when nobody was told."""
        known = [verdict for verdict in (self.told_verdict, self.pending_verdict) if verdict]
        return max(known, key=lambda verdict: verdict.rank, default=None)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one event says of one incident: fingerprints of firing alerts with their start, and of resolved ones."""

    firing: Mapping[str, datetime]
    resolved: frozenset[str]


def decide(
    memory: Memory | None, arrival: Arrival, *, elsewhere: bool, now: datetime, settings: DecideSettings
) -> Decision:
    """Decides before anything is looked up. `elsewhere`: another workload has an open incident with this domain."""
    if not arrival.firing:
        return _resolved(memory, arrival, settings)
    if memory is None or memory.known_verdict is None:
        return Decision(Action.NOTIFY, NoticeReason.WIDER if elsewhere else NoticeReason.FIRST)
    overdue = memory.told_at is not None and now - memory.told_at >= settings.repeat_after
    if overdue and memory.pending_verdict is None:
        return Decision(Action.NOTIFY, NoticeReason.REPEAT)
    fresh = any(memory.firing.get(fingerprint) != starts_at for fingerprint, starts_at in arrival.firing.items())
    if fresh or memory.unheard:
        return Decision(Action.LOOK, SkipReason.SAME)
    return Decision(Action.SKIP, SkipReason.DUPLICATE)


def reconsider(decision: Decision, memory: Memory | None, verdict: Verdict) -> Decision:
    """Settles a LOOK once the verdict is known; any other decision stands."""
    if decision.action is not Action.LOOK:
        return decision
    known = memory.known_verdict if memory else None
    if known is None or verdict.rank > known.rank:
        return Decision(Action.NOTIFY, NoticeReason.WORSE)
    return Decision(Action.SKIP, decision.reason)


def _resolved(memory: Memory | None, arrival: Arrival, settings: DecideSettings) -> Decision:
    if memory is None:
        return Decision(Action.SKIP, SkipReason.UNSEEN)
    if not memory.firing:
        return Decision(Action.SKIP, SkipReason.DUPLICATE)
    over = not memory.firing.keys() - arrival.resolved
    if over and settings.resolved and memory.known_verdict is not None:
        return Decision(Action.NOTIFY, NoticeReason.RESOLVED)
    return Decision(Action.SKIP, SkipReason.QUIET)
