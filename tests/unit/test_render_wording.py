"""The sentences that golden files do not pin."""

from dataclasses import replace

import pytest

import reports
from tocsin.findings import Findings, Gap, Volume
from tocsin.model import Kind, NoticeReason, Subject, Verdict
from tocsin.render import wording
from tocsin.render.limits import Role
from tocsin.report import Assessment, Report


def body(report: Report) -> list[str]:
    return [line.text for line in wording.lines(report)]


@pytest.mark.parametrize(
    ("report", "title"),
    [
        (
            replace(reports.unexplained(), subject=Subject("", None, None)),
            "Unexplained: unknown subject -> files.paste-drop[.]example",
        ),
        (replace(reports.unexplained(), destination=None), "Unexplained: media/recyclarr"),
        (
            replace(reports.unexplained(), destination=reports.destination("*")),
            "Unexplained: media/recyclarr -> many names",
        ),
        (
            replace(reports.volume(), findings=Findings(volume=Volume(rate=18.4e6))),
            "Suspicious: home/node-red sends 18.4 MB/s",
        ),
        (replace(reports.volume(), findings=Findings()), "Suspicious: home/node-red sends more than usual"),
        (replace(reports.other(), subject=Subject("", None, None)), "KubePodCrashLooping"),
        (replace(reports.other(), reason=NoticeReason.RESOLVED), "Resolved: KubePodCrashLooping: media/sonarr"),
        (
            replace(reports.unexplained(), assessment=Assessment(Verdict.UNJUDGED, "")),
            "EgressNovelDestination: media/recyclarr -> files.paste-drop[.]example",
        ),
        (
            replace(reports.unexplained(), subject=Subject("", "media", None, ("web-<i>0</i>",))),
            r"Unexplained: media/web-\x3ci\x3e0\x3c/i\x3e -> files.paste-drop[.]example",
        ),
    ],
)
def test_title(report: Report, title: str) -> None:
    assert wording.title(report) == title


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        (
            Gap("Prometheus", "timed out after 5 s", ("first-seen", "neighbours")),
            "Not known: Prometheus timed out after 5 s, so first-seen and neighbours are missing.",
        ),
        (
            Gap("GitHub", "connection refused", ("policy",)),
            "Not known: GitHub: connection refused, so policy is missing.",
        ),
        (Gap("git", "failed: no such revision"), "Not known: git failed: no such revision."),
        (Gap("x", "y.", ("a", "b", "c")), "Not known: x: y, so a, b and c are missing."),
    ],
)
def test_gap(gap: Gap, text: str) -> None:
    assert body(replace(reports.explained(), findings=Findings(gaps=(gap,))))[-1] == text


def test_many_gaps_are_counted() -> None:
    gaps = tuple(Gap(f"source {number}", "failed") for number in range(9))
    assert body(replace(reports.explained(), findings=Findings(gaps=gaps)))[-1] == "Not known: 3 more lookups failed."


def test_no_message_is_empty() -> None:
    nothing = Assessment(Verdict.UNEXPLAINED, "")
    for kind in Kind:
        report = replace(reports.unexplained(), kind=kind, assessment=nothing, summary=" ", alert_name="")
        headline = next(line for line in wording.lines(report) if line.role is Role.HEADLINE)
        assert headline.text.endswith("is firing.")
    assert wording.plain_lines("\n \n")[0].text
    assert wording.plain_title(" ") == "tocsin"


def test_an_unknown_alert_shows_the_labels_that_tell_something() -> None:
    labels = {"alertname": "NodeDown", "instance": "beast:9100", "job": "node-exporter", "zone": "a.evil.com"}
    report = replace(reports.other(), labels=labels)
    assert "Labels: instance=beast:9100, job=node-exporter, zone=a.evil[.]com" in body(report)


def test_an_unknown_alert_that_says_nothing_names_itself() -> None:
    report = replace(reports.other(), summary="", description="")
    assert body(report)[0] == "KubePodCrashLooping is firing."


def test_a_resolved_message_leaves_out_what_was_true_then() -> None:
    said = body(reports.resolved())
    assert said[0] == "Resolved after 1 h 50 min. It was unexplained."
    assert not any("11 min ago" in line for line in said)
