"""What leaves through a channel next: one message, many in one, or nothing yet."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from tocsin.pace import Pace, StormSettings, Traffic, hold_for, loud_may_pass, pace
from tocsin.roll_up import RollUp, sum_up
from tocsin.store import channels, deliveries, roll_ups
from tocsin.store.database import Transaction, new_id
from tocsin.store.deliveries import Delivery
from tocsin.store.roll_ups import Bundle

Outgoing = Delivery | Bundle


def take(tx: Transaction, channel: str, now: datetime, lease: timedelta, storm: StormSettings) -> Outgoing | None:
    """Claims what may leave now, for `lease`; None when nothing may."""
    traffic = roll_ups.traffic(tx, channel, storm.within, storm.own_messages + 1, now)
    if not traffic.waiting:
        return None
    how = channels.state(tx, channel, now)
    if how.paused_until is not None:
        return deliveries.claim(tx, channel, now, lease)
    if how.failing_since is not None and channels.probed(tx, channel, now):
        return None
    speed = pace(traffic, storm, now)
    if speed is Pace.OWN:
        if traffic.held_until is not None:
            roll_ups.hold(tx, channel, None, 0)
        return deliveries.claim(tx, channel, now, lease)
    if speed is Pace.HOLD:
        roll_ups.hold(tx, channel, now + hold_for(traffic, storm), traffic.roll_ups)
    if loud_may_pass(traffic, storm):
        loud = deliveries.claim(tx, channel, now, lease, only_loud=True)
        if loud is not None:
            return loud
    return _together(tx, channel, now, lease, traffic, storm) if speed is Pace.TOGETHER else None


def take_for(
    tx: Transaction, channel: str, most: int, now: datetime, lease: timedelta, storm: StormSettings
) -> Iterator[Outgoing]:
    """Claims as much as `most` hands of a channel could send at once."""
    for _ in range(most):
        taken = take(tx, channel, now, lease, storm)
        if taken is None:
            return
        yield taken


def sum_up_bundle(tx: Transaction, bundle: Bundle, now: datetime) -> RollUp:
    """What a roll-up says."""
    return sum_up(roll_ups.totals(tx, bundle.id), roll_ups.worst(tx, bundle.id), now)


def _together(
    tx: Transaction, channel: str, now: datetime, lease: timedelta, traffic: Traffic, storm: StormSettings
) -> Outgoing | None:
    if roll_ups.due(tx, channel, now) < 2:
        roll_ups.hold(tx, channel, now + hold_for(traffic, storm), traffic.roll_ups)
        return deliveries.claim(tx, channel, now, lease)
    # Until it is settled, for as long as the first one gathered: other lanes shall not begin the next one meanwhile.
    roll_ups.hold(tx, channel, now + storm.gather, traffic.roll_ups)
    bundle_id = new_id(now)
    roll_ups.claim(tx, bundle_id, channel, now, lease)
    return roll_ups.bundle(tx, bundle_id, channel)


def settle_sent(tx: Transaction, delivery: Delivery, now: datetime) -> None:
    """Records that the provider confirmed a message of one incident."""
    deliveries.settle_sent(tx, delivery, now)
    roll_ups.dispatched(tx, delivery.id, delivery.channel, now)


def confirm(tx: Transaction, bundle: Bundle, now: datetime, storm: StormSettings) -> None:
    """Counts a roll-up that the provider confirmed, and gathers for the next one; its members are settled after it."""
    channels.works(tx, bundle.channel)
    roll_ups.dispatched(tx, bundle.id, bundle.channel, now)
    traffic = roll_ups.traffic(tx, bundle.channel, storm.within, 0, now)
    until = now + hold_for(replace(traffic, roll_ups=traffic.roll_ups + 1), storm)
    roll_ups.hold(tx, bundle.channel, until, traffic.roll_ups + 1)
