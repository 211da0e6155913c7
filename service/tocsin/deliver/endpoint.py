"""What a provider's address and credentials may look like in the configuration."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

_PRINTABLE = re.compile(r"[!-~]+")


def _server_root(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or not _PRINTABLE.fullmatch(value):
        raise ValueError("must be an http:// or https:// URL")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or password; they have keys of their own")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must be the root of the server, without a path")
    return f"{parts.scheme}://{parts.netloc}"


def _header_safe(value: SecretStr) -> SecretStr:
    if not _PRINTABLE.fullmatch(value.get_secret_value()):
        raise ValueError("must be printable ASCII without spaces or line ends")
    return value


ServerRoot = Annotated[str, AfterValidator(_server_root)]
"""An http(s) URL without path, kept without the last slash."""

HeaderSecret = Annotated[SecretStr, AfterValidator(_header_safe)]
"""A secret that travels in a header or form field."""
