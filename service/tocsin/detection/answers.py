"""What Prometheus answered, and what is said of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tocsin import inert
from tocsin.enrich.prometheus import Sample
from tocsin.errors import LookupFailed

MOST_NAMED = 6
"""Namespaces, interfaces or addresses that one line names."""


@dataclass(frozen=True, slots=True)
class Said:
    """A line about one thing; "wrong" is that detection cannot work at all."""

    level: str
    text: str


def ok(text: str) -> Said:
    """It is as it should be."""
    return Said("ok", text)


def note(text: str) -> Said:
    """Something is not seen, or is guessed; the text ends with what to set."""
    return Said("note", text)


def wrong(text: str) -> Said:
    """Detection cannot work at all; the text ends with what to set."""
    return Said("wrong", text)


class Answers:
    """The answers by question. One that failed raises its LookupFailed when it is used.

    `interface` is the network interface that was asked about; `learning` how long the rules learn before they tell.
    """

    def __init__(
        self, found: Mapping[str, Sequence[Sample] | LookupFailed], interface: str, learning: timedelta
    ) -> None:
        self._found = found
        self.interface = inert.text(interface, 40)
        self.learning = learning

    def number(self, question: str) -> float | None:
        """The only value of the answer, None where it is empty."""
        found = self._samples(question)
        return found[0].value if found else None

    def count(self, question: str) -> int:
        """The only value of the answer, 0 where it is empty."""
        return int(self.number(question) or 0)

    def named(self, question: str, label: str) -> str:
        """The values of a label as people read them: the first few, and how many more."""
        names = sorted({inert.text(each.labels.get(label, ""), 60) for each in self._samples(question)} - {""})
        more = len(names) - MOST_NAMED
        return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")

    def _samples(self, question: str) -> Sequence[Sample]:
        found = self._found[question]
        if isinstance(found, LookupFailed):
            raise found
        return found
