"""The end of the story: a message is sent through its channel, in a storm many as one, and settled.

What was told is remembered here only, after the provider confirmed it.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from tocsin import metrics, outbox
from tocsin.errors import PermanentError, TemporaryError
from tocsin.hands import Hands
from tocsin.model import Message, Mode
from tocsin.outbox import Outgoing
from tocsin.outlet import Outlet
from tocsin.pace import StormSettings
from tocsin.progress import bury, put_off
from tocsin.retry import PROBE_AT_MOST, RetrySettings, next_try
from tocsin.store import deliveries, roll_ups
from tocsin.store.database import Database
from tocsin.store.deliveries import Delivery
from tocsin.store.roll_ups import SLICES, Bundle

log = structlog.get_logger()

DELIVERY_LEASE = timedelta(minutes=2)
SLOW = 0.1
"""Seconds from which on the time an answer took matters."""


class Teller:
    """Steps over the outbox. `outboxes` are told of rows that they may work on; `storms` say how fast each is told."""

    def __init__(
        self,
        database: Database,
        outlets: Sequence[Outlet],
        retry: RetrySettings,
        storm: StormSettings,
        mode: Mode,
    ) -> None:
        self.outboxes: Mapping[str, Hands[Outgoing]] = {}
        self.storms = {outlet.name: _of_channel(storm, outlet.per_hour) for outlet in outlets}
        self._mode = mode
        self._database = database
        self._retry = retry
        self._outlets = {outlet.name: outlet for outlet in outlets}

    @property
    def sends(self) -> bool:
        """Whether messages leave; in mode shadow they are only recorded."""
        return self._mode is Mode.LIVE

    async def deliver(self, channel: str, now: datetime) -> bool:
        """Sends what may leave next through a channel and settles it. False when nothing may."""
        outgoing = await self.claim_outgoing(channel, now)
        if outgoing is not None:
            await self.work_on_outgoing(outgoing, now)
        return outgoing is not None

    async def claim_outgoing(self, channel: str, now: datetime) -> Outgoing | None:
        """One message, or in a storm many as one; None when nothing may leave now, in mode shadow always."""
        if not self.sends:
            return None
        return await self._database.run_lightly(outbox.take, channel, now, DELIVERY_LEASE, self.storms[channel])

    async def work_on_outgoing(self, outgoing: Outgoing, now: datetime) -> None:
        """Sends what was claimed and settles it, whatever happens."""
        if isinstance(outgoing, Bundle):
            return await self._tell_together(outgoing, now)
        if outgoing.held is not None:
            wait = outgoing.held.until - now
            held = TemporaryError(outgoing.held.reason, retry_after=wait, whole_channel=True)
            return await self._deliver_later(outgoing, held, now)
        began = asyncio.get_running_loop().time()
        failure = await self._send(outgoing.message, outgoing.id)
        if failure is None:
            await self._database.run_lightly(outbox.settle_sent, outgoing, now)
            self._sent(outgoing, now, incident=outgoing.incident_id)
        else:
            took = asyncio.get_running_loop().time() - began
            await self._failed(outgoing, _from_the_answer_on(failure, took, self._retry.first_after), now)

    async def _tell_together(self, bundle: Bundle, now: datetime) -> None:
        """Sends one message for many incidents; what is claimed for it grows first, and is settled, slice by slice."""
        for _ in range(SLICES):
            if not await self._database.run_lightly(roll_ups.claim, bundle.id, bundle.channel, now, DELIVERY_LEASE):
                break
        summary = await self._database.run_lightly(outbox.sum_up_bundle, bundle, now)
        failure = await self._send(self._outlets[bundle.channel].render_roll_up(summary), bundle.id)
        if failure is None:
            await self._database.run_lightly(outbox.confirm, bundle, now, self.storms[bundle.channel])
            while await self._database.run_lightly(roll_ups.settle_sent, bundle, now):
                pass
            metrics.ROLLED_UP.labels(bundle.channel).inc(summary.totals.incidents)
            self._sent(bundle, now, incidents=summary.totals.incidents)
            return
        while members := await self._database.run_lightly(deliveries.rolled_up, bundle.id, 1):
            await self._failed(members[0], failure, now)
            if isinstance(failure, TemporaryError):  # what it says of the channel now holds for the others as well
                until = now + self._retry.first_after
                while await self._database.run_lightly(roll_ups.release, bundle, until):
                    pass

    async def _send(self, message: Message, message_id: str) -> TemporaryError | PermanentError | None:
        """Gives a message to its channel; what went wrong, None when the provider confirmed it."""
        try:
            with metrics.STAGE_SECONDS.labels("deliver").time():
                await self._outlets[message.channel].send(message, message_id)
        except (TemporaryError, PermanentError) as failure:
            return failure
        except Exception as failure:
            log.exception("channel_broke", channel=message.channel, delivery=message_id)
            return TemporaryError(f"internal error ({type(failure).__name__})")
        return None

    def _sent(self, outgoing: Outgoing, now: datetime, **about: object) -> None:
        metrics.DELIVERIES.labels(outgoing.channel, "sent").inc()
        metrics.TOLD_SECONDS.labels(outgoing.channel).observe(max((now - outgoing.created_at).total_seconds(), 0))
        log.info("sent", channel=outgoing.channel, delivery=outgoing.id, **about)

    async def _failed(self, delivery: Delivery, failure: TemporaryError | PermanentError, now: datetime) -> None:
        if isinstance(failure, TemporaryError):
            return await self._deliver_later(delivery, failure, now)
        rest = now + self._retry.at_most if failure.whole_channel else None
        await self._deliver_never(delivery, str(failure), now, rest)

    async def _deliver_later(self, delivery: Delivery, failure: TemporaryError, now: datetime) -> None:
        channel = delivery.channel
        until = next_try(self._retry, delivery.attempts, now, at_least=failure.retry_after)
        soonest = now + (failure.retry_after or self._retry.first_after) if failure.whole_channel else until
        if soonest - delivery.created_at >= self._retry.give_up_after:
            rest = soonest if failure.whole_channel else None
            await self._deliver_never(delivery, f"gave up after {delivery.attempts} attempts: {failure}", now, rest)
            return
        if failure.whole_channel:
            others = self._others(channel)
            until = await self._database.run(put_off, delivery, failure, others, now, self._retry)
            self.wake(self.outboxes)
            self._wake_later(channel, until - now)
        else:
            await self._database.run(deliveries.postpone, delivery, until, str(failure))
        metrics.DELIVERIES.labels(channel, "retry").inc()
        log.warning(
            "delivery_postponed", channel=channel, delivery=delivery.id, until=until.isoformat(), error=str(failure)
        )

    async def _deliver_never(self, delivery: Delivery, error: str, now: datetime, rest: datetime | None) -> None:
        """Keeps the message as dead, and tells through the other channels what this one would not take.

        Until `rest`, if any, the channel is asked nothing.
        """
        channel = delivery.channel
        metrics.DELIVERIES.labels(channel, "dead").inc()
        log.error("delivery_dead", channel=channel, delivery=delivery.id, error=error)
        await self._database.run(bury, delivery, error, self._others(channel), now, rest)
        self.wake(self.outboxes)

    def _others(self, channel: str) -> list[Outlet]:
        return [outlet for name, outlet in self._outlets.items() if name != channel]

    def _wake_later(self, channel: str, after: timedelta) -> None:
        """Has a channel that waits for moments look again in time, not with the next second."""
        if channel in self.outboxes and after <= PROBE_AT_MOST:
            asyncio.get_running_loop().call_later(after.total_seconds(), self.outboxes[channel].wake)

    def wake(self, channels: Iterable[str]) -> None:
        """Says that a message of these channels may be due."""
        for channel in channels:
            self.outboxes[channel].wake()


def _of_channel(storm: StormSettings, per_hour: int | None) -> StormSettings:
    return storm if per_hour is None else storm.model_copy(update={"per_hour": per_hour})


def _from_the_answer_on(
    failure: TemporaryError | PermanentError, took: float, usual: timedelta
) -> TemporaryError | PermanentError:
    """A wait counts from the answer, or from when there was none; it may have taken many seconds."""
    if isinstance(failure, TemporaryError) and took >= SLOW:
        wait = (failure.retry_after or usual) + timedelta(seconds=took)
        return TemporaryError(str(failure), retry_after=wait, whole_channel=failure.whole_channel)
    return failure
