"""Who may post: a bearer token or basic authentication, compared in constant time, and what wrong ones cost. Pure.

Right credentials always pass: behind one proxy, a guesser and Alertmanager have the same address, so a limit that
refuses unseen would let the one lock out the other. What is limited is what failures cost; what stops a guesser is the
length of the secret.
"""

import base64
import binascii
import hmac
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address

from tocsin.web.settings import ServerSettings

WINDOW = 60.0
"""Seconds over which wrong credentials are counted, and between two lines of the log about them."""

MOST_OF_A_CLIENT = 30
"""Wrong credentials of one client in a window that are answered 401. A misconfigured Alertmanager sends some, one a
group; the answers after them are 429 and end the connection."""

MOST_IN_ALL = 300
"""The same for all clients together: whoever has many addresses gets no further than ten of them."""

MOST_CLIENTS = 1024
"""Clients remembered in a window; further ones count in the total only."""


class Gate:
    """Lets in whoever has the configured credentials, and everybody where none are configured."""

    def __init__(self, settings: ServerSettings) -> None:
        self._scheme = "bearer" if settings.bearer is not None else "basic"
        secret = settings.bearer or settings.password
        self._key = secrets.token_bytes(32)
        self._open = secret is None
        self._username = self._digest(settings.username)
        self._secret = self._digest(secret.get_secret_value() if secret is not None else "")

    def admits(self, authorizations: Sequence[str]) -> bool:
        """Whether a request with these Authorization headers may post. Two are refused: who is meant is not clear."""
        if self._open:
            return True
        scheme, _, given = authorizations[0].partition(" ") if len(authorizations) == 1 else ("", "", "")
        if self._scheme == "bearer":
            right = self._equal(given.strip(), self._secret)
        else:
            username, password = _pair(given.strip())
            right = self._equal(password, self._secret) & self._equal(username, self._username)
        return right and scheme.lower() == self._scheme

    @property
    def challenge(self) -> str:
        """The WWW-Authenticate header of a 401."""
        return "Bearer" if self._scheme == "bearer" else 'Basic realm="tocsin"'

    def _equal(self, given: str, digest: bytes) -> bool:
        return hmac.compare_digest(self._digest(given), digest)

    def _digest(self, text: str) -> bytes:
        """Of equal length for every text, so that comparing tells nothing of the secret's length."""
        return blake2b(text.encode("utf-8", "surrogateescape"), key=self._key).digest()


@dataclass(frozen=True, slots=True)
class Refusal:
    """How to refuse wrong credentials. `untold` is their number since the last line of the log, 0 while none is due."""

    too_many: bool
    untold: int


class Refusals:
    """Counts wrong credentials, by client and in all."""

    def __init__(self) -> None:
        self._began_at = self._told_at = -WINDOW
        self._by_client: Counter[str] = Counter()
        self._total = self._untold = 0

    def count(self, client: str | None, now: float) -> Refusal:
        """Takes note of one. `client` is the peer's address, `now` seconds of a clock that only moves forward."""
        if now - self._began_at >= WINDOW:
            self._began_at, self._total = now, 0
            self._by_client.clear()
        self._total += 1
        self._untold += 1
        key = _network(client or "")
        if key in self._by_client or len(self._by_client) < MOST_CLIENTS:
            self._by_client[key] += 1
        too_many = self._by_client[key] > MOST_OF_A_CLIENT or self._total > MOST_IN_ALL
        if now - self._told_at < WINDOW:
            return Refusal(too_many, 0)
        told, self._told_at, self._untold = self._untold, now, 0
        return Refusal(too_many, told)


def _pair(encoded: str) -> tuple[str, str]:
    """User and password of basic authentication; empty ones for what is none."""
    try:
        username, _, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    return username, password


def _network(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that one host may choose its IPv6 addresses from."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
