"""DNS names as Hubble writes them become comparable and safe to show."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.destination import MAX_SHOWN, DestinationSettings, normalise, registrable_domain, shorten

SETTINGS = DestinationSettings(lan_domains=("home.example.org",), search_suffixes=("corp.example.net",))


@pytest.mark.parametrize(
    ("raw", "name", "domain", "shown"),
    [
        ("files.paste-drop.example.", "files.paste-drop.example", "paste-drop.example", "files.paste-drop[.]example"),
        ("API.TheTVDB.com", "api.thetvdb.com", "thetvdb.com", "api.thetvdb[.]com"),
        ("www.bbc.co.uk.", "www.bbc.co.uk", "bbc.co.uk", "www[.]bbc[.]co[.]uk"),
        ("a.bucket.s3.amazonaws.com", "a.bucket.s3.amazonaws.com", "bucket.s3.amazonaws.com", None),
        ("s3.amazonaws.com", "s3.amazonaws.com", "s3.amazonaws.com", "s3.amazonaws[.]com"),
        ("xn--gthub-n4a.com.", "xn--gthub-n4a.com", "xn--gthub-n4a.com", "xn--gthub-n4a[.]com"),
        ("*.paste-drop.example.", "*.paste-drop.example", "paste-drop.example", "*.paste-drop[.]example"),
        ("*.", "*", "*", "*"),
        ("*.com", "*.com", "*.com", "*[.]com"),
        ("_443._tcp.thetvdb.com", "_443._tcp.thetvdb.com", "thetvdb.com", "_443._tcp.thetvdb[.]com"),
        (r"a\.b.evil.com", r"a\x2eb.evil.com", "evil.com", r"a\x2eb.evil[.]com"),
        (r"\240\159\152\128.com", r"\xf0\x9f\x98\x80.com", r"\xf0\x9f\x98\x80.com", r"\xf0\x9f\x98\x80[.]com"),
        (r"\065B.com", "ab.com", "ab.com", "ab[.]com"),
        (r"x\999.com", r"x\x5c999.com", r"x\x5c999.com", None),
        ("trailing\\", r"trailing\x5c", r"trailing\x5c", None),
        ("a..b.com", "a..b.com", "b.com", "a..b[.]com"),
        ("8.8.8.8.", "8.8.8.8", "8.8.8.8", "8.8.8[.]8"),
        ("fe80::1%<b>.com", r"fe80\x3a\x3a1\x25\x3cb\x3e.com", r"fe80\x3a\x3a1\x25\x3cb\x3e.com", None),
        ("", ".", ".", "."),
    ],
)
def test_a_name_is_normalised(raw: str, name: str, domain: str, shown: str | None) -> None:
    found = normalise(raw, SETTINGS)
    assert (found.raw, found.name, found.domain) == (raw, name, domain)
    assert shown is None or found.shown == shown


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("api.foo.com.media.svc.cluster.local.", "api.foo.com"),
        ("files.paste-drop.example.media.svc.cluster.local.", "files.paste-drop.example"),
        ("api.thetvdb.com.svc.cluster.local.", "api.thetvdb.com"),
        ("api.thetvdb.com.cluster.local.", "api.thetvdb.com"),
        ("api.thetvdb.com.lan.", "api.thetvdb.com"),
        ("api.thetvdb.com.home.example.org.", "api.thetvdb.com"),
        ("api.thetvdb.com.corp.example.net.", "api.thetvdb.com"),
        ("gitlab.corp.example.net.", "gitlab.corp.example.net"),
        ("sonarr.media.svc.cluster.local.", "sonarr.media.svc.cluster.local"),
        ("redis-0.redis.media.svc.cluster.local.", "redis-0.redis.media.svc.cluster.local"),
        ("web-0.app.prod.svc.cluster.local.", "web-0.app.prod.svc.cluster.local"),
        ("_http._tcp.web.media.svc.cluster.local.", "_http._tcp.web.media.svc.cluster.local"),
        ("*.media.svc.cluster.local.", "*.media.svc.cluster.local"),
        ("10-0-0-1.media.pod.cluster.local.", "10-0-0-1.media.pod.cluster.local"),
    ],
)
def test_what_a_resolver_appended_is_removed(raw: str, name: str) -> None:
    assert normalise(raw, SETTINGS).name == name


def test_the_domain_of_the_cluster_is_a_setting() -> None:
    settings = DestinationSettings(cluster_domain="K8s.Internal.")
    assert normalise("api.foo.com.media.svc.k8s.internal", settings).name == "api.foo.com"
    assert normalise("sonarr.media.svc.k8s.internal", settings).internal


@pytest.mark.parametrize(
    ("raw", "internal"),
    [
        ("sonarr.media.svc.cluster.local", True),
        ("sonarr.media.svc", True),
        ("sonarr", True),
        ("nas.lan", True),
        ("printer.local.", True),
        ("nas.home.arpa", True),
        ("metadata.google.internal", True),
        ("nas.home.example.org", True),
        ("home.example.org", True),
        ("1.0.0.10.in-addr.arpa.", True),
        ("0.8.b.d.0.1.0.0.2.ip6.arpa", True),
        ("192.168.1.10", True),
        ("8.8.8.8", False),
        ("example.org", False),
        ("nas.lan.evil.com", False),
        ("thelan", True),
        ("evil-home.example.org", False),
        ("*", False),
        ("*.evil.com", False),
    ],
)
def test_names_that_never_leave_are_internal(raw: str, internal: bool) -> None:
    assert normalise(raw, SETTINGS).internal is internal


def test_a_hostile_name_is_harmless_to_show() -> None:
    shown = normalise(r"<img\032src=x\032onerror=alert\(1\)>.\@channel.evil.example.", SETTINGS).shown
    assert shown.endswith("[@]channel.evil[.]example")
    assert not set("<>()@ ") & set(shown.replace("[@]", ""))


def test_no_part_of_a_name_is_left_for_a_phone_to_link() -> None:
    assert normalise("www.google.com.evil.example", SETTINGS).shown == "www[.]google[.]com.evil[.]example"


def test_of_a_long_name_the_owner_stays_visible() -> None:
    found = normalise("a" * 5000 + ".evil.com", SETTINGS)
    assert found.domain == "evil.com"
    assert len(found.shown) == MAX_SHOWN
    assert found.shown.startswith("aaa")
    assert found.shown.endswith(".evil[.]com")
    assert shorten("abcdefghij", 6) == "a…ghij"


def test_the_domain_of_an_empty_name_is_itself() -> None:
    assert registrable_domain("") == ""


def test_a_name_that_ends_in_an_empty_label_is_its_own_domain() -> None:
    assert normalise("0.0..", SETTINGS).domain == "0.0."


RAW = st.one_of(
    st.text(),
    st.lists(st.text(alphabet="ab0-_*.\\@ <>\"'\n\x00é", max_size=70), max_size=8).map(".".join),
    st.from_regex(r"(\\\d{3}|\\.|[a-z.]){0,40}", fullmatch=True),
)


@given(RAW)
def test_any_text_becomes_a_name_in_the_narrow_alphabet(raw: str) -> None:
    found = normalise(raw, SETTINGS)
    assert re.fullmatch(r"(?:[a-z0-9_.*-]|\\x[0-9a-f]{2})+", found.name)
    assert found.name.endswith(found.domain)
    assert len(found.shown) <= MAX_SHOWN
    assert found.shown.replace("…", "").isascii()
    assert found.shown.isprintable()


@given(RAW)
def test_case_and_a_trailing_dot_make_no_difference(raw: str) -> None:
    name = normalise(raw, SETTINGS).name
    if "\\" not in name:
        assert normalise(name.upper() + ".", SETTINGS).name in (name, name + ".")
