"""What every section of the configuration is made of: secrets with a `_file` twin, durations, no unknown keys."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, SecretStr, model_validator

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")


def parse_duration(value: Any) -> Any:
    """Reads Prometheus's notation ("90s", "1d12h"); a bare number is seconds. Anything else is left to pydantic."""
    if isinstance(value, str):
        parts = _DURATION.findall(value)
        if not parts or "".join(number + unit for number, unit in parts) != value:
            raise ValueError(f'"{value}" is not a duration; write it like 90s, 5m, 24h or 1d12h')
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value
    else:
        return value
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{value} is longer than any duration can be") from None


def format_duration(value: timedelta) -> str:
    """Writes Prometheus's notation in the largest unit that divides the value evenly."""
    seconds = value.total_seconds()
    for unit in ("d", "h", "m", "s"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{int(seconds // _UNITS[unit])}{unit}"
    return f"{seconds:g}s" if not seconds or seconds >= 1 else f"{seconds * 1000:g}ms"


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration, json_schema_input_type=str), PlainSerializer(format_duration)
]


class Section(BaseModel):
    """A section of the configuration: frozen, and an unknown key is an error.

    For each field `X` of type SecretStr that also has a twin `X_file`, the file's content (surrounding white
    space removed) becomes `X` when the settings are loaded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        for key in [key for key in values if isinstance(key, str) and key.endswith("_file")]:
            plain = key.removesuffix("_file")
            field = cls.model_fields.get(plain)
            if field is None or "SecretStr" not in str(field.annotation) or not values[key]:
                continue
            if values.get(plain):
                raise ValueError(f"{plain} and {key} are both set; keep one")
            try:
                content = Path(values[key]).read_text(encoding="utf-8").strip()
            except OSError as failure:
                raise ValueError(f"{key}: cannot read {values[key]}: {failure.strerror}") from failure
            if not content:
                raise ValueError(f"{key}: {values[key]} is empty")
            values = {**values, plain: SecretStr(content)}
        return values
