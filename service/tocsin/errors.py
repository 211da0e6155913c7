"""The two kinds of failure an adapter may report, and what a source says when it cannot answer.

An adapter classifies a failure; the worker decides what follows from it. Nothing else in the
package catches a vendor's exception.
"""

from datetime import timedelta


class TocsinError(Exception):
    """Base of every error that tocsin raises on purpose; its text is fit for an operator to read."""


class TemporaryError(TocsinError):
    """The same request may succeed later.

    `retry_after` is the provider's own word on when; None leaves it to the caller's back-off.
    `whole_channel` is True where the answer speaks of the sender rather than of this message
    (throttled, quota exhausted), so that every other message waits as well.
    """

    def __init__(self, text: str, *, retry_after: timedelta | None = None, whole_channel: bool = False) -> None:
        super().__init__(text)
        self.retry_after = retry_after
        self.whole_channel = whole_channel


class PermanentError(TocsinError):
    """The same request will never succeed; it is not sent again.

    `whole_channel` is True where the sender is refused (credentials), so that other messages better wait a while.
    """

    def __init__(self, text: str, *, whole_channel: bool = False) -> None:
        super().__init__(text)
        self.whole_channel = whole_channel


class LookupFailed(TocsinError):
    """A source of findings could not answer; the text becomes the reason of a visible gap."""


class BadPayload(TocsinError):
    """A webhook body is not an Alertmanager webhook of version 4; the text says what is wrong with it."""


class PayloadTooLarge(BadPayload):
    """A webhook holds more than tocsin takes; the text names the limit."""


class StoreUnavailable(TocsinError):
    """The store cannot take or give a row now; whoever asked has to come back."""


class StoreInUse(StoreUnavailable):
    """Another process has the store."""


class ConfigurationError(TocsinError):
    """The configuration cannot be used; the text names file, line and the nearest known key."""
