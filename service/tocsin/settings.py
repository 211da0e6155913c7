"""Assembles every component's settings from one YAML file and the environment; fails fast and precisely.

Order of precedence: environment (`TOCSIN__SECTION__KEY`), file, default. Each section is declared beside the code
that it sets.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from tocsin.assess.settings import AssessSettings
from tocsin.decide import DecideSettings
from tocsin.deliver.console import ConsoleSettings
from tocsin.deliver.ntfy import NtfySettings
from tocsin.deliver.pushover import PushoverSettings
from tocsin.destination import DestinationSettings
from tocsin.enrich.enricher import EnrichSettings
from tocsin.enrich.prometheus_settings import PrometheusSettings
from tocsin.errors import ConfigurationError
from tocsin.gitops.settings import GitOpsSettings
from tocsin.identify import IdentifySettings
from tocsin.retry import RetrySettings
from tocsin.routing import RoutingSettings
from tocsin.section import Section
from tocsin.store.sqlite import StoreSettings
from tocsin.web.settings import ServerSettings
from tocsin.yaml_file import mistakes, nearest, read

PREFIX = "TOCSIN__"
ChannelSettings = Annotated[ConsoleSettings | NtfySettings | PushoverSettings, Field(discriminator="type")]


def _section(section: type[Section]) -> Any:
    """A field whose default and description are the section's own."""
    return Field(default_factory=section, description=(section.__doc__ or "").splitlines()[0])


class Settings(Section):
    """Everything that can be set. `tocsin schema` prints this as JSON Schema; config/tocsin.yaml shows every key."""

    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error.")
    apps_file: Path | None = Field(
        None, description="Which workloads are bounded; relative to this file. Left out, the packaged default is used."
    )
    server: ServerSettings = _section(ServerSettings)
    store: StoreSettings = _section(StoreSettings)
    identify: IdentifySettings = _section(IdentifySettings)
    destination: DestinationSettings = _section(DestinationSettings)
    decide: DecideSettings = _section(DecideSettings)
    enrich: EnrichSettings = _section(EnrichSettings)
    prometheus: PrometheusSettings = _section(PrometheusSettings)
    gitops: GitOpsSettings = _section(GitOpsSettings)
    assess: AssessSettings = _section(AssessSettings)
    routes: RoutingSettings = _section(RoutingSettings)
    retry: RetrySettings = _section(RetrySettings)
    channels: dict[str, ChannelSettings] = Field(
        default_factory=dict,
        description="Where messages go, by a name of your own. Without any, messages are printed to standard output.",
    )


def load(path: Path | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Reads the file, if any, and the environment.

    Raises ConfigurationError with every mistake on a line of its own.
    """
    everything = os.environ if environment is None else environment
    environment = {name: value for name, value in everything.items() if name.startswith(PREFIX)}
    file = read(path) if path else None
    wrong = [
        f"{name}: unknown key{nearest(key, Settings.model_fields)}"
        for name, key in ((name, name.removeprefix(PREFIX).split("__")[0].lower()) for name in environment)
        if key not in Settings.model_fields
    ]
    try:
        settings = (_with_environment() if environment else Settings)(**(file.values if file else {}))
    except ValidationError as failure:
        wrong += [_from_environment(line, environment) for line in mistakes(failure, Settings, file)]
    except TypeError as failure:  # a key of the file that is no string
        wrong.append(f"{path}: {failure}")
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    if settings.apps_file and path and not settings.apps_file.is_absolute():
        return settings.model_copy(update={"apps_file": path.parent / settings.apps_file})
    return settings


def _with_environment() -> type[Settings]:
    """Settings that the environment overrides; its library is loaded only where the environment says something."""
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict  # noqa: PLC0415

    class FromEnvironment(BaseSettings, Settings):
        model_config = SettingsConfigDict(
            env_prefix=PREFIX, env_nested_delimiter="__", nested_model_default_partial_update=True
        )

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            """The environment wins over the file; nothing else is read."""
            return env_settings, init_settings

    return FromEnvironment


def redacted(settings: Settings) -> dict[str, Any]:
    """The settings as plain values, secrets replaced by stars."""
    return settings.model_dump(mode="json")


def _from_environment(line: str, environment: Mapping[str, str]) -> str:
    """Names the variable when a mistake is in a key that the environment sets."""
    for name in environment:
        key = name.removeprefix(PREFIX).replace("__", ".").lower()
        if f"{key}:" in line:
            return f"{name}: {line.rpartition(f'{key}:')[2].strip()}"
    return line
