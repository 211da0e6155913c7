"""Links lead only to systems the operator runs, and a silence fits the alert it came from."""

from dataclasses import replace
from urllib.parse import unquote

import pytest

import reports
from tocsin.model import Subject
from tocsin.render.links import alert_filter, links


def test_the_filter_uses_the_label_names_of_the_alert() -> None:
    labels = {"alertname": "A", "source_namespace": "media", "source_workload": "recyclarr", "severity": "warning"}
    report = replace(reports.unexplained(), alert_name="A", labels=labels)
    assert alert_filter(report) == '{alertname="A",source_namespace="media",source_workload="recyclarr"}'


def test_names_that_are_no_identifiers_are_quoted_and_values_escaped() -> None:
    labels = {"k8s.namespace": 'me"d\\ia\n', "workload": "recyclarr"}
    subject = Subject("", 'me"d\\ia\n', "recyclarr")
    report = replace(reports.unexplained(), subject=subject, labels=labels)
    assert alert_filter(report) == (
        r'{alertname="EgressNovelDestination","k8s.namespace"="me\"d\\ia\n",workload="recyclarr"}'
    )


def test_the_silence_form_is_prefilled_and_says_nothing_of_the_destination() -> None:
    silence = links(reports.unexplained())[0]
    assert silence.label == "Silence"
    assert unquote(silence.url) == (
        f"{reports.ALERTMANAGER}/#/silences/new?filter="
        '{alertname="EgressNovelDestination",namespace="media",workload="recyclarr"}'
    )


def test_no_button_silences_a_whole_namespace() -> None:
    report = replace(reports.unexplained(), labels={"alertname": "A", "namespace": "media"})
    assert [link.label for link in links(report)] == ["Query"]


def test_a_node_alert_is_silenced_for_its_instance() -> None:
    labels = {"alertname": "NodeDown", "instance": "beast:9100", "job": "node-exporter"}
    report = replace(reports.other(), alert_name="NodeDown", subject=Subject("", None, None), labels=labels)
    assert alert_filter(report) == '{alertname="NodeDown",instance="beast:9100"}'


def test_what_is_resolved_needs_no_silence() -> None:
    assert [link.label for link in links(reports.resolved())] == ["Query"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "ftp://host/",
        "https://",
        "http://[",
        "https://user@host/",
        "https://host/ with space",
        "https://host/\nX: y",
        "https://höst/",
        'https://host/"><b>',
        "https://host/" + "a" * 2000,
    ],
)
def test_anything_but_a_plain_web_address_is_left_out(url: str) -> None:
    assert links(replace(reports.unexplained(), alertmanager_url=url, generator_url=url)) == ()
