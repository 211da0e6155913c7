"""How much a workload sends, against its own past: real PromQL over counters of which every byte is known."""

import statistics
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from real_prometheus import BURST, DAY, DAYS, HOUR, MINUTE, Past, Written
from tocsin.destination import DestinationSettings
from tocsin.enrich.prometheus import Prometheus, PrometheusSettings
from tocsin.enrich.volume import VolumeLookups
from tocsin.findings import Findings, Gap, Inquiry, Lookups, Volume
from tocsin.model import Kind, Subject

pytestmark = pytest.mark.e2e

NO_DNS = Gap("Prometheus", "has no DNS series of this workload", ("new names",))


def about(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, rel=0.02)


def counters(written: Written) -> None:
    def sends(
        pod: str, rate: Callable[[float], float], born: float, *, interface: str = "eth0", namespace: str = "media"
    ) -> None:
        """`rate` are bytes per second by seconds before the end."""
        counted, before = 0.0, born

        def value(ago: float) -> float:
            nonlocal counted, before
            counted, before = counted + rate((before + ago) / 2) * (before - ago), ago
            return counted

        labels = {"namespace": namespace, "pod": pod, "interface": interface}
        written.add("container_network_transmit_bytes_total", labels, value, born)

    sends("steady-7f9c6d8b5-x2b4c", lambda _: 1_000, 8 * DAY)
    sends("burst-7f9c6d8b5-x2b4c", lambda ago: 50_000 if ago < 30 * MINUTE else 1_000, 8 * DAY)
    sends("twice-0", lambda _: 1_000, 8 * DAY)
    sends("twice-1", lambda _: 500, 8 * DAY)
    sends("twice-1", lambda _: 99_000, 8 * DAY, interface="net1")
    sends("twice-exporter-7f9c6d8b5-x2b4c", lambda _: 99_000, 8 * DAY)
    sends("twice-0", lambda _: 99_000, 8 * DAY, namespace="home")
    sends("young-7f9c6d8b5-x2b4c", lambda _: 1_000, 40 * MINUTE)
    sends("hours-7f9c6d8b5-x2b4c", lambda ago: 4_000 if ago < 30 * MINUTE else 1_000, 10 * HOUR)
    sends("silent-7f9c6d8b5-x2b4c", lambda ago: 1_000 if ago < 30 * MINUTE else 0, 8 * DAY)
    sends("half-days-0", lambda ago: 3_000 if ago // (12 * HOUR) % 2 else 1_000, 8 * DAY)
    labels = {"namespace": "media", "pod": "reset-0", "interface": "eth0"}
    for born, ended in ((8 * DAY, 20 * MINUTE), (19 * MINUTE, 0)):  # a pod of the same name after it

        def since_birth(ago: float, born: float = born) -> float:
            return 1_000 * (born - ago)

        written.add("container_network_transmit_bytes_total", labels, since_birth, born, ended)
    written.asked("burst-7f9c6d8b5-x2b4c", "api.known.example", 5 * DAY)
    for name in ("one.fresh.example", "two.fresh.example", "api.shared.example"):
        written.asked("burst-7f9c6d8b5-x2b4c", name, 20 * MINUTE)
    written.asked("elsewhere-0", "www.shared.example", 3 * DAY, namespace="home")
    written.asked("steady-7f9c6d8b5-x2b4c", "api.known.example", 5 * DAY)
    written.asked("uncounted-0", "api.fresh.example", 20 * MINUTE)


PAST = (counters,)


async def look(
    prometheus: Prometheus, at: datetime, workload: str | None, pods: tuple[str, ...] = (), namespace: str = "media"
) -> Findings:
    inquiry = Inquiry(Subject("", namespace, workload, pods), frozenset({Kind.VOLUME}), (), at, at)
    lookups = VolumeLookups(prometheus, DestinationSettings())
    assert lookups.applies(inquiry)
    return await lookups.look(inquiry)


async def volume(prometheus: Prometheus, at: datetime, workload: str | None, pods: tuple[str, ...] = ()) -> Volume:
    found = (await look(prometheus, at, workload, pods)).volume
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("workload", "rate", "avg_24h", "avg_7d", "since_ago", "sent"),
    [
        ("steady", 1_000, 1_000, 1_000, None, None),
        ("burst", 50_000, 1_000, 1_000, 30 * MINUTE, 50_000 * 30 * 60),
        ("twice", 1_500, 1_500, 1_500, None, None),
        ("young", 1_000, None, None, None, None),
        ("hours", 4_000, 1_000, 1_000, 30 * MINUTE, 4_000 * 30 * 60),
        ("silent", 1_000, 0, 0, 30 * MINUTE, 1_000 * 30 * 60),
        ("half-days", 1_000, 2_044, 2_006, None, None),
        ("reset", 1_000, 1_000, 1_000, None, None),
    ],
)
async def test_rates_averages_and_what_was_sent_since(
    prometheus: Prometheus,
    written: Written,
    workload: str,
    rate: float,
    avg_24h: float | None,
    avg_7d: float | None,
    since_ago: float | None,
    sent: float | None,
) -> None:
    found = await volume(prometheus, written.at, workload)
    assert (found.rate, found.avg_24h, found.avg_7d) == (about(rate), about(avg_24h), about(avg_7d))
    assert found.multiple == (about(rate / avg_24h) if avg_24h else None)
    assert found.since_at == (written.before(since_ago) if since_ago else None)
    assert found.sent == about(sent)


async def test_the_deviation_of_a_week(prometheus: Prometheus, written: Written) -> None:
    steady, half_days = [await volume(prometheus, written.at, workload) for workload in ("steady", "half-days")]
    assert steady.sigma_7d is not None and steady.sigma_7d < 1
    assert half_days.sigma_7d == pytest.approx(1_000, rel=0.03)


@pytest.mark.parametrize(
    ("workload", "true", "window"),
    [("steady", 8 * DAY, 7 * HOUR), ("hours", 10 * HOUR, HOUR), ("young", 40 * MINUTE, MINUTE)],
)
async def test_the_true_age_of_the_baseline(
    prometheus: Prometheus, written: Written, workload: str, true: float, window: float
) -> None:
    found = (await volume(prometheus, written.at, workload)).baseline_for
    assert found is not None
    assert true - window <= found.total_seconds() <= true


async def test_a_subject_known_by_its_pods_only(prometheus: Prometheus, written: Written) -> None:
    assert (await volume(prometheus, written.at, None, ("twice-1",))).rate == about(500)


async def test_another_interface_can_be_counted(story: tuple[Written, str]) -> None:
    written, url = story
    door = Prometheus(PrometheusSettings(url=url, interface="net1"))
    found = await volume(door, written.at, "twice")
    door.close()
    assert found.rate == about(99_000)


async def test_new_names_of_the_same_window_and_who_else_asks_for_them(
    prometheus: Prometheus, written: Written
) -> None:
    found = await look(prometheus, written.at, "burst")
    assert found.gaps == ()
    assert found.volume is not None
    assert found.volume.new_names == ("api.shared.example", "one.fresh.example", "two.fresh.example")
    assert found.lookups == {
        "fresh.example": Lookups("fresh.example", neighbours=("media/uncounted",)),
        "shared.example": Lookups("shared.example", neighbours=("home/elsewhere",)),
    }
    found = await look(prometheus, written.at, "steady")
    assert found.volume is not None
    assert (found.volume.new_names, found.lookups, found.gaps) == ((), {}, ())


async def test_without_series_of_hubble_new_names_are_not_known(prometheus: Prometheus, written: Written) -> None:
    found = await look(prometheus, written.at, "twice")
    assert found.volume is not None
    assert found.volume.new_names is None
    assert found.gaps == (NO_DNS,)


async def test_without_counters_no_figure_is_invented(prometheus: Prometheus, written: Written) -> None:
    found = await look(prometheus, written.at, "uncounted")
    assert found.volume == Volume(new_names=("api.fresh.example",))
    assert found.gaps == ()
    found = await look(prometheus, written.at, "invisible")
    assert (found.volume, found.gaps) == (Volume(), (NO_DNS,))


@pytest.mark.parametrize("text", ['me"dia', "media\\", ".*", '"} or up{a="', "\N{GRINNING FACE}", "a\nb"])
async def test_a_hostile_subject_finds_nothing_and_breaks_nothing(
    prometheus: Prometheus, written: Written, text: str
) -> None:
    for namespace, workload, pods in ((text, "steady", ()), ("media", text, ()), ("media", None, (text,))):
        found = await look(prometheus, written.at, workload, pods, namespace)
        assert (found.volume, found.gaps) == (Volume(), (NO_DNS,))


# -- the simulated cluster ------------------------------------------------------------------------------------------


def rates(past: Past, name: str, start_ago: float, end_ago: float) -> list[float]:
    """Bytes per second of a workload over ten minutes, at every full ten minutes."""
    (pod,) = past.cluster.pods_of("home", name)
    burst, seconds = (BURST.rate, BURST.seconds) if name == "node-red" else (0.0, 0.0)

    def rate_at(at: float) -> float:
        return pod.rate_at(at) + (burst if at > past.until - seconds else 0)

    first = -int(-(past.until - start_ago) // 600) * 600
    return [(rate_at(at) + rate_at(at - 300)) / 2 for at in range(int(first), int(past.until - end_ago) + 1, 600)]


async def test_a_workload_that_sends_far_more_than_ever(past: Past) -> None:
    door = Prometheus(PrometheusSettings(url=past.url, timeout=timedelta(seconds=30)))
    found = await look(door, past.at, "node-red", namespace="home")
    door.close()
    assert found.gaps == ()
    assert found.volume is not None
    (pod,) = past.cluster.pods_of("home", "node-red")
    now = pod.rate_at(past.until - 300) + BURST.rate
    day, week = rates(past, "node-red", DAY, HOUR), rates(past, "node-red", 7 * DAY, HOUR)
    assert found.volume.rate == about(now)
    assert found.volume.avg_24h == about(statistics.fmean(day))
    assert found.volume.multiple == about(now / statistics.fmean(day))
    # Another pod was rolled out half-way, with noise of its own.
    assert found.volume.avg_7d == pytest.approx(statistics.fmean(week), rel=0.04)
    assert found.volume.sigma_7d == pytest.approx(statistics.pstdev(week), rel=0.08)
    assert found.volume.since_at == past.at - timedelta(seconds=BURST.seconds)
    assert found.volume.sent == about(BURST.seconds * now)
    assert found.volume.new_names == ()
    assert found.volume.baseline_for is not None
    assert timedelta(days=DAYS, hours=-7) <= found.volume.baseline_for <= timedelta(days=DAYS)


async def test_a_workload_as_it_always_is(past: Past) -> None:
    door = Prometheus(PrometheusSettings(url=past.url, timeout=timedelta(seconds=30)))
    found = await look(door, past.at, "home-assistant", namespace="home")
    door.close()
    assert found.volume is not None
    week = rates(past, "home-assistant", 7 * DAY, HOUR)
    assert found.volume.avg_7d == about(statistics.fmean(week))
    assert found.volume.sigma_7d == pytest.approx(statistics.pstdev(week), rel=0.05)
    assert (found.volume.since_at, found.volume.sent, found.volume.new_names) == (None, None, ())
    assert found.volume.multiple is not None
    assert 0.5 < found.volume.multiple < 2
