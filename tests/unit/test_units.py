"""Numbers, ages and instants as people read them."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin import units


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=40), "40 s"),
        (timedelta(minutes=11, seconds=59), "11 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=1, minutes=20), "1 h 20 min"),
        (timedelta(hours=10, minutes=59), "10 h"),
        (timedelta(days=6, hours=4), "6 d 4 h"),
        (timedelta(days=9), "9 d"),
        (timedelta(days=41, hours=23), "41 d"),
    ],
)
def test_ages_are_cut(value: timedelta, text: str) -> None:
    assert units.age(value) == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 B"),
        (0.4, "0 B"),
        (999, "999 B"),
        (999.6, "1 kB"),
        (164e3, "164 kB"),
        (18.44e6, "18.4 MB"),
        (11.02e9, "11 GB"),
    ],
)
def test_sizes_have_three_digits(octets: float, text: str) -> None:
    assert units.size(octets) == text
    assert units.rate(octets) == f"{text}/s"


@given(st.floats(0, 1e24))
def test_any_size_is_short(octets: float) -> None:
    assert len(units.size(octets)) <= 12


@pytest.mark.parametrize(
    ("value", "text"),
    [(2, "2x"), (3.49, "3.4x"), (112.9, "112x"), (1e9, "over 10000x"), (math.inf, "over 10000x"), (math.nan, "?x")],
)
def test_multiples_are_cut(value: float, text: str) -> None:
    assert units.multiple(value) == text


def test_what_is_no_number_is_no_size() -> None:
    assert units.size(math.nan) == units.size(math.inf) == "? B"


def test_counts_and_clocks() -> None:
    assert (units.count(1, "pod"), units.count(12, "lookup")) == ("1 pod", "12 lookups")
    now = datetime(2026, 11, 22, 14, 13, tzinfo=UTC)
    assert units.clock(now, now) == "14:13 UTC"
    assert units.clock(now - timedelta(days=1), now) == "21 Nov 14:13 UTC"
