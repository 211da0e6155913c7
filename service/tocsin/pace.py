"""How fast a channel is told: one message an incident, or many in one. Pure.

Somebody who is woken reads five messages, not five hundred. What comes beyond waits a little for what else is coming,
and is told in one roll-up; the next roll-up waits longer, so that a storm of any size is a few messages and nothing in
it is dropped.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from tocsin.section import Duration, Section

HOUR = timedelta(hours=1)


class StormSettings(Section):
    """How many messages a channel gets one by one, and when the rest is told together."""

    own_messages: int = Field(
        5,
        ge=1,
        description="Incidents that are told in a message of their own within `within`, each channel; what comes "
        "beyond is told together in a roll-up. As many again may be suspicious ones.",
    )
    within: Duration = Field(timedelta(minutes=5), gt=timedelta(0), description="The time that own_messages speaks of.")
    gather: Duration = Field(
        timedelta(seconds=15),
        gt=timedelta(0),
        description="How long the first roll-up waits for what else is coming; each further one twice as long.",
    )
    gather_at_most: Duration = Field(
        timedelta(minutes=10), gt=timedelta(0), description="The longest wait between two roll-ups while a storm lasts."
    )
    per_hour: int = Field(
        60,
        ge=10,
        description="Messages a channel gets in any hour, roll-ups included, unless the channel has a `per_hour` of "
        "its own. Near it everything is told in roll-ups, gather_at_most apart.",
    )


class Pace(StrEnum):
    """What may leave through a channel now."""

    OWN = "own"
    """The oldest message that is due, by itself."""
    HOLD = "hold"
    """A storm has begun: nothing, and from now on messages are gathered."""
    GATHER = "gather"
    """Nothing: messages are being gathered."""
    TOGETHER = "together"
    """Everything that is due, in one message."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a channel was sent and what waits for it.

    `waiting` counts messages due or on their way, `recent` and `hour` those sent within `StormSettings.within` and an
    hour, where a roll-up is one. `held_until` is None while no storm lasts; `roll_ups` counts those of the storm.
    """

    waiting: int
    recent: int
    hour: int
    held_until: datetime | None = None
    roll_ups: int = 0


def pace(traffic: Traffic, settings: StormSettings, now: datetime) -> Pace:
    """What may leave now."""
    crowded = traffic.recent + traffic.waiting > settings.own_messages
    calm = not crowded and not _full(traffic, settings)
    if traffic.held_until is None:
        return Pace.OWN if calm else Pace.HOLD
    if calm and traffic.waiting <= 1:
        return Pace.OWN
    # One that lies further ahead than any wait is from before the clock was put back.
    gathering = now < traffic.held_until <= now + settings.gather_at_most
    return Pace.GATHER if gathering else Pace.TOGETHER


def loud_may_pass(traffic: Traffic, settings: StormSettings) -> bool:
    """Whether a suspicious incident is told by itself although messages are gathered."""
    return traffic.recent < 2 * settings.own_messages and not _full(traffic, settings)


def hold_for(traffic: Traffic, settings: StormSettings) -> timedelta:
    """How long messages are gathered before the next roll-up."""
    if _full(traffic, settings):
        return settings.gather_at_most
    doubled: timedelta = settings.gather * (1 << min(traffic.roll_ups, 20))
    return min(doubled, settings.gather_at_most)


def _full(traffic: Traffic, settings: StormSettings) -> bool:
    """Near the hour's limit what is left of it is kept for roll-ups."""
    kept = min(math.ceil(HOUR / settings.gather_at_most), settings.per_hour - 1)
    return traffic.hour >= settings.per_hour - kept
