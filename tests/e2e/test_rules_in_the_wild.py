"""Rules as published packs have them, and why they do not work: each test shows one failing, and ours at the same task.

Their expressions are written down from what docs/detection.md says of them; the tests keep that page true.
"""

from typing import Any

import pytest

from rule_tests import DAY, HOUR, Scenario, shipped, volume

pytestmark = pytest.mark.e2e

POD = "sonarr-5d7c9d8f6b-x2b4c"
LATER = "sonarr-7f6b4d9c5f-k8w2z"
STRANGER = "files.paste-drop.example."
RATE = "sum by (source_namespace, source_pod, query) (rate(hubble_dns_queries_total[5m])) > 0"
PRESENT = "group by (source_namespace, source_pod, query) (hubble_dns_queries_total)"
SENT = "sum by (namespace, pod) (rate(container_network_transmit_bytes_total[1h]))"


def wild(expression: str, hold: str = "0m", **records: str) -> dict[str, Any]:
    """A rule file with one alert, WildEgress."""
    recorded = [{"record": name, "expr": expr} for name, expr in records.items()]
    return {
        "groups": [{"name": "wild", "rules": [*recorded, {"alert": "WildEgress", "expr": expression, "for": hold}]}]
    }


def names(rules: dict[str, Any], length: int = 4 * DAY, step: int = 5) -> Scenario:
    scenario = Scenario(length, step, [rules, shipped("egress-names")])
    scenario.asks(POD, "api.thetvdb.com.")
    return scenario


def busy(scenario: Scenario, name: str, start: int) -> None:
    """A counter that moves all the time."""
    labels = {"source_namespace": "media", "source_pod": POD, "query": name, "qtypes": "A"}
    scenario.sample("hubble_dns_queries_total", labels, start, 99 * DAY, lambda at: 1 + (at - start))


WILD = {"alertname": "WildEgress"}
WILD_BYTES = {**WILD, "namespace": "media"}


@pytest.mark.parametrize("chatty", [True, False], ids=["chatty for hours", "one lookup"])
def test_absent_over_time_of_what_is_there_never_matches(chatty: bool) -> None:
    rules = wild("asked > 0 and absent_over_time(asked[1d] offset 15m)", "15m", asked=RATE.removesuffix(" > 0"))
    scenario = names(rules)
    (busy if chatty else lambda at_, name, start: at_.asks(POD, name, start))(scenario, STRANGER, 3 * DAY + 60)
    scenario.fired(0, 4 * DAY, of="WildEgress")
    scenario.fired(0, 4 * DAY, "files.paste-drop.example")
    scenario.check()


def test_a_rate_does_not_see_a_counter_that_is_born_at_one() -> None:
    scenario = names(wild(f"({RATE}) unless last_over_time(asked[1d] offset 1h)", asked=RATE.removesuffix(" > 0")))
    scenario.asks(POD, STRANGER, 3 * DAY + 60)
    scenario.fired(0, 4 * DAY, of="WildEgress")
    scenario.fired(0, 4 * DAY, "files.paste-drop.example")
    scenario.check()


def test_a_look_back_as_long_as_for_swallows_what_it_waits_for() -> None:
    scenario = names(wild("asked unless last_over_time(asked[1d] offset 15m)", "15m", asked=PRESENT))
    scenario.asks(POD, STRANGER, 3 * DAY + 60)
    scenario.fired(HOUR, 4 * DAY, of="WildEgress")
    scenario.fired(0, 4 * DAY, "files.paste-drop.example")
    scenario.check()


def test_keyed_by_pod_every_rollout_is_news() -> None:
    scenario = names(wild("asked unless last_over_time(asked[1d] offset 1h)", "15m", asked=PRESENT))
    scenario.asks(LATER, "api.thetvdb.com.", 3 * DAY)
    scenario.fires(3 * DAY + 30, WILD, of="WildEgress")
    scenario.fired(0, 4 * DAY)
    scenario.check()


def volumes(expression: str, hold: str, length: int = 5 * DAY) -> Scenario:
    return Scenario(length, 5, [wild(expression, hold), shipped("egress-volume")])


MEAN = f"({SENT} > avg_over_time(sent[7d]) + 3 * stddev_over_time(sent[7d]) and {SENT} > 1e7)"


def sent(rules: str, hold: str = "30m") -> Scenario:
    expression = rules.replace("sent[", f"({SENT})[").replace("[7d]", "[4d:10m]")
    return volumes(expression, hold)


def test_a_floor_of_ten_megabytes_a_second_sees_no_bulk_transfer() -> None:
    scenario = sent(MEAN)
    scenario.sends(POD, lambda at: 40e3 + (5.6e6 if 4 * DAY <= at < 4 * DAY + 60 else 0))
    scenario.fired(0, 5 * DAY, of="WildEgress")
    scenario.fires(4 * DAY + 10, volume("10m"))
    scenario.check()


def test_an_hour_of_rate_and_half_an_hour_of_waiting_lose_two_hundred_gigabytes() -> None:
    scenario = sent(MEAN)
    scenario.sends(POD, lambda at: 40e3 + (100e6 if at >= 4 * DAY else 0))
    scenario.fires(4 * DAY + 30, of="WildEgress")
    scenario.fires(4 * DAY + 45, WILD_BYTES, of="WildEgress")
    scenario.fires(4 * DAY + 5, volume("10m"))
    scenario.check()


def test_a_guard_that_guards_nothing_fires_for_a_pod_without_a_past() -> None:
    """`unless absent_over_time(x[7d])`: x is there, so nothing is absent, whatever its age."""
    scenario = sent(f"{MEAN} unless absent_over_time(container_network_transmit_bytes_total[7d])")
    scenario.sends(POD, lambda at: 50e6 if at >= 4 * DAY + 10 * HOUR else 40e3, 4 * DAY)
    scenario.fires(4 * DAY + 11 * HOUR + 15, WILD_BYTES, of="WildEgress")
    scenario.fired(0, 5 * DAY)
    scenario.check()


def test_a_rollout_by_night_makes_the_usual_morning_an_alarm() -> None:
    scenario = sent(MEAN, "10m")
    usual = 20e6
    scenario.sends(POD, lambda at: usual if 7 * HOUR <= at % DAY < 20 * HOUR else 40e3, 0, 4 * DAY + 2 * HOUR)
    scenario.sends(LATER, lambda at: usual if 7 * HOUR <= at % DAY < 20 * HOUR else 40e3, 4 * DAY + 2 * HOUR)
    scenario.fires(4 * DAY + 8 * HOUR, WILD_BYTES, of="WildEgress")
    scenario.fired(0, 5 * DAY)
    scenario.check()


def test_names_of_the_own_network_pass_as_egress() -> None:
    scenario = names(wild("asked unless last_over_time(asked[1d] offset 1h)", asked=PRESENT))
    scenario.asks(POD, "nas.lan.", 3 * DAY + 60)
    scenario.fires(3 * DAY + 65, WILD, of="WildEgress")
    scenario.fired(0, 4 * DAY)
    scenario.check()
