"""Who asked for a name, since when and how often: real PromQL over a past in which every lookup is known."""

import math
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from real_prometheus import DAY, DAYS, HOUR, MINUTE, Past, Written
from tocsin.destination import DestinationSettings, normalise
from tocsin.enrich.lookups import MAX_DOMAINS, DnsLookups
from tocsin.enrich.prometheus import Prometheus, PrometheusSettings
from tocsin.findings import Findings, Gap, Inquiry, Lookups
from tocsin.model import Kind, Subject

pytestmark = pytest.mark.e2e

NAMING = DestinationSettings(search_suffixes=("corp.example.net",))
UNSEEN = "has no DNS series of this workload"
INSIDE = ".media.svc.cluster.local"
AGOS = (0, 3 * MINUTE, 45 * MINUTE, 110 * MINUTE, 5 * HOUR + 600, 25 * HOUR, 31 * HOUR, 6 * DAY + 7 * HOUR)
HOSTILE = (
    "\\240\\159\\152\\128.emoji.example",
    "<img\\ src=x\\ onerror=alert\\(1\\)>.markup.example",
    'quo\\"te.quoted.example',
    "back\\\\slash.slashed.example",
    "a|.*|(b)+$^[c]{2}?.pattern.example",
    '"} or vector(1) or up{x="y.injected.example',
    "{{ $value }}.template.example",
    "\N{GRINNING FACE}.raw-emoji.example",
    "tab\\009new\\010line.control.example",
)


def seen(written: Written | Past, ago: float) -> datetime:
    """When a lookup of `ago` seconds before the end is said to have been: the end of its window."""
    window = MINUTE if ago <= 2 * HOUR else HOUR if ago <= 26 * HOUR else DAY
    return datetime.fromtimestamp(math.ceil((written.until - ago) / window) * window, UTC)


def counting(written: Written) -> None:
    def ask(name: str, *agos: float, **more: str | int | float) -> None:
        written.asked("counts-0", name, *agos, **more)  # type: ignore[arg-type]

    ask("api.flat.example", 5 * HOUR)
    ask("api.several.example", 2 * HOUR, 50 * MINUTE, 40 * MINUTE, 10 * MINUTE, times=3)
    ask("api.born.example", 40 * MINUTE, times=7)
    ask("api.deleted.example", 40 * MINUTE, 35 * MINUTE, ended=30 * MINUTE)
    ask("api.families.example", 5 * HOUR, 30 * MINUTE)
    ask("api.families.example", 20 * MINUTE, qtypes="AAAA")
    ask("api.agents.example", 30 * MINUTE, instance="10.0.0.11:9965")
    ask("api.agents.example", 20 * MINUTE, 10 * MINUTE, instance="10.0.0.12:9965")
    ask("api.suffixed.example", 30 * MINUTE, times=2)
    ask(f"api.suffixed.example{INSIDE}", 30 * MINUTE, times=5)
    ask("api.suffixed.example.svc.cluster.local", 30 * MINUTE, times=5)
    ask("api.suffixed.example.corp.example.net", 30 * MINUTE, times=5)
    ask(f"api.only-suffixed.example{INSIDE}", 30 * MINUTE, times=5)
    ask("aPi.MiXeD.eXample", 30 * MINUTE)
    ask("ApI.mIxEd.ExAmPlE", 20 * MINUTE)
    ask("api.mixed.example", 10 * MINUTE)
    ask("api.denied.example", 30 * MINUTE, times=2, rcode="Policy denied")
    ask("api.half-denied.example", 30 * MINUTE, times=2, rcode="Policy denied")
    ask("api.half-denied.example", 30 * MINUTE)
    ask("api.suffix-denied.example", 30 * MINUTE)
    ask(f"api.suffix-denied.example{INSIDE}", 30 * MINUTE, times=9, rcode="Policy denied")
    ask("api.denied-long-ago.example", 5 * HOUR, rcode="Policy denied")
    labels = {"source_namespace": "media", "source_pod": "counts-0", "query": "api.reset.example."}
    after = {40: 1.0, 30: 2.0, 20: 5.0}
    written.add(
        "hubble_dns_queries_total",
        labels,
        lambda now: next((value for ago, value in sorted(after.items()) if now <= ago * MINUTE), 100.0),
        5 * HOUR,
    )
    for born, ended in ((8 * HOUR, 6 * HOUR), (3 * HOUR, 0)):  # nothing was scraped in between
        written.add("hubble_dns_queries_total", {**labels, "query": "api.outage.example."}, lambda _: 7, born, ended)


def rollouts(written: Written) -> None:
    old, new = ("roll-7f9c6d8b5-x2b4c", "roll-5d4f8c7b9b-mn4q8")
    written.asked(old, "api.rollout.example", 5 * DAY, 3 * DAY, ended=2 * DAY)
    written.asked(new, "api.rollout.example", 20 * MINUTE)
    for name, ago in (("together", 29), ("just-before", 31)):
        written.asked(new, f"api.{name}.example", 20 * MINUTE)
        written.asked(old, f"api.{name}.example", ago * MINUTE)
    written.asked(old, "one.covered.example", 5 * HOUR)
    written.asked(new, "one.covered.example", 20 * MINUTE)
    written.asked(new, "two.covered.example", 20 * MINUTE)
    written.asked(new, "api.longer-known.example", 3 * DAY, 20 * MINUTE)
    written.asked(old, "api.longer-known.example", 5 * HOUR)
    written.asked(old, "api.held.example", 40 * MINUTE)
    written.asked(old, "api.past.example", 2 * HOUR)
    written.asked("roll-exporter-7f9c6d8b5-x2b4c", "api.together.example", 3 * DAY)
    written.asked(old, "api.elsewhere.example", 3 * DAY, namespace="home")
    written.asked(new, "api.elsewhere.example", 20 * MINUTE)


def wide(written: Written) -> None:
    for number in range(25):
        written.asked("wide-0", f"n{number:02}.many.example", 30 * MINUTE, times=2)
        written.asked("wide-0", f"n{number:02}.many.example{INSIDE}", 30 * MINUTE, times=9)
    written.asked("wide-1", "n00.many.example", 3 * DAY, ended=2 * DAY)
    written.asked("wide-0", "many.example.evil.example", 30 * MINUTE)
    written.asked("wide-0", "toomany.example", 30 * MINUTE)
    for tenant in ("one", "two"):
        written.asked("wide-0", f"{tenant}.github.io", 30 * MINUTE)
    written.asked("wide-0", "data.bucket.s3.amazonaws.com", 30 * MINUTE, times=4)
    written.asked("wide-0", "sts.amazonaws.com", 10 * MINUTE)


def everything(written: Written) -> None:
    for number, ago in enumerate(AGOS):
        written.asked("once-0", f"api.once-{number}.example", ago)
    written.asked("moves-0", "api.moves.example", 8 * DAY, 4 * HOUR, 10 * MINUTE)
    written.asked("moves-1", "www.moves.example", 3 * DAY)
    counting(written)
    rollouts(written)
    wide(written)
    for name in HOSTILE:
        written.asked("hostile-0", name, 30 * MINUTE, times=3, source_workload="hostile")
        written.asked("hostile-0", f"{name}{INSIDE}", 30 * MINUTE, times=3, source_workload="hostile")
    written.asked("hostile-0", "b.example", 30 * MINUTE, times=1000)
    long = "w" * 52
    written.asked(f"{long}-bcdfg2xkzn", "api.long.example", 30 * MINUTE)


PAST = (everything,)


async def ask(
    prometheus: Prometheus,
    at: datetime,
    workload: str | None,
    names: Sequence[str],
    *,
    pods: tuple[str, ...] = (),
    namespace: str = "media",
    started_ago: float = 5 * MINUTE,
) -> Findings:
    subject = Subject("", namespace, workload, pods)
    destinations = tuple(normalise(name, NAMING) for name in names)
    inquiry = Inquiry(subject, frozenset({Kind.NOVEL}), destinations, at - timedelta(seconds=started_ago), at)
    lookups = DnsLookups(prometheus, NAMING)
    assert lookups.applies(inquiry)
    return await lookups.look(inquiry)


async def ask_one(prometheus: Prometheus, at: datetime, workload: str | None, *names: str, **more: object) -> Lookups:
    found = await ask(prometheus, at, workload, names, **more)  # type: ignore[arg-type]
    assert found.gaps == ()
    (lookups,) = found.lookups.values()
    return lookups


@pytest.mark.parametrize("number", range(len(AGOS)))
async def test_one_lookup_is_dated_to_the_end_of_its_window(
    prometheus: Prometheus, written: Written, number: int
) -> None:
    ago, name = AGOS[number], f"api.once-{number}.example"
    found = await ask_one(prometheus, written.at, "once", name)
    assert found.domain == name.removeprefix("api.")
    assert found.first_asked_at == found.last_asked_at == seen(written, ago)
    recent = ago < HOUR
    assert (found.lookups, found.pods, found.names) == (int(recent), ("once-0",) if recent else (), (name,))
    assert not found.denied


async def test_the_first_and_the_last_of_several(prometheus: Prometheus, written: Written) -> None:
    found = await ask_one(prometheus, written.at, "moves", "api.moves.example", "www.moves.example")
    assert found.first_asked_at == seen(written, 8 * DAY)
    assert found.last_asked_at == written.before(10 * MINUTE)
    assert (found.names, found.pods) == (("api.moves.example",), ("moves-0",))
    found = await ask_one(prometheus, written.before(30 * MINUTE), "moves", "api.moves.example")
    assert found.last_asked_at == seen(written, 4 * HOUR)


async def test_only_the_look_back_is_looked_into(story: tuple[Written, str]) -> None:
    written, url = story
    door = Prometheus(PrometheusSettings(url=url, look_back=timedelta(days=2)))
    try:
        found = await ask_one(door, written.at, "moves", "api.moves.example", "www.moves.example")
    finally:
        door.close()
    assert found.first_asked_at == seen(written, 4 * HOUR)


@pytest.mark.parametrize(
    ("name", "lookups", "denied"),
    [
        ("api.flat.example", 0, False),
        ("api.several.example", 9, False),
        ("api.born.example", 7, False),
        ("api.deleted.example", 2, False),
        ("api.families.example", 2, False),
        ("api.agents.example", 3, False),
        ("api.suffixed.example", 2, False),
        ("api.only-suffixed.example", 5, False),
        ("Api.Mixed.example", 3, False),
        ("api.mixed.example", 1, False),
        ("api.denied.example", 2, True),
        ("api.half-denied.example", 3, False),
        ("api.suffix-denied.example", 1, False),
        ("api.denied-long-ago.example", 0, False),
        ("api.reset.example", 5, False),
        ("api.outage.example", 0, False),
    ],
)
async def test_lookups_of_the_last_hour(
    prometheus: Prometheus, written: Written, name: str, lookups: int, denied: bool
) -> None:
    found = await ask_one(prometheus, written.at, "counts", name)
    assert (found.lookups, found.denied) == (lookups, denied)
    assert found.pods == (("counts-0",) if lookups else ())


async def test_several_domains_are_told_apart(prometheus: Prometheus, written: Written) -> None:
    names = ["api.several.example", "api.born.example", "api.deleted.example", "api.never.example"]
    found = await ask(prometheus, written.at, "counts", names)
    assert {domain: lookups.lookups for domain, lookups in found.lookups.items()} == {
        "several.example": 9,
        "born.example": 7,
        "deleted.example": 2,
        "never.example": 0,
    }
    never = found.lookups["never.example"]
    assert (never.first_asked_at, never.last_asked_at, never.names, never.pods) == (None, None, (), ())
    assert found.gaps == ()


async def test_an_outage_of_prometheus_is_no_lookup(prometheus: Prometheus, written: Written) -> None:
    found = await ask_one(prometheus, written.at, "counts", "api.outage.example")
    assert found.first_asked_at == found.last_asked_at == seen(written, 8 * HOUR)


OLD, NEW = "roll-7f9c6d8b5-x2b4c", "roll-5d4f8c7b9b-mn4q8"


@pytest.mark.parametrize(
    ("names", "pods", "earlier"),
    [
        (("api.rollout.example",), (NEW,), (OLD,)),
        (("api.rollout.example",), (OLD, NEW), ()),
        (("api.together.example",), (NEW,), ()),  # replicas start together
        (("api.just-before.example",), (NEW,), (OLD,)),
        (("one.covered.example",), (NEW,), (OLD,)),
        (("one.covered.example", "two.covered.example"), (NEW,), ()),
        (("one.covered.example", "never.covered.example"), (NEW,), ()),
        (("api.longer-known.example",), (NEW,), ()),  # it asked first
        (("api.held.example",), (), ()),  # may be what the alert is about
        (("api.past.example",), (), (OLD,)),
        (("api.elsewhere.example",), (NEW,), ()),
    ],
)
async def test_other_pods_that_asked_before(
    prometheus: Prometheus, written: Written, names: tuple[str, ...], pods: tuple[str, ...], earlier: tuple[str, ...]
) -> None:
    found = await ask_one(prometheus, written.at, "roll", *names, pods=pods)
    assert found.earlier_pods == earlier
    assert (found.earlier_at is None) == (not earlier)


async def test_when_an_earlier_pod_asked_last(prometheus: Prometheus, written: Written) -> None:
    found = await ask_one(prometheus, written.at, "roll", "api.rollout.example", pods=(NEW,))
    assert found.earlier_at == seen(written, 3 * DAY)
    assert found.first_asked_at == seen(written, 5 * DAY)
    assert found.pods == (NEW,)


async def test_a_subject_known_by_its_pods_only(prometheus: Prometheus, written: Written) -> None:
    found = await ask_one(prometheus, written.at, None, "api.rollout.example", pods=(NEW,))
    assert (found.lookups, found.earlier_pods) == (1, ())
    assert found.first_asked_at == written.before(20 * MINUTE)


async def test_a_workload_with_a_name_so_long_that_its_pods_are_cut(prometheus: Prometheus, written: Written) -> None:
    found = await ask_one(prometheus, written.at, "w" * 52, "api.long.example")
    assert found.pods == (f"{'w' * 52}-bcdfg2xkzn",)


async def test_an_alert_about_many_names_of_one_domain(prometheus: Prometheus, written: Written) -> None:
    found = await ask_one(prometheus, written.at, "wide", "*.many.example", pods=("wide-0",))
    assert found.domain == "many.example"
    assert found.lookups == 50
    assert found.names == tuple(f"n{number:02}.many.example" for number in range(20))
    assert found.pods == ("wide-0",)
    assert found.first_asked_at == seen(written, 3 * DAY)
    assert found.earlier_pods == ()  # one of the names is not enough


async def test_a_name_beside_its_own_wildcard_counts_once(prometheus: Prometheus, written: Written) -> None:
    names = ("n00.many.example", "*.many.example", "n00.many.example.media.svc.cluster.local")
    found = await ask_one(prometheus, written.at, "wide", *names)
    assert (found.domain, found.lookups) == ("many.example", 50)


@pytest.mark.parametrize(
    ("name", "domain", "names", "lookups"),
    [
        ("*.github.io", "*.github.io", ("one.github.io", "two.github.io"), 2),
        ("*.amazonaws.com", "amazonaws.com", ("data.bucket.s3.amazonaws.com", "sts.amazonaws.com"), 5),
        ("*.s3.amazonaws.com", "*.s3.amazonaws.com", ("data.bucket.s3.amazonaws.com",), 4),
    ],
)
async def test_many_names_below_a_public_suffix(
    prometheus: Prometheus, written: Written, name: str, domain: str, names: tuple[str, ...], lookups: int
) -> None:
    found = await ask_one(prometheus, written.at, "wide", name)
    assert (found.domain, found.names, found.lookups) == (domain, names, lookups)


async def test_a_tenant_beside_all_tenants_has_lookups_of_its_own(prometheus: Prometheus, written: Written) -> None:
    found = await ask(prometheus, written.at, "wide", ["one.github.io", "*.github.io"])
    assert found.lookups["one.github.io"].lookups == 1
    assert found.lookups["*.github.io"].lookups == 2


async def test_of_two_wildcards_the_nearer_takes_a_name(prometheus: Prometheus, written: Written) -> None:
    for names in (["*.amazonaws.com", "*.s3.amazonaws.com"], ["*.s3.amazonaws.com", "*.amazonaws.com"]):
        found = await ask(prometheus, written.at, "wide", names)
        assert found.lookups["amazonaws.com"].names == ("sts.amazonaws.com",)
        assert found.lookups["*.s3.amazonaws.com"].names == ("data.bucket.s3.amazonaws.com",)


async def test_an_alert_about_more_than_can_be_named(prometheus: Prometheus, written: Written) -> None:
    found = await ask(prometheus, written.at, "moves", ["*", "api.moves.example"])
    assert set(found.lookups) == {"*", "moves.example"}
    assert found.lookups["*"] == Lookups("*")
    assert found.lookups["moves.example"].lookups == 1
    found = await ask(prometheus, written.at, "roll", ["*"])
    recent = ("api.elsewhere", "api.held", "api.just-before", "api.together", "two.covered")
    assert found.lookups == {"*": Lookups("*", names=tuple(f"{name}.example" for name in recent))}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_name_is_found_as_it_is(prometheus: Prometheus, written: Written, name: str) -> None:
    found = await ask_one(prometheus, written.at, "hostile", name)
    assert found.lookups == 3
    assert found.names == (normalise(name, NAMING).name,)
    assert found.neighbours == ()
    found = await ask_one(prometheus, written.at, "hostile", f"*.{normalise(name, NAMING).domain}")
    assert found.lookups == 3


async def test_all_hostile_names_at_once(prometheus: Prometheus, written: Written) -> None:
    found = await ask(prometheus, written.at, "hostile", HOSTILE)
    assert found.gaps == ()
    assert [lookups.lookups for lookups in found.lookups.values()] == [3] * len(HOSTILE)


@pytest.mark.parametrize("text", ['me"dia', "media\\", ".*", "media|home", '"} or up{a="', "\N{GRINNING FACE}", "a\nb"])
async def test_a_hostile_subject_finds_nothing_and_breaks_nothing(
    prometheus: Prometheus, written: Written, text: str
) -> None:
    for more in ({"namespace": text}, {"workload": text, "pods": ()}, {"workload": None, "pods": (text,)}):
        asked = {"workload": "hostile", **more}
        found = await ask(prometheus, written.at, asked.pop("workload"), ["api.nobody.example"], **asked)  # type: ignore[arg-type]
        assert {gap.reason for gap in found.gaps} == {UNSEEN}


async def test_a_workload_without_series_is_a_gap_and_not_silence(prometheus: Prometheus, written: Written) -> None:
    found = await ask(prometheus, written.at, "invisible", ["api.nobody.example", "api.moves.example"])
    assert found.lookups == {
        "nobody.example": Lookups("nobody.example", neighbours=()),
        "moves.example": Lookups("moves.example", neighbours=("media/moves",)),
    }
    assert found.gaps == (Gap("Prometheus", UNSEEN, ("first and last asked", "earlier pods")),)


async def test_without_any_series_of_hubble_nobody_is_said_not_to_ask(story: tuple[Written, str]) -> None:
    written, url = story
    door = Prometheus(PrometheusSettings(url=url, extra_labels={"cluster": "elsewhere"}))
    try:
        found = await ask(door, written.at, "moves", ["api.moves.example", "*"])
    finally:
        door.close()
    assert found.lookups == {"moves.example": Lookups("moves.example")}
    told = {(gap.reason, name) for gap in found.gaps for name in gap.missing}
    wanted = ("first and last asked", "earlier pods", "neighbours", "names")
    assert told == {(UNSEEN, name) for name in wanted}


async def test_a_storm_of_long_names_is_asked_for_as_far_as_it_fits(prometheus: Prometheus, written: Written) -> None:
    drawn = random.Random(1)
    tunnel = [
        ".".join("".join(drawn.choices("0123456789abcdef", k=60)) for _ in range(3)) + ".evil.example"
        for _ in range(300)
    ]
    found = await ask(prometheus, written.at, "moves", [*tunnel, "api.moves.example"])
    assert found.lookups["moves.example"].lookups == 1
    assert found.lookups["evil.example"].lookups == 0
    (gap,) = found.gaps
    assert gap.reason.startswith("only ") and gap.reason.endswith(" of 301 names were looked up")


async def test_a_storm_of_the_worst_names_is_still_a_question_prometheus_reads(
    prometheus: Prometheus, written: Written
) -> None:
    worst = [f"{number}" + "\\255" * 200 + ".evil.example" for number in range(100)]
    found = await ask(prometheus, written.at, "moves", ["api.moves.example", *worst], namespace="media")
    assert found.lookups["moves.example"].lookups == 1
    assert [gap.reason.split()[0] for gap in found.gaps] == ["only"]


async def test_a_name_too_long_to_ask_for_is_not_said_to_be_unknown(prometheus: Prometheus, written: Written) -> None:
    found = await ask(prometheus, written.at, "moves", ["x" * 6000 + ".huge.example"])
    (lookups,) = found.lookups.values()
    assert (lookups.lookups, lookups.first_asked_at) == (None, None)
    assert [gap.reason for gap in found.gaps] == ["only 0 of 1 names were looked up"]


async def test_more_domains_than_are_looked_up_are_a_gap(prometheus: Prometheus, written: Written) -> None:
    names = [f"api.d{number}.example" for number in range(MAX_DOMAINS + 5)]
    found = await ask(prometheus, written.at, "moves", names)
    assert len(found.lookups) == MAX_DOMAINS
    assert [gap.reason for gap in found.gaps] == [f"only {MAX_DOMAINS} of {MAX_DOMAINS + 5} domains were looked up"]


# -- the simulated cluster ------------------------------------------------------------------------------------------


def lookups_in_the_cluster(past: Past, every: float) -> int:
    """Of one pod and name within the last hour, up to the last sample: a lookup asks for two address families."""
    last = past.until - 300
    return 2 * (int(last / every) - int((past.until - HOUR) / every))


@pytest.fixture
async def cluster(past: Past) -> AsyncIterator[Prometheus]:
    door = Prometheus(PrometheusSettings(url=past.url, timeout=timedelta(seconds=30)))
    yield door
    door.close()


async def test_a_deployment_that_was_rolled_out_half_way(cluster: Prometheus, past: Past) -> None:
    new = past.rolled_out
    found = await ask_one(cluster, past.at, "sonarr", "api.thetvdb.com", pods=(new.name,))
    (old,) = found.earlier_pods
    assert old.startswith("sonarr-") and old != new.name
    assert found.pods == (new.name,)
    assert found.lookups == lookups_in_the_cluster(past, 600)
    assert found.first_asked_at == seen(past, 9 * DAY)
    assert found.earlier_at == seen(past, 4.5 * DAY + 300)
    assert found.last_asked_at == datetime.fromtimestamp((past.until - 300) // 600 * 600, UTC)


async def test_a_cron_job_whose_runs_are_pods_of_their_own(cluster: Prometheus, past: Past) -> None:
    found = await ask_one(cluster, past.at, "recyclarr", "api.github.com", started_ago=5 * MINUTE)
    runs = range(int(DAY * DAYS // HOUR))  # every full hour; the last began half an hour before the end
    before = past.at - timedelta(minutes=55)
    earlier = [run for run in runs if seen(past, HOUR / 2 + run * HOUR - 30) <= before]
    assert len(earlier) == len(runs) - 1
    assert len(found.earlier_pods) == len(earlier)
    assert (len(found.pods), found.lookups) == (1, 2)
    assert not set(found.pods) & set(found.earlier_pods)
    assert found.neighbours == ("home/esphome",)


async def test_nobody_in_the_cluster_asked_for_a_new_name(cluster: Prometheus, past: Past) -> None:
    found = await ask_one(cluster, past.at, "recyclarr", "files.paste-drop.example")
    assert (found.lookups, found.first_asked_at, found.neighbours, found.earlier_pods) == (0, None, (), ())
    assert found.watched_for is not None
    assert timedelta(days=DAYS - 0.5) < found.watched_for <= timedelta(days=DAYS)
