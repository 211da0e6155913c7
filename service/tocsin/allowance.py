"""So many a minute, and as many at once after a quiet one: what a storm may ask of others."""

from collections.abc import Callable


class Allowance:
    """A bucket of `per_minute` that fills within a minute. `clock` gives seconds that never go back."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._most = float(per_minute)
        self._left = self._most
        self._clock = clock
        self._at = clock()

    def take(self, wanted: int) -> int:
        """How many of `wanted` are allowed now; they count as used."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._most / 60)
        self._at = now
        taken = min(wanted, int(self._left))
        self._left -= taken
        return taken
