"""Who else asks, what is new and how old the baseline is: real PromQL over a past in which every series is known."""

from datetime import timedelta

import pytest

from real_prometheus import DAY, DAYS, HOUR, MINUTE, Past, Written
from tocsin.destination import DestinationSettings
from tocsin.enrich import moments, promql
from tocsin.enrich.neighbours import neighbours
from tocsin.enrich.new_names import MAX_CANDIDATES, MAX_NAMES, UNSEEN, new_names
from tocsin.enrich.prometheus import DNS_QUERIES, SENT_BYTES, Prometheus, PrometheusSettings
from tocsin.errors import LookupFailed
from tocsin.model import Subject

pytestmark = pytest.mark.e2e

NAMING = DestinationSettings(lan_domains=("home.example.org",))
INSIDE = ".media.svc.cluster.local"
SUBJECT = Subject("", "media", "own", ("own-7f9c6d8b5-x2b4c",))
HOSTILE = ('w"o\\rk|load', "\N{GRINNING FACE}", "a\nb", "{{ x }}")


def others(written: Written) -> None:
    def ask(pod: str, name: str, ago: float = 30 * MINUTE, ended: float = 0, **more: str) -> None:
        written.asked(pod, name, ago, ended=ended, **{"namespace": "home", **more})

    ask("own-7f9c6d8b5-x2b4c", "api.shared.example", namespace="media")
    ask("own-7f9c6d8b5-mn4q8", "api.shared.example", namespace="media")
    ask("own-code-7f9c6d8b5-mn4q8", "api.shared.example", namespace="media")
    ask("own-7f9c6d8b5-x2b4c", "api.shared.example")  # the same name in another namespace
    ask("named-7f9c6d8b5-x2b4c", "www.shared.example", source_workload="named")
    ask("named-7f9c6d8b5-mn4q8", "shared.example", source_workload="named")
    ask("daemon-2xkzn", "API.Shared.EXAMPLE")
    ask("state-0", f"api.shared.example{INSIDE}")
    ask("recyclarr-29788325-vfgx7", "deep.er.shared.example")
    ask("bare", "api.shared.example")
    ask("gone-0", "api.shared.example", ago=5 * HOUR, ended=3 * HOUR)
    ask("before-0", "api.shared.example", ago=4 * DAY, ended=2 * DAY)  # others ask today, so this is not looked for
    ask("other-0", "api.notshared.example")
    ask("other-0", "shared.example.evil.example")
    ask("", "api.shared.example")
    ask("nowhere-0", "api.shared.example", namespace="")
    ask("before-0", "api.once.example", ago=4 * DAY, ended=2 * DAY)
    ask("long-ago-0", "api.once.example", ago=13 * DAY, ended=12 * DAY)
    ask("tenant-0", "one.github.io")
    ask("top-0", "github.io")
    ask("bucket-0", "b.s3.amazonaws.com")
    ask("sts-0", "sts.amazonaws.com")
    for number, workload in enumerate(HOSTILE):
        ask(f"hostile-{number}", "api.hostile.example", source_workload=workload)
    ask("x-0", "\\240\\159.\\@channel.hostile.example")
    ask("own-of-agent", "api.owned.example", namespace="media", source_workload="own")
    ask("here-0", "api.clustered.example", cluster="here")
    ask("there-0", "api.clustered.example", cluster="there")


def fresh(written: Written) -> None:
    def ask(name: str, *agos: float, pod: str = "new-7f9c6d8b5-x2b4c", ended: float = 0) -> None:
        written.asked(pod, name, *agos, ended=ended)

    ask("api.known.example", 3 * DAY, 30 * MINUTE)
    ask("api.quiet.example", 3 * DAY)
    ask("api.gone.example", 10 * DAY, pod="new-5d4f8c7b9b-mn4q8", ended=9 * DAY)
    ask("api.gone.example", 30 * MINUTE)
    ask("api.same-day.example", 3 * HOUR)
    ask("api.fresh.example", 30 * MINUTE)
    ask(f"api.fresh.example{INSIDE}", 30 * MINUTE)
    ask(f"api.known.example{INSIDE}", 30 * MINUTE)
    ask("API.Known.Example", 30 * MINUTE)
    ask("FRESH.mixed.EXAMPLE", 30 * MINUTE)
    ask("\\240\\159\\152\\128.odd.example", 30 * MINUTE)
    ask("<b>.odd.example", 3 * DAY, 30 * MINUTE)
    ask("nas.home.example.org", 30 * MINUTE)
    ask("db.media.svc.cluster.local", 30 * MINUTE)
    ask("printer", 30 * MINUTE)
    ask("www.of-another-workload.example", 30 * MINUTE, pod="new-exporter-7f9c6d8b5-x2b4c")
    for number in range(MAX_NAMES + 30):
        ask(f"n{number:02}.many.example", 30 * MINUTE, pod="many-0")
    for number in range(MAX_CANDIDATES + 30):
        ask(f"n{number:03}.known.example", 20 * HOUR, pod="crowd-0")
    ask("zz.fresh.example", 30 * MINUTE, pod="crowd-0")
    ask("api.quiet.example", 20 * HOUR, pod="quiet-0")
    ask("api.asleep.example", 20 * HOUR, pod="asleep-0", ended=5 * HOUR)
    ask("api.quiet.example", 5 * DAY, pod="left-0", ended=3 * DAY)


def births(written: Written) -> None:
    for pod, ago, ended in (
        ("minutes", 31 * MINUTE, 0),
        ("hours", 5 * HOUR + 600, 0),
        ("yesterday", 25 * HOUR, 0),
        ("days", 3 * DAY + 2 * HOUR, 0),
        ("always", 20 * DAY, 0),
        ("past", 3 * DAY, 2 * DAY),
    ):
        written.asked(pod, "api.example.com", ago, ended=ended, namespace="births")
    written.asked("two", "api.example.com", 31 * MINUTE, namespace="births")
    written.asked("two", "www.example.com", 3 * DAY, namespace="births")
    for days in range(8, 0, -1):
        ago = once_a_day(written, days)
        written.asked("daily", "api.example.com", ago, namespace="births", ended=ago - 600)


def once_a_day(written: Written, days: int) -> float:
    """At 3:00 UTC, when the look into one hour of every six sees nothing."""
    return written.until % DAY + days * DAY - 3 * HOUR


PAST = (
    others,
    fresh,
    births,
)


@pytest.mark.parametrize(
    ("domain", "who"),
    [
        (
            "shared.example",
            ("home/bare", "home/daemon", "home/gone", "home/named", "home/own", "home/recyclarr", "home/state")
            + ("media/own-code",),
        ),
        ("once.example", ("home/before", "home/long-ago")),
        ("owned.example", ()),
        ("nobody.example", ()),
        ("*.github.io", ("home/tenant", "home/top")),
        ("one.github.io", ("home/tenant",)),
        ("amazonaws.com", ("home/bucket", "home/sts")),
        ("b.s3.amazonaws.com", ("home/bucket",)),
        ("hostile.example", tuple(sorted(f"home/{workload}" for workload in (*HOSTILE, "x")))),
        ("clustered.example", ("home/here", "home/there")),
    ],
)
async def test_who_else_asks(prometheus: Prometheus, written: Written, domain: str, who: tuple[str, ...]) -> None:
    assert await neighbours(prometheus, SUBJECT, [domain], NAMING, written.at) == {domain: who}


async def test_several_domains_in_one_question(prometheus: Prometheus, written: Written) -> None:
    domains = ["once.example", "nobody.example", "b.s3.amazonaws.com", "amazonaws.com"]
    assert await neighbours(prometheus, SUBJECT, domains, NAMING, written.at) == {
        "once.example": ("home/before", "home/long-ago"),
        "nobody.example": (),
        "b.s3.amazonaws.com": ("home/bucket",),
        "amazonaws.com": ("home/sts",),
    }


async def test_no_domain_is_no_question() -> None:
    nobody = Prometheus(PrometheusSettings(url="http://127.0.0.1:1"))
    assert await neighbours(nobody, SUBJECT, [], NAMING, Written().at) == {}


async def test_a_subject_known_by_its_pod_only(prometheus: Prometheus, written: Written) -> None:
    pod = Subject("", "media", None, ("own-7f9c6d8b5-x2b4c",))
    found = await neighbours(prometheus, pod, ["shared.example"], NAMING, written.at)
    assert "media/own" in found["shared.example"]  # its other pod
    pod = Subject("", "home", None, ("daemon-2xkzn",))
    found = await neighbours(prometheus, pod, ["shared.example"], NAMING, written.at)
    assert "home/daemon" not in found["shared.example"]


async def test_only_the_configured_cluster_is_looked_at(story: tuple[Written, str]) -> None:
    written, url = story
    door = Prometheus(PrometheusSettings(url=url, extra_labels={"cluster": "here"}))
    found = await neighbours(door, SUBJECT, ["clustered.example", "shared.example"], NAMING, written.at)
    door.close()
    assert found == {"clustered.example": ("home/here",), "shared.example": ()}


async def test_only_the_look_back_is_looked_into(story: tuple[Written, str]) -> None:
    written, url = story
    door = Prometheus(PrometheusSettings(url=url, look_back=timedelta(days=5)))
    assert await neighbours(door, SUBJECT, ["once.example"], NAMING, written.at) == {"once.example": ("home/before",)}
    door.close()


# -- new names ------------------------------------------------------------------------------------------------------


async def test_names_first_asked_for_within_two_hours(prometheus: Prometheus, written: Written) -> None:
    assert await new_names(prometheus, "media", promql.pods_of("new"), NAMING, written.at) == (
        "\\xf0\\x9f\\x98\\x80.odd.example",
        "api.fresh.example",
        "fresh.mixed.example",
    )


async def test_a_name_of_an_older_past_than_is_looked_into_is_new(story: tuple[Written, str]) -> None:
    written, url = story
    door = Prometheus(PrometheusSettings(url=url, look_back=timedelta(days=5)))
    found = await new_names(door, "media", promql.pods_of("new"), NAMING, written.at)
    door.close()
    assert "api.gone.example" in found
    assert "api.known.example" not in found


async def test_not_more_new_names_than_a_message_can_show(prometheus: Prometheus, written: Written) -> None:
    found = await new_names(prometheus, "media", promql.pods_of("many"), NAMING, written.at)
    assert found == tuple(f"n{number:02}.many.example" for number in range(MAX_NAMES))


async def test_a_new_name_is_found_among_many_known_ones(prometheus: Prometheus, written: Written) -> None:
    assert await new_names(prometheus, "media", promql.pods_of("crowd"), NAMING, written.at) == ("zz.fresh.example",)


async def test_nothing_new_is_told_from_nothing_seen(prometheus: Prometheus, written: Written) -> None:
    for workload in ("quiet", "asleep"):
        assert await new_names(prometheus, "media", promql.pods_of(workload), NAMING, written.at) == ()
    for workload in ("invisible", "left"):
        with pytest.raises(LookupFailed, match=UNSEEN):
            await new_names(prometheus, "media", promql.pods_of(workload), NAMING, written.at)


# -- age of the baseline --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pod", "true", "window"),
    [
        ("minutes", 31 * MINUTE, MINUTE),
        ("hours", 5 * HOUR + 600, HOUR),
        ("yesterday", 25 * HOUR, 7 * HOUR),
        ("days", 3 * DAY + 2 * HOUR, 7 * HOUR),
        ("always", 14 * DAY, 6 * HOUR),
        ("past", 3 * DAY, 7 * HOUR),
        ("two", 3 * DAY, 7 * HOUR),
    ],
)
async def test_how_long_series_exist_at_least(
    prometheus: Prometheus, written: Written, pod: str, true: float, window: float
) -> None:
    series = prometheus.selector(DNS_QUERIES, source_namespace="births", source_pod=pod)
    found = await moments.age(prometheus, series, written.at)
    assert found is not None
    assert true - window <= found.total_seconds() <= true


async def test_series_that_come_and_go_are_found_as_well(prometheus: Prometheus, written: Written) -> None:
    series = prometheus.selector(DNS_QUERIES, source_namespace="births", source_pod="daily")
    found = await moments.age(prometheus, series, written.at)
    assert found is not None
    true = once_a_day(written, 8)
    assert true - DAY <= found.total_seconds() <= true


async def test_without_series_there_is_no_age(prometheus: Prometheus, written: Written) -> None:
    assert await moments.age(prometheus, prometheus.selector("nothing"), written.at) is None
    always = prometheus.selector(DNS_QUERIES, source_namespace="births", source_pod="always")
    assert await moments.age(prometheus, always, written.before(21 * DAY)) is None


async def test_the_age_of_the_simulated_cluster(past: Past) -> None:
    door = Prometheus(PrometheusSettings(url=past.url))
    for metric, more in ((DNS_QUERIES, {"source_namespace": "media"}), (SENT_BYTES, {"namespace": "home"})):
        found = await moments.age(door, door.selector(metric, **more), past.at)
        assert found is not None
        assert timedelta(days=DAYS, hours=-7) <= found <= timedelta(days=DAYS)
    (new,) = past.cluster.pods_of("media", "sonarr")
    found = await moments.age(door, door.selector(DNS_QUERIES, source_pod=new.name), past.at)
    door.close()
    assert found is not None
    assert timedelta(days=DAYS / 2, hours=-7) <= found <= timedelta(days=DAYS / 2)
