"""What each provider's reply means for the message: a table, without a network."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tocsin.deliver import ntfy, pushover
from tocsin.deliver.exchange import Reply
from tocsin.errors import PermanentError, TemporaryError

NOW = datetime(2026, 11, 22, 22, 30, tzinfo=UTC)
PROXY = b"<html><h1>Bad Gateway</h1></html>"


def ntfy_error(status: int, code: int) -> Reply:
    return Reply(status, body=json.dumps({"code": code, "http": status, "error": "told so"}).encode())


T, P = TemporaryError, PermanentError
SOON = timedelta(seconds=5)
IN_A_MINUTE = format_datetime(NOW + timedelta(minutes=1), usegmt=True)

OUTCOMES = [
    (Reply(200, body=b'{"id":"sPs71M8A2T","time":1,"event":"message"}'), None, None, False),
    (Reply(201, body=b'{"id":"sPs71M8A2T"}'), None, None, False),
    *[
        (Reply(200, body=body), T, None, True)
        for body in (b'{"ok":true}', b'{"id":7}', b'{"id":""}', b"[]", b"null", b"\xff", b"[" * 50_000, PROXY, b"")
    ],
    (Reply(101), T, None, True),
    (Reply(202), T, None, True),
    (Reply(204), T, None, True),
    *[(Reply(status, {"location": "https://a.example/"}), P, None, True) for status in (300, 301, 302, 303, 307, 308)],
    (ntfy_error(400, 40014), P, None, False),
    (Reply(400, body=PROXY), P, None, False),
    (ntfy_error(401, 40101), P, None, True),
    (Reply(401, body=PROXY), P, None, True),
    (ntfy_error(403, 40301), P, None, True),
    (Reply(403, body=PROXY), P, None, True),
    (ntfy_error(404, 40401), P, None, False),
    (Reply(404, body=b"404 page not found"), T, None, True),
    *[(Reply(status, body=PROXY), P, None, True) for status in (405, 407, 409, 410, 421, 451)],
    (Reply(408), T, None, True),
    (ntfy_error(413, 41303), P, None, False),
    (Reply(413, body=PROXY), P, None, False),
    (Reply(425), T, None, True),
    (ntfy_error(429, 42901), T, SOON, True),
    (Reply(429), T, SOON, True),
    (Reply(429, body=PROXY), T, SOON, True),
    (Reply(429, {"retry-after": "90"}), T, timedelta(seconds=90), True),
    (Reply(429, {"retry-after": IN_A_MINUTE}), T, timedelta(minutes=1), True),
    (Reply(429, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}), T, SOON, True),
    *[(Reply(429, {"retry-after": wrong}), T, SOON, True) for wrong in ("1", "-1", "soon", "", "1.5", "\u0663")],
    (Reply(429, {"retry-after": "9" * 400}), T, timedelta(days=1), True),
    (ntfy_error(429, 42902), T, timedelta(hours=1, minutes=30), True),
    (ntfy_error(429, 42904), T, timedelta(minutes=1), True),
    (ntfy_error(429, 42905), T, timedelta(hours=1, minutes=30), True),
    (ntfy_error(429, 42908), T, timedelta(hours=1, minutes=30), True),
    (ntfy_error(429, 42909), T, timedelta(minutes=1), True),
    (ntfy_error(429, 42910), T, timedelta(hours=1, minutes=30), True),
    (ntfy_error(500, 50001), T, None, True),
    (ntfy_error(507, 50701), T, None, True),
    *[(Reply(status, body=PROXY), T, None, True) for status in (500, 501, 502, 503, 504, 507, 520, 530, 599, 999)],
    (Reply(503, {"retry-after": "120"}), T, timedelta(minutes=2), True),
]


@pytest.mark.parametrize(("reply", "kind", "retry_after", "whole_channel"), OUTCOMES)
def test_ntfy(reply: Reply, kind: type | None, retry_after: timedelta | None, whole_channel: bool) -> None:
    check(ntfy.failure_of(reply, NOW), kind, retry_after, whole_channel)


def test_no_status_is_unknown_to_either() -> None:
    for status in range(100, 1000):
        for failure_of in (ntfy.failure_of, pushover.failure_of):
            failure = failure_of(Reply(status, body=PROXY), NOW)
            assert failure is not None and str(status) in str(failure)


def test_ntfy_waits_grow_to_fewer_than_ten_refusals_in_ten_minutes() -> None:
    failures = [ntfy.failure_of(ntfy_error(429, 42901), NOW, throttled=count) for count in range(1000)]
    waits = [failure.retry_after / timedelta(seconds=1) for failure in failures if isinstance(failure, T)]  # type: ignore[operator]
    assert waits[:7] == [5, 10, 20, 40, 80, 120, 120] and set(waits[7:]) == {120}
    refused_at = [sum(waits[:count]) for count in range(20)]
    assert max(sum(start <= at < start + 600 for at in refused_at) for start in refused_at) < 10


RESET = int(datetime(2026, 12, 1, 6, tzinfo=UTC).timestamp())
UNTIL_RESET = datetime(2026, 12, 1, 6, tzinfo=UTC) - NOW  # 00:00 in Chicago, winter time
COURTESY = timedelta(seconds=5)
OWN = b'{"status":0,"errors":["application has exceeded its monthly message limit"]}'


@pytest.mark.parametrize(
    ("reply", "kind", "retry_after", "whole_channel"),
    [
        (Reply(200, body=b'{"status":1,"request":"x"}'), None, None, False),
        (Reply(201, body=b'{"status":1}'), None, None, False),
        (Reply(200, body=b'{"status":0,"errors":["no"]}'), P, None, False),
        (Reply(200, body=b'{"status":"1"}'), P, None, False),
        (Reply(200, body=b'{"status":0,"token":"invalid"}'), P, None, True),
        *[(Reply(200, body=body), T, COURTESY, True) for body in (PROXY, b"", b"[]", b"{}", b"\xff", b"[" * 50_000)],
        (Reply(204), T, COURTESY, True),
        *[(Reply(status, {"location": "https://a.example/"}), P, None, True) for status in (301, 302, 307, 308)],
        (Reply(400, body=b'{"status":0,"user":"invalid","errors":["no"]}'), P, None, True),
        (Reply(400, body=b'{"status":0,"token":"invalid","errors":["no"]}'), P, None, True),
        (Reply(400, body=b'{"status":0,"message":"cannot be blank","errors":["no"]}'), P, None, False),
        (Reply(400, body=PROXY), P, None, False),
        (Reply(401), P, None, True),
        (Reply(403), P, None, True),
        (Reply(404, body=b'{"status":0,"errors":["no"]}'), P, None, False),
        *[(Reply(status, body=PROXY), P, None, True) for status in (404, 405, 407, 408, 409, 410, 421, 425)],
        (Reply(413), P, None, False),
        (Reply(429, body=OWN), T, UNTIL_RESET, True),
        (Reply(429, {"x-limit-app-reset": str(RESET - 3600)}), T, UNTIL_RESET - timedelta(hours=1), True),
        *[
            (Reply(429, {"x-limit-app-reset": wrong}, OWN), T, UNTIL_RESET, True)
            for wrong in ("0", "99999999999", "soon", "-5", "")
        ],
        (Reply(429, body=PROXY), T, timedelta(minutes=1), True),
        (Reply(429, {"retry-after": "1"}, PROXY), T, timedelta(minutes=1), True),
        (Reply(429, {"retry-after": "600"}, PROXY), T, timedelta(minutes=10), True),
        *[(Reply(status, body=PROXY), T, COURTESY, True) for status in (500, 501, 502, 503, 504, 507, 520, 599, 999)],
        (Reply(500, body=b'{"status":0,"errors":["internal"]}'), T, COURTESY, True),
        (Reply(503, {"retry-after": "1"}), T, COURTESY, True),
        (Reply(503, {"retry-after": "120"}), T, timedelta(minutes=2), True),
    ],
)
def test_pushover(reply: Reply, kind: type | None, retry_after: timedelta | None, whole_channel: bool) -> None:
    check(pushover.failure_of(reply, NOW), kind, retry_after, whole_channel)


@pytest.mark.parametrize(
    ("now", "resets_at"),
    [
        (datetime(2026, 12, 31, 12, tzinfo=UTC), datetime(2027, 1, 1, 6, tzinfo=UTC)),
        (datetime(2027, 1, 1, 3, tzinfo=UTC), datetime(2027, 1, 1, 6, tzinfo=UTC)),
        (datetime(2027, 6, 10, tzinfo=UTC), datetime(2027, 7, 1, 5, tzinfo=UTC)),
        (datetime(2027, 3, 2, tzinfo=UTC), datetime(2027, 4, 1, 5, tzinfo=UTC)),
        (datetime(2027, 2, 1, 5, 59, tzinfo=UTC), datetime(2027, 2, 1, 6, tzinfo=UTC)),
        (datetime(2027, 2, 1, 6, tzinfo=UTC), datetime(2027, 3, 1, 6, tzinfo=UTC)),
        (datetime(2027, 10, 15, tzinfo=UTC), datetime(2027, 11, 1, 5, tzinfo=UTC)),
        (datetime(2027, 11, 2, tzinfo=UTC), datetime(2027, 12, 1, 6, tzinfo=UTC)),
        (datetime(2028, 2, 29, 12, tzinfo=UTC), datetime(2028, 3, 1, 6, tzinfo=UTC)),
    ],
)
def test_the_month_ends_at_midnight_in_chicago(now: datetime, resets_at: datetime) -> None:
    failure = pushover.failure_of(Reply(429, body=OWN), now)
    assert isinstance(failure, TemporaryError)
    assert failure.retry_after == resets_at - now


def check(
    failure: TemporaryError | PermanentError | None,
    kind: type | None,
    retry_after: timedelta | None,
    whole_channel: bool,
) -> None:
    if kind is None:
        assert failure is None
        return
    assert type(failure) is kind
    assert "\n" not in str(failure)
    assert failure.whole_channel is whole_channel
    if isinstance(failure, TemporaryError):
        assert failure.retry_after == retry_after
