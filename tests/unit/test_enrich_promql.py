"""Hostile text stays text in an expression, and the patterns match what they are named after and nothing else."""

import re
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.enrich import promql
from tocsin.enrich.promql import Matcher, Regex
from tocsin.pod_names import strip_pod_name

RANDOM = "bcdfghjklmnpqrstvwxz2456789"
HOSTILE = (
    '"} or vector(1) or up{a="',
    "\\",
    'a\\"b',
    "\\032",
    "\\240\\159\\152\\128.example.com",
    "a|b.*(c)+[d]{2}^e$?",
    "line\nbreak\r\x00\x7f",
    "\N{SNOWMAN}.\N{GRINNING FACE}.example",
    "\ud800",
    "$1${name}",
    "`{{ template }}`",
    "",
)
names = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
hashes = st.text(RANDOM, min_size=6, max_size=10)
letters = st.text(RANDOM, min_size=5, max_size=5)


def read(literal: str) -> str:
    """What Go's lexer makes of a string literal; fails for what it would refuse."""
    assert re.fullmatch(r'"([^"\\\n]|\\["\\]|\\u[0-9a-f]{4}|\\U000[0-9a-f]{5}|\\U0010[0-9a-f]{4})*"', literal), literal
    return re.sub(
        r'\\(?:(["\\])|u(.{4})|U(.{8}))', lambda part: part[1] or chr(int(part[2] or part[3], 16)), literal[1:-1]
    )


def found(matcher: Matcher, value: str) -> re.Match[str] | None:
    """Matches as Prometheus does: anchored. The patterns use nothing in which RE2 and Python differ."""
    pattern = matcher.pattern if isinstance(matcher, Regex) else re.escape(matcher)
    return re.fullmatch(pattern, value)


@given(st.text())
@example('\\"')
@example("\ud83d\ude00")
def test_a_quoted_value_is_one_ascii_literal_that_reads_back(value: str) -> None:
    literal = promql.quote(value)
    assert literal.isascii() and literal.isprintable()
    assert read(literal) == re.sub("[\ud800-\udfff]", "\ufffd", value)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_adds_no_matcher_and_no_operator(value: str) -> None:
    literal = promql.quote(value)
    assert promql.selector("up", {"a": value, "b": "x"}) == f'up{{a={literal},b="x"}}'


@given(st.text(), st.text())
@example("a.b", "axb")
@example("a", "aa")
@example("a+", "aa")
@example("$", "")
def test_a_literal_pattern_matches_itself_only(value: str, other: str) -> None:
    pattern = Regex(promql.literally(value))
    assert found(pattern, value)
    assert bool(found(pattern, other)) == (value == other)


def test_every_character_with_a_meaning_in_re2_is_escaped() -> None:
    assert promql.literally(r"\.+*?()|[]{}^$") == r"\\\.\+\*\?\(\)\|\[\]\{\}\^\$"
    assert promql.literally("api-1_x.example/:@#&~<> ") == r"api-1_x\.example/:@#&~<> "


@given(st.lists(st.text(max_size=6), min_size=1, max_size=5), st.text(max_size=6))
def test_any_of_matches_its_values_only(values: list[str], other: str) -> None:
    matcher = promql.any_of(values)
    assert all(found(matcher, value) for value in values)
    assert bool(found(matcher, other)) == (other in values)


def test_any_of_is_the_same_whatever_the_order_and_plain_for_one() -> None:
    assert promql.any_of(["b", "a", "b"]) == promql.any_of(("a", "b")) == Regex("a|b")
    assert promql.any_of(["a|b", "a|b"]) == "a|b"
    assert found(promql.any_of([]), "") and not found(promql.any_of([]), "a")


def generated(base: str, suffix: str) -> str:
    """As k8s.io/apiserver names what a controller creates."""
    return base[:58] + suffix


@given(names, hashes, letters)
@example("a" * 46, "b" * 10, "c" * 5)
@example("a" * 47, "b" * 10, "c" * 5)
@example("a" * 52, "b" * 9, "c" * 5)
@example("a" * 56, "b" * 9, "c" * 5)
@example("a" * 57, "b" * 9, "c" * 5)
@example("a" * 63, "b" * 9, "c" * 5)
@example("sonarr-v1.2", "7f9c6d8b5", "x2b4c")
def test_every_pod_of_a_workload_is_matched(name: str, template: str, suffix: str) -> None:
    minute = str(29_700_000 + len(template) * 1000)
    pods = [
        name,
        generated(f"{name}-{template}-", suffix),  # Deployment
        generated(f"{name}-", suffix),  # DaemonSet, Job, ReplicaSet
        generated(f"{name}-{minute}-", suffix),  # CronJob
    ]
    if len(name) < 40:
        pods += [
            f"{name}-{len(template)}",  # StatefulSet
            f"{name}-{minute}-3-{suffix}",  # CronJob with indexed completions
            f"{name}-{suffix}-runner-a1e3i",  # runner of GitHub Actions
            *(f"{name}-2-{job}-{suffix}" for job in ("initdb", "join", "full-recovery", "snapshot-recovery", "import")),
        ]
    matcher = promql.pods_of(name)
    assert [pod for pod in pods if not found(matcher, pod)] == []


@given(names, st.sampled_from(("", "-", ".", "x")), hashes, letters)
def test_what_is_stripped_off_a_pod_is_matched_again(name: str, joint: str, template: str, suffix: str) -> None:
    for pod in (f"{name}{joint}{template}-{suffix}", f"{name}-{template}{joint}{suffix}", f"{name}{joint}{suffix}"):
        workload = strip_pod_name(pod)
        assert workload is None or found(promql.pods_of(workload), pod)


@pytest.mark.parametrize(
    ("workload", "pod"),
    [
        ("sonarr", "sonarr-exporter"),
        ("sonarr", "sonarr-exporter-7f9c6d8b5-x2b4c"),
        ("sonarr", "sonarr-exporter-0"),
        ("sonarr", "sonarr-hd-x2b4c"),
        ("sonarr", "sonarr-hd-29788325-x2b4c"),
        ("sonarr", "sonarr-7f9c6d8b5-x2b4c-extra"),
        ("sonarr", "sonarr-7f9c6d8b5-abcde"),
        ("sonarr", "sonarr-297883-0-x2b4c"),
        ("sonarr", "sonarr-12345"),
        ("sonarr", "my-sonarr-7f9c6d8b5-x2b4c"),
        ("sonarr", "sonarr7f9c6d8b5-x2b4c"),
        ("sonarr", "Sonarr-0"),
        ("home", "home-assistant-0"),
        ("home-assistant", "home-assistant-code-7d9fbc6c4b-2xkzn"),
        ("my.app", "my-app-0"),
        ("a|b", "b-0"),
        (".*", "sonarr-0"),
        ("a" * 50, "a" * 50 + "-exporter-2xkzn"),
        ("a" * 45, "a" * 45 + "-" + "b" * 17),
        ("a" * 50, "a" * 50 + "-" + "b" * 7 + "-2xkz"),
    ],
)
def test_a_pod_of_another_workload_is_not_matched(workload: str, pod: str) -> None:
    assert not found(promql.pods_of(workload), pod)


@given(names, names, hashes, letters)
def test_a_deployment_whose_name_goes_on_is_not_matched(name: str, more: str, template: str, suffix: str) -> None:
    if re.search("[aeiou]", more) and "-runner-" not in f"-{more}-":
        assert not found(promql.pods_of(name), f"{name}-{more}-{template}-{suffix}")


def test_pods_are_matched_by_their_own_names_too() -> None:
    assert found(promql.pods_of("sonarr", ["debug|x", "other-0"]), "debug|x")
    assert not found(promql.pods_of("sonarr", ["debug|x", "other-0"]), "debug")
    assert found(promql.pods_of("sonarr", ["debug"]), "sonarr-0")
    assert promql.pods_of(None, ["a-0", "a-0"]) == "a-0"
    assert promql.pods_of(None, ["b-0", "a-0"]) == Regex("a-0|b-0")
    assert not found(promql.pods_of(None), "sonarr-0")


@pytest.mark.parametrize(
    ("domains", "value", "domain"),
    [
        (("example.com",), "example.com", "example.com"),
        (("example.com",), "example.com.", "example.com"),
        (("example.com",), "a.b.example.com.", "example.com"),
        (("example.com",), "API.Example.COM.", "Example.COM"),
        (("example.com",), "api.example.com.media.svc.cluster.local.", "example.com"),
        (("example.com",), "api.example.com.svc.cluster.local.", "example.com"),
        (("example.com",), "api.example.com.cluster.local", "example.com"),
        (("example.com",), "api.example.com.corp.example.net.", "example.com"),
        (("example.com",), "<img\\ src=x>.example.com.", "example.com"),
        (("example.com",), "\\240\\159\\152\\128.example.com.", "example.com"),
        (("example.com",), "badexample.com.", None),
        (("example.com",), "example.com.evil.net.", None),
        (("example.com",), "exampleXcom.", None),
        (("example.com",), "example.com..", None),
        (("example.com",), ".", None),
        (("example.com", "other.net"), "x.other.net.", "other.net"),
        (("amazonaws.com", "b.s3.amazonaws.com"), "b.s3.amazonaws.com.", "b.s3.amazonaws.com"),
        (("amazonaws.com", "b.s3.amazonaws.com"), "x.b.s3.amazonaws.com.", "b.s3.amazonaws.com"),
        (("amazonaws.com", "b.s3.amazonaws.com"), "c.s3.amazonaws.com.", "amazonaws.com"),
        (("io", "github.io"), "github.io.media.svc.cluster.local.", "github.io"),
        ((".*",), "example.com.", None),
        (("*",), "*.", "*"),
    ],
)
def test_names_below_a_domain(domains: tuple[str, ...], value: str, domain: str | None) -> None:
    match = found(promql.below(domains, "cluster.local", ("corp.example.net",)), value)
    assert (match and match[1]) == domain


@pytest.mark.parametrize("name", ["", "a-b", "1a", "é", 'a="b"', "a b", "a\n", "{", "app.kubernetes.io/name"])
def test_a_name_that_is_no_label_name_is_refused(name: str) -> None:
    assert not promql.is_label_name(name)
    with pytest.raises(ValueError, match="not a label name"):
        promql.selector("up", {name: "x"})


def test_a_selector_tells_values_from_patterns() -> None:
    assert promql.selector("up", {}) == "up{}"
    assert promql.selector("up", {"a": "x|y", "b_2": Regex(r"x\.|y")}) == 'up{a="x|y",b_2=~"x\\\\.|y"}'


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (timedelta(days=14), "14d"),
        (timedelta(days=1, hours=2), "26h"),
        (timedelta(hours=23), "23h"),
        (timedelta(minutes=90), "90m"),
        (timedelta(seconds=15), "15s"),
        (timedelta(seconds=61.9), "61s"),
        (timedelta(0), "0s"),
    ],
)
def test_durations(value: timedelta, written: str) -> None:
    assert promql.duration(value) == written


@given(st.integers(min_value=1, max_value=10**8))
def test_a_duration_keeps_every_second(seconds: int) -> None:
    written = promql.duration(timedelta(seconds=seconds))
    assert int(written[:-1]) * {"d": 86_400, "h": 3_600, "m": 60, "s": 1}[written[-1]] == seconds


def test_windows_subqueries_and_aggregations() -> None:
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    assert promql.over("rate", "up{}", hour) == "rate(up{}[1h])"
    assert promql.over("rate", "up{}", hour, minute) == "rate(up{}[1h] offset 1m)"
    assert promql.every("max_over_time", "a or b", hour, minute) == "max_over_time((a or b)[1h:1m])"
    assert promql.every("max_over_time", "a", hour, minute, hour) == "max_over_time((a)[1h:1m] offset 1h)"
    assert promql.by("sum", ("a", "b"), "up{}") == "sum by (a, b) (up{})"
    assert promql.extract("up{}", "d", "q", Regex(r'(a\.b)"')) == 'label_replace(up{}, "d", "$1", "q", "(a\\\\.b)\\"")'


def test_a_union_tags_each_part() -> None:
    assert promql.union({"x": "up{}"}, "fact") == 'label_replace(up{}, "fact", "x", "", "")'
    assert promql.union({"x": "a", "y": "b or c"}, "fact") == (
        'label_replace(a, "fact", "x", "", "") or label_replace(b or c, "fact", "y", "", "")'
    )
