"""Reads apps.yaml: the operator's file, or the one that ships inside the package."""

from pathlib import Path

from pydantic import ValidationError

from tocsin import yaml_file
from tocsin.classify import AppsFile, ShippedApps
from tocsin.errors import ConfigurationError

SHIPPED = Path(__file__).with_name("defaults") / "apps.yaml"


def load(path: Path | None = None) -> AppsFile:
    """Reads `path`, or the shipped default when it is None.

    Raises ConfigurationError with every mistake on a line of its own, each with file and line.
    """
    file = yaml_file.read(path or SHIPPED)
    try:
        return (AppsFile if path else ShippedApps).model_validate(file.values)
    except ValidationError as failure:
        raise ConfigurationError("\n".join(yaml_file.mistakes(failure, AppsFile, file))) from failure
