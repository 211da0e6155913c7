"""How a command reads the configuration and runs."""

import gc
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tocsin.cli.options import DEFAULT_CONFIGURATION

if TYPE_CHECKING:
    from tocsin.settings import Settings

T = TypeVar("T")


def stay_small() -> None:
    """Keeps out what libraries load only because it is installed: a service that idles is measured by it.

    structlog imports rich, for consoles, wherever it finds it (4 MiB, 30 ms); pydantic looks through every installed
    distribution for plugins (20 ms).
    """
    sys.modules.setdefault("rich", cast(ModuleType, None))  # makes `import rich` an ImportError
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def run(command: Coroutine[Any, Any, T], *, loaded: bool = True) -> T:
    """Runs a coroutine to its end, with the garbage collector on unless the command turns it on itself."""
    import asyncio  # noqa: PLC0415

    if loaded:  # otherwise the command turns it on when it is
        gc.enable()
    return asyncio.run(command)


def load(config: Path | None) -> "Settings":
    """The settings of a configuration file, or those at the usual place. Raises ConfigurationError."""
    from tocsin import settings  # noqa: PLC0415

    return settings.load(existing(config))


def existing(config: Path | None) -> Path | None:
    """The file to read, None when there is none."""
    return DEFAULT_CONFIGURATION if config is None and DEFAULT_CONFIGURATION.exists() else config
