"""EgressVolumeAnomaly, sentence by sentence, in promtool's rule engine."""

import math

import pytest

from rule_tests import DAY, HOUR, Scenario, shipped, volume

pytestmark = pytest.mark.e2e

POD = "sonarr-5d7c9d8f6b-x2b4c"
LATER = "sonarr-7f6b4d9c5f-k8w2z"
KB, MB, GB = 1e3, 1e6, 1e9


def bytes_(length: int, step: int = 5) -> Scenario:
    """A cluster that only counts bytes."""
    return Scenario(length, step, [shipped("egress-volume")])


def by_day(usual: float, minute: float) -> float:
    """Little by night, most in the afternoon."""
    return usual * (1 + 0.9 * math.sin(2 * math.pi * (minute / DAY - 0.35)))


def test_a_sudden_transfer_fires_within_ten_minutes() -> None:
    """2 GB in 10 minutes, 20 GB in an hour, 100 MB/s without end, and one that comes and goes. None of them flaps."""
    scenario = bytes_(4 * DAY)
    begins = 3 * DAY + 5 * HOUR
    transfers = {
        "ten-minutes": (3.4 * MB, 10, 1),
        "one-hour": (5.6 * MB, HOUR, 1),
        "without-end": (100 * MB, 10 * HOUR, 1),
        "with-pauses": (20 * MB, 5 * HOUR, 5),
    }
    for workload, (rate, lasts, pauses) in transfers.items():

        def sent(at: float, rate: float = rate, lasts: int = lasts, pauses: int = pauses) -> float:
            since = at - begins
            return by_day(80 * KB, at) + (rate if 0 <= since < lasts and since % 40 < 40 / pauses else 0)

        scenario.sends(f"{workload}-5d7c9d8f6b-x2b4c", sent)
        for since in range(10, lasts + 30, 20):
            scenario.fires(begins + since, volume("10m", workload), only=workload)
        scenario.fires(begins + lasts + 120, only=workload)
        scenario.fired(begins + lasts + 120, 4 * DAY, only=workload)
    scenario.fires(begins)
    scenario.check()


def test_a_slow_transfer_fires_within_a_day_and_resolves() -> None:
    """15, 5 and 2.6 GB a day."""
    scenario = bytes_(8 * DAY)
    begins, ends = 3 * DAY + 5 * HOUR, 4 * DAY + 5 * HOUR
    for workload, rate, window in (("a", 180 * KB, "1h"), ("b", 60 * KB, "24h"), ("c", 30 * KB, "24h")):
        scenario.sends(
            f"{workload}-5d7c9d8f6b-x2b4c",
            lambda at, rate=rate: by_day(8 * KB, at) + (rate if begins <= at < ends else 0),
        )
        scenario.fired(0, ends, volume(window, workload), only=workload)
        scenario.fired(ends + 30 * HOUR, 8 * DAY, only=workload)
    scenario.check()


def test_a_drip_that_drowns_in_the_day_is_told_by_the_quiet_hours() -> None:
    """5 GB a day on top of 4 to 5 GB; a day on which somebody is up late, twice as long as ever, is none."""
    scenario = bytes_(8 * DAY)
    begins = 4 * DAY + 5 * HOUR

    def day(at: float, hours: int) -> float:
        return 120 * KB if 8 * HOUR <= at % DAY < (8 + hours) * HOUR and at % 30 < 20 else 2 * KB

    scenario.sends(POD, lambda at: day(at, 12) + (60 * KB if begins <= at < begins + DAY else 0))
    scenario.sends("jellyfin-5d7c9d8f6b-x2b4c", lambda at: day(at, 16 if at // DAY == 5 else 8))
    scenario.fired(0, begins + DAY, volume("24h"))
    scenario.fired(begins + 3 * DAY, 8 * DAY)
    scenario.check()


def test_a_transfer_by_night_below_the_peak_of_the_day() -> None:
    scenario = bytes_(6 * DAY)
    night = 5 * DAY + 2 * HOUR
    scenario.sends(POD, lambda at: by_day(3 * MB, at) ** 2 / (3 * MB) + (4 * MB if night <= at < night + 45 else 0))
    scenario.fires(night)
    scenario.fires(night + 10, volume("10m"))
    scenario.fired(0, 6 * DAY, volume("10m"))
    scenario.check()


def test_a_nightly_backup_is_told_once_at_most() -> None:
    """It is there from the first night, or comes on the fifth; it moves by an hour and grows."""
    scenario = bytes_(9 * DAY)
    jitter = (0, 40, -30, 55, 10, -50, 20, 35, -15)

    def backup(at: float, first: int) -> float:
        day = int(at // DAY)
        start = 2 * HOUR + jitter[min(day, 8)]
        return 20 * MB * (1 + 0.04 * day) if day >= first and start <= at % DAY < start + 45 else 0

    scenario.sends("pg-main-1", lambda at: 40 * KB + backup(at, 0))
    scenario.sends(POD, lambda at: 40 * KB + backup(at, 5))
    for day in range(9):
        scenario.sends(
            f"dump-{29480580 + day * DAY}-qh7wz", lambda at: backup(at, 0), day * DAY + HOUR, day * DAY + 4 * HOUR
        )
    scenario.fired(0, 5 * DAY)
    scenario.fired(5 * DAY, 6 * DAY, volume("10m"))
    scenario.fired(6 * DAY, 9 * DAY)
    scenario.check()


def test_a_weekly_job_that_was_seen_is_not_told() -> None:
    scenario = bytes_(9 * DAY)
    scenario.sends(
        POD, lambda at: 40 * KB + (15 * MB if DAY <= at < DAY + 90 or 8 * DAY + 90 <= at < 8 * DAY + 180 else 0)
    )
    scenario.fired(0, 9 * DAY)
    scenario.check()


def test_nothing_from_a_pod_without_a_baseline() -> None:
    """Ten hours old, ninety minutes old, or a cluster that is: nothing is known of it, and nothing is claimed."""
    scenario = bytes_(6 * DAY)
    scenario.sends("early-5d7c9d8f6b-x2b4c", lambda at: 50 * MB if 10 * HOUR <= at < 14 * HOUR else 40 * KB)
    scenario.sends("young-5d7c9d8f6b-x2b4c", lambda at: 50 * MB if at >= 4 * DAY + 10 * HOUR else 40 * KB, 4 * DAY)
    scenario.sends("newborn-5d7c9d8f6b-x2b4c", lambda at: 50 * MB if at >= 4 * DAY + 90 else 40 * KB, 4 * DAY)
    scenario.fired(0, 6 * DAY)
    scenario.check()


def test_a_new_pod_of_a_known_workload_has_the_baseline_of_the_workload() -> None:
    """Rolled out by night, usual traffic by day; then it sends more than ever."""
    scenario = bytes_(5 * DAY)
    rollout, begins = 3 * DAY + 2 * HOUR, 4 * DAY + HOUR
    scenario.sends(POD, lambda at: by_day(2 * MB, at), 0, rollout)
    scenario.sends(LATER, lambda at: by_day(2 * MB, at) + (30 * MB if at >= begins else 0), rollout)
    scenario.fired(0, begins)
    scenario.fires(begins + 10, volume("10m"))
    scenario.check()


def test_workloads_by_their_owner_where_it_is_known() -> None:
    """A runner's own name says nothing about its set; the name of a ReplicaSet may end in what looks random."""
    scenario = bytes_(5 * DAY)
    begins = 4 * DAY
    pods = {
        "odd-name-abc": ("ReplicaSet", "shop-5d7c9d8f6b", "shop"),
        "home-ops-x7k2p-runner-8fq4d": ("EphemeralRunner", "home-ops-x7k2p-runner-8fq4d", "home-ops"),
        "dump-29480580-qh7wz": ("Job", "dump-29480580", "dump"),
        "pg-main-1": ("Cluster", "pg-main", "pg-main"),
        "node-agent-x2b4c": ("DaemonSet", "node-agent", "node-agent"),
    }
    for pod, (kind, owner, _) in pods.items():
        scenario.sends(pod, lambda at: 30 * MB if at >= begins else 40 * KB)
        scenario.owned(pod, kind, owner)
    scenario.fires(begins + 10, *(volume("10m", workload) for _, _, workload in pods.values()))
    scenario.check()


def test_what_is_counted_once() -> None:
    """A second interface, a second scrape of the same kubelet, the node's own counters, a counter that starts again."""
    scenario = bytes_(5 * DAY)
    begins = 4 * DAY
    scenario.sends(POD, 300 * KB)
    scenario.sends(POD, 300 * KB, begins, job="second")
    scenario.sends("multus-5d7c9d8f6b-x2b4c", 40 * KB)
    scenario.sends("multus-5d7c9d8f6b-x2b4c", 90 * MB, begins, interface="net1")
    scenario.sends("host-x2b4c", lambda at: 90 * MB if at >= begins else 40 * KB)
    scenario.sample("kube_pod_info", {"namespace": "media", "pod": "host-x2b4c", "host_network": "true"}, 0, 6 * DAY, 1)
    labels = {"namespace": "media", "pod": "faulty-5d7c9d8f6b-x2b4c", "interface": "eth0", "id": "/kubepods/faulty"}
    counter = {begins: 0.0}
    scenario.sample(
        "container_network_transmit_bytes_total",
        labels,
        0,
        6 * DAY,
        lambda at: counter.get(at, 80 * GB + 40 * KB * 60 * at),
    )
    scenario.fired(0, 5 * DAY)
    scenario.check()


def test_a_scrape_gap_is_no_excess() -> None:
    scenario = bytes_(6 * DAY)
    scenario.sends(POD, lambda at: by_day(400 * KB, at))
    for day, hours in ((3, 1), (4, 8)):
        scenario.outage(day * DAY + 10 * HOUR, day * DAY + (10 + hours) * HOUR)
    scenario.fired(0, 6 * DAY)
    scenario.check()


def test_namespaces_of_storage_agents_are_left_out() -> None:
    scenario = bytes_(4 * DAY)
    scenario.sends("osd-0", lambda at: 90 * MB if at >= 3 * DAY + HOUR else 40 * KB, namespace="rook-ceph")
    scenario.fired(0, 4 * DAY)
    scenario.check()
