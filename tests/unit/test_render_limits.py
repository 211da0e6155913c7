"""Whatever a report holds, its message stays inside the channel's limits and harms nobody."""

import html
import json
import re
import unicodedata
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reports
from tocsin.findings import Findings, Gap, PolicyFacts, Volume
from tocsin.model import Destination, Kind, NoticeReason, Priority, Subject, Verdict
from tocsin.render import console, ntfy, pushover
from tocsin.render.limits import Line, Role, bulleted, clip_bytes, clip_front, fit
from tocsin.report import Assessment, Report

POISON = (
    "<img src=x onerror=alert(1)>",
    "https://evil.com/path",
    "evil.com.a[.]example",
    "me@evil.com",
    "203.0.113.7",
    "\u202e\u200b\x00\x1b[31m\r\nX: y",
    "a\ud800",
    "&amp;&lt;",
    "\\" * 900,
    "𝔘" * 900,
    '"' * 900,
    "login.evil.comet" * 30,
    "${jndi} {{7*7}} `id` @channel",
)
words = st.lists(st.sampled_from(POISON) | st.text(max_size=40), max_size=5).map(" ".join)
texts = words | st.sampled_from(POISON)
names = texts.map(lambda raw: Destination(raw, raw.lower(), raw, raw))
labels = st.dictionaries(texts, texts, max_size=6)
found = st.builds(
    Findings,
    volume=st.none() | st.builds(Volume, rate=st.none() | st.floats(0, 1e15), multiple=st.none() | st.floats(0, 1e9)),
    policy=st.none() | st.builds(PolicyFacts, stale_for=st.none() | st.timedeltas(), stale_reason=texts),
    gaps=st.lists(st.builds(Gap, texts, texts, st.lists(texts, max_size=8).map(tuple)), max_size=9).map(tuple),
)
assessments = st.builds(
    Assessment,
    verdict=st.sampled_from(Verdict),
    headline=texts,
    reasons=st.lists(texts, max_size=40).map(tuple),
    next_step=texts,
)
hostile_reports = st.builds(
    Report,
    incident_id=texts,
    kind=st.sampled_from(Kind),
    reason=st.sampled_from(NoticeReason),
    subject=st.builds(Subject, texts, st.none() | texts, st.none() | texts, st.lists(texts, max_size=3).map(tuple)),
    destination=st.none() | names,
    classification=st.just(reports.unexplained().classification),
    findings=found,
    assessment=assessments,
    priority=st.sampled_from(Priority),
    alert_name=texts,
    summary=texts,
    description=texts,
    labels=labels,
    firing=st.integers(0, 10**6),
    seen=st.integers(1, 10**9),
    started_at=st.just(reports.NOW - timedelta(hours=1)),
    written_at=st.just(reports.NOW),
    alertmanager_url=st.sampled_from((reports.ALERTMANAGER, "javascript:alert(1)", "http://[", "")) | texts,
    generator_url=st.sampled_from((reports.QUERY, "https://evil.com@good/", "data:text/html,x")) | texts,
    truncated=st.integers(0, 1000),
)
LINK = re.compile(
    r"(?i)(?<![\w-])(?:[\w-]+\.)+(?:com|net|org|io|dev|xn--\w+)(?![\w-])|\w://|\w@\w|(?:\d{1,3}\.){3}\d{1,3}\b"
)


def harmless(text: str) -> None:
    assert text.strip()
    assert not [char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char != "\n"]
    assert not LINK.search(text), LINK.search(text)


@settings(max_examples=150, deadline=None)
@given(hostile_reports)
def test_ntfy_stays_inside_its_limits(report: Report) -> None:
    message = ntfy.report(report, channel="phone", topic="egress")
    body = dict(message.body)
    assert len(str(body["message"]).encode()) < 4096
    assert len(json.dumps(body, ensure_ascii=False).encode()) < 8192
    assert len(str(body["title"]).encode()) <= ntfy.TITLE_BYTES
    assert body["priority"] in range(1, 6)
    assert all("," not in tag for tag in body["tags"])  # type: ignore[attr-defined]
    actions = body.get("actions", [])
    assert isinstance(actions, list) and len(actions) <= 3
    assert all(re.match(r"https?://", action["url"]) for action in actions)
    harmless(str(body["message"]))
    harmless(str(body["title"]))


@settings(max_examples=150, deadline=None)
@given(hostile_reports)
def test_pushover_stays_inside_its_limits(report: Report) -> None:
    body = pushover.report(report, channel="phone").body
    text = str(body["message"])
    assert 0 < len(text) <= 1024
    assert 0 < len(str(body["title"])) <= 250
    assert len(str(body.get("url", ""))) <= 512
    assert body["priority"] in (-2, -1, 0, 1)
    bare = re.sub(r"</?b>", "", text)
    assert "<" not in bare and ">" not in bare
    assert text.count("<b>") == text.count("</b>") == 1
    assert re.fullmatch(r"(?:[^&]|&(?:amp|lt|gt);)*", bare)
    assert not {"token", "user"} & body.keys()
    harmless(html.unescape(bare))
    harmless(str(body["title"]))


@settings(max_examples=100, deadline=None)
@given(hostile_reports)
def test_console_prints_no_control_characters(report: Report) -> None:
    text = str(console.report(report, channel="console").body["text"])
    assert not [char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs"} and char != "\n"]


@settings(max_examples=50, deadline=None)
@given(texts, texts, st.sampled_from(Priority))
def test_plain_messages_stay_inside_the_limits(title: str, text: str, priority: Priority) -> None:
    published = ntfy.plain(title, text, priority, channel="phone", topic="egress").body
    assert len(json.dumps(dict(published), ensure_ascii=False).encode()) < 8192
    assert published["message"]
    sent = pushover.plain(title, text, priority, channel="phone").body
    assert 0 < len(str(sent["message"])) <= 1024
    assert console.plain(title, text, priority, channel="console").body["text"]


def test_gaps_and_next_step_outlive_every_reason() -> None:
    text = str(pushover.report(reports.long(), channel="phone").body["message"])
    assert "so first-seen and neighbours are missing." in text
    assert "GitOps data is 47 min old" in text
    assert "Next: look at the pod" in text
    assert "reason 1:" in text
    assert "reason 4:" not in text
    assert re.search(r"^… \d+ more lines$", text, re.MULTILINE)


def test_what_was_dropped_is_counted_in_its_place() -> None:
    reasons = [Line(Role.REASON, f"a reason with number {number}") for number in range(6)]
    lines = [Line(Role.HEADLINE, "so"), *reasons, Line(Role.NEXT, "go")]
    text = fit(lines, bulleted, lambda text: len(text) <= 140)
    assert text.splitlines()[4:] == ["- a reason with number 3", "… 2 more lines", "Next: go"]
    assert "\n… 1 more line\n" in fit(lines, bulleted, lambda text: "number 5" not in text)


def test_a_limit_below_any_message_is_an_error() -> None:
    with pytest.raises(ValueError, match="below any message"):
        fit([Line(Role.HEADLINE, "so")], bulleted, lambda text: False)


def test_bytes_are_never_cut_inside_a_character() -> None:
    assert clip_bytes("äöü", 6) == "äöü"
    assert clip_bytes("äöüß", 7) == "äö…"
    assert clip_bytes("𝔘𝔘𝔘", 8) == "𝔘…"


def test_of_a_long_name_the_end_stays() -> None:
    assert clip_front("a" * 200 + ".paste-drop[.]example", 30) == "…aaaaaaaa.paste-drop[.]example"


def test_a_long_query_link_leaves_room_for_the_message() -> None:
    report = replace(reports.long(), generator_url="https://prometheus.example/graph?" + "a" * 1400)
    body = ntfy.report(report, channel="phone", topic="egress").body
    assert len(body["actions"]) == 2  # type: ignore[arg-type]
    assert "reason 3:" in str(body["message"])
    assert "url" in pushover.report(report, channel="phone").body
