"""What each provider's reply means for the message: a table, without a network."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.deliver import ntfy, pushover
from tocsin.deliver.exchange import Reply
from tocsin.errors import PermanentError, TemporaryError

NOW = datetime(2026, 11, 22, 22, 30, tzinfo=UTC)
PROXY = b"<html><h1>Bad Gateway</h1></html>"


def ntfy_error(status: int, code: int) -> Reply:
    return Reply(status, body=json.dumps({"code": code, "http": status, "error": "told so"}).encode())


OUTCOMES = [
    (Reply(200, body=b'{"id":"sPs71M8A2T","time":1,"event":"message"}'), None, None, False),
    (Reply(200, body=b'{"ok":true}'), TemporaryError, None, False),
    (Reply(200, body=b'{"id":7}'), TemporaryError, None, False),
    (Reply(200, body=PROXY), TemporaryError, None, False),
    (Reply(200), TemporaryError, None, False),
    (Reply(204), TemporaryError, None, False),
    (Reply(301), PermanentError, None, True),
    (ntfy_error(400, 40014), PermanentError, None, False),
    (ntfy_error(401, 40101), PermanentError, None, True),
    (ntfy_error(403, 40301), PermanentError, None, True),
    (ntfy_error(404, 40401), PermanentError, None, False),
    (Reply(404, body=b"404 page not found"), TemporaryError, None, False),
    (Reply(401, body=PROXY), PermanentError, None, True),
    (Reply(408), TemporaryError, None, False),
    (ntfy_error(413, 41303), PermanentError, None, False),
    (ntfy_error(429, 42901), TemporaryError, timedelta(seconds=5), True),
    (Reply(429), TemporaryError, timedelta(seconds=5), True),
    (Reply(429, {"retry-after": "90"}), TemporaryError, timedelta(seconds=90), True),
    (Reply(429, {"retry-after": "1"}), TemporaryError, timedelta(seconds=5), True),
    (Reply(429, {"retry-after": "soon"}), TemporaryError, timedelta(seconds=5), True),
    (ntfy_error(429, 42905), TemporaryError, timedelta(hours=1, minutes=30), True),
    (ntfy_error(429, 42908), TemporaryError, timedelta(hours=1, minutes=30), True),
    (ntfy_error(429, 42909), TemporaryError, timedelta(minutes=1), True),
    (ntfy_error(500, 50001), TemporaryError, None, False),
    (Reply(502, body=PROXY), TemporaryError, None, False),
    (ntfy_error(507, 50701), TemporaryError, None, False),
]


@pytest.mark.parametrize(("reply", "kind", "retry_after", "whole_channel"), OUTCOMES)
def test_ntfy(reply: Reply, kind: type | None, retry_after: timedelta | None, whole_channel: bool) -> None:
    check(ntfy.failure_of(reply, NOW), kind, retry_after, whole_channel)


def test_ntfy_waits_grow_up_to_five_minutes() -> None:
    failures = [ntfy.failure_of(ntfy_error(429, 42901), NOW, throttled=count) for count in (0, 1, 2, 6, 1000)]
    waits = [failure.retry_after for failure in failures if isinstance(failure, TemporaryError)]
    assert waits == [timedelta(seconds=seconds) for seconds in (5, 10, 20, 300, 300)]


RESET = int(datetime(2026, 12, 1, 6, tzinfo=UTC).timestamp())
UNTIL_RESET = datetime(2026, 12, 1, 6, tzinfo=UTC) - NOW  # 00:00 in Chicago, winter time
COURTESY = timedelta(seconds=5)


@pytest.mark.parametrize(
    ("reply", "kind", "retry_after", "whole_channel"),
    [
        (Reply(200, body=b'{"status":1,"request":"x"}'), None, None, False),
        (Reply(200, body=b'{"status":0,"errors":["no"]}'), PermanentError, None, False),
        (Reply(200, body=PROXY), TemporaryError, COURTESY, False),
        (Reply(302), PermanentError, None, False),
        (Reply(400, body=b'{"status":0,"user":"invalid","errors":["no"]}'), PermanentError, None, True),
        (Reply(400, body=b'{"status":0,"token":"invalid","errors":["no"]}'), PermanentError, None, True),
        (Reply(400, body=b'{"status":0,"message":"cannot be blank","errors":["no"]}'), PermanentError, None, False),
        (Reply(401), PermanentError, None, True),
        (Reply(404), PermanentError, None, False),
        (Reply(413), PermanentError, None, False),
        (Reply(429), TemporaryError, UNTIL_RESET, True),
        (Reply(429, {"x-limit-app-reset": str(RESET - 3600)}), TemporaryError, UNTIL_RESET - timedelta(hours=1), True),
        (Reply(429, {"x-limit-app-reset": "0"}), TemporaryError, UNTIL_RESET, True),
        (Reply(429, {"x-limit-app-reset": "99999999999"}), TemporaryError, UNTIL_RESET, True),
        (Reply(429, {"x-limit-app-reset": "soon"}), TemporaryError, UNTIL_RESET, True),
        (Reply(500), TemporaryError, COURTESY, False),
        (Reply(503, body=PROXY), TemporaryError, COURTESY, False),
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
    ],
)
def test_the_month_ends_at_midnight_in_chicago(now: datetime, resets_at: datetime) -> None:
    failure = pushover.failure_of(Reply(429), now)
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
