"""Who works on stored rows, as seen by whoever stores them."""

from typing import Any, Protocol, TypeVar

T_contra = TypeVar("T_contra", contravariant=True)


class Hands(Protocol[T_contra]):
    """A row may be claimed in the transaction that stores it, and given to hands that are free."""

    @property
    def free(self) -> int:
        """How many rows could be given now and be worked on at once."""
        ...

    def give(self, row: T_contra) -> None:
        """Hands over a claimed row."""
        ...

    def wake(self) -> None:
        """Says that a row may be due now."""
        ...


class _Nobody:
    """Nobody works on rows: they stay due until somebody claims them."""

    free = 0

    def give(self, row: Any) -> None:
        raise RuntimeError("nobody is free to take a row")

    def wake(self) -> None:
        return


NOBODY: Hands[Any] = _Nobody()
