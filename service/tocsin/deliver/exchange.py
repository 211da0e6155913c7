"""One HTTP request to a provider and its reply, with every transport failure as a TemporaryError.

No redirects (a redirected POST loses its body or leaks its credentials), no proxy from the environment, no retries: the
worker decides about those.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tocsin import inert
from tocsin.errors import TemporaryError

REPLY_BYTES = 65_536
"""What is read of a reply; providers answer with well under 1 KiB."""

_CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Mapping[str, Any]:
        """The body as a JSON object; empty when it is anything else, such as a proxy's page."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


class Exchange:
    """A keep-alive session with one provider, opened with the first request.

    `secrets` are blotted out of every reply but a 200, so that no error text can carry what a provider echoes.
    """

    def __init__(self, url: str, *, timeout: timedelta, connections: int, secrets: tuple[str, ...] = ()) -> None:
        self._url = url
        self._timeout = timeout
        self._connections = connections
        self._secrets = tuple(secret.encode() for secret in secrets if secret)
        self._session: aiohttp.ClientSession | None = None

    @property
    def host(self) -> str:
        """Host and port of the provider, for error texts."""
        return urlsplit(self._url).netloc

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Sends one request; raises TemporaryError when no complete reply came."""
        if self._session is None:
            self._session = self._open()
        try:
            async with self._session.request(
                method, self._url + path, data=body if form is None else form, headers=headers, allow_redirects=False
            ) as response:
                received = bytearray()
                async for chunk in response.content.iter_chunked(REPLY_BYTES):
                    received += chunk
                    if len(received) >= REPLY_BYTES:
                        response.close()
                        break
                names = {name.lower(): value for name, value in response.headers.items()}
                body = bytes(received[:REPLY_BYTES])
                return Reply(response.status, names, body if response.status == 200 else self._blot(body))
        except TimeoutError:
            text = f"{self.host} did not answer within {self._timeout.total_seconds():g} s"
        except (aiohttp.ClientError, OSError) as failure:
            text = f"{self.host}: {self._blot(_why(failure).encode()).decode()}"
        raise TemporaryError(text)

    async def close(self) -> None:
        """Closes the session."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        seconds = self._timeout.total_seconds()
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections),
            timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, _CONNECT_SECONDS)),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            headers={"User-Agent": "tocsin"},
        )

    def _blot(self, text: bytes) -> bytes:
        for secret in self._secrets:
            text = text.replace(secret, b"***")
        return text


def said(reply: Reply) -> str:
    """What a reply that is not the provider's own says, short enough for an error text.

    Of a 200 only the kind of content is told: its body may echo what was sent.
    """
    if reply.status == 200:
        return f"answered 200 with {inert.text(reply.headers.get('content-type') or 'no content type', 60)}"
    text = inert.text(reply.body[:400].decode(errors="replace").strip(), 120)
    return f"answered {reply.status}{f': {text}' if text else ''}"


def _why(failure: Exception) -> str:
    if isinstance(failure, aiohttp.ClientConnectorDNSError):
        return "its name cannot be resolved"
    if isinstance(failure, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return inert.text(f"TLS failed: {failure}", 200)
    if isinstance(failure, aiohttp.ClientConnectorError):
        number = failure.os_error.errno
        return f"cannot connect ({os.strerror(number).lower() if number else type(failure.os_error).__name__})"
    if isinstance(failure, aiohttp.ServerDisconnectedError):
        return "closed the connection before answering"
    return inert.text(f"{type(failure).__name__}: {failure}", 200)
