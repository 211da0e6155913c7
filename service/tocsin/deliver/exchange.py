"""One HTTP request to a provider and its reply, with every transport failure as a TemporaryError.

No redirects (a redirected POST loses its body or leaks its credentials), no proxy from the environment, no retries: the
worker decides about those. A request without a reply says nothing of its message, so the whole channel waits.
"""

import html
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import aiohttp

from tocsin import inert
from tocsin.errors import TemporaryError

REPLY_BYTES = 65_536
"""What is read of a reply, compressed or not; providers answer with well under 1 KiB."""

LONGEST = timedelta(minutes=1)
"""Longest wait for an answer that may be configured: a message is claimed for two minutes, and then sent again."""

_CONNECT_SECONDS = 5.0
_PATIENCE = timedelta(days=1)


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

    `secrets` are blotted out of headers and of every body but that of a 200, so that no error text can carry what a
    provider echoes.
    """

    def __init__(self, url: str, *, timeout: timedelta, connections: int, secrets: tuple[str, ...] = ()) -> None:
        self._url = url
        self._timeout = timeout
        self._connections = connections
        # The longest first: one spelling may be part of another.
        self._secrets = sorted({each for secret in secrets if secret for each in _spellings(secret)}, key=len)[::-1]
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
                names = {name.lower(): self._blot(value) for name, value in response.headers.items()}
                content = _inflated(bytes(received[:REPLY_BYTES]), names.get("content-encoding", ""))
                if response.status != 200:
                    content = self._blot(content.decode(errors="replace")).encode()
                return Reply(response.status, names, content)
        except TimeoutError:
            text = f"{self.host} did not answer within {self._timeout.total_seconds():g} s"
        except (aiohttp.ClientError, OSError, ValueError) as failure:  # ValueError: a reply that is no HTTP
            text = f"{self.host}: {inert.text(self._blot(_why(failure)), 200)}"
        raise TemporaryError(text, whole_channel=True)

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
            auto_decompress=False,  # it inflates a whole chunk at once, however large that gets
            headers={"User-Agent": "tocsin", "Accept-Encoding": "identity"},
        )

    def _blot(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _spellings(secret: str) -> Iterator[str]:
    """The ways in which a reply may echo a secret."""
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield html.escape(secret)
    for ascii_only in (True, False):
        escaped = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield escaped
        yield escaped.replace("/", "\\/")


def _inflated(content: bytes, encoding: str) -> bytes:
    """The body, or its first REPLY_BYTES; as it came where it is not what it says."""
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return content
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content, REPLY_BYTES)
    except zlib.error:
        return content


def asked_to_wait(reply: Reply, now: datetime) -> timedelta | None:
    """What Retry-After asks for, in seconds or as a date, a day at most; None where it asks for nothing."""
    stated = reply.headers.get("retry-after", "").strip()
    if stated.isascii() and stated.isdigit():
        return timedelta(seconds=min(int(stated[:9]), _PATIENCE.total_seconds()))
    try:
        at = parsedate_to_datetime(stated)
    except ValueError:
        return None
    wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    return min(wait, _PATIENCE) if wait > timedelta(0) else None


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
        return f"TLS failed: {failure}"
    if isinstance(failure, aiohttp.ClientConnectorError):
        number = failure.os_error.errno
        return f"cannot connect ({os.strerror(number).lower() if number else type(failure.os_error).__name__})"
    if isinstance(failure, aiohttp.ServerDisconnectedError):
        return "closed the connection before answering"
    return f"{type(failure).__name__}: {failure}"
