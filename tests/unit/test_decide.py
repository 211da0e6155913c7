"""When somebody is told: the table, and what must hold for every history."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.decide import Action, Arrival, DecideSettings, Decision, Memory, SkipReason, decide, reconsider
from tocsin.model import NoticeReason, Verdict

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
START = NOW - timedelta(minutes=5)
SETTINGS = DecideSettings()
FIRES = Arrival({"a": START}, frozenset())
ENDS = Arrival({}, frozenset({"a"}))


def memory(**changes: object) -> Memory:
    fields = {"incident_id": "1", "version": 1, "firing": {"a": START}, "told_at": NOW - timedelta(minutes=4)}
    return Memory(**{**fields, "told_verdict": Verdict.EXPLAINED, **changes})  # type: ignore[arg-type]


CASES = {
    "a new incident is told": (None, FIRES, Action.NOTIFY, NoticeReason.FIRST),
    "the same alert again is not": (memory(), FIRES, Action.SKIP, SkipReason.DUPLICATE),
    "nor while its message is still on its way": (
        memory(told_at=None, told_verdict=None, pending_verdict=Verdict.UNEXPLAINED),
        FIRES,
        Action.SKIP,
        SkipReason.DUPLICATE,
    ),
    "it is told when every earlier message died": (
        memory(told_at=None, told_verdict=None),
        FIRES,
        Action.NOTIFY,
        NoticeReason.FIRST,
    ),
    "another pod or name is looked at": (
        memory(),
        Arrival({"a": START, "b": NOW}, frozenset()),
        Action.LOOK,
        SkipReason.SAME,
    ),
    "so is the same alert with a new start": (memory(), Arrival({"a": NOW}, frozenset()), Action.LOOK, SkipReason.SAME),
    "firing again while quiet is looked at": (memory(firing={}), FIRES, Action.LOOK, SkipReason.SAME),
    "a day later it is told again": (
        memory(told_at=NOW - timedelta(hours=24)),
        FIRES,
        Action.NOTIFY,
        NoticeReason.REPEAT,
    ),
    "but not while the repeat is on its way": (
        memory(told_at=NOW - timedelta(hours=24), pending_verdict=Verdict.EXPLAINED),
        FIRES,
        Action.SKIP,
        SkipReason.DUPLICATE,
    ),
    "what was told in mode shadow only is looked at": (memory(unheard=True), FIRES, Action.LOOK, SkipReason.SAME),
    "a resolved alert is no news": (memory(), ENDS, Action.SKIP, SkipReason.QUIET),
    "one that was never seen firing neither": (None, ENDS, Action.SKIP, SkipReason.UNSEEN),
    "nor the second Alertmanager's resolved": (memory(firing={}), ENDS, Action.SKIP, SkipReason.DUPLICATE),
}


@pytest.mark.parametrize(("remembered", "arrival", "action", "reason"), CASES.values(), ids=CASES.keys())
def test_table(remembered: Memory | None, arrival: Arrival, action: Action, reason: object) -> None:
    decision = decide(remembered, arrival, elsewhere=False, now=NOW, settings=SETTINGS)
    assert decision == Decision(action, reason)  # type: ignore[arg-type]


def test_another_workload_with_the_same_domain_is_wider() -> None:
    decision = decide(None, FIRES, elsewhere=True, now=NOW, settings=SETTINGS)
    assert decision == Decision(Action.NOTIFY, NoticeReason.WIDER)


def test_resolved_is_told_when_asked_for_and_all_alerts_ended() -> None:
    asked = DecideSettings(resolved=True)
    two = memory(firing={"a": START, "b": START})
    assert decide(two, ENDS, elsewhere=False, now=NOW, settings=asked).reason is SkipReason.QUIET
    assert decide(memory(), ENDS, elsewhere=False, now=NOW, settings=asked).reason is NoticeReason.RESOLVED
    untold = memory(told_at=None, told_verdict=None)
    assert decide(untold, ENDS, elsewhere=False, now=NOW, settings=asked).reason is SkipReason.QUIET


@pytest.mark.parametrize(
    ("told", "pending", "now", "reason"),
    [
        (Verdict.EXPLAINED, None, Verdict.SUSPICIOUS, NoticeReason.WORSE),
        (Verdict.EXPLAINED, Verdict.SUSPICIOUS, Verdict.SUSPICIOUS, SkipReason.SAME),
        (Verdict.SUSPICIOUS, Verdict.EXPLAINED, Verdict.UNEXPLAINED, SkipReason.SAME),
        (None, Verdict.EXPECTED, Verdict.EXPLAINED, NoticeReason.WORSE),
    ],
)
def test_a_look_is_told_only_when_it_is_worse(
    told: Verdict | None, pending: Verdict | None, now: Verdict, reason: object
) -> None:
    remembered = memory(told_verdict=told, pending_verdict=pending)
    assert reconsider(Decision(Action.LOOK, SkipReason.SAME), remembered, now).reason is reason


instants = st.integers(-3000, 0).map(lambda minutes: NOW + timedelta(minutes=minutes))
alerts = st.dictionaries(st.sampled_from("abcd"), instants, max_size=4)
verdicts = st.none() | st.sampled_from(Verdict)


@given(alerts, st.frozensets(st.sampled_from("abcd")), alerts, st.none() | instants, verdicts, verdicts, st.booleans())
def test_what_fires_and_nobody_knows_of_is_never_skipped(
    firing: dict[str, datetime],
    resolved: frozenset[str],
    known: dict[str, datetime],
    told_at: datetime | None,
    told: Verdict | None,
    pending: Verdict | None,
    elsewhere: bool,
) -> None:
    remembered = Memory("1", 1, 0, known, told_at, told, pending)
    decision = decide(remembered, Arrival(firing, resolved), elsewhere=elsewhere, now=NOW, settings=SETTINGS)
    if firing and told is None and pending is None:
        assert decision.action is Action.NOTIFY
    if decision.action is Action.SKIP and firing:
        assert firing.items() <= known.items()
