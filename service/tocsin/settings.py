"""Assembles every component's settings; each section is declared beside the code that it sets."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from tocsin import configuration
from tocsin.assess.settings import AssessSettings
from tocsin.boot import Boot, section
from tocsin.configuration import Mistake
from tocsin.decide import DecideSettings
from tocsin.deliver.console import ConsoleSettings
from tocsin.deliver.ntfy import NtfySettings
from tocsin.deliver.pushover import PushoverSettings
from tocsin.destination import DestinationSettings
from tocsin.enrich.prometheus_settings import PrometheusSettings
from tocsin.enrich.settings import EnrichSettings
from tocsin.gitops.settings import GitOpsSettings
from tocsin.identify import IdentifySettings
from tocsin.model import Mode
from tocsin.pace import StormSettings
from tocsin.retry import RetrySettings
from tocsin.routing import Route, RoutingSettings
from tocsin.rules.settings import RulesSettings
from tocsin.yaml_file import nearest

ChannelSettings = Annotated[ConsoleSettings | NtfySettings | PushoverSettings, Field(discriminator="type")]


class Settings(Boot):
    """Everything that can be set. `tocsin schema` prints this as JSON Schema; config/tocsin.yaml shows every key."""

    model_config = ConfigDict(extra="forbid")

    mode: Mode = Field(
        Mode.LIVE,
        description="live, or shadow: everything is decided, written and remembered, but no channel is sent anything. "
        "`tocsin shadow report` tells what would have been sent.",
    )
    apps_file: Path | None = Field(
        None, description="Which workloads are bounded; relative to this file. Left out, the packaged default is used."
    )
    identify: IdentifySettings = section(IdentifySettings)
    destination: DestinationSettings = section(DestinationSettings)
    decide: DecideSettings = section(DecideSettings)
    enrich: EnrichSettings = section(EnrichSettings)
    prometheus: PrometheusSettings = section(PrometheusSettings)
    gitops: GitOpsSettings = section(GitOpsSettings)
    assess: AssessSettings = section(AssessSettings)
    routes: RoutingSettings = section(RoutingSettings)
    retry: RetrySettings = section(RetrySettings)
    storm: StormSettings = section(StormSettings)
    rules: RulesSettings = section(RulesSettings)
    channels: dict[str, ChannelSettings] = Field(
        default_factory=dict,
        description="Where messages go, by a name of your own. Without any, messages are printed to standard output.",
    )


def load(path: Path | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Reads the file, if any, and the environment.

    Raises ConfigurationError with every mistake on a line of its own.
    """
    settings = configuration.load(Settings, path, environment, _routes_to_nowhere)
    if settings.apps_file and path and not settings.apps_file.is_absolute():
        return settings.model_copy(update={"apps_file": path.parent / settings.apps_file})
    return settings


def _routes_to_nowhere(settings: Settings) -> Iterator[Mistake]:
    """A channel that does not exist would be silence."""
    for row in RoutingSettings.model_fields:
        value = getattr(settings.routes, row)
        routes = (
            {(): value}
            if isinstance(value, Route)
            else {(name,): getattr(value, name) for name in type(value).model_fields}
        )
        for verdict, route in routes.items():
            for name in route.channels or ():
                if name not in settings.channels:
                    yield (
                        ("routes", row, *verdict, "channels"),
                        f'no channel is called "{name}"{nearest(name, settings.channels)}',
                    )


def redacted(settings: Settings) -> dict[str, Any]:
    """The settings as plain values, secrets replaced by stars."""
    return settings.model_dump(mode="json")
