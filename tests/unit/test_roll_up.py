"""What many incidents have in common, and what a roll-up says of them."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import TypeAdapter

import reports
from reports import NOW, ago
from tocsin.findings import Findings, Gap, PodFacts
from tocsin.model import Kind, Priority, Verdict
from tocsin.render import console, ntfy, pushover
from tocsin.report import Report
from tocsin.roll_up import Entry, Shared, Totals, sum_up

_REPORTS = TypeAdapter(Report)


def totals(incidents: int = 30, **changes: object) -> Totals:
    """Thirty workloads with one new name each, a minute ago."""
    usual = Totals(
        incidents=incidents, workloads=incidents, namespaces=7, names=incidents, kinds={Kind.NOVEL: incidents},
        verdicts={Verdict.UNEXPLAINED: incidents}, since_at=ago(minutes=1),
    )  # fmt: skip
    return replace(usual, **changes)  # type: ignore[arg-type]


def entry(number: int = 0, verdict: Verdict = Verdict.UNEXPLAINED, **changes: object) -> Entry:
    report = reports.unexplained()
    subject = replace(report.subject, workload=f"app{number}")
    report = replace(report, **{"subject": subject, "findings": Findings(), **changes})  # type: ignore[arg-type]
    return Entry(
        f"{verdict.value.capitalize()}: media/app{number} -> a[.]example", verdict, _REPORTS.dump_json(report).decode()
    )


def started(number: int, minutes: float) -> Entry:
    return entry(number, findings=Findings(pods=PodFacts({f"app{number}-1": ago(minutes=minutes)})))


@pytest.mark.parametrize(
    ("changes", "entries", "said"),
    [
        ({"workload": Shared("media/app", 29, 1)}, [], "media/app asks for all kinds of names"),
        ({"domain": Shared("update.example.com", 24, 24)}, [], "24 workloads ask for update.example[.]com"),
        ({"domain": Shared("update.example.com", 23, 23)}, [], "No common cause shows"),
        ({"domain": Shared("update.example.com", 30, 1)}, [], "No common cause shows"),
        (
            {},
            [started(at, 12 + at % 3) for at in range(9)] + [started(9, 9000)],
            "9 of 10 pods looked at started after",
        ),
        ({}, [started(at, 60 * at) for at in range(9)], "No common cause shows"),
        ({}, [started(0, 5), started(0, 6)], "No common cause shows"),
        ({}, [], "No common cause shows"),
    ],
)
def test_the_likely_cause(changes: dict[str, object], entries: list[Entry], said: str) -> None:
    assert said in sum_up(totals(**changes), entries, NOW).cause


def test_a_namespace_and_releases_are_remarks() -> None:
    bump = replace(reports.unexplained().findings.policy.releases[0], at=ago(hours=2))  # type: ignore[union-attr]
    policy = replace(reports.unexplained().findings.policy, releases=(bump,))  # type: ignore[type-var]
    entries = [entry(at, findings=Findings(policy=policy)) for at in range(3)]
    found = sum_up(totals(namespace=Shared("media", 27, 27)), entries, NOW)
    assert "27 of 30 are in namespace media." in (found.cause, *found.remarks)
    assert "3 of 3 looked at were released within a day before." in (found.cause, *found.remarks)


def test_what_was_not_looked_up_is_said_once() -> None:
    gap = Gap("Prometheus", "was not asked, more than 20 workloads came in a minute")
    found = sum_up(totals(), [entry(at, findings=Findings(gaps=(gap,))) for at in range(5)] + [entry(9)], NOW)
    assert found.remarks == (
        "Not known for 5 of 6: Prometheus was not asked, more than 20 workloads came in a minute.",
    )


def test_it_is_as_loud_as_the_loudest() -> None:
    assert (
        sum_up(totals(), [entry(0, priority=Priority.LOW), entry(1, priority=Priority.URGENT)], NOW).priority
        == "urgent"
    )
    assert sum_up(totals(), [], NOW).priority == "default"


@pytest.mark.parametrize(
    "hostile", ["<img src=x>", "evil.com\r\nX: 1", "@everyone https://evil.com", "\u202egnp", "`rm -rf`"]
)
def test_names_in_it_are_inert_on_every_channel(hostile: str) -> None:
    shared = Shared(hostile, 30, 30)
    for found in (
        sum_up(totals(domain=shared), [entry()], NOW),
        sum_up(totals(workload=shared, namespace=shared), [Entry(hostile, Verdict.UNEXPLAINED, "")], NOW),
    ):
        for message in (
            ntfy.together(found, channel="phone", topic="egress"),
            pushover.together(found, channel="phone"),
            console.together(found, channel="console"),
        ):
            shown = json.dumps(dict(message.body), ensure_ascii=False)
            assert "\u202e" not in shown and "\\r" not in shown
            assert (
                "https://evil" not in shown and "evil.com" not in shown and "@everyone" not in shown.replace("[@]", "")
            )
            if message.channel == "phone" and "html" in message.body:
                assert "<img" not in shown


def test_a_storm_in_one_second_is_told_as_a_minute() -> None:
    found = sum_up(totals(since_at=NOW - timedelta(milliseconds=3)), [], NOW)
    assert ntfy.together(found, channel="phone", topic="a").title == "30 workloads asked for 30 new names in 1 min"
