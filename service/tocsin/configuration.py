"""Reads settings from one YAML file and the environment; fails fast and precisely.

Order of precedence: environment (`TOCSIN__SECTION__KEY`), file, default.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from tocsin.errors import ConfigurationError
from tocsin.section import Section
from tocsin.yaml_file import mistakes, nearest, read

PREFIX = "TOCSIN__"

S = TypeVar("S", bound=Section)


def load(model: type[S], path: Path | None, environment: Mapping[str, str] | None = None) -> S:
    """Returns the settings; without a file, what the environment says and the defaults.

    Raises ConfigurationError with every mistake on a line of its own.
    """
    everything = os.environ if environment is None else environment
    names = [name for name in everything if name.startswith(PREFIX)]
    file = read(path) if path else None
    wrong = list(_unknown(names, model))
    try:
        settings = (_with_environment(model) if names else model)(**(file.values if file else {}))
    except ValidationError as failure:
        wrong += [_named(line, names) for line in mistakes(failure, model, file)]
    except TypeError as failure:  # a key of the file that is no string
        wrong.append(f"{path}: {failure}")
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    return settings


def _unknown(names: Iterable[str], model: type[Section]) -> Iterator[str]:
    for name in names:
        key = name.removeprefix(PREFIX).split("__")[0].lower()
        if key not in model.model_fields and model.model_config.get("extra") == "forbid":
            yield f"{name}: unknown key{nearest(key, model.model_fields)}"


def _with_environment(model: type[S]) -> type[S]:
    """The model, overridden by the environment; its library is loaded only where the environment says something."""
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict  # noqa: PLC0415

    class FromEnvironment(BaseSettings, model):  # type: ignore[misc, valid-type]
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


def _named(line: str, names: Iterable[str]) -> str:
    """Names the variable when a mistake is in a key that the environment sets."""
    for name in names:
        key = name.removeprefix(PREFIX).replace("__", ".").lower()
        if f"{key}:" in line:
            return f"{name}: {line.rpartition(f'{key}:')[2].strip()}"
    return line
