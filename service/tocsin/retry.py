"""When to try again: exponential back-off with jitter, never sooner than the other side asked for."""

from datetime import datetime, timedelta

from pydantic import Field

from tocsin.section import Duration, Section


class RetrySettings(Section):
    """How patiently a message or an event is tried again."""

    first_after: Duration = Field(
        timedelta(seconds=5), gt=timedelta(0), description="Wait before the second attempt; doubles each time."
    )
    at_most: Duration = Field(timedelta(minutes=10), gt=timedelta(0), description="Longest wait between two attempts.")
    give_up_after: Duration = Field(
        timedelta(days=3),
        gt=timedelta(0),
        description="A message still undelivered after this is kept as dead, with its reason, and told elsewhere.",
    )


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
