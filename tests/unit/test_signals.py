"""Names that imitate an expected one or carry data are told from the many that do neither."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.assess.settings import AssessSettings
from tocsin.assess.signals import lookalike, tunnel_shaped
from tocsin.destination import DestinationSettings, normalise
from tocsin.model import Destination

EXPECTED = ("api.github.com", "**.cloudflare.com", "api.thetvdb.com", "*.ghcr.io", "microsoft.com")
IGNORED = AssessSettings().tunnel_domains_ignored


def named(name: str) -> Destination:
    return normalise(name, DestinationSettings())


def punycode(label: str) -> str:
    return "xn--" + label.encode("punycode").decode()


def base32(seed: str, length: int) -> str:
    return base64.b32encode(hashlib.sha512(seed.encode()).digest()).decode().lower()[:length]


@pytest.mark.parametrize(
    ("name", "genuine"),
    [
        ("api.githud.com", "github[.]com"),
        ("gihtub.com", "github[.]com"),
        ("g1thub.com", "github[.]com"),
        ("git-hub.net", "github[.]com"),
        ("cloudfare.com", "cloudflare[.]com"),
        ("clouclflare.com", "cloudflare[.]com"),
        ("cloudf1are.com", "cloudflare[.]com"),
        ("rnicrosoft.com", "microsoft[.]com"),
        (punycode("githüb") + ".com", "github[.]com"),
        (punycode("gıthub") + ".com", "github[.]com"),
    ],
)
def test_imitations(name: str, genuine: str) -> None:
    said = lookalike(named(name), EXPECTED)
    assert said is not None
    assert said.endswith(f" looks like {genuine}, which is expected")


@pytest.mark.parametrize("label", ["gіthub", "аpple", "pаypаl"])
def test_an_imitation_in_two_alphabets_needs_no_expected_name(label: str) -> None:
    said = lookalike(named(punycode(label) + ".com"), ())
    assert said is not None
    assert "mixes Cyrillic and Latin" in said


@pytest.mark.parametrize(
    "name",
    ["github.com", "evil.github.com", "github.io", "gitlab.com", "docker.io", "thetvdb.org", "thetvdb2.com", "gh.io",
     "paste-drop.example", punycode("bücher") + ".example", "xn--99999999.com", "xn--.com", "*", "*.example.com"],
)  # fmt: skip
def test_no_imitations(name: str) -> None:
    assert lookalike(named(name), EXPECTED) is None


@pytest.mark.parametrize(
    "name",
    [
        base32("a", 56) + ".x.example",
        base32("a", 31) + "." + base32("b", 31) + ".x.example",
        hashlib.sha256(b"a").hexdigest()[:62] + ".x.example",
        r"\240\159\152\128\200\201\202\203\204\205.x.example",
    ],
)
def test_names_that_carry_data(name: str) -> None:
    assert "as DNS tunnels do" in (tunnel_shaped([named(name)], IGNORED) or "")


@pytest.mark.parametrize(
    "name",
    [
        "api.thetvdb.com",
        "o123456.ingest.sentry.io",
        "8c8b1e0e-1f6a-4a4e-9a1c-2d3e4f5a6b7c.x.example",
        hashlib.md5(b"a").hexdigest() + ".r2.cloudflarestorage.com",
        hashlib.sha1(b"a").hexdigest() + ".x.example",
        "10-0-0-1." + hashlib.md5(b"a").hexdigest() + ".plex.direct",
        "rr5---sn-4g5ednsl.googlevideo.com",
        "ec2-52-1-2-3.compute-1.amazonaws.com",
        "a-very-long-but-entirely-harmless-human-label-for-this-service.x.example",
        "d111111abcdef8.cloudfront.net",
        hashlib.sha256(b"a").hexdigest()[:60] + ".avts.mcafee.com",
        "*.x.example",
        "*",
    ],
)
def test_names_that_only_look_odd(name: str) -> None:
    assert tunnel_shaped([named(name)], IGNORED) is None


def test_many_machine_made_names_below_one_domain() -> None:
    names = [named(f"{base32(str(number), 22)}.x.example") for number in range(40)]
    assert "look machine-made" in (tunnel_shaped(names, IGNORED) or "")
    assert tunnel_shaped(names[:5], IGNORED) is None
    words = [named(f"shard-{number}.x.example") for number in range(40)]
    assert tunnel_shaped(words, IGNORED) is None


@given(st.text(), st.lists(st.text(), max_size=3))
def test_any_name_can_be_judged(name: str, expected: list[str]) -> None:
    for said in (lookalike(named(name), expected), tunnel_shaped([named(name)], IGNORED)):
        assert said is None or said.isprintable()
