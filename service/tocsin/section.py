"""A secret in the configuration: a value, or the file that holds it; never printed."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator


class Section(BaseModel):
    """A section of the configuration: frozen, and an unknown key is an error.

    For each field `X` of type SecretStr that also has a twin `X_file`, the file's content (surrounding white
    space removed) becomes `X` when the settings are loaded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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
