"""What the settings say of themselves: the commented file with every key and its default, and the JSON Schema."""

import json
import textwrap
import types
from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticUndefined, core_schema

from tocsin.section import format_duration
from tocsin.settings import ChannelSettings, Settings

_HEAD = """\
# Every key of tocsin's configuration with its default. Delete what you do not change: a key left out has its default.
# Any key can be set from the environment instead: TOCSIN__SERVER__PORT=9000. There a list is written a,b,c and a
# map whose keys have capitals as JSON: TOCSIN__IDENTIFY__ALERTS='{"MyAlert": "novel"}'.
# Durations are written 90s, 5m, 24h, 1d12h; a bare number is seconds. Sizes are bytes where nothing else is said.
# Secrets belong into files: each key `X` that is a secret has a twin `X_file`.
# `tocsin check --offline` finds mistakes with their line; `tocsin schema --example` prints this file.
"""


def example() -> str:
    """The text of config/tocsin.yaml."""
    return _HEAD + "\n".join(_fields(Settings, "")) + "\n"


def schema() -> str:
    """The JSON Schema of what a configuration file may hold."""
    return json.dumps(Settings.model_json_schema(schema_generator=_AsWritten), indent=2) + "\n"


class _AsWritten(GenerateJsonSchema):
    """Speaks of the file, not of the values read from it: durations as they are written, a twin instead of a secret."""

    def encode_default(self, dft: Any) -> Any:
        """Writes a duration as the file would, where pydantic writes ISO 8601."""
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Leaves it to the check whether a secret is given: itself, or by its file."""
        made = super().model_schema(schema)
        required = [key for key in made.get("required", ()) if f"{key}_file" not in made["properties"]]
        return {**made, "required": required} if required else {key: made[key] for key in made if key != "required"}


def _fields(model: type[BaseModel], indent: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if not indent:
            yield ""
        yield from _comment(field.description or "", indent)
        if name == "channels":
            yield from _channels()
            continue
        yield from _field(name, field, indent)


def _field(name: str, field: FieldInfo, indent: str) -> Iterator[str]:
    section, default = _section(field.annotation), field.get_default(call_default_factory=True)
    if section is not None and default == {}:
        default = section()
    if section is None:
        plain = _plain(default)
        lead = "# " if default is None or default is PydanticUndefined else ""
        yield f"{indent}{lead}{name}:{'' if plain == '' else f' {plain}'}"
    elif default is None:
        yield f"{indent}# {name}:"
        yield from (f"{indent}# {line.removeprefix(indent)}" for line in _fields(section, indent + "  "))
    elif set(section.model_fields) == {"priority", "channels"}:
        yield f"{indent}{name}: {default.priority.value}"
    else:
        yield f"{indent}{name}:"
        for key, inner in section.model_fields.items():
            value = getattr(default, key)
            yield from _comment(inner.description or "", indent + "  ")
            yield from _field(
                key, FieldInfo.merge_field_infos(inner, default=value, default_factory=None), indent + "  "
            )


def _channels() -> Iterator[str]:
    yield "channels: {}"
    for model in get_args(get_args(ChannelSettings)[0]):
        yield ""
        yield f"#   {get_args(model.model_fields['type'].annotation)[0]}:  # a name of your own"
        for line in _fields(model, "    "):
            yield f"# {line.replace('# type:', 'type:', 1) if line.lstrip().startswith('# type:') else line}"


def _comment(text: str, indent: str) -> list[str]:
    return [f"{indent}# {line}" for line in textwrap.wrap(text, 118 - len(indent))]


def _section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is Annotated:
        return _section(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return next((found for each in get_args(annotation) if (found := _section(each))), None)
    return None


def _plain(value: Any) -> str:
    match value:
        case timedelta():
            return format_duration(value)
        case Enum():
            return str(value.value)
        case Path():
            return str(value)
        case Mapping():
            return "{" + ", ".join(f"{key}: {_plain(each)}" for key, each in value.items()) + "}"
        case tuple() | list():
            return "[" + ", ".join(_plain(each) for each in value) + "]"
        case bool() | int() | float() | str():
            return json.dumps(value)
        case _:
            return ""
