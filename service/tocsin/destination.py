"""A DNS name as Hubble saw it, made comparable and safe to show. Pure.

Hubble writes names the way miekg/dns presents them: a trailing dot, bytes outside printable ASCII as `\\DDD` (decimal),
and `. space ' @ ; ( ) " \\` inside a label behind a backslash. Every other byte, among them all markup, arrives
verbatim. Resolvers append search suffixes before they try the plain name, so one look-up shows up as several names.
"""

import ipaddress
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from tocsin.model import Destination
from tocsin.section import Section

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

MAX_RAW = 1024
"""Longest presentation form that is read: 255 octets, each at most `\\DDD`. Of anything longer only the end is read."""
MAX_SHOWN = 96
"""Longest `shown`, in code points."""

_ESCAPE = re.compile(rb"\\(?:(\d{3})|(.))", re.DOTALL)
_INTERNAL = frozenset(
    {"arpa", "internal", "lan", "local", "localdomain", "localhost", "svc"}
)  # arpa: in-addr.arpa, ip6.arpa and home.arpa
_RESERVED = frozenset({"example", "invalid", "test"})
_NEVER_A_NAMESPACE = frozenset({"com", "net", "org"})
_INSIDE = tuple(
    map(
        ipaddress.ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "::1/128", "fc00::/7", "fe80::/10"),
    )
)
"""Addresses that stay on the own network (RFC 1918, RFC 4193, loopback, IPv6 link-local)."""
_HOST_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_ORDINAL = re.compile(r"-\d+$")


class DestinationSettings(Section):
    """What tells a name that leaves the network from one that does not."""

    cluster_domain: str = Field("cluster.local", description="DNS domain of the cluster (kubelet --cluster-domain).")
    lan_domains: tuple[str, ...] = Field(
        (),
        description="Domains of your own network, for example home.example.org. Names in them count as internal; they "
        "are also removed where a resolver appended one to an outside name. local, lan, internal, home.arpa are known.",
    )
    search_suffixes: tuple[str, ...] = Field(
        (),
        description="Search domains of the nodes that are not your own network. Removed where a resolver appended "
        "one to another name, otherwise treated like any domain.",
    )

    @field_validator("cluster_domain")
    @classmethod
    def _plain_domain(cls, value: str) -> str:
        return value.strip().strip(".").lower()

    @field_validator("lan_domains", "search_suffixes")
    @classmethod
    def _plain_domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(domain for domain in (entry.strip().strip(".").lower() for entry in value) if domain)


def prepare() -> None:
    """Reads the public suffix list (60 ms, 3 MiB); without it the first `normalise` does, on the thread it runs on."""
    _public_suffixes()


def normalise(raw: str, suffixes: DestinationSettings) -> Destination:
    """Reads `raw` in any of the forms an alert may carry; never raises, whatever it is."""
    labels = _without_search_suffix(_labels(raw[-MAX_RAW:]), suffixes)
    name = ".".join(labels) or "."
    address = _address(raw.strip().removesuffix("."))
    if address is not None:
        shown = str(address)[::-1].replace(".", "].[", 1)[::-1]
        inside = any(address in network for network in _INSIDE if network.version == address.version)
        return Destination(raw, name, name, shown, internal=inside)
    domain = registrable_domain(name)
    return Destination(raw, name, domain, shorten(_defanged(labels) or name), _is_internal(labels, suffixes))


def registrable_domain(name: str) -> str:
    """The part of a normalised name that somebody registered; `name` itself where there is none.

    Private suffixes count: `bucket.s3.amazonaws.com` is a tenant of its own. Labels left of an empty one are ignored.
    """
    plain = name.removeprefix("*.").rsplit("..", 1)[-1].lstrip(".")
    found = _public_suffixes().privatesuffix(plain) if plain else None
    return found if found and name.endswith(found) else name  # the list reads "0.0." as "0.0"


def registered_label(domain: str) -> str:
    """The label of a registrable domain that its owner chose: `paste-drop` of `paste-drop.example`."""
    return domain.split(".", 1)[0]


def shorten(shown: str, limit: int = MAX_SHOWN) -> str:
    """Cuts the middle out of a long name: its end says who owns it and is worth more than its start."""
    if len(shown) <= limit:
        return shown
    tail = limit * 2 // 3
    return shown[: limit - tail - 1] + "…" + shown[-tail:]


def _labels(raw: str) -> list[str]:
    """Splits at the dots that are not escaped and writes each label in the normalised alphabet."""
    octets = raw.strip().encode("utf-8", "surrogatepass")
    labels, start = [bytearray()], 0
    for found in _ESCAPE.finditer(octets):
        _spread(labels, octets[start : found.start()])
        code = int(found[1]) if found[1] else None
        labels[-1] += found[0] if code is not None and code > 255 else bytes([code]) if code is not None else found[2]
        start = found.end()
    _spread(labels, octets[start:])
    if len(labels) > 1 and not labels[-1]:
        labels.pop()
    return ["".join(_written(octet) for octet in label.lower()) for label in labels]


def _spread(labels: list[bytearray], octets: bytes) -> None:
    head, *rest = octets.split(b".")
    labels[-1] += head
    labels.extend(bytearray(part) for part in rest)


def _written(octet: int) -> str:
    char = chr(octet)
    return char if octet < 128 and (char.isalnum() or char in "_-*") else f"\\x{octet:02x}"


def _without_search_suffix(labels: list[str], suffixes: DestinationSettings) -> list[str]:
    """Removes what a resolver appended, where the rest reads as a complete name of its own."""
    inside = _before(labels, suffixes.cluster_domain)
    if inside is not None:
        service = inside[:-1] if inside[-1:] == ["svc"] else None
        rest = inside if service is None else _expanded_service(service)
        return rest if rest and _reads_complete(rest) else labels
    for suffix in (*suffixes.lan_domains, *suffixes.search_suffixes, "lan", "local", "home.arpa", "localdomain"):
        rest = _before(labels, suffix) or []
        if _reads_complete(rest):
            return rest
    return labels


def _expanded_service(labels: list[str]) -> list[str]:
    """What was asked for, of `ASKED.NAMESPACE.svc` or `ASKED.svc`; a namespace may be called like a domain."""
    if labels[-1:] and labels[-1] in _NEVER_A_NAMESPACE:
        return labels
    rest = labels[:-1]
    pod_of_a_service = len(rest) == 2 and _ORDINAL.search(rest[0])
    port_of_a_service = len(rest) == 3 and rest[0].startswith("_")
    return [] if pod_of_a_service or port_of_a_service or rest[:1] == ["*"] else rest


def _before(labels: Sequence[str], suffix: str) -> list[str] | None:
    """The labels before `suffix`, None where the name does not end in it."""
    parts = suffix.split(".")
    return list(labels[: -len(parts)]) if list(labels[-len(parts) :]) == parts else None


def _reads_complete(labels: Sequence[str]) -> bool:
    return len(labels) >= 2 and (labels[-1] in _RESERVED or is_top_level(labels[-1]))


@lru_cache(maxsize=4096)
def is_top_level(label: str) -> bool:
    """Whether a lower-case label is a top-level domain somebody may have registered a name under."""
    return _public_suffixes().publicsuffix(label, accept_unknown=False) is not None


def _is_internal(labels: Sequence[str], suffixes: DestinationSettings) -> bool:
    if len(labels) == 1:
        return _HOST_LABEL.fullmatch(labels[0]) is not None
    own = (suffixes.cluster_domain, *suffixes.lan_domains)
    return labels[-1] in _INTERNAL or any(_before(labels, domain) is not None for domain in own)


def _address(raw: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return None if "%" in raw else ipaddress.ip_address(raw)  # a zone index may hold any character
    except ValueError:
        return None


def _defanged(labels: Sequence[str]) -> str:
    """Brackets the last dot, and every other one that ends what a phone would take for a shorter name."""
    written = labels[0]
    for index, label in enumerate(labels[1:], start=2):
        last = index == len(labels)
        written += ("[.]" if last or is_top_level(label) else ".") + label
    return written.replace("\\x40", "[@]")


@cache
def _public_suffixes() -> "PublicSuffixList":
    """The list inside the package; reading it takes about 60 ms and 3 MiB, hence only when first needed."""
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415

    return PublicSuffixList()
