"""From class and verdict to priority and channels. Pure: a table, with the operator's changes on top."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator, Field

from tocsin.model import Classification, NoticeReason, Posture, Priority, Verdict
from tocsin.section import Section


class Route(Section):
    """How loudly, and where to."""

    priority: Priority = Field(description="min, low, default, high or urgent.")
    channels: tuple[str, ...] | None = Field(
        None, description="Names of channels; all when left out, none (the incident is only recorded) when empty."
    )


def _from_word(value: object) -> object:
    return {"priority": value} if isinstance(value, str) else value


RouteOrWord = Annotated[Route, BeforeValidator(_from_word, json_schema_input_type=Route | Priority)]


def _route(priority: Priority) -> Route:
    return Route.model_construct(priority=priority, channels=None)  # unvalidated: no validator is built at import


class VerdictRoutes(Section):
    """One route a verdict; a bare word is a priority."""

    expected: RouteOrWord = Field(_route(Priority.MIN), description="The name is known, or any name is.")
    explained: RouteOrWord = Field(_route(Priority.LOW), description="New, with an innocent explanation.")
    unexplained: RouteOrWord = Field(_route(Priority.HIGH), description="Nothing explains it.")
    suspicious: RouteOrWord = Field(_route(Priority.URGENT), description="Something speaks against it.")


def _row(**changed: Priority) -> VerdictRoutes:
    return VerdictRoutes.model_construct(None, **{verdict: _route(priority) for verdict, priority in changed.items()})


class RoutingSettings(Section):
    """The table: a row a class."""

    bounded: VerdictRoutes = Field(
        _row(unexplained=Priority.URGENT),
        description="Workloads with a known list of names: an unexplained one is worth waking up for.",
    )
    lan_only: VerdictRoutes = Field(
        _row(unexplained=Priority.URGENT), description="Workloads that should never leave the LAN."
    )
    between: VerdictRoutes = Field(_row(), description="Workloads that are bounded most of the time.")
    unknown: VerdictRoutes = Field(_row(), description="Workloads that nothing classifies.")
    unbounded: VerdictRoutes = Field(
        _row(unexplained=Priority.LOW, suspicious=Priority.HIGH),
        description="Workloads whose names cannot be listed: a new name alone is no news.",
    )
    unjudged: RouteOrWord = Field(
        _route(Priority.DEFAULT), description="Alerts that tocsin does not know and only forwards."
    )
    resolved: RouteOrWord = Field(
        _route(Priority.LOW), description="Told incidents that stopped firing, when decide.resolved asks for them."
    )


def route(
    settings: RoutingSettings,
    classification: Classification,
    verdict: Verdict,
    reason: NoticeReason,
    channels: Sequence[str],
) -> tuple[Priority, tuple[str, ...]]:
    """The priority and the names of the channels, in the order of `channels`, that one notice goes to."""
    chosen = _choose(settings, classification.posture, verdict, reason)
    if chosen.channels is None:
        return chosen.priority, tuple(channels)
    return chosen.priority, tuple(name for name in channels if name in chosen.channels)


def _choose(settings: RoutingSettings, posture: Posture, verdict: Verdict, reason: NoticeReason) -> Route:
    if reason is NoticeReason.RESOLVED:
        return settings.resolved
    if verdict is Verdict.UNJUDGED:
        return settings.unjudged
    row: VerdictRoutes = getattr(settings, posture.value)
    chosen: Route = getattr(row, verdict.value)
    return chosen
