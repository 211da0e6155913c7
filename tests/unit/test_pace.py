"""What may leave through a channel: one by one, gathered, together; and never more than the hour allows."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tocsin.pace import HOUR, Pace, StormSettings, Traffic, hold_for, loud_may_pass, pace

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
STORM = StormSettings()
PER_HOUR = STORM.per_hour
MINUTE = timedelta(minutes=1)


def test_few_leave_one_by_one() -> None:
    assert pace(Traffic(1, 0, 0), STORM, NOW) is Pace.OWN
    assert pace(Traffic(1, STORM.own_messages - 1, 20), STORM, NOW) is Pace.OWN


def test_more_are_gathered_and_then_told_together() -> None:
    crowded = Traffic(1, STORM.own_messages, 5)
    assert pace(crowded, STORM, NOW) is Pace.HOLD
    held = Traffic(30, 5, 5, held_until=NOW + STORM.gather)
    assert pace(held, STORM, NOW) is Pace.GATHER
    assert pace(held, STORM, NOW + STORM.gather) is Pace.TOGETHER


def test_what_is_left_of_a_storm_leaves_by_itself() -> None:
    assert pace(Traffic(1, 1, 9, held_until=NOW + MINUTE, roll_ups=3), STORM, NOW) is Pace.OWN


def test_each_roll_up_waits_twice_as_long_up_to_a_limit() -> None:
    waits = [hold_for(Traffic(9, 9, 9, NOW, number), STORM) for number in (0, 1, 2, 9, 90)]
    assert waits == [STORM.gather, 2 * STORM.gather, 4 * STORM.gather, STORM.gather_at_most, STORM.gather_at_most]


def test_near_the_limit_of_the_hour_everything_is_gathered() -> None:
    near = Traffic(1, 0, PER_HOUR - 6)
    assert pace(near, STORM, NOW) is Pace.HOLD
    assert hold_for(near, STORM) == STORM.gather_at_most
    assert not loud_may_pass(near, STORM)


def test_a_suspicious_one_may_pass_but_not_without_end() -> None:
    assert loud_may_pass(Traffic(99, 2 * STORM.own_messages - 1, 20), STORM)
    assert not loud_may_pass(Traffic(99, 2 * STORM.own_messages, 20), STORM)


def test_a_clock_that_was_put_back_gathers_for_nobody() -> None:
    ahead = Traffic(30, 9, 9, held_until=NOW + 5 * HOUR)
    assert pace(ahead, STORM, NOW) is Pace.TOGETHER


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 300)), min_size=1, max_size=60),
    st.integers(10, 80),
    st.integers(1, 12),
)
def test_nothing_is_kept_back_for_ever_and_no_hour_gets_more_than_its_limit(
    arrivals: list[tuple[int, int]], per_hour: int, own: int
) -> None:
    """Plays a channel second by second: messages arrive in any rhythm, and every one that may leaves at once."""
    storm = StormSettings(own_messages=own, per_hour=per_hour)
    sent: list[datetime] = []
    waiting, roll_ups, now = 0, 0, NOW
    held_until: datetime | None = None
    pending = [
        (NOW + timedelta(seconds=sum(gap for _, gap in arrivals[: at + 1])), number)
        for at, (number, gap) in enumerate(arrivals)
    ]
    end = pending[-1][0] + storm.gather_at_most + HOUR
    while now < end:
        while pending and pending[0][0] <= now:
            waiting += pending.pop(0)[1]
        while waiting:
            recent = sum(now - at < storm.within for at in sent)
            hour = sum(now - at < HOUR for at in sent)
            traffic = Traffic(waiting, recent, hour, held_until, roll_ups)
            may = pace(traffic, storm, now)
            if may is Pace.OWN:
                held_until, roll_ups, waiting = None, 0, waiting - 1
                sent.append(now)
            elif may is Pace.TOGETHER:
                waiting, roll_ups = 0, roll_ups + 1
                sent.append(now)
                held_until = now + hold_for(Traffic(0, recent + 1, hour + 1, held_until, roll_ups), storm)
            else:
                if may is Pace.HOLD:
                    held_until = now + hold_for(traffic, storm)
                break
        now += timedelta(seconds=5)
    assert waiting == 0
    assert all(sum(timedelta() <= at - first < HOUR for at in sent) <= per_hour for first in sent)
