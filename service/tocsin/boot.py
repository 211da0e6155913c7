"""The settings that the server starts with. The others, and all that they configure, load while it already listens."""

from typing import Any

from pydantic import ConfigDict, Field

from tocsin.section import Section
from tocsin.store.settings import StoreSettings
from tocsin.web.settings import ServerSettings


def section(kind: type[Section]) -> Any:
    """A field whose default and description are the section's own.

    The default is validated with the whole, so that one validator is built instead of one a section.
    """
    return Field(default_factory=dict, validate_default=True, description=(kind.__doc__ or "").splitlines()[0])


class Boot(Section):
    """Where to listen, and where to store; every other key is somebody else's."""

    model_config = ConfigDict(extra="ignore")

    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error.")
    server: ServerSettings = section(ServerSettings)
    store: StoreSettings = section(StoreSettings)
