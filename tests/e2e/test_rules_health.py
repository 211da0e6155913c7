"""The rules that watch over detection and over tocsin, in promtool's rule engine."""

import pytest

from rule_tests import DAY, HOUR, Labels, Scenario, novel, shipped

pytestmark = pytest.mark.e2e

POD = "sonarr-5d7c9d8f6b-x2b4c"
STRANGER = "files.paste-drop.example."
HEALTH = "EgressDetectionBlind|Tocsin.*"
TOCSIN = {"namespace": "observability", "pod": "tocsin-5d7c9d8f6b-x2b4c"}


def alert(name: str, **labels: str) -> Labels:
    return {"alertname": name, **labels}


def watched(length: int, step: int = 1) -> Scenario:
    """A cluster in order: names, bytes, a tocsin that works."""
    scenario = Scenario(length, step, [shipped()])
    scenario.asks(POD, "api.thetvdb.com.")
    scenario.sends(POD, 40e3)
    scenario.sample("hubble_lost_events_total", {"source": "observer_events_queue"}, 0, length + step, 17)
    scenario.sample("tocsin_build_info", {**TOCSIN, "version": "0.1.0"}, 0, length + step, 1)
    scenario.sample("tocsin_oldest_event_age_seconds", TOCSIN, 0, length + step, 0)
    scenario.sample("tocsin_oldest_message_age_seconds", {**TOCSIN, "channel": "phone"}, 0, length + step, 0)
    return scenario


def test_a_cluster_in_order_is_quiet() -> None:
    scenario = watched(DAY, step=5)
    scenario.fired(0, DAY, of=HEALTH)
    scenario.check()


def blind(signal: str) -> Labels:
    return alert("EgressDetectionBlind", signal=signal)


@pytest.mark.parametrize(
    ("lost", "signal"),
    [("hubble_dns_queries_total", "dns"), ("container_network_transmit_bytes_total", "bytes")],
)
def test_detection_without_data_is_blind_within_half_an_hour_and_sees_again(lost: str, signal: str) -> None:
    scenario = watched(8 * HOUR)
    scenario.outage(2 * HOUR, 5 * HOUR, lost)
    scenario.fires(2 * HOUR + 10, of=HEALTH)
    scenario.fires(2 * HOUR + 35, blind(signal), of=HEALTH)
    scenario.fires(5 * HOUR - 1, blind(signal), of=HEALTH)
    scenario.fires(5 * HOUR + 10, of=HEALTH)
    scenario.check()


def test_a_cluster_that_never_had_data_is_blind() -> None:
    scenario = Scenario(2 * HOUR, 1, [shipped("egress")])
    scenario.sample("up", {"job": "kubelet"}, 0, 3 * HOUR, 1)
    scenario.fires(HOUR, blind("dns"), blind("bytes"), of=HEALTH)
    scenario.check()


def test_series_without_the_labels_are_told_as_such() -> None:
    """`dns` without `query` and labelsContext, as Cilium's own example has it."""
    scenario = watched(3 * HOUR)
    scenario.series = {key: points for key, points in scenario.series.items() if key[0] != "hubble_dns_queries_total"}
    scenario.sample("hubble_dns_queries_total", {"qtypes": "A", "rcode": ""}, 0, 4 * HOUR, 3)
    scenario.fires(HOUR, blind("labels"), of=HEALTH)
    scenario.check()


def test_lost_events_are_told() -> None:
    scenario = watched(3 * HOUR)
    lost = {"source": "perf_event_ring_buffer"}
    scenario.sample("hubble_lost_events_total", lost, 0, 4 * HOUR, lambda at: 600 * max(0, at - HOUR))
    scenario.fires(HOUR - 5, of=HEALTH)
    scenario.fires(HOUR + 30, blind("lost_events"), of=HEALTH)
    scenario.check()


def test_a_memory_that_is_not_recorded_is_told() -> None:
    scenario = watched(3 * HOUR)
    scenario.rules = [shipped("egress-names-", "tocsin"), shipped("egress-detection", "egress-volume")]
    scenario.rules[0]["groups"].clear()
    scenario.rules.append({"groups": [group for group in shipped()["groups"] if group["name"] == "egress-names"]})
    scenario.fires(HOUR, blind("baseline"), of="EgressDetectionBlind")
    scenario.check()


def test_while_tocsin_is_down_every_egress_alert_is_carried_by_the_fallback() -> None:
    scenario = watched(4 * DAY, step=5)
    goes, comes = 3 * DAY + HOUR, 3 * DAY + 3 * HOUR
    scenario.asks(POD, STRANGER, goes + 20)
    scenario.asks(POD, "other.example.org.", goes + 20)
    for metric in ("tocsin_build_info", "tocsin_oldest_event_age_seconds", "tocsin_oldest_message_age_seconds"):
        scenario.outage(goes, comes, metric)
    carried = [
        alert(
            "TocsinFallback",
            namespace="media",
            workload="sonarr",
            destination=name,
            egress_alert="EgressNovelDestination",
        )
        for name in ("files.paste-drop.example", "other.example.org")
    ]
    scenario.fires(goes + 15, alert("TocsinDown"), of=HEALTH)
    scenario.fires(goes + 25, alert("TocsinDown"), *carried, of=HEALTH)
    scenario.fires(goes + 25, "files.paste-drop.example", "other.example.org")
    scenario.fires(goes + 110, alert("TocsinDown"), of=HEALTH)
    scenario.fires(comes + 10, of=HEALTH)
    scenario.check()


def test_a_tocsin_that_sits_on_what_it_accepted_is_as_good_as_down() -> None:
    scenario = watched(4 * DAY, step=5)
    stuck = 3 * DAY + HOUR
    scenario.asks(POD, STRANGER, stuck + 30)
    scenario.sample("tocsin_oldest_event_age_seconds", TOCSIN, stuck, 5 * DAY, lambda at: (at - stuck) * 60)
    carried = alert(
        "TocsinFallback", namespace="media", workload="sonarr", destination="files.paste-drop.example",
        egress_alert="EgressNovelDestination",
    )  # fmt: skip
    scenario.fires(stuck + 40, alert("TocsinBacklogOld", namespace="observability"), carried, of=HEALTH)
    scenario.tells(
        stuck + 40,
        "TocsinFallback",
        {
            "destination": "files.paste-drop.example", "destination_domain": "paste-drop.example",
            "egress_alert": "EgressNovelDestination", "namespace": "media", "query": "files.paste-drop.example.",
            "severity": "warning", "source_namespace": "media", "tocsin": "health", "workload": "sonarr",
        },
        {
            "summary": "EgressNovelDestination: media/sonarr asked for files[.]paste-drop[.]example; "
            "tocsin cannot explain it now."
        },
    )  # fmt: skip
    scenario.check()


def test_what_goes_wrong_inside_tocsin_is_told() -> None:
    scenario = watched(6 * HOUR)
    begins = 2 * HOUR
    for metric, labels, value in (
        ("tocsin_oldest_message_age_seconds", {"channel": "phone"}, lambda at: 60 * max(0, at - begins)),
        ("tocsin_deliveries_total", {"channel": "phone", "outcome": "dead"}, lambda at: int(at >= begins)),
        ("tocsin_gaps_total", {"source": "Prometheus"}, lambda at: max(0, at - begins) // 3),
        ("tocsin_gitops_refreshed_timestamp_seconds", {}, lambda at: 60 * min(at, begins)),
    ):
        scenario.sample(metric, {**TOCSIN, **labels}, 0, 7 * HOUR, value)
    inside = {"namespace": "observability"}
    scenario.fires(begins - 1, of=HEALTH)
    scenario.fires(begins + 5, alert("TocsinDeadLetters", **inside), of=HEALTH)
    everything = ("TocsinDeliveriesFailing", "TocsinGapsRising", "TocsinGitOpsStale")
    scenario.fires(begins + 100, *(alert(name, **inside) for name in everything), of=HEALTH)
    scenario.check()


def test_health_alerts_carry_the_label_that_routes_them_past_tocsin() -> None:
    for group in shipped()["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                egress = rule["alert"] in (novel("")["alertname"], "EgressVolumeAnomaly")
                assert (rule["labels"].get("tocsin") == "health") is not egress, rule["alert"]
