"""When to try again: exponential back-off with jitter, never sooner than the other side asked for.

A channel that fails as a whole is probed instead: with one message at a time, at an interval that grows with the time
it has failed for, so that what waits leaves soon after it is back.
"""

from datetime import datetime, timedelta

from pydantic import Field

from tocsin.section import Duration, Section

PROBE_SHARE = 24
"""Part of the time a channel has failed for that a probe may come late: 5 s after two minutes."""
PROBE_AT_MOST = timedelta(minutes=1)


class RetrySettings(Section):
    """How patiently a message or an event is tried again."""

    first_after: Duration = Field(
        timedelta(seconds=5), gt=timedelta(0), description="Wait before the second attempt; doubles each time."
    )
    at_most: Duration = Field(
        timedelta(minutes=10),
        gt=timedelta(0),
        description="Longest wait between two attempts of a message; a channel that fails is asked each minute.",
    )
    give_up_after: Duration = Field(
        timedelta(days=3),
        gt=timedelta(0),
        description="A message still undelivered after this is kept as dead, with its reason, and told elsewhere.",
    )


def next_probe(
    settings: RetrySettings, failing_for: timedelta, now: datetime, *, at_least: timedelta | None = None
) -> datetime:
    """The instant of the next attempt through a channel that fails; `at_least` is the other side's own word."""
    growing = min(failing_for / PROBE_SHARE, PROBE_AT_MOST, settings.at_most)
    return now + max(growing, settings.first_after, at_least or timedelta())


def next_try(settings: RetrySettings, attempts: int, now: datetime, *, at_least: timedelta | None = None) -> datetime:
    """The instant of the next attempt after `attempts` failed ones; `at_least` is the other side's own word."""
    # Loaded with the first failure, not with the process. tenacity only computes the wait: the row is the queue,
    # and a sleeping coroutine would not survive a restart.
    from tenacity import RetryCallState, wait_exponential, wait_random  # noqa: PLC0415

    first = settings.first_after.total_seconds()
    wait = wait_exponential(multiplier=first, max=settings.at_most.total_seconds()) + wait_random(0, first / 4)
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    state.attempt_number = max(attempts, 1)
    return now + max(timedelta(seconds=wait(state)), at_least or timedelta())
