"""Reads settings from one YAML file and the environment; fails fast and precisely.

Order of precedence: environment (`TOCSIN__SECTION__KEY`), file, default.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from tocsin.errors import ConfigurationError
from tocsin.section import Section
from tocsin.yaml_file import Loc, mistakes, nearest, place, read

PREFIX = "TOCSIN__"

S = TypeVar("S", bound=Section)

Mistake = tuple[Loc, str]
"""Where in the settings, and what is wrong there."""


def load(
    model: type[S],
    path: Path | None,
    environment: Mapping[str, str] | None = None,
    check: Callable[[S], Iterable[Mistake]] = lambda _: (),
) -> S:
    """Returns the settings; without a file, what the environment says and the defaults.

    `check` finds what is wrong between sections that are right by themselves. Raises ConfigurationError with every
    mistake on a line of its own.
    """
    everything = os.environ if environment is None else environment
    names = [name for name in everything if name.startswith(PREFIX)]
    file = read(path) if path else None
    wrong = list(_unknown(names, model))
    try:
        settings = (_with_environment(model) if names else model)(**(file.values if file else {}))
        wrong += [f"{place(file, loc)}{'.'.join(map(str, loc))}: {what}" for loc, what in check(settings)]
    except ValidationError as failure:
        wrong += [_named(line, names) for line in mistakes(failure, model, file)]
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
    from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict  # noqa: PLC0415
    from pydantic_settings import PydanticBaseSettingsSource as Source  # noqa: PLC0415

    class Environment(EnvSettingsSource):
        """Takes JSON, and where it is none a plain word, or several with commas between them for a list."""

        def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
            try:
                return super().decode_complex_value(field_name, field, value)
            except ValueError:
                several = field is not None and get_origin(field.annotation) in (tuple, list)
                return [word.strip() for word in value.split(",") if word.strip()] if several else value

    class FromEnvironment(BaseSettings, model):  # type: ignore[misc, valid-type]
        model_config = SettingsConfigDict(
            env_prefix=PREFIX, env_nested_delimiter="__", nested_model_default_partial_update=True
        )

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: Source,
            env_settings: Source,
            dotenv_settings: Source,
            file_secret_settings: Source,
        ) -> tuple[Source, ...]:
            """The environment wins over the file; nothing else is read."""
            return Environment(settings_cls), init_settings

    return FromEnvironment


def _named(line: str, names: Iterable[str]) -> str:
    """Names the variable when a mistake is in a key that the environment sets."""
    for name in names:
        key = name.removeprefix(PREFIX).replace("__", ".").lower()
        if f"{key}:" in line:
            return f"{name}: {line.rpartition(f'{key}:')[2].strip()}"
    return line
