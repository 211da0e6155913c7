"""From the destinations of an alert to the values Hubble's `query` label can have, and back. Pure."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.destination import DestinationSettings
from tocsin.enrich import promql
from tocsin.model import Destination

_PLAIN = re.compile(r"[a-z0-9_.-]+")
MAX_NAMES = 200
MAX_CHARS = 5_000
"""Of all names in one question: Prometheus reads 10 MB of it, and each name may stand there 500 times."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One value of the label: which destination it is, and whether a search suffix was appended."""

    destination: Destination
    suffixed: bool


def root(domain: str) -> str:
    """What all names of a domain end in: where nobody registered one, as in `*.github.io`, a domain is a pattern."""
    return domain.removeprefix("*.")


def fitting(destinations: Iterable[Destination], room: int = MAX_CHARS) -> list[Destination]:
    """As many as one question may name one by one; a storm has more. The domains take turns."""
    turns: Counter[str] = Counter()
    ranked = []
    for destination in destinations:
        turns[destination.domain] += 1
        ranked.append((turns[destination.domain], destination))
    kept: list[Destination] = []
    chars = 0
    for _, destination in sorted(ranked, key=lambda each: each[0]):
        if len(kept) < MAX_NAMES and chars + len(destination.raw) <= room:
            kept.append(destination)
            chars += len(destination.raw)
    return kept


class AskedNames:
    """Single names, as a set that Prometheus can look up without testing every name it knows."""

    def __init__(self, destinations: Iterable[Destination], namespace: str, naming: DestinationSettings) -> None:
        inside = naming.cluster_domain
        ends = (f"{namespace}.svc.{inside}", f"svc.{inside}", inside, *naming.lan_domains, *naming.search_suffixes)
        self._values: dict[str, Asked] = {}
        mixed_case = False
        appended: list[tuple[str, Asked]] = []
        for destination in destinations:
            given = destination.raw.strip().removesuffix(".")
            mixed_case = mixed_case or given != given.lower()
            own = [destination.name] if _PLAIN.fullmatch(destination.name) else []
            plain = own or [given]
            for name in plain:
                self._add(name, Asked(destination, suffixed=False))
            appended += [(f"{name}.{end}", Asked(destination, suffixed=True)) for name in plain for end in ends]
            appended += [(given, Asked(destination, suffixed=True))] if given else []
        for name, asked in appended:  # a name that was asked for as it is comes first
            self._add(name, asked)
        known = promql.any_of(self._values)
        # A pod whose resolver mixes the case of names on purpose (0x20) never asks the same way twice.
        exact = known.pattern if isinstance(known, promql.Regex) else promql.literally(known)
        self.matcher: promql.Matcher = promql.Regex(f"(?i){exact}") if mixed_case else known

    def _add(self, name: str, asked: Asked) -> None:
        for value in (name, f"{name}."):
            self._values.setdefault(value.lower(), asked)

    def find(self, value: str) -> Asked | None:
        """What a value of the label stands for."""
        return self._values.get(value.lower())
