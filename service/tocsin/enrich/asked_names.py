"""From the destinations of an alert to the values Hubble's `query` label can have, and back. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.destination import DestinationSettings
from tocsin.enrich import promql
from tocsin.model import Destination

_PLAIN = re.compile(r"[a-z0-9_.-]+")
MAX_NAMES = 200
"""Names of one alert that are looked up one by one; a storm has more."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One value of the label: which destination it is, and whether a search suffix was appended."""

    destination: Destination
    suffixed: bool


class AskedNames:
    """Single names, as a set that Prometheus can look up without testing every name it knows."""

    def __init__(self, destinations: Iterable[Destination], namespace: str, naming: DestinationSettings) -> None:
        inside = naming.cluster_domain
        ends = (f"{namespace}.svc.{inside}", f"svc.{inside}", inside, *naming.lan_domains, *naming.search_suffixes)
        self._values: dict[str, Asked] = {}
        mixed_case = False
        for destination in list(destinations)[:MAX_NAMES]:
            given = destination.raw.strip().removesuffix(".")
            mixed_case = mixed_case or given != given.lower()
            own = [destination.name] if _PLAIN.fullmatch(destination.name) else []
            plain = own or [given]
            for name in dict.fromkeys((*own, given)):
                self._add(name, Asked(destination, suffixed=name not in plain))
            for name in plain:
                for end in ends:
                    self._add(f"{name}.{end}", Asked(destination, suffixed=True))
        known = promql.any_of(self._values)
        # A pod whose resolver mixes the case of names on purpose (0x20) never asks the same way twice.
        exact = known.pattern if isinstance(known, promql.Regex) else promql.literally(known)
        self.matcher: promql.Matcher = promql.Regex(f"(?i){exact}") if mixed_case else known

    def _add(self, name: str, asked: Asked) -> None:
        for value in (name, f"{name}."):
            self._values.setdefault(value if value == value.lower() else value.lower(), asked)

    def find(self, value: str) -> Asked | None:
        """What a value of the label stands for."""
        return self._values.get(value.lower())
