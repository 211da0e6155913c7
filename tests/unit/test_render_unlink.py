"""Nothing in a finished line can be tapped, and sealing twice changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.render.unlink import seal


@pytest.mark.parametrize(
    ("text", "sealed"),
    [
        ("files.paste-drop[.]example", "files.paste-drop[.]example"),
        ("evil.com.a[.]example", "evil[.]com.a[.]example"),
        ("login.evil.co.uk", "login.evil[.]co[.]uk"),
        ("http://localhost/x", "hxxp[://]localhost/x"),
        ("hxxps[://]evil[.]com", "hxxps[://]evil[.]com"),
        ("ftp://10.0.0.1/", "ftp[://]10.0.0[.]1/"),
        ("me@evil.com", "me[@]evil[.]com"),
        ("me[@]host", "me[@]host"),
        ("evil。com", "evil[.]com"),
        ("пример.рф", "пример[.]рф"),
        ("a.xn--p1ai", "a[.]xn--p1ai"),
        ("media/recyclarr 7.4.1 -> 7.5.0", "media/recyclarr 7.4.1 -> 7.5.0"),
        ("radarr 4.0.9.2244", "radarr 4.0.9.2244"),
        ("config/apps.yaml says so.", "config/apps.yaml says so."),
        ("18.4 MB/s in 0.5 s.", "18.4 MB/s in 0.5 s."),
        ("sonarr.tv-shows.svc.cluster.local", "sonarr[.]tv-shows.svc.cluster.local"),
        ("files.paste-drop.svc", "files.paste-drop.svc"),
        ("evil.pharmacy\\x2fa.b[.]c", "evil[.]pharmacy\\x2fa.b[.]c"),
        ("see evil.plumbing/a.b", "see evil[.]plumbing/a.b"),
        ("Evil.Boutique", "Evil[.]Boutique"),
        ("tel:+491234 mailto:a", "tel[:]+491234 mailto[:]a"),
        ("data: 5 MB", "data: 5 MB"),
    ],
)
def test_what_phones_link_is_broken(text: str, sealed: str) -> None:
    assert seal(text) == sealed


@given(st.text(alphabet="ab.:/@[]comhtps1-。", max_size=40))
def test_sealing_twice_changes_nothing(text: str) -> None:
    once = seal(text)
    assert seal(once) == once
