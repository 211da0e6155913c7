"""Cilium's own examples, and a property: the matcher equals Cilium's regular expressions."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.policy.fqdn import matches_name, matches_pattern, names_little, without_suffix


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*.cilium.io", "www.cilium.io", True),
        ("*.cilium.io", "cilium.io", False),
        ("*.cilium.io", "a.b.cilium.io", False),
        ("*cilium.io", "cilium.io", True),
        ("*cilium.io", "subcilium.io", True),
        ("*cilium.io", "www.cilium.io", False),
        ("**.cilium.io", "www.cilium.io", True),
        ("**.cilium.io", "a.b.cilium.io", True),
        ("**.cilium.io", "cilium.io", False),
        ("sub**.cilium.io", "sub1.cilium.io", True),
        ("sub**.cilium.io", "sub.a.cilium.io", False),
        ("foo.com.*", "foo.com.lan", True),
        ("foo.com.*", "foo.com", False),
        ("foo.com.*", "foo.com.media.svc.cluster.local", False),
        ("foo.com.*.*.*.*", "foo.com.media.svc.cluster.local", True),
        ("*", "anything.at.all", True),
        ("**", "anything.at.all", True),
        ("*.", "anything.at.all", True),
        ("*", r"\x3cimg.example.com", False),
        ("*.example.com", r"\x3cimg.example.com", False),
        ("*.Example.COM.", "API.example.com.", True),
        ("a*b*c.io", "axxbyyc.io", True),
        ("a*b*c.io", "axxbyy.io", False),
        ("*.example.com", "", False),
    ],
)
def test_match_pattern(pattern: str, name: str, matches: bool) -> None:
    assert matches_pattern(pattern, name) is matches


def test_match_name_ignores_case_and_the_trailing_dot() -> None:
    assert matches_name("API.example.com", "api.Example.com.")
    assert not matches_name("example.com", "api.example.com")


def test_what_names_nobody() -> None:
    patterns = ("*", "*.", "*.com", "*.*.net", "**.io", "foo.*", "*.example.com", "foo.com.*", "example.com")
    assert [names_little(pattern) for pattern in patterns] == [True] * 6 + [False] * 3


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("API.example.com.*", "api.example.com"),
        ("foo.com.*.*.*.*", "foo.com"),
        ("foo.com", None),
        ("foo.*.com", None),
        ("*.*", None),
        ("*", None),
    ],
)
def test_the_name_of_a_pattern_for_search_suffixes(pattern: str, name: str | None) -> None:
    assert without_suffix(pattern) == name


def test_no_pattern_is_slow() -> None:
    assert not matches_pattern("*a" * 120 + "b", "a" * 250)


def reference(pattern: str) -> re.Pattern[str]:
    """Cilium's translation, from the description of pkg/fqdn/matchpattern."""
    pattern = pattern.lower().removesuffix(".") + "."
    if pattern in ("*.", "**."):
        return re.compile(r"(?:[-a-z0-9_]+[.])+")
    head = r"(?:[-a-z0-9_]+[.])+" if pattern.startswith("**.") else ""
    rest = re.sub(r"\*+", "*", pattern.removeprefix("**."))
    return re.compile(head + rest.replace(".", "[.]").replace("*", "[-a-z0-9_]*"))


words = st.lists(st.text("ab-*", min_size=1, max_size=4), min_size=1, max_size=4).map(".".join)
names = st.lists(st.text("ab-", min_size=1, max_size=4), min_size=1, max_size=4).map(".".join)


@given(st.sampled_from(["", "*.", "**."]), words, names)
def test_equals_the_regular_expression(prefix: str, pattern: str, name: str) -> None:
    wanted = reference(prefix + pattern).fullmatch(f"{name}.") is not None
    assert matches_pattern(prefix + pattern, name) is wanted
