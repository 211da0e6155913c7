"""Webhook bodies of every Alertmanager version are read; anything else is refused with a reason."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.alertmanager import (
    ANNOTATION_CHARS,
    LABEL_CHARS,
    MOST_ALERTS,
    MOST_LABELS,
    MOST_VALUES,
    count,
    fingerprint_of,
    parse,
)
from tocsin.errors import BadPayload, PayloadTooLarge
from tocsin.model import AlertStatus, Group

FIXTURES = Path(__file__).parents[1] / "fixtures" / "alertmanager"
ALERT: dict[str, Any] = {
    "status": "firing",
    "labels": {"alertname": "A"},
    "annotations": {},
    "startsAt": "2026-11-22T19:44:42.710609459Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus/graph",
    "fingerprint": "14dbf60f7d6a80e1",
}


def body(alert: dict[str, Any] | None = None, **top: Any) -> bytes:
    alerts = [{**ALERT, **alert}] if alert is not None else []
    return json.dumps({"version": "4", "groupKey": "{}", "alerts": alerts, **top}).encode()


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*/*.json")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_recorded_payload_is_read(path: Path) -> None:
    sent = json.loads(path.read_bytes())
    group = parse(path.read_bytes())
    assert (group.group_key, group.receiver) == (sent["groupKey"], sent["receiver"])
    assert group.truncated == sent["truncatedAlerts"]
    assert [dict(alert.labels) for alert in group.alerts] == [alert["labels"] for alert in sent["alerts"]]
    assert [dict(alert.annotations) for alert in group.alerts] == [alert["annotations"] for alert in sent["alerts"]]
    assert [alert.fingerprint for alert in group.alerts] == [alert["fingerprint"] for alert in sent["alerts"]]


def test_a_mixed_group_keeps_the_status_of_each_alert() -> None:
    firing, resolved = parse((FIXTURES / "0.25" / "mixed.json").read_bytes()).alerts
    assert (firing.status, firing.ends_at) == (AlertStatus.FIRING, None)
    assert resolved.status is AlertStatus.RESOLVED
    assert resolved.ends_at == datetime(2026, 11, 22, 14, 7, 18, 954980, tzinfo=UTC)


def test_nanoseconds_are_cut_to_microseconds() -> None:
    assert parse(body({})).alerts[0].starts_at == datetime(2026, 11, 22, 19, 44, 42, 710609, tzinfo=UTC)


def test_an_offset_becomes_utc() -> None:
    started = parse(body({"startsAt": "2026-11-22T19:44:42+02:00"})).alerts[0].starts_at
    assert (started, started.tzinfo) == (datetime(2026, 11, 22, 17, 44, 42, tzinfo=UTC), UTC)


@pytest.mark.parametrize(
    "end", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-12:00", None]
)
def test_an_end_that_is_none_becomes_none(end: str | None) -> None:
    assert parse(body({"status": "resolved", "endsAt": end})).alerts[0].ends_at is None


def test_what_is_not_needed_may_be_missing() -> None:
    group = parse(json.dumps({"version": "4", "alerts": [{"status": "firing", "startsAt": ALERT["startsAt"]}]}))
    assert (group.group_key, group.external_url, group.alerts[0].generator_url) == ("", "", "")
    assert group.alerts[0].name == ""


def test_an_empty_group_is_accepted() -> None:
    assert parse(body()).alerts == ()


@pytest.mark.parametrize("sent", [None, "", "\n", "x" * 65, "<b>"])
def test_an_unusable_fingerprint_is_computed_from_the_labels(sent: str | None) -> None:
    assert parse(body({"fingerprint": sent})).alerts[0].fingerprint == fingerprint_of(ALERT["labels"])


def test_a_computed_fingerprint_depends_on_labels_only() -> None:
    assert fingerprint_of({"a": "1", "b": "2"}) == fingerprint_of({"b": "2", "a": "1"})
    assert fingerprint_of({"a": "1", "b": "2"}) != fingerprint_of({"a": "1b", "": "2"})
    assert len(fingerprint_of({})) == 16


def test_unknown_keys_and_not_a_number_are_ignored() -> None:
    assert parse(b'{"version": "4", "alerts": [], "x": NaN, "y": {"z": [1e999]}}').alerts == ()


def test_a_nul_becomes_a_character_that_every_database_takes() -> None:
    labels = {"destination": "a\0\0b", "odd\0": "\\u0000 \\\0"}
    (read,) = parse(body({"labels": labels})).alerts
    assert read.labels["destination"] == "a\ufffd\ufffdb"
    assert read.labels["odd\ufffd"] == "\\u0000 \\\ufffd", "what only looks like one stays"


def test_an_absurd_count_of_truncated_alerts_still_fits_a_database() -> None:
    assert parse(body(truncatedAlerts=10**40)).truncated == 2**31 - 1


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "not JSON: EOF while parsing a value at line 1 column 0"),
        (b"\xff\xfe{}", "not JSON: expected value at line 1 column 1"),
        (b'{"version":"4","alerts":[],"x":"\xff"}', "not JSON: invalid unicode code point"),
        (b'{"version":"4","alerts":[],"x":"\\ud800"}', "not JSON: "),
        ('{"version":"4","alerts":[],"x":"\ud800"}', "not JSON: "),
        (b"[" * 100_000, "not JSON: recursion limit exceeded"),
        (b"[]", "the body: not a JSON object"),
        (b"null", "the body: not a JSON object"),
        (b"{}", "version: missing"),
        (b'{"version":"4"}', "alerts: missing"),
        (body(version="3"), 'version is "3"; tocsin reads version "4"'),
        (body(version=4), 'version is 4; tocsin reads version "4"'),
        (body(version="\n<b>" + "x" * 100), 'version is " <b>xxxxxxxxxxxxxxx'),
        (b'{"version":"4","alerts":[],"version":"3"}', 'version is "3"; tocsin reads version "4"'),
        (body(alerts=None), "alerts: not a list"),
        (body(alerts=[1]), "alerts[0]: not a JSON object"),
        (body(alerts=[ALERT, ALERT, {**ALERT, "startsAt": "soon"}]), "alerts[2].startsAt: not an RFC 3339 instant"),
        (body({"startsAt": "2026-11-22T19:44:42"}), "alerts[0].startsAt: not an RFC 3339 instant"),
        (body({"startsAt": 1700000000}), "alerts[0].startsAt: not an RFC 3339 instant"),
        (body({"startsAt": "0001-01-01T00:00:00Z"}), "alerts[0].startsAt: year 1 is out of range"),
        (body({"startsAt": "9999-12-31T23:59:59-12:00"}), "alerts[0].startsAt: year 9999 is out of range"),
        (body({"status": "pending"}), 'alerts[0].status: neither "firing" nor "resolved"'),
        (body({"labels": {"my.label": 1}}), 'alerts[0].labels["my.label"]: not a string'),
        (body({"labels": []}), "alerts[0].labels: not a JSON object"),
        (body(truncatedAlerts=-1), "truncatedAlerts: Input should be greater than or equal to 0"),
    ],
)
def test_a_refusal_says_what_is_wrong(sent: bytes | str, reason: str) -> None:
    with pytest.raises(BadPayload) as refused:
        parse(sent)
    assert str(refused.value).startswith(reason)


def test_a_body_full_of_mistakes_is_refused_at_the_first() -> None:
    with pytest.raises(BadPayload, match=r'^alerts\[0\]\.labels\["0"\]: not a string$'):
        parse(body({"labels": {str(number): number for number in range(100_000)}}))


def test_as_many_alerts_as_are_allowed_are_counted_and_one_more_is_too_large() -> None:
    small = {"status": "firing", "startsAt": ALERT["startsAt"]}
    assert count(body(alerts=[small] * MOST_ALERTS)) == MOST_ALERTS
    with pytest.raises(PayloadTooLarge, match=f"more than {MOST_ALERTS} alerts"):
        count(body(alerts=[small] * (MOST_ALERTS + 1)))


@pytest.mark.parametrize("value", [[0] * MOST_VALUES, [[]] * (MOST_VALUES // 4)])
def test_more_values_than_fit_into_memory_are_too_large(value: list[Any]) -> None:
    with pytest.raises(PayloadTooLarge, match=f"more than {MOST_VALUES} values"):
        count(body(x=value))


def test_text_too_long_is_cut_visibly_and_the_fingerprint_stays() -> None:
    labels = {"alertname": "A", "long": "x" * (LABEL_CHARS + 1), "n" * (LABEL_CHARS + 1): "v"}
    found = parse(body({"labels": labels, "annotations": {"summary": "y" * (ANNOTATION_CHARS + 1)}})).alerts[0]
    assert found.fingerprint == ALERT["fingerprint"] and found.name == "A"
    assert found.labels["long"] == "x" * (LABEL_CHARS - 1) + "…"
    assert found.labels["n" * (LABEL_CHARS - 1) + "…"] == "v"
    assert found.annotations["summary"] == "y" * (ANNOTATION_CHARS - 1) + "…"


def test_labels_too_many_are_left_out_and_counted() -> None:
    found = parse(body({"labels": {str(number): "v" for number in range(MOST_LABELS + 3)}})).alerts[0]
    assert len(found.labels) == MOST_LABELS + 1 and found.labels["…"] == "3 more, left out"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
LIKE_AN_ALERT = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["firing", "resolved", "x"]) | JSON,
        "labels": st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3) | JSON,
        "annotations": st.dictionaries(st.text(max_size=5), JSON, max_size=2),
        "startsAt": st.datetimes().map(lambda instant: instant.isoformat() + "Z") | JSON,
        "endsAt": st.datetimes().map(lambda instant: instant.isoformat() + "-12:00") | JSON,
        "generatorURL": JSON,
        "fingerprint": st.text() | JSON,
    },
)
LIKE_A_WEBHOOK = st.fixed_dictionaries(
    {"version": st.just("4"), "alerts": st.lists(LIKE_AN_ALERT, max_size=3) | JSON},
    optional={"groupKey": JSON, "receiver": JSON, "truncatedAlerts": JSON, "externalURL": JSON, "x": JSON},
)


def _read_or_refused(sent: bytes | str) -> None:
    try:
        group = parse(sent)
    except BadPayload as refused:
        assert 0 < len(str(refused)) < 400
        return
    assert isinstance(group, Group)
    for alert in group.alerts:
        assert alert.starts_at.tzinfo is UTC
        str([*alert.labels.items(), *alert.annotations.items(), alert.generator_url]).encode("utf-8")


@settings(max_examples=200)
@given(LIKE_A_WEBHOOK)
def test_anything_like_a_webhook_is_read_or_refused(sent: dict[str, Any]) -> None:
    _read_or_refused(json.dumps(sent))


@given(st.binary() | st.text() | st.binary().map(lambda noise: body({})[:-20] + noise))
def test_any_body_is_read_or_refused(sent: bytes | str) -> None:
    _read_or_refused(sent)
