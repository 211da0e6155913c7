"""Which webhooks may be explained as if they were one."""

import json
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kit import START, novel, webhook
from tocsin import alertmanager
from tocsin.batch import runs
from tocsin.model import Group


def group(*alerts: dict[str, Any], **changes: Any) -> Group:
    return alertmanager.parse(json.dumps(webhook(*alerts, **changes)))


A, B = novel("a.example"), novel("b.example")


def test_webhooks_become_one_and_a_repeated_alert_counts_twice() -> None:
    (run,) = runs([("e1", group(A, truncatedAlerts=2), False), ("e2", group(A, B, truncatedAlerts=1), False)])
    assert run.events == ["e1", "e2"]
    assert [alert.labels["destination"] for alert in run.group.alerts] == ["a.example", "b.example"]
    assert run.group.truncated == 3
    assert run.heard_of([A["fingerprint"]]) == 2 and run.heard_of([B["fingerprint"]]) == 1
    assert run.heard_of([A["fingerprint"], B["fingerprint"]]) == 2


def test_one_by_itself_is_what_it_was_however_odd() -> None:
    odd = group(A, A, B)
    (run,) = runs([("e1", odd, False)])
    assert run.group is odd


def test_where_the_order_matters_a_new_run_begins() -> None:
    over, again = {**A, "status": "resolved"}, novel("a.example", starts_at=START + timedelta(hours=1))
    found = runs([("e1", group(A), False), ("e2", group(over), False), ("e3", group(again), False)])
    assert [run.events for run in found] == [["e1"], ["e2"], ["e3"]]


def test_a_fingerprint_alone_makes_no_two_alerts_the_same() -> None:
    other = novel("other.example", fingerprint=A["fingerprint"])
    assert len(runs([("e1", group(A), False), ("e2", group(other), False)])) == 2


def test_one_that_failed_before_stays_alone() -> None:
    found = runs([("e1", group(A), False), ("e2", group(B), True), ("e3", group(A), False), ("e4", group(B), False)])
    assert [run.events for run in found] == [["e1"], ["e2"], ["e3", "e4"]]


alerts = st.builds(
    lambda name, firing, hour: novel(
        f"{name}.example", status="firing" if firing else "resolved", starts_at=START + timedelta(hours=hour)
    ),
    st.sampled_from("abc"), st.booleans(), st.integers(0, 1),
)  # fmt: skip


@given(st.lists(st.tuples(st.lists(alerts, max_size=4), st.booleans()), max_size=8))
def test_no_webhook_and_no_alert_is_lost_and_the_order_holds(sent: list[tuple[list[dict[str, Any]], bool]]) -> None:
    groups = [(f"e{at}", group(*each), alone) for at, (each, alone) in enumerate(sent)]
    found = runs(groups)
    assert [event for run in found for event in run.events] == [event for event, _, _ in groups]
    by_event = {event: each for event, each, _ in groups}
    for run in found:
        said = {(alert.fingerprint, alert.status, alert.starts_at) for alert in run.group.alerts}
        heard = [alert for event in run.events for alert in by_event[event].alerts]
        assert said == {(alert.fingerprint, alert.status, alert.starts_at) for alert in heard}
