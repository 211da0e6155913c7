"""Text of strangers becomes harmless to show."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin import inert


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("one\ntwo\tthree\r", "one two three "),
        ("nul\x00 bell\x07", r"nul\x00 bell\x07"),
        ("right\u202eleft", r"right\x202eleft"),
        ("zero\u200bwidth", r"zero\x200bwidth"),
        ("lone\ud800", r"lone\xd800"),
        ("line\u2028end", r"line\x2028end"),
        ("médias 🙂", "médias 🙂"),
    ],
)
def test_what_cannot_be_seen_is_written_out(value: str, shown: str) -> None:
    assert inert.text(value) == shown


@given(st.text(), st.integers(0, 50))
def test_any_text_is_one_visible_line_within_the_limit(value: str, limit: int) -> None:
    shown = inert.text(value, limit)
    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("value", "limit", "shown"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("a  d", 3, "a…"), ("abc", 1, "…"), ("abc", 0, "")],
)
def test_a_cut_is_visible(value: str, limit: int, shown: str) -> None:
    assert inert.clip(value, limit) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("files.paste-drop.example", "files.paste-drop[.]example"),
        ("see evil.com, now", "see evil[.]com, now"),
        ("https://evil.com/x", "hxxps[://]evil[.]com/x"),
        ("HTTP://evil.com", "HxxP[://]evil[.]com"),
        ("ssh://evil.com, ://", "ssh[://]evil[.]com, [://]"),
        ("@channel", "[@]channel"),
        ("me@evil.com", "me[@]evil[.]com"),
        ("7.4.1 -> 7.5.0", "7.4.1 -> 7.5.0"),
        ("10.0.0.1", "10.0.0.1"),
        ("*.evil.com", "*.evil[.]com"),
    ],
)
def test_names_and_mentions_lose_their_teeth(value: str, shown: str) -> None:
    assert inert.defang(value) == shown


@given(st.text())
def test_no_mention_and_no_scheme_is_left(value: str) -> None:
    shown = inert.defang(value).lower()
    assert "@" not in shown.replace("[@]", "")
    assert "://" not in shown.replace("[://]", "")
