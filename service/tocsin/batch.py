"""Webhooks that are explained together: one set of lookups a workload, however many webhooks speak of it. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tocsin.model import Alert, Group


@dataclass(slots=True)
class Run:
    """Webhooks that may be explained as if they were one.

    `heard` counts in how many of them each alert, by fingerprint, stood.
    """

    events: list[str] = field(default_factory=list)
    heard: Counter[str] = field(default_factory=Counter)
    _groups: list[Group] = field(default_factory=list)
    _alerts: list[Alert] = field(default_factory=list)
    _known: dict[str, Alert] = field(default_factory=dict)

    @property
    def group(self) -> Group:
        """All alerts as one webhook, each once; what else it says is the first one's."""
        first, *others = self._groups
        if not others:
            return first
        truncated = sum(group.truncated for group in self._groups)
        return Group(first.group_key, first.receiver, first.external_url, truncated, tuple(self._alerts))

    def takes(self, group: Group) -> bool:
        """Whether nothing in `group` says otherwise than an earlier webhook: then the order would matter."""
        known = ((alert, self._known.get(alert.fingerprint)) for alert in group.alerts)
        return all(earlier is None or _same(earlier, alert) for alert, earlier in known)

    def add(self, event: str, group: Group) -> None:
        """Takes one more webhook in."""
        self.events.append(event)
        self._groups.append(group)
        mine = {alert.fingerprint: alert for alert in group.alerts}
        self.heard.update(mine.keys())
        self._alerts += [alert for alert in group.alerts if alert.fingerprint not in self._known]
        self._known |= mine

    def heard_of(self, fingerprints: Iterable[str]) -> int:
        """How many webhooks spoke of an incident with these alerts."""
        return max((self.heard[fingerprint] for fingerprint in fingerprints), default=1)


def runs(webhooks: Iterable[tuple[str, Group, bool]]) -> list[Run]:
    """Splits webhooks, (event, group, alone), in the order they came, into as few runs as their order allows.

    One that is to be `alone` failed before: whatever is wrong with it shall not touch the others.
    """
    found: list[Run] = []
    together = False
    for event, group, alone in webhooks:
        if not (found and together and not alone and found[-1].takes(group)):
            found.append(Run())
        found[-1].add(event, group)
        together = not alone
    return found


def _same(one: Alert, other: Alert) -> bool:
    """A fingerprint is the sender's word, and no proof that two alerts are the same."""
    return one.status is other.status and one.starts_at == other.starts_at and one.labels == other.labels
