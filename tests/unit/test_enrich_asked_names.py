"""From names to label values and back, from windows to instants, from points to the start of an excess. No network."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.destination import DestinationSettings, normalise
from tocsin.enrich import moments, promql
from tocsin.enrich.asked_names import MAX_CHARS, MAX_NAMES, Asked, AskedNames, fitting, root
from tocsin.enrich.own_lookups import Entry
from tocsin.enrich.prometheus import Series
from tocsin.enrich.volume import began
from tocsin.model import Destination

NAMING = DestinationSettings(lan_domains=("home.example.org",), search_suffixes=("corp.example.net",))
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
STEP = timedelta(minutes=5)


def names(*raw: str, namespace: str = "media") -> AskedNames:
    return AskedNames([normalise(each, NAMING) for each in raw], namespace, NAMING)


def told(asked: AskedNames, value: str) -> tuple[str, bool] | None:
    """The name and whether it was suffixed; fails unless Prometheus would have been asked for exactly such values."""
    found = asked.find(value)
    pattern = asked.matcher.pattern if isinstance(asked.matcher, promql.Regex) else re.escape(asked.matcher)
    assert (re.fullmatch(pattern, value) is not None) == (found is not None)
    return found and (found.destination.name, found.suffixed)


@pytest.mark.parametrize("raw", ["api.example.com", "api.example.com.", "API.Example.com", " api.example.com. "])
@pytest.mark.parametrize(
    ("value", "suffixed"),
    [
        ("api.example.com.", False),
        ("api.example.com", False),
        ("api.example.com.media.svc.cluster.local.", True),
        ("api.example.com.svc.cluster.local.", True),
        ("api.example.com.cluster.local.", True),
        ("api.example.com.cluster.local", True),
        ("api.example.com.home.example.org.", True),
        ("api.example.com.corp.example.net.", True),
    ],
)
def test_a_name_is_asked_for_plain_and_with_every_search_suffix(raw: str, value: str, suffixed: bool) -> None:
    assert told(names(raw), value) == ("api.example.com", suffixed)


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "example.com.",
        "x.api.example.com.",
        "apiXexample.com.",
        "api.example.com..",
        "api.example.com.home.svc.cluster.local.",
        "api.example.com.example.org.",
        "api.example.com.evil.net.",
    ],
)
def test_another_name_is_not_found(value: str) -> None:
    assert told(names("api.example.com"), value) is None


def test_an_alert_about_a_suffixed_name_means_the_plain_one() -> None:
    asked = names("api.example.com.other.svc.cluster.local.")
    assert told(asked, "api.example.com.") == ("api.example.com", False)
    assert told(asked, "api.example.com.other.svc.cluster.local.") == ("api.example.com", True)
    assert told(asked, "api.example.com.media.svc.cluster.local.") == ("api.example.com", True)


@pytest.mark.parametrize("value", ["aPi.eXample.CoM.", "api.example.com.", "API.EXAMPLE.COM.MEDIA.SVC.CLUSTER.LOCAL."])
def test_a_name_in_mixed_case_is_asked_for_in_any_case(value: str) -> None:
    asked = names("other.example.net", "Api.exAmple.com")
    assert asked.find(value) is not None
    told(asked, value)


def test_a_name_in_lower_case_is_a_set_of_plain_values() -> None:
    matcher = names("api.example.com").matcher
    assert isinstance(matcher, promql.Regex)
    assert all("(" not in value and "*" not in value for value in matcher.pattern.split("|"))


@pytest.mark.parametrize(
    "raw",
    [
        "\\240\\159\\152\\128.example.com",
        "<img\\ src=x\\ onerror=alert\\(1\\)>.\\@channel.example.com",
        'a\\"b.example.com',
        "a\\\\b.example.com",
        "x|.*|(y)+$.example.com",
        "{job=~'.+'}.example.com",
        "\N{GRINNING FACE}.example.com",
        "under_score.example.com",
        "a..b.example.com",
    ],
)
def test_a_hostile_name_is_asked_for_as_it_came(raw: str) -> None:
    asked, name = names(raw), normalise(raw, NAMING).name
    assert told(asked, f"{raw}.") == (name, False)
    assert told(asked, raw) == (name, False)
    assert told(asked, f"{raw}.media.svc.cluster.local.") == (name, True)
    assert told(asked, "b.example.com.") is None


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), min_size=1, max_size=4), st.data())
def test_whatever_the_names_what_is_asked_for_is_found(raw: list[str], data: st.DataObject) -> None:
    lower = [each.lower() for each in raw]
    asked = names(*lower)
    assert all(asked.find(value) for value in promql_values(asked))
    other = data.draw(st.text(st.characters(codec="utf-8"), max_size=4))
    told(asked, other.lower())


def promql_values(asked: AskedNames) -> list[str]:
    if not isinstance(asked.matcher, promql.Regex):
        return [asked.matcher]
    values = re.findall(r"(?:\\.|[^|\\])+", asked.matcher.pattern.removeprefix("(?i)"), re.DOTALL)
    return [re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL) for value in values]


def test_a_name_that_is_one_with_a_suffix_of_another_keeps_its_own_lookups() -> None:
    for order in (("nas", "nas.home.example.org"), ("nas.home.example.org", "nas")):
        asked = names(*order)
        assert told(asked, "nas.home.example.org.") == ("nas.home.example.org", False)
        assert told(asked, "nas.") == ("nas", False)


def test_the_root_is_one_name_and_not_every_series_without_the_label() -> None:
    asked = names(".")
    assert told(asked, ".") == (".", False)
    assert told(asked, "") is None


def test_the_namespace_is_part_of_the_suffix_and_may_be_hostile() -> None:
    asked = names("api.example.com", namespace=".*")
    assert told(asked, "api.example.com.media.svc.cluster.local.") is None
    assert told(asked, "api.example.com..*.svc.cluster.local.") == ("api.example.com", True)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("*.example.com", "example.com"), ("*.github.io", "github.io"), ("a.github.io", "a.github.io")],
)
def test_the_root_of_a_domain(raw: str, expected: str) -> None:
    assert root(normalise(raw, NAMING).domain) == expected


def destination(name: str, domain: str) -> Destination:
    return Destination(name, name, domain, name)


def test_in_a_storm_the_domains_take_turns() -> None:
    tunnel = [destination(f"{number}.evil.example", "evil.example") for number in range(MAX_NAMES + 50)]
    others = [destination(f"api.{number}.example", f"{number}.example") for number in range(30)]
    kept = fitting([*tunnel, *others])
    assert len(kept) == MAX_NAMES
    assert set(others) < set(kept)
    assert kept[0] == tunnel[0]
    assert fitting(others) == others


def test_long_names_leave_room_for_short_ones() -> None:
    long = [destination("\\255" * 240 + str(number), "evil.example") for number in range(30)]
    short = destination("a.example", "a.example")
    kept = fitting([*long, short])
    assert short in kept
    assert sum(len(each.raw) for each in kept) <= MAX_CHARS
    assert len(kept) == 1 + (MAX_CHARS - len(short.raw)) // len(long[0].raw)
    assert fitting([destination("x" * (MAX_CHARS + 1), "x")]) == []
    assert fitting(long, MAX_CHARS * 20) == long


@pytest.mark.parametrize(
    ("times", "first", "last"),
    [
        ({}, None, None),
        ({"lookups": 5.0}, None, None),
        ({"now": 99.0}, 99.0, 99.0),
        # one event long ago: only the coarsest scale reaches it
        ({"first2": 50.0, "last2": 50.0}, 50.0, 50.0),
        # the same event seen through two windows: the finer one is nearer to it
        ({"first1": 40.0, "last1": 40.0, "first2": 50.0, "last2": 50.0}, 40.0, 40.0),
        # a coarse window whose end is later than the fine one of the last event
        ({"first1": 30.0, "last1": 60.0, "first2": 10.0, "last2": 70.0}, 10.0, 60.0),
        ({"first0": 90.0, "last0": 91.0, "first1": 30.0, "last1": 100.0, "now": 99.0}, 30.0, 99.0),
    ],
)
def test_the_first_and_the_last_moment(times: dict[str, float], first: float | None, last: float | None) -> None:
    assert (moments.first_of(times), moments.last_of(times)) == (first, last)


def test_a_search_suffix_counts_only_where_nothing_else_was_asked_for() -> None:
    entry = Entry("api.example.com", "sonarr-0", "example.com")
    entry.add("lookups", 12, suffixed=True, denied=False)
    assert entry.lookups == 12
    entry.add("lookups", 4, suffixed=False, denied=False)
    entry.add("lookups", 2, suffixed=False, denied=True)
    assert (entry.lookups, entry.denied) == (6, 2)


def test_lookups_denied_with_a_suffix_do_not_make_the_plain_name_denied() -> None:
    entry = Entry("api.example.com", "sonarr-0", "example.com")
    entry.add("lookups", 12, suffixed=True, denied=True)
    assert (entry.lookups, entry.denied) == (12, 12)
    entry.add("lookups", 4, suffixed=False, denied=False)
    assert (entry.lookups, entry.denied) == (4, 0)


def test_an_entry_keeps_the_widest_span_of_several_series() -> None:
    entry = Entry("api.example.com", "sonarr-0", "example.com")
    for plain, suffixed in (("first1", "first1"), ("last1", "last1")):
        entry.add(plain, 200, suffixed=False, denied=False)
        entry.add(suffixed, 100, suffixed=True, denied=False)
        entry.add(suffixed, 300, suffixed=True, denied=False)
    assert entry.first_at == datetime.fromtimestamp(100, UTC)
    assert entry.last_at == datetime.fromtimestamp(300, UTC)


AVERAGES = {"avg_24h": 100.0, "avg_7d": 100.0, "sigma_7d": 50.0}
"""Usual is up to 250 by the week, up to 200 by the day: up to 250."""


def day(*values: float) -> Series:
    """Points every `STEP`, the last at noon."""
    return Series({}, tuple((NOON - STEP * (len(values) - 1 - at), value) for at, value in enumerate(values)))


@pytest.mark.parametrize(
    ("values", "steps_ago"),
    [
        ((100, 100, 900), 1),
        ((100, 900, 900, 900), 3),
        ((900, 900), 2),
        ((100, 900, 100, 900), 3),  # one dip
        ((900, 100, 900, 100, 900), 5),  # single dips
        ((900, 100, 100, 900), 1),  # two in a row end it
        ((100, 251), 1),
        ((900, 100), None),
        ((100, 250), None),
        ((100, 201), None),
        ((), None),
    ],
)
def test_when_an_excess_began(values: tuple[float, ...], steps_ago: int | None) -> None:
    expected = None if steps_ago is None else NOON - STEP * steps_ago
    assert began(day(*values), AVERAGES, STEP) == expected


@pytest.mark.parametrize(
    ("averages", "steps_ago"),
    [
        ({"avg_24h": 100.0}, 2),
        ({"avg_7d": 100.0}, 3),
        ({"avg_7d": 100.0, "sigma_7d": 40.0}, 1),
        ({"avg_24h": 500.0, "avg_7d": 1.0}, None),
        ({"sigma_7d": 50.0, "now": 900.0}, None),
        ({}, None),
        ({"avg_24h": 0.0}, 4),
    ],
)
def test_the_usual_range_from_what_is_known(averages: dict[str, float], steps_ago: int | None) -> None:
    expected = None if steps_ago is None else NOON - STEP * steps_ago
    assert began(day(0, 50, 150, 210, 900), averages, STEP) == expected


def test_without_data_nothing_began() -> None:
    assert began(None, AVERAGES, STEP) is None
    assert began(day(), AVERAGES, STEP) is None


def test_what_stands_for_a_value_is_told_whole() -> None:
    asked = names("api.example.com")
    assert asked.find("api.example.com.") == Asked(normalise("api.example.com", NAMING), suffixed=False)
