"""Where one question to Prometheus fails or is late, the other answers stay and the gap says what is missing."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from scripted import ScriptedServer, Seen
from tocsin.destination import DestinationSettings, normalise
from tocsin.enrich.enricher import Enricher, gather
from tocsin.enrich.lookups import DnsLookups
from tocsin.enrich.pods import PodAges, PodOwners
from tocsin.enrich.prometheus import Prometheus, PrometheusSettings
from tocsin.enrich.volume import VolumeLookups
from tocsin.errors import LookupFailed
from tocsin.findings import Findings, Gap, Inquiry, Lookups, PodFacts, Volume
from tocsin.model import Kind, Subject

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
DAY = timedelta(days=1)
POD = "own-7f9c6d8b5-x2b4c"
ANSWERS: dict[str, list[tuple[dict[str, str], float]]] = {
    "own": [
        ({"source_pod": POD, "query": "api.example.com.", "rcode": "", "fact": "lookups"}, 3),
        ({"source_pod": POD, "query": "api.example.com.", "fact": "now"}, NOW.timestamp()),
    ],
    "others": [({"source_namespace": "home", "source_workload": "other", "domain": "example.com"}, 1)],
    "age": [({"scale": "0"}, (NOW - 5 * DAY).timestamp())],
    "new names": [({"query": "api.fresh.example.", "fact": "new"}, 1), ({"fact": "any"}, 1)],
    "known names": [],
    "averages": [
        ({"fact": name}, value) for name, value in (("now", 900), ("avg_24h", 100), ("avg_7d", 100), ("sigma_7d", 1))
    ],
    "increase": [({}, 12_345)],
    "pods": [({"pod": POD}, (NOW - DAY).timestamp())],
    "owners": [],
}


def asked_for(path: str, query: str) -> str:
    """Which of the questions it is."""
    marks = {
        '"lookups"': "own", '"domain"': "others", '"scale"': "age", "topk(": "new names", "avg_24h": "averages",
        "increase": "increase", "kube_pod_created": "pods", "kube_pod_owner": "owners", "hubble": "known names",
    }  # fmt: skip
    return "range" if path.endswith("query_range") else next(name for mark, name in marks.items() if mark in query)


class FakePrometheus(ScriptedServer):
    """Knows one answer to every question; some fail, and some hang from the time on that `hanging` says."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = dict(ANSWERS)
        self.failing: set[str] = set()
        self.hanging: dict[str, int] = {}
        self.asked: list[str] = []

    async def answer(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        name = asked_for(seen.path, parse_qs(seen.body.decode())["query"][0])
        self.asked.append(name)
        if self.asked.count(name) >= self.hanging.get(name, 1_000):
            await self._released.wait()
        if name in self.failing:
            return web.json_response({"status": "error", "error": f"no {name}"}, status=503)
        result: list[Any] = [
            {"metric": labels, "value": [NOW.timestamp(), str(value)]} for labels, value in self.answers.get(name, ())
        ]
        if name == "range":
            start = (NOW - timedelta(hours=1)).timestamp()
            result = [{"metric": {}, "values": [[start + 300 * n, "900" if n > 6 else "100"] for n in range(13)]}]
        return web.json_response({"status": "success", "data": {"result": result}})


@pytest.fixture
async def server() -> AsyncIterator[FakePrometheus]:
    async with FakePrometheus() as server:
        yield server


@pytest.fixture
async def prometheus(server: FakePrometheus) -> AsyncIterator[Prometheus]:
    door = Prometheus(PrometheusSettings(url=server.url, timeout=timedelta(seconds=10), threads=8))
    yield door
    door.close()


def inquiry(kind: Kind, *names: str) -> Inquiry:
    destinations = tuple(normalise(name, DestinationSettings()) for name in names)
    return Inquiry(Subject("", "media", "own", (POD,)), frozenset({kind}), destinations, NOW, NOW)


NOVEL = inquiry(Kind.NOVEL, "api.example.com")
FULL = Lookups(
    "example.com",
    names=("api.example.com",),
    pods=(POD,),
    first_asked_at=NOW,
    last_asked_at=NOW,
    lookups=3,
    neighbours=("home/other",),
    watched_for=5 * DAY,
)


async def test_everything_about_a_name(server: FakePrometheus, prometheus: Prometheus) -> None:
    assert await DnsLookups(prometheus).look(NOVEL) == Findings(lookups={"example.com": FULL})
    assert sorted(server.asked) == ["age", "others", "own"]


@pytest.mark.parametrize(
    ("failing", "left", "missing"),
    [
        (
            {"own"},
            Lookups("example.com", neighbours=("home/other",)),
            [("own", ("first and last asked", "earlier pods"))],
        ),
        ({"others"}, "neighbours", [("others", ("neighbours",))]),
        ({"age"}, "watched_for", [("age", ("age of the baseline",))]),
        (
            {"own", "others", "age"},
            Lookups("example.com"),
            [
                ("own", ("first and last asked", "earlier pods")),
                ("others", ("neighbours",)),
                ("age", ("age of the baseline",)),
            ],
        ),
    ],
)
async def test_one_question_about_a_name_fails(
    server: FakePrometheus, prometheus: Prometheus, failing: set[str], left: Any, missing: list[Any]
) -> None:
    server.failing = failing
    found = await DnsLookups(prometheus).look(NOVEL)
    assert found.gaps == tuple(Gap("Prometheus", f"HTTP 503: no {name}", what) for name, what in missing)
    if isinstance(left, str):
        left = replace(FULL, **{left: None})
    assert found.lookups == {"example.com": left}


async def test_an_alert_about_more_than_can_be_named(server: FakePrometheus, prometheus: Prometheus) -> None:
    found = await DnsLookups(prometheus).look(inquiry(Kind.NOVEL, "*"))
    assert found.lookups == {"*": Lookups("*", names=("api.fresh.example",))}
    assert "others" not in server.asked
    server.failing = {"known names"}
    found = await DnsLookups(prometheus).look(inquiry(Kind.NOVEL, "*"))
    assert (found.lookups, found.gaps) == ({}, (Gap("Prometheus", "HTTP 503: no known names", ("names",)),))


VOLUME = inquiry(Kind.VOLUME)
MEASURED = Volume(
    rate=900,
    avg_24h=100,
    avg_7d=100,
    sigma_7d=1,
    multiple=9,
    sent=12_345,
    since_at=NOW - timedelta(minutes=30),
    new_names=("api.fresh.example",),
    baseline_for=5 * DAY,
)


@pytest.mark.parametrize(
    ("failing", "lost", "missing"),
    [
        (None, (), None),
        ("averages", ("rate", "avg_24h", "avg_7d", "sigma_7d", "multiple", "since_at", "sent"), "rate and averages"),
        ("range", ("since_at", "sent"), "when it began"),
        ("increase", ("sent",), "bytes since it began"),
        ("age", ("baseline_for",), "age of the baseline"),
        ("new names", ("new_names",), "new names"),
        ("known names", ("new_names",), "new names"),
        ("others", (), "neighbours of the new names"),
    ],
)
async def test_one_question_about_a_volume_fails(
    server: FakePrometheus, prometheus: Prometheus, failing: str | None, lost: tuple[str, ...], missing: str | None
) -> None:
    server.failing = {failing} if failing else set()
    found = await VolumeLookups(prometheus).look(VOLUME)
    kept = {name: getattr(MEASURED, name) for name in MEASURED.__slots__ if name not in lost}
    assert found.volume == Volume(**kept)
    assert found.gaps == ((Gap("Prometheus", f"HTTP 503: no {failing}", (missing,)),) if missing else ())
    nobody = {"fresh.example": Lookups("fresh.example", neighbours=())}
    assert found.lookups == (nobody if "new_names" not in lost and failing != "others" else {})


async def test_pods_and_owners_fail_as_a_whole(server: FakePrometheus, prometheus: Prometheus) -> None:
    assert (await PodAges(prometheus).look(NOVEL)).pods == PodFacts({POD: NOW - DAY})
    server.failing = {"pods", "owners"}
    with pytest.raises(LookupFailed, match="no pods"):
        await PodAges(prometheus).look(NOVEL)
    with pytest.raises(LookupFailed, match="no owners"):
        await PodOwners(prometheus).owners([("media", POD)])


async def test_questions_that_hang_do_not_take_the_answers_to_the_others_along(
    server: FakePrometheus, prometheus: Prometheus
) -> None:
    server.hanging = {"others": 1, "known names": 1}
    lookups: list[Enricher] = [DnsLookups(prometheus), VolumeLookups(prometheus), PodAges(prometheus)]
    asked = Inquiry(NOVEL.subject, frozenset({Kind.NOVEL, Kind.VOLUME}), NOVEL.destinations, NOW, NOW)
    found = await gather(lookups, asked, timedelta(seconds=2))
    assert found.lookups == {"example.com": replace(FULL, neighbours=None)}
    assert found.volume is not None
    assert (found.volume.rate, found.volume.since_at) == (900, NOW - timedelta(minutes=30))
    assert (found.volume.sent, found.volume.new_names) == (12_345, None)
    assert found.pods == PodFacts({POD: NOW - DAY})
    missing = ("neighbours", "new names")
    assert found.gaps == (Gap("Prometheus", "timed out after 2 s", missing),)


async def test_a_second_look_that_hangs_leaves_what_the_first_questions_found(
    server: FakePrometheus, prometheus: Prometheus
) -> None:
    server.answers["others"] = []  # so that the whole look-back is asked for as well
    server.hanging = {"others": 2}
    found = await gather([DnsLookups(prometheus)], NOVEL, timedelta(seconds=2))
    assert server.asked.count("others") == 2
    assert found.lookups == {"example.com": replace(FULL, neighbours=None)}
    assert found.gaps == (Gap("Prometheus", "timed out after 2 s", ("neighbours",)),)


@pytest.mark.parametrize("kind", [Kind.NOVEL, Kind.VOLUME])
async def test_nobody_answers(kind: Kind) -> None:
    door = Prometheus(PrometheusSettings(url="http://127.0.0.1:1"))
    asked = inquiry(kind, "api.example.com", "*")
    found = await gather([DnsLookups(door), VolumeLookups(door), PodAges(door)], asked, timedelta(seconds=5))
    door.close()
    assert [(gap.source, gap.reason) for gap in found.gaps] == [("Prometheus", "connection refused")]
    assert found.lookups == ({"example.com": Lookups("example.com")} if kind is Kind.NOVEL else {})
    assert found.volume in (None, Volume())
    assert found.pods is None


@pytest.mark.parametrize(
    ("asked", "names", "sizes"),
    [
        (inquiry(Kind.NOVEL, "api.example.com"), True, False),
        (inquiry(Kind.NOVEL), False, False),
        (inquiry(Kind.VOLUME), False, True),
        (inquiry(Kind.VOLUME, "api.example.com"), False, True),
        (inquiry(Kind.OTHER, "api.example.com"), False, False),
    ],
)
async def test_what_each_needs(prometheus: Prometheus, asked: Inquiry, names: bool, sizes: bool) -> None:
    assert DnsLookups(prometheus).applies(asked) is names
    assert VolumeLookups(prometheus).applies(asked) is sizes


@pytest.mark.parametrize("lookup", [DnsLookups, VolumeLookups, PodAges])
@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (Subject("", None, "own", (POD,)), "the alert names no namespace"),
        (Subject("", "media", None), "the alert names no workload and no pod"),
    ],
)
async def test_an_alert_that_says_too_little_is_a_gap_and_no_question(
    server: FakePrometheus, prometheus: Prometheus, lookup: Any, subject: Subject, reason: str
) -> None:
    asked = Inquiry(subject, frozenset(Kind), NOVEL.destinations, NOW, NOW)
    found = await gather([lookup(prometheus)], asked, timedelta(seconds=5))
    assert found.gaps == (Gap("Prometheus", reason, lookup.missing),)
    assert server.requests == []
